use candle_core::{Device, Var};

use super::super::fixture::{Case, Fixture};
use super::*;

fn window(case: &Case) -> Result<Window> {
    let window = case.tensor("window").to_vec1::<i64>()?;
    let padding = Padding::Each(window[1] as usize);
    Ok(Window { stride: window[0] as usize, padding, dilation: window[2] as usize })
}

#[test]
fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
    for case in Fixture::open("conv2d").cases("") {
        let window = window(&case)?;
        case.check(&["x", "weight"], |tape, x| conv2d(tape, &x[0], &x[1], window))?;
    }
    Ok(())
}

#[test]
fn the_reference_path_is_that_of_pytorch_too() -> Result<()> {
    for case in Fixture::open("conv2d").cases("") {
        let window = window(&case)?;
        case.check_reference(&["x", "weight"], |x| {
            let geometry = Geometry::new(x[0].dims(), x[1].dims(), window).expect("it fits");
            reference::conv2d(&x[0], &x[1], geometry)
        })?;
    }
    Ok(())
}

#[test]
fn both_algorithms_agree_wherever_both_apply() -> Result<()> {
    for case in Fixture::open("conv2d").cases("") {
        let geometry = Geometry::new(case.tensor("x").dims(), case.tensor("weight").dims(), window(&case)?);
        let g = geometry.expect("it fits");
        let flat = |name: &str| case.tensor(name).flatten_all()?.to_vec1::<f32>();
        let (x, weight, grad) = (flat("x")?, flat("weight")?, flat("grad")?);
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
        let dense = dense::backward(&g, &x, &weight, &grad, (true, true));
        let dilated = dilated::backward(&g, &x, &weight, &grad, (true, true));
        assert!(
            close(&dense::forward(&g, &x, &weight), &dilated::forward(&g, &x, &weight)),
            "{}",
            case.name()
        );
        assert!(close(&dense.0, &dilated.0) && close(&dense.1, &dilated.1), "{}", case.name());
    }
    Ok(())
}

#[test]
fn the_bias_is_that_of_pytorch() -> Result<()> {
    Fixture::open("pointwise").case("add_bias").check(&["x", "bias"], |tape, x| add_bias(tape, &x[0], &x[1]))
}

#[test]
fn an_image_gets_no_gradient() -> Result<()> {
    let x = Tensor::ones((2, 3, 8, 8), candle_core::DType::F32, &Device::Cpu)?;
    let weight = Var::ones((4, 3, 3, 3), candle_core::DType::F32, &Device::Cpu)?;
    let tape = Tape::recording(&Device::Cpu);
    let out = conv2d(&tape, &x, &weight, Window::same(3, 1, 1))?;
    let mut gradients = tape.backward_from(&out, vec![1.0; out.elem_count()])?;
    assert!(gradients.take(&weight)?.is_some() && gradients.take(&x)?.is_none());
    Ok(())
}

#[test]
fn a_kernel_that_does_not_fit_is_an_error() -> Result<()> {
    let x = Tensor::ones((1, 3, 4, 4), candle_core::DType::F32, &Device::Cpu)?;
    let weight = Tensor::ones((4, 3, 3, 3), candle_core::DType::F32, &Device::Cpu)?;
    let error = conv2d(
        &Tape::silent(&Device::Cpu),
        &x,
        &weight,
        Window { stride: 1, padding: Padding::Each(0), dilation: 4 },
    )
    .expect_err("9 > 4");
    assert!(error.to_string().contains("does not fit"), "{error}");
    Ok(())
}
