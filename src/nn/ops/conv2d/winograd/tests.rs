//! Minimal filtering against exact sums, and against itself on other numbers of threads.

use proptest::prelude::*;

use super::super::{Padding, Window};
use super::*;
use crate::base::stream::Stream;

/// Input, weight and gradient of the output for `g`.
struct Operands {
    g: Geometry,
    x: Vec<f32>,
    weight: Vec<f32>,
    grad: Vec<f32>,
}

impl Operands {
    fn new(x: [usize; 4], outputs: usize, zeros: usize, dilation: usize) -> Option<Self> {
        let window = Window { stride: 1, padding: Padding::Each(zeros * dilation), dilation };
        let g = Geometry::new(&x, &[outputs, x[1], 3, 3], window)?;
        let values = |name: &str, count: usize| {
            let mut stream = Stream::at(7, "test", "", 0, name);
            (0..count).map(|_| stream.unit() - 0.5).collect()
        };
        Some(Self {
            g,
            x: values("x", g.batch * g.inputs * g.in_pixels()),
            weight: values("weight", g.outputs * g.inputs * 9),
            grad: values("grad", g.batch * g.outputs * g.out_pixels()),
        })
    }

    /// Output and gradients.
    fn convolve(&self) -> [Vec<f32>; 3] {
        let (of_x, of_weight) = backward(&self.g, &self.x, &self.weight, &self.grad, (true, true));
        [forward(&self.g, &self.x, &self.weight), of_x, of_weight]
    }

    /// The same in f64, term by term.
    fn exactly(&self) -> [Vec<f64>; 3] {
        let Self { g, x, weight, grad } = self;
        let (mut out, mut of_x, mut of_weight) =
            (vec![0.0; grad.len()], vec![0.0; x.len()], vec![0.0; weight.len()]);
        for image in 0..g.batch {
            for output in 0..g.outputs {
                for input in 0..g.inputs {
                    for tap in g.valid_taps() {
                        let w = (output * g.inputs + input) * 9 + tap.index;
                        for (i, y) in tap.rows.clone().enumerate() {
                            let from =
                                ((image * g.inputs + input) * g.height + tap.top + i) * g.width + tap.left;
                            let to = ((image * g.outputs + output) * g.out_height + y) * g.out_width;
                            for (j, column) in tap.columns.clone().enumerate() {
                                let (from, to) = (from + j, to + column);
                                out[to] += f64::from(weight[w]) * f64::from(x[from]);
                                of_x[from] += f64::from(weight[w]) * f64::from(grad[to]);
                                of_weight[w] += f64::from(x[from]) * f64::from(grad[to]);
                            }
                        }
                    }
                }
            }
        }
        [out, of_x, of_weight]
    }
}

impl Operands {
    /// The same with every number's magnitude: its exact sums are what rounding errors grow with, however much of the true
    /// sums cancels.
    fn magnitudes(&self) -> Self {
        let of = |values: &[f32]| values.iter().map(|value| value.abs()).collect();
        Self { g: self.g, x: of(&self.x), weight: of(&self.weight), grad: of(&self.grad) }
    }
}

/// The largest difference, relative to the largest value of `scale`.
fn error_on(scale: &[f64], values: &[f32], exact: &[f64]) -> f64 {
    let largest = scale.iter().fold(f64::MIN_POSITIVE, |most, v| most.max(v.abs()));
    values.iter().zip(exact).fold(0f64, |most, (v, e)| most.max((f64::from(*v) - e).abs())) / largest
}

/// The largest difference, relative to the largest value.
fn error(values: &[f32], exact: &[f64]) -> f64 {
    error_on(exact, values, exact)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn values_and_gradients_are_those_of_the_sum(
        batch in 1usize..4, inputs in 1usize..20, height in 1usize..24, width in 1usize..24, outputs in 1usize..20,
        zeros in 0usize..3, dilation in prop_oneof![Just(1usize), Just(2), 1usize..37],
    ) {
        let Some(operands) = Operands::new([batch, inputs, height, width], outputs, zeros, dilation) else {
            return Ok(());
        };
        prop_assert!(applies(&operands.g));
        let scales = operands.magnitudes().exactly();
        for ((values, exact), scale) in operands.convolve().iter().zip(&operands.exactly()).zip(&scales) {
            let error = error_on(scale, values, exact);
            prop_assert!(error < 1e-6, "{error}");
        }
    }
}

#[test]
fn many_channels_stay_exact() {
    // More inputs than one product adds up, and tiles enough to be cut.
    for (x, outputs) in [([1, 600, 5, 7], 9), ([2, 9, 40, 48], 70)] {
        let operands = Operands::new(x, outputs, 1, 1).expect("it fits");
        for (values, exact) in operands.convolve().iter().zip(&operands.exactly()) {
            assert!(error(values, exact) < 2e-6, "{}", error(values, exact));
        }
    }
}

#[test]
fn the_bits_are_the_same_on_any_number_of_threads() {
    // Few tiles, and many.
    for (x, outputs, dilation) in [([2, 96, 17, 17], 200, 2), ([2, 24, 63, 65], 40, 1)] {
        let operands = Operands::new(x, outputs, 1, dilation).expect("it fits");
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| operands.convolve())
                .map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let alone = on(1);
        for threads in 2..=4 {
            assert!(on(threads) == alone, "{threads} threads");
        }
    }
}

#[test]
fn only_what_is_wanted_is_computed() {
    let Operands { g, x, weight, grad } = Operands::new([1, 3, 6, 5], 4, 1, 1).expect("it fits");
    let both = backward(&g, &x, &weight, &grad, (true, true));
    assert_eq!(backward(&g, &x, &weight, &grad, (true, false)), (both.0, Vec::new()));
    assert_eq!(backward(&g, &x, &weight, &grad, (false, true)), (Vec::new(), both.1));
}

#[test]
fn what_was_not_a_number_stays_so() {
    let Operands { g, mut x, weight, .. } = Operands::new([1, 2, 9, 9], 3, 1, 1).expect("it fits");
    x[40] = f32::NAN;
    let out = forward(&g, &x, &weight);
    // The pixel, its neighbours, and what else their tiles cover; no more.
    assert!(out[40].is_nan() && out[50].is_nan());
    assert!(out[..9].iter().all(|v| v.is_finite()));
}
