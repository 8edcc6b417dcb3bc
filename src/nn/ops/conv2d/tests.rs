use candle_core::{Device, Var};

use super::super::fixture::{Case, Fixture};
use super::*;
use crate::base::stream::Stream;

fn window(case: &Case) -> Result<Window> {
    let window = case.tensor("window").to_vec1::<i64>()?;
    let padding = usize::try_from(window[1]).map_or(Padding::Same, Padding::Each);
    Ok(Window { stride: window[0] as usize, padding, dilation: window[2] as usize })
}

/// The cases of every fixture file: without groups, and with them.
fn cases() -> Vec<Case> {
    ["conv2d", "conv2d_grouped"].iter().flat_map(|file| Fixture::open(file).cases("")).collect()
}

#[test]
fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
    for case in cases() {
        let window = window(&case)?;
        case.check(&["x", "weight"], |tape, x| conv2d(tape, &x[0], &x[1], window))?;
    }
    Ok(())
}

#[test]
fn the_reference_path_is_that_of_pytorch_too() -> Result<()> {
    for case in cases() {
        let window = window(&case)?;
        case.check_reference(&["x", "weight"], |x| {
            let geometry = Geometry::new(x[0].dims(), x[1].dims(), window).expect("it fits");
            reference::conv2d(&x[0], &x[1], geometry)
        })?;
    }
    Ok(())
}

type Forward = fn(&Geometry, &[f32], &[f32]) -> Vec<f32>;
type Backward = fn(&Geometry, &[f32], &[f32], &[f32], (bool, bool)) -> (Vec<f32>, Vec<f32>);

/// Output and gradients, by every algorithm of whole channels that applies; the first is `dense`.
fn by_all(g: &Geometry, x: &[f32], weight: &[f32], grad: &[f32]) -> Vec<[Vec<f32>; 3]> {
    let algorithms: [(bool, Forward, Backward); 4] = [
        (true, dense::forward, dense::backward),
        (pointwise::applies(g), pointwise::forward, pointwise::backward),
        (dilated::applies(g), dilated::forward, dilated::backward),
        (winograd::applies(g), winograd::forward, winograd::backward),
    ];
    let applicable = algorithms.into_iter().filter(|(applies, ..)| *applies);
    applicable
        .map(|(_, forward, backward)| {
            let (of_x, of_weight) = backward(g, x, weight, grad, (true, true));
            [forward(g, x, weight), of_x, of_weight]
        })
        .collect()
}

#[test]
fn all_algorithms_agree_wherever_they_apply() -> Result<()> {
    for case in Fixture::open("conv2d").cases("") {
        let geometry = Geometry::new(case.tensor("x").dims(), case.tensor("weight").dims(), window(&case)?);
        let g = geometry.expect("it fits");
        let flat = |name: &str| case.tensor(name).flatten_all()?.to_vec1::<f32>();
        let results = by_all(&g, &flat("x")?, &flat("weight")?, &flat("grad")?);
        for other in &results[1..] {
            for (a, b) in results[0].iter().zip(other) {
                assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4), "{}", case.name());
            }
        }
    }
    Ok(())
}

#[test]
fn the_bits_are_the_same_on_any_number_of_threads() {
    // (input, outputs, kernel, stride, dilation), each large enough to be cut for several threads.
    for (x, outputs, kernel, stride, dilation) in [
        ([3, 90, 25, 23], 300, 1, 1, 1),
        ([2, 70, 31, 33], 40, 3, 2, 1),
        ([9, 64, 7, 7], 64, 1, 1, 1),
        ([2, 130, 23, 25], 36, 3, 1, 9),
    ] {
        let window = Window::same(kernel, stride, dilation);
        let g = Geometry::new(&x, &[outputs, x[1], kernel, kernel], window).expect("it fits");
        let values = |name: &str, count: usize| -> Vec<f32> {
            let mut stream = Stream::at(3, "test", "", 0, name);
            (0..count).map(|_| stream.unit() - 0.5).collect()
        };
        let (x, weight) = (values("x", x.iter().product()), values("weight", outputs * x[1] * g.taps()));
        let grad = values("grad", g.batch * outputs * g.out_pixels());
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let results = pool.install(|| by_all(&g, &x, &weight, &grad));
            results.into_iter().flatten().flatten().map(f32::to_bits).collect::<Vec<_>>()
        };
        let alone = on(1);
        for threads in 2..=4 {
            assert!(on(threads) == alone, "{threads} threads, kernel {kernel}");
        }
    }
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

