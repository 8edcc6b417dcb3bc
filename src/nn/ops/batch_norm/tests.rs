use candle_core::{DType, Device};

use super::super::fixture::Fixture;
use super::*;

const INPUTS: [&str; 3] = ["x", "weight", "bias"];

#[test]
fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
    for case in Fixture::open("batch_norm").cases("") {
        let relu = case.name().starts_with("relu");
        case.check(&INPUTS, |x| Ok(batch_norm(&x[0], &x[1], &x[2], relu)?.0))?;
        case.check(&INPUTS, |x| Ok(reference(&x[0], &x[1], &x[2], relu)?.0))?;
    }
    Ok(())
}

#[test]
fn statistics_are_those_pytorch_keeps() -> Result<()> {
    for case in Fixture::open("batch_norm").cases("") {
        let [x, weight, bias] = INPUTS.map(|name| case.tensor(name));
        for (_, found) in [batch_norm(x, weight, bias, false)?, reference(x, weight, bias, false)?] {
            case.compare("mean", &found.mean)?;
            case.compare("variance", &found.variance)?;
        }
    }
    Ok(())
}

#[test]
fn the_folded_form_is_pytorchs_inference() -> Result<()> {
    for case in Fixture::open("batch_norm").cases("") {
        let names = ["weight", "bias", "running_mean", "running_var"];
        let [weight, bias, mean, variance] = names.map(|name| case.tensor(name));
        let (scale, shift) = fold(weight, bias, mean, variance)?;
        let relu = case.name().starts_with("relu");
        case.compare("inference", &scale_shift(case.tensor("x").copy()?, &scale, &shift, relu)?)?;
    }
    Ok(())
}

#[test]
fn a_single_value_per_channel_is_refused() -> Result<()> {
    let x = Tensor::ones((1, 3, 1, 1), DType::F32, &Device::Cpu)?;
    let one = Tensor::ones(3, DType::F32, &Device::Cpu)?;
    let error = batch_norm(&x, &one, &one, true).err().expect("one value has no variance");
    assert!(error.to_string().contains("train with more than one image"), "{error}");
    Ok(())
}
