//! What is run: operations with their sizes.

use candle_core::{Result, Tensor};

use crate::data::image::IGNORE;
use crate::nn::ops::activation::Activation;
use crate::nn::ops::attention::attention;
use crate::nn::ops::batch_norm::{Form, batch_norm, fold, scale_shift};
use crate::nn::ops::concat::concat;
use crate::nn::ops::conv2d::{Padding, Window, add_bias, conv2d};
use crate::nn::ops::cross_entropy::cross_entropy;
use crate::nn::ops::dropout::{DropoutAt, Unit, dropout};
use crate::nn::ops::gelu::gelu;
use crate::nn::ops::layer_norm::layer_norm;
use crate::nn::ops::max_pool::max_pool;
use crate::nn::ops::pool::adaptive_average;
use crate::nn::ops::resize::{Corners, bilinear};
use crate::nn::ops::softmax::softmax;
use crate::nn::ops::sum::sum;
use crate::nn::tape::Tape;

/// An operation on inputs of some sizes. Cases of one operation stand together.
pub(super) struct Case {
    pub(super) op: &'static str,
    /// What is special about the case.
    pub(super) what: &'static str,
    /// Sizes of the inputs.
    pub(super) inputs: &'static [&'static [usize]],
    /// Standard deviation of the inputs.
    pub(super) spread: f64,
    /// Whether training uses the operation, so that it has gradients.
    pub(super) trains: bool,
    pub(super) run: fn(&Tape, &[Tensor]) -> Result<Tensor>,
}

type Run = fn(&Tape, &[Tensor]) -> Result<Tensor>;

const fn case(op: &'static str, what: &'static str, inputs: &'static [&'static [usize]], run: Run) -> Case {
    Case { op, what, inputs, spread: 1.0, trains: true, run }
}

/// An operation that only predictions use.
const fn predicts(
    op: &'static str,
    what: &'static str,
    inputs: &'static [&'static [usize]],
    run: Run,
) -> Case {
    Case { op, what, inputs, spread: 1.0, trains: false, run }
}

/// Values so far apart that an activation meets its upper bound, and a softmax its ends.
const fn wide(case: Case) -> Case {
    Case { spread: 4.0, ..case }
}

