use candle_core::{Device, Var};

use super::super::fixture::Fixture;
use super::*;

fn count(target: &Tensor) -> Result<usize> {
    Ok(target.flatten_all()?.to_vec1::<u8>()?.iter().filter(|&&id| id != IGNORE).count())
}

#[test]
fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
    for case in Fixture::open("cross_entropy").cases("") {
        let target = case.tensor("target");
        case.check(&["x"], |x| cross_entropy(&x[0], target))?;
        case.check(&["x"], |x| reference(&x[0], target, count(target)?))?;
    }
    Ok(())
}

#[test]
fn a_batch_without_labels_has_loss_and_gradient_zero() -> Result<()> {
    let x = Var::from_tensor(&Tensor::arange(0f32, 2. * 3. * 4. * 5., &Device::Cpu)?.reshape((2, 3, 4, 5))?)?;
    let target = Tensor::full(IGNORE, (2, 4, 5), &Device::Cpu)?;
    for loss in [cross_entropy(&x, &target)?, reference(&x, &target, 0)?] {
        assert_eq!(loss.to_scalar::<f32>()?, 0.0);
        let gradient =
            loss.backward()?.remove(&x).expect("x has a gradient").flatten_all()?.to_vec1::<f32>()?;
        assert!(gradient.iter().all(|&g| g == 0.0));
    }
    Ok(())
}

#[test]
fn large_logits_do_not_overflow() -> Result<()> {
    let x = Tensor::new(&[1e4f32, -1e4, 0.0], &Device::Cpu)?.reshape((1, 3, 1, 1))?;
    let target = Tensor::new(&[1u8], &Device::Cpu)?.reshape((1, 1, 1))?;
    assert_eq!(cross_entropy(&x, &target)?.to_scalar::<f32>()?, 2e4);
    Ok(())
}

#[test]
fn not_a_number_is_not_hidden() -> Result<()> {
    let x = Tensor::new(&[f32::NAN, 1.0], &Device::Cpu)?.reshape((1, 2, 1, 1))?;
    let target = Tensor::new(&[1u8], &Device::Cpu)?.reshape((1, 1, 1))?;
    assert!(cross_entropy(&x, &target)?.to_scalar::<f32>()?.is_nan());
    Ok(())
}

#[test]
fn a_class_id_out_of_range_is_an_error() -> Result<()> {
    let x = Tensor::zeros((1, 3, 1, 2), DType::F32, &Device::Cpu)?;
    let target = Tensor::new(&[[[2u8, 3]]], &Device::Cpu)?;
    let error = cross_entropy(&x, &target).expect_err("3 is no class of 3");
    assert!(error.to_string().contains("class id 3 in a target of 3 classes"), "{error}");
    Ok(())
}