/// Values in [-0.5, 0.5).
fn values(n: usize, item: &str) -> Vec<f32> {
    let mut stream = crate::base::stream::Stream::at(1, "test", "", 0, item);
    (0..n).map(|_| stream.unit() - 0.5).collect()
}

/// What is convolved, what with, and the gradient of the result.
fn operands(g: &Geometry) -> [Vec<f32>; 3] {
    let depth = g.inputs / g.groups;
    [
        values(g.batch * g.inputs * g.in_pixels(), "x"),
        values(g.outputs * depth * g.taps(), "weight"),
        values(g.batch * g.outputs * g.out_pixels(), "grad"),
    ]
}

#[test]
fn every_number_of_threads_gives_the_same_bits() {
    for (shape, kernel, stride) in [([3, 43, 41, 38], [43, 1, 5, 5], 2), ([2, 24, 30, 61], [48, 1, 3, 3], 1)]
    {
        let g = Geometry::new(&shape, &kernel, Window::same(kernel[2], stride, 1)).expect("it fits");
        assert!(depthwise::applies(&g));
        let [x, weight, grad] = operands(&g);
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| {
                let out = depthwise::forward(&g, &x, &weight);
                let (of_x, of_weight) = depthwise::backward(&g, &x, &weight, &grad, (true, true));
                [out, of_x, of_weight].map(|v| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
            })
        };
        let one = bits(1);
        for threads in 2..=4 {
            assert!(bits(threads) == one, "{threads} threads, {shape:?}");
        }
    }
}

#[test]
fn a_gradient_that_nobody_wants_is_not_computed() {
    for kernel in [[8, 1, 3, 3], [8, 4, 3, 3]] {
        let g = Geometry::new(&[2, 8, 5, 6], &kernel, Window::same(3, 1, 1)).expect("it fits");
        let [x, weight, grad] = operands(&g);
        let both = algorithm::backward(&g, &x, &weight, &grad, (true, true));
        assert_eq!(algorithm::backward(&g, &x, &weight, &grad, (true, false)), (both.0, Vec::new()));
        assert_eq!(algorithm::backward(&g, &x, &weight, &grad, (false, true)), (Vec::new(), both.1));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(60))]
    #[test]
    fn groups_of_any_kind_agree_with_the_reference(
        batch in 1usize..3, groups in 2usize..19, inputs in 1usize..3, outputs in 1usize..3,
        height in 1usize..15, width in 1usize..24, kernel in (1usize..6, 1usize..6),
        stride in 1usize..4, zeros in 0usize..8, dilation in 1usize..4, same: bool,
    ) {
        let padding = if same { Padding::Same } else { Padding::Each(zeros) };
        let shape = [batch, groups * inputs, height, width];
        let kernel = [groups * outputs, inputs, kernel.0, kernel.1];
        let Some(g) = Geometry::new(&shape, &kernel, Window { stride, padding, dilation }) else { return Ok(()) };
        let [x, weight, grad] = operands(&g);
        let (of_x, of_weight) = algorithm::backward(&g, &x, &weight, &grad, (true, true));
        let found = [algorithm::forward(&g, &x, &weight), of_x, of_weight];
        let expected = with_the_reference(&g, &x, &weight, &grad).expect("the reference computes");
        for (found, expected) in found.iter().zip(&expected) {
            proptest::prop_assert_eq!(found.len(), expected.len());
            let largest = expected.iter().fold(1e-2f32, |largest, v| largest.max(v.abs()));
            let worst = found.iter().zip(expected).fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
            proptest::prop_assert!(worst <= 1e-5 * largest, "{} off, largest value {}", worst, largest);
        }
    }
}

/// The result and both gradients by tensor operations.
fn with_the_reference(g: &Geometry, x: &[f32], weight: &[f32], grad: &[f32]) -> Result<[Vec<f32>; 3]> {
    let device = &Device::Cpu;
    let x = Var::from_slice(x, (g.batch, g.inputs, g.height, g.width), device)?;
    let shape = (g.outputs, g.inputs / g.groups, g.kernel.0, g.kernel.1);
    let weight = Var::from_slice(weight, shape, device)?;
    let out = reference::conv2d(&x, &weight, *g)?;
    let grads = (&out * Tensor::from_slice(grad, out.shape(), device)?)?.sum_all()?.backward()?;
    let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1();
    let of = |var: &Var| flat(grads.get(var).expect("every input has a gradient"));
    Ok([flat(&out)?, of(&x)?, of(&weight)?])
}
