use candle_core::{DType, Device, Var};

use super::super::fixture::{Case, Fixture};
use super::*;

const INPUTS: [&str; 3] = ["x", "weight", "bias"];

fn form(case: &Case) -> Form {
    let relu = case.name().starts_with("relu");
    Form::with(if relu { Activation::Relu } else { Activation::Identity })
}

#[test]
fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
    for case in Fixture::open("batch_norm").cases("") {
        let form = form(&case);
        case.check(&INPUTS, |tape, x| Ok(batch_norm(tape, &x[0], (&x[1], &x[2]), None, form)?.0))?;
        case.check_reference(&INPUTS, |x| Ok(reference(&x[0], (&x[1], &x[2]), None, form)?.0))?;
    }
    Ok(())
}

#[test]
fn statistics_are_those_pytorch_keeps() -> Result<()> {
    for case in Fixture::open("batch_norm").cases("") {
        let [x, weight, bias] = INPUTS.map(|name| case.tensor(name));
        let (tape, form) = (Tape::recording(&Device::Cpu), Form::with(Activation::Identity));
        let both =
            [batch_norm(&tape, x, (weight, bias), None, form)?, reference(x, (weight, bias), None, form)?];
        for (_, found) in both {
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
        let form = form(&case);
        let (scale, shift) = fold(weight, bias, mean, variance, form.epsilon)?;
        let tape = Tape::silent(&Device::Cpu);
        let x = case.tensor("x").copy()?;
        case.compare("inference", &scale_shift(&tape, x, (&scale, &shift), None, form.activation)?)?;
    }
    Ok(())
}

#[test]
fn a_single_value_per_channel_is_refused() -> Result<()> {
    let x = Tensor::ones((1, 3, 1, 1), DType::F32, &Device::Cpu)?;
    let one = Tensor::ones(3, DType::F32, &Device::Cpu)?;
    let tape = Tape::recording(&Device::Cpu);
    let form = Form::with(Activation::Relu);
    let error = batch_norm(&tape, &x, (&one, &one), None, form).err().expect("one value has no variance");
    assert!(error.to_string().contains("train with more than one image"), "{error}");
    Ok(())
}

#[test]
fn a_shortcut_is_added_before_the_activation() -> Result<()> {
    let case = Fixture::open("batch_norm").cases("plain").remove(0);
    let shortcut = (case.tensor("x").sin()? * 2.0)?;
    for (activation, epsilon) in
        [(Activation::Relu, 1e-5), (Activation::Relu6, 1e-3), (Activation::Identity, 0.1)]
    {
        let form = Form { epsilon, activation };
        let inputs = INPUTS.map(|name| case.tensor(name));
        let vars = [inputs[0], inputs[1], inputs[2], &shortcut].map(Var::from_tensor);
        let [x, weight, bias, add] = vars.map(|var| var.expect("a copy"));
        let affine = (weight.as_tensor(), bias.as_tensor());
        let tape = Tape::recording(&Device::Cpu);
        let (out, _) = batch_norm(&tape, &x, affine, Some(&add), form)?;
        let mut found = tape.backward_from(&out, case.tensor("grad").flatten_all()?.to_vec1()?)?;
        let (expected_out, _) = reference(&x, affine, Some(&add), form)?;
        let expected = (&expected_out * case.tensor("grad"))?.sum_all()?.backward()?;
        let distance = |a: &Tensor, b: &Tensor| (a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
        assert!(distance(&out, &expected_out)? < 1e-5);
        for var in [&x, &weight, &bias, &add] {
            let found = found.take(var)?.expect("every input has a gradient");
            assert!(distance(&found, expected.get(var).expect("as above"))? < 1e-4, "{activation:?}");
        }
    }
    Ok(())
}