#[rustfmt::skip]
pub(super) const CASES: &[Case] = &[
    case("conv2d", "1×1", &[&[2, 5, 9, 7], &[6, 5, 1, 1]], |t, x| conv2d(t, &x[0], &x[1], Window::POINT)),
    case("conv2d", "1×1, stride 2", &[&[2, 5, 9, 8], &[6, 5, 1, 1]], |t, x| conv2d(t, &x[0], &x[1], window(2, 0, 1))),
    case("conv2d", "3×3", &[&[2, 5, 9, 7], &[6, 5, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(1, 1, 1))),
    case("conv2d", "3×3 of many channels", &[&[1, 37, 11, 13], &[19, 37, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(1, 1, 1))),
    case("conv2d", "3×3, stride 2, odd", &[&[3, 4, 13, 11], &[5, 4, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(2, 1, 1))),
    case("conv2d", "3×3, stride 2, even", &[&[3, 4, 12, 10], &[5, 4, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(2, 1, 1))),
    case("conv2d", "3×3, dilation 2", &[&[2, 4, 9, 11], &[5, 4, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(1, 2, 2))),
    case("conv2d", "3×3, dilation beyond the image", &[&[2, 4, 9, 11], &[5, 4, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(1, 12, 12))),
    case("conv2d", "7×7, stride 2", &[&[2, 3, 17, 15], &[4, 3, 7, 7]], |t, x| conv2d(t, &x[0], &x[1], window(2, 3, 1))),
    case("conv2d", "3×3, stride 2, uneven zeros", &[&[2, 3, 12, 9], &[4, 3, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], same(2))),
    case("conv2d", "5×5, stride 2, uneven zeros", &[&[2, 3, 13, 10], &[4, 3, 5, 5]], |t, x| conv2d(t, &x[0], &x[1], same(2))),
    case("grouped conv2d", "two groups", &[&[2, 6, 9, 7], &[4, 3, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(1, 1, 1))),
    case("grouped conv2d", "three groups, 1×1", &[&[2, 6, 9, 7], &[9, 2, 1, 1]], |t, x| conv2d(t, &x[0], &x[1], Window::POINT)),
    case("depthwise conv2d", "3×3", &[&[2, 11, 9, 7], &[11, 1, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(1, 1, 1))),
    case("depthwise conv2d", "3×3, dilation 4", &[&[2, 11, 9, 7], &[11, 1, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(1, 4, 4))),
    case("depthwise conv2d", "5×5, stride 2, uneven zeros", &[&[2, 9, 12, 13], &[9, 1, 5, 5]], |t, x| conv2d(t, &x[0], &x[1], same(2))),
    case("depthwise conv2d", "two outputs each", &[&[2, 5, 9, 7], &[10, 1, 3, 3]], |t, x| conv2d(t, &x[0], &x[1], window(2, 1, 1))),
    case("bias", "per channel", &[&[2, 5, 7, 9], &[5]], |t, x| add_bias(t, &x[0], &x[1])),
    case("batch norm", "alone", &[&[3, 5, 7, 9], &[5], &[5]], |t, x| norm(t, x, None, Activation::Identity)),
    case("batch norm", "one image", &[&[1, 5, 3, 7], &[5], &[5]], |t, x| norm(t, x, None, Activation::Relu)),
    case("batch norm", "ReLU", &[&[3, 5, 7, 9], &[5], &[5]], |t, x| norm(t, x, None, Activation::Relu)),
    wide(case("batch norm", "ReLU6", &[&[3, 5, 7, 9], &[5], &[5]], |t, x| norm(t, x, None, Activation::Relu6))),
    case("batch norm", "shortcut, ReLU", &[&[3, 5, 7, 9], &[5], &[5], &[3, 5, 7, 9]], |t, x| norm(t, &x[..3], Some(&x[3]), Activation::Relu)),
    predicts("folded batch norm", "alone", &[&[2, 5, 7, 9], &[5], &[5], &[5], &[5]], |t, x| folded(t, x, None, Activation::Identity)),
    predicts("folded batch norm", "shortcut, ReLU", &[&[2, 5, 7, 9], &[5], &[5], &[5], &[5], &[2, 5, 7, 9]], |t, x| folded(t, x, Some(&x[5]), Activation::Relu)),
    wide(predicts("folded batch norm", "ReLU6", &[&[2, 5, 7, 9], &[5], &[5], &[5], &[5]], |t, x| folded(t, x, None, Activation::Relu6))),
    case("max pool", "odd", &[&[2, 3, 13, 9]], |t, x| max_pool(t, &x[0])),
    case("max pool", "even", &[&[2, 3, 12, 8]], |t, x| max_pool(t, &x[0])),
    case("average pool", "to 1×1", &[&[2, 5, 7, 9]], |t, x| adaptive_average(t, &x[0], 1, 1)),
    case("average pool", "to 6×6, unequal bins", &[&[2, 3, 13, 9]], |t, x| adaptive_average(t, &x[0], 6, 6)),
    case("resize", "up, corners aligned", &[&[2, 3, 5, 7]], |t, x| bilinear(t, &x[0], 17, 13, Corners::Aligned)),
    case("resize", "down, corners aligned", &[&[2, 3, 13, 17]], |t, x| bilinear(t, &x[0], 5, 9, Corners::Aligned)),
    case("resize", "one pixel, corners aligned", &[&[2, 3, 1, 1]], |t, x| bilinear(t, &x[0], 5, 7, Corners::Aligned)),
    case("resize", "up, corners free", &[&[2, 3, 5, 7]], |t, x| bilinear(t, &x[0], 17, 13, Corners::Free)),
    case("concat", "three parts", &[&[2, 3, 5, 7], &[2, 1, 5, 7], &[2, 4, 5, 7]], |t, x| concat(t, [&x[0], &x[1], &x[2]])),
    case("sum", "three parts", &[&[2, 3, 5, 7], &[2, 3, 5, 7], &[2, 3, 5, 7]], |t, x| sum(t, [&x[0], &x[1], &x[2]])),
    case("dropout", "values", &[&[2, 3, 5, 7]], |t, x| dropout(t, &x[0], 0.3, Unit::Value, &at(), "a")),
    case("dropout", "channels", &[&[2, 9, 5, 7]], |t, x| dropout(t, &x[0], 0.5, Unit::Channel, &at(), "a")),
    case("cross entropy", "some pixels ignored", &[&[2, 5, 7, 9]], |t, x| cross_entropy(t, &x[0], &target(&x[0], 3)?, None)),
    wide(case("cross entropy", "sharp logits", &[&[2, 5, 7, 9]], |t, x| cross_entropy(t, &x[0], &target(&x[0], 3)?, None))),
    case("cross entropy", "every pixel ignored", &[&[2, 5, 7, 9]], |t, x| cross_entropy(t, &x[0], &target(&x[0], 1)?, None)),
    case("cross entropy", "weighted pixels", &[&[2, 5, 7, 9]], |t, x| cross_entropy(t, &x[0], &target(&x[0], 3)?, Some(&weights(&x[0])?))),
    predicts("softmax", "over channels", &[&[2, 5, 7, 9]], |_, x| softmax(&x[0])),
    wide(predicts("softmax", "sharp logits", &[&[2, 5, 7, 9]], |_, x| softmax(&x[0]))),
    predicts("layer norm", "over channels", &[&[2, 37, 5, 13], &[37], &[37]], |_, x| layer_norm(&x[0], &x[1], &x[2], 1e-6)),
    predicts("attention", "to itself", &[&[2, 6, 5, 13], &[2, 6, 5, 13], &[2, 6, 5, 13]], |_, x| attention(&x[0], &x[1], &x[2], 2)),
    wide(predicts("attention", "sharp, to fewer pixels", &[&[2, 6, 9, 8], &[2, 6, 3, 2], &[2, 6, 3, 2]], |_, x| attention(&x[0], &x[1], &x[2], 3))),
    wide(predicts("gelu", "both tails", &[&[2, 5, 7, 9]], |_, x| gelu(&x[0]))),
];

fn window(stride: usize, zeros: usize, dilation: usize) -> Window {
    Window { stride, padding: Padding::Each(zeros), dilation }
}

fn same(stride: usize) -> Window {
    Window { stride, padding: Padding::Same, dilation: 1 }
}

fn norm(tape: &Tape, x: &[Tensor], shortcut: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
    Ok(batch_norm(tape, &x[0], (&x[1], &x[2]), shortcut, Form::with(activation))?.0)
}

/// The folded form of input, weight, bias, mean, and what the variance is made of.
fn folded(tape: &Tape, x: &[Tensor], shortcut: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
    let x: Vec<Tensor> = x.iter().map(Tensor::detach).collect();
    let variance = (x[4].sqr()? + 0.5)?;
    let (scale, shift) = fold(&x[1], &x[2], &x[3], &variance, 1e-5)?;
    scale_shift(tape, x[0].copy()?, (&scale, &shift), shortcut, activation)
}

fn at() -> DropoutAt {
    DropoutAt { seed: 0, role: "teacher".to_owned(), step: 0 }
}

/// Class ids of the pixels of some logits; every `ignored`th is ignored.
fn target(logits: &Tensor, ignored: usize) -> Result<Tensor> {
    let (batch, classes, height, width) = logits.dims4()?;
    let class =
        |pixel: usize| if pixel.is_multiple_of(ignored) { IGNORE } else { (pixel * 7 % classes) as u8 };
    Tensor::from_vec(
        (0..batch * height * width).map(class).collect(),
        (batch, height, width),
        logits.device(),
    )
}

/// Weights of the pixels of some logits, some of them 0.
fn weights(logits: &Tensor) -> Result<Tensor> {
    let (batch, _, height, width) = logits.dims4()?;
    let weight = |pixel: usize| (pixel * 5 % 8) as f32 / 8.0;
    Tensor::from_vec(
        (0..batch * height * width).map(weight).collect(),
        (batch, height, width),
        logits.device(),
    )
}
