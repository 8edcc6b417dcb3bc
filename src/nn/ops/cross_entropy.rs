//! Cross entropy over pixels, with an ignored class id.

use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

use super::memory::{Shared, Values};
use super::softmax::Run;
use crate::data::image::IGNORE;
use crate::nn::tape::Tape;

/// Pixels per work item.
const PIXELS: usize = 1024;

/// The mean over all pixels that count of `-ln softmax(logits)[class]`: PyTorch's
/// `CrossEntropyLoss(ignore_index=255)`, official code `main.py`.
///
/// `logits` are `(B, C, H, W)`, `target` is u8 `(B, H, W)` on the same device. `weights` `(B, H, W)`, if given, make
/// it the weighted mean: the sum of weight times loss over the sum of weights. Where the mean divides by zero, when
/// every pixel is ignored or weighs nothing, the loss is 0 and so is its gradient.
///
/// # Errors
/// When the shapes don't fit, or a class id is neither below C nor 255.
pub fn cross_entropy(
    tape: &Tape,
    logits: &Tensor,
    target: &Tensor,
    weights: Option<&Tensor>,
) -> Result<Tensor> {
    let (batch, classes, height, width) = logits.dims4()?;
    if target.dims() != [batch, height, width] || target.dtype() != DType::U8 {
        bail!("logits {:?} need a u8 target {:?}", logits.dims(), [batch, height, width])
    }
    if let Some(weights) = weights
        && weights.shape() != target.shape()
    {
        bail!("weights {:?} of a target {:?}", weights.dims(), target.dims())
    }
    let ids = target.flatten_all()?.to_vec1::<u8>()?;
    if let Some(id) = ids.iter().find(|&&id| id != IGNORE && usize::from(id) >= classes) {
        bail!("class id {id} in a target of {classes} classes")
    }
    let values = weights.map(|weights| weights.flatten_all()?.to_vec1::<f32>()).transpose()?;
    let counts = |pixel: usize| ids[pixel] != IGNORE;
    let total = match &values {
        None => ids.iter().filter(|&&id| id != IGNORE).count() as f64,
        Some(weights) => (0..ids.len()).filter(|&i| counts(i)).map(|i| f64::from(weights[i])).sum(),
    };
    let total = if total > 0.0 { total } else { 1.0 };
    if !tape.runs_kernels() {
        return reference(logits, target, weights, total);
    }
    let sizes = Sizes { batch, classes, pixels: height * width };
    let (loss, mut own) = forward(&Values::of(logits)?, sizes, &ids, values.as_deref(), total);
    tape.push(vec![loss], (), [logits], move |gradient, _| {
        if gradient[0] != 1.0 {
            own.iter_mut().for_each(|g| *g *= gradient[0]);
        }
        Ok([Some(own)])
    })
}

/// The loss in tensor operations: no gather or scatter, so that devices without ordered atomics give the same bits.
fn reference(logits: &Tensor, target: &Tensor, weights: Option<&Tensor>, total: f64) -> Result<Tensor> {
    let classes = logits.dim(1)?;
    let log_probability = candle_nn::ops::log_softmax(logits, 1)?;
    let ids = Tensor::arange(0, classes as u32, logits.device())?
        .to_dtype(DType::U8)?
        .reshape((1, classes, 1, 1))?;
    let one_hot = target.unsqueeze(1)?.broadcast_eq(&ids)?.to_dtype(logits.dtype())?;
    let chosen = (log_probability * one_hot)?;
    let chosen = match weights {
        None => chosen,
        Some(weights) => chosen.broadcast_mul(&weights.unsqueeze(1)?.to_dtype(logits.dtype())?)?,
    };
    chosen.sum_all()?.affine(-1.0 / total, 0.0)
}

#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    classes: usize,
    /// Of one image.
    pixels: usize,
}

/// The loss, and its gradient: the forward pass has the probabilities at hand.
fn forward(x: &[f32], sizes: Sizes, ids: &[u8], weights: Option<&[f32]>, total: f64) -> (f32, Vec<f32>) {
    let Sizes { batch, classes, pixels } = sizes;
    let mut gradient = vec![0.0; x.len()];
    let shared = Shared::new(&mut gradient);
    let pieces = pixels.div_ceil(PIXELS);
    let losses: Vec<f64> = (0..batch * pieces)
        .into_par_iter()
        .map(|item| {
            let (image, start) = (item / pieces, item % pieces * PIXELS);
            let run = Run { first: image * classes * pixels + start, classes, stride: pixels };
            let span = image * pixels + start..image * pixels + (start + PIXELS).min(pixels);
            let weights = weights.map(|w| &w[span.clone()]);
            Item { run, ids: &ids[span], weights, total }.forward(x, &shared)
        })
        .collect();
    ((losses.iter().sum::<f64>() / total) as f32, gradient)
}

/// Some neighbouring pixels.
struct Item<'a> {
    run: Run,
    ids: &'a [u8],
    weights: Option<&'a [f32]>,
    total: f64,
}

impl Item<'_> {
    /// The weighted sum of -ln p; writes the gradient of the mean.
    fn forward(&self, x: &[f32], gradient: &Shared<'_>) -> f64 {
        let Self { run, ids, weights, total } = self;
        let count = ids.len();
        // SAFETY: items don't share pixels, and one plane is held at a time.
        let lend = |start, len| unsafe { gradient.part(start, len) };
        let (largest, sums) = run.exponentials(x, count, lend);
        let weight = |pixel: usize| weights.map_or(1.0, |w| f64::from(w[pixel]));
        let share =
            |(pixel, &id): (usize, &u8)| if id == IGNORE { 0.0 } else { (weight(pixel) / total) as f32 };
        let shares: Vec<f32> = ids.iter().enumerate().map(share).collect();
        for class in 0..run.classes {
            let plane = lend(run.first + class * run.stride, count);
            for (((g, share), sum), &id) in plane.iter_mut().zip(&shares).zip(&sums).zip(*ids) {
                *g = *g * (share / sum) - if usize::from(id) == class { *share } else { 0.0 };
            }
        }
        let margin = |pixel: usize| {
            let logit = x[run.first + usize::from(ids[pixel]) * run.stride + pixel];
            f64::from(largest[pixel]) - f64::from(logit)
        };
        let counted = (0..count).filter(|&pixel| ids[pixel] != IGNORE);
        if weights.is_some() {
            return counted.map(|i| weight(i) * (margin(i) + libm::log(f64::from(sums[i])))).sum();
        }
        // The sum of logarithms is the logarithm of the product; 64 sums of at most 255 classes stay far below 2^1024.
        let counted: Vec<usize> = counted.collect();
        let block = |pixels: &[usize]| {
            let product: f64 = pixels.iter().map(|&i| f64::from(sums[i])).product();
            pixels.iter().map(|&i| margin(i)).sum::<f64>() + libm::log(product)
        };
        counted.chunks(64).map(block).sum()
    }
}

#[cfg(test)]
mod tests;
