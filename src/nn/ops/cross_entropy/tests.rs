use candle_core::{Device, Var};

use super::super::fixture::Fixture;
use super::*;

/// The sum of the weights of the pixels that count.
fn total(target: &Tensor, weights: Option<&Tensor>) -> Result<f64> {
    let ids = target.flatten_all()?.to_vec1::<u8>()?;
    let weights = match weights {
        Some(weights) => weights.flatten_all()?.to_vec1::<f32>()?,
        None => vec![1.0; ids.len()],
    };
    Ok(ids
        .iter()
        .zip(weights)
        .filter(|(id, _)| **id != IGNORE)
        .map(|(_, w)| f64::from(w))
        .sum::<f64>()
        .max(1e-9))
}

fn loss_of(logits: &Tensor, target: &Tensor) -> Result<f32> {
    cross_entropy(&Tape::silent(&Device::Cpu), logits, target, None)?.to_scalar::<f32>()
}

#[test]
fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
    for case in
        ["cross_entropy", "cross_entropy_weighted"].iter().flat_map(|file| Fixture::open(file).cases(""))
    {
        let target = case.tensor("target");
        let weights = case.has("weights").then(|| case.tensor("weights"));
        case.check(&["x"], |tape, x| cross_entropy(tape, &x[0], target, weights))?;
        let total = total(target, weights)?;
        case.check_reference(&["x"], |x| reference(&x[0], target, weights, total))?;
    }
    Ok(())
}

#[test]
fn a_batch_without_labels_has_loss_and_gradient_zero() -> Result<()> {
    let x = Var::from_tensor(&Tensor::arange(0f32, 2. * 3. * 4. * 5., &Device::Cpu)?.reshape((2, 3, 4, 5))?)?;
    let target = Tensor::full(IGNORE, (2, 4, 5), &Device::Cpu)?;
    let nothing = Tensor::zeros((2, 4, 5), candle_core::DType::F32, &Device::Cpu)?;
    for (target, weights) in
        [(target, None), (Tensor::zeros((2, 4, 5), DType::U8, &Device::Cpu)?, Some(&nothing))]
    {
        let tape = Tape::recording(&Device::Cpu);
        let loss = cross_entropy(&tape, &x, &target, weights)?;
        let other = reference(&x, &target, weights, 1.0)?;
        assert_eq!((loss.to_scalar::<f32>()?, other.to_scalar::<f32>()?), (0.0, 0.0));
        for mut gradients in [tape.backward(&loss)?, other.backward()?.into()] {
            let gradient = gradients.take(&x)?.expect("x has a gradient").flatten_all()?.to_vec1::<f32>()?;
            assert!(gradient.iter().all(|&g| g == 0.0));
        }
    }
    Ok(())
}

#[test]
fn large_logits_do_not_overflow() -> Result<()> {
    let x = Tensor::new(&[1e4f32, -1e4, 0.0], &Device::Cpu)?.reshape((1, 3, 1, 1))?;
    let target = Tensor::new(&[1u8], &Device::Cpu)?.reshape((1, 1, 1))?;
    assert_eq!(loss_of(&x, &target)?, 2e4);
    Ok(())
}

#[test]
fn not_a_number_is_not_hidden() -> Result<()> {
    let x = Tensor::new(&[f32::NAN, 1.0], &Device::Cpu)?.reshape((1, 2, 1, 1))?;
    let target = Tensor::new(&[1u8], &Device::Cpu)?.reshape((1, 1, 1))?;
    assert!(loss_of(&x, &target)?.is_nan());
    Ok(())
}

#[test]
fn a_class_id_out_of_range_is_an_error() -> Result<()> {
    let x = Tensor::zeros((1, 3, 1, 2), DType::F32, &Device::Cpu)?;
    let target = Tensor::new(&[[[2u8, 3]]], &Device::Cpu)?;
    let error = loss_of(&x, &target).expect_err("3 is no class of 3");
    assert!(error.to_string().contains("class id 3 in a target of 3 classes"), "{error}");
    Ok(())
}
