//! Layer normalisation over the channels of every pixel, for inference.

use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

use super::memory::{Shared, Values};
use super::simd::wide;

/// Pixels of a work item.
const PIXELS: usize = 64;

/// `(x - mean) / sqrt(variance + eps) · weight + bias` for `x` `(B, C, H, W)`, mean and variance over the C values of a
/// pixel, `weight` and `bias` `(C)`. PyTorch's `LayerNorm` of tokens, whose numbers lie along C here. No gradient is kept.
///
/// # Errors
/// When the shapes don't fit.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    if weight.dims() != [channels] || bias.dims() != [channels] {
        bail!(
            "weight {:?} and bias {:?} of a layer norm do not fit {:?}",
            weight.dims(),
            bias.dims(),
            x.dims()
        )
    }
    if !(x.device().is_cpu() && x.dtype() == DType::F32) {
        return reference(x, weight, bias, eps);
    }
    let (x, weight, bias) = (x.contiguous()?, weight.contiguous()?, bias.contiguous()?);
    let (values, weights, biases) = (Values::of(&x)?, Values::of(&weight)?, Values::of(&bias)?);
    let (values, affine) = (&*values, (&*weights, &*biases));
    let pixels = height * width;
    let mut out = vec![0.0; values.len()];
    let shared = Shared::new(&mut out);
    let pieces = pixels.div_ceil(PIXELS);
    (0..batch * pieces).into_par_iter().for_each(|item| {
        let start = item % pieces * PIXELS;
        let image = item / pieces * channels * pixels;
        // SAFETY: items don't share pixels, and `run` holds one plane at a time.
        let lend = |channel, count| unsafe { shared.part(image + channel * pixels + start, count) };
        let plane = |channel: usize, count| &values[image + channel * pixels + start..][..count];
        wide(|| run(PIXELS.min(pixels - start), affine, eps, plane, lend));
    });
    Tensor::from_vec(out, x.shape(), x.device())
}

/// Normalises `count` neighbouring pixels; their values in a channel are read from `plane` and written to `lend`.
#[inline(always)]
fn run<'a, 'b>(
    count: usize,
    (weight, bias): (&[f32], &[f32]),
    eps: f64,
    plane: impl Fn(usize, usize) -> &'a [f32],
    lend: impl Fn(usize, usize) -> &'b mut [f32],
) {
    let channels = weight.len();
    let (mut sums, mut squares) = ([0f64; PIXELS], [0f64; PIXELS]);
    for channel in 0..channels {
        sums.iter_mut().zip(plane(channel, count)).for_each(|(sum, &v)| *sum += f64::from(v));
    }
    let means = sums.map(|sum| sum / channels as f64);
    for channel in 0..channels {
        for ((square, mean), &v) in squares.iter_mut().zip(&means).zip(plane(channel, count)) {
            let apart = f64::from(v) - mean;
            *square += apart * apart;
        }
    }
    let factors = squares.map(|square| (1.0 / (square / channels as f64 + eps).sqrt()) as f32);
    let means = means.map(|mean| mean as f32);
    for channel in 0..channels {
        let (weight, bias) = (weight[channel], bias[channel]);
        let numbers = means.iter().zip(&factors).zip(plane(channel, count));
        for (out, ((mean, factor), v)) in lend(channel, count).iter_mut().zip(numbers) {
            *out = (v - mean) * factor * weight + bias;
        }
    }
}

/// Layer normalisation in tensor operations.
fn reference(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let shape = (1, weight.elem_count(), 1, 1);
    let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(1)? + eps)?.sqrt()?;
    let normal = centred.broadcast_div(&deviation)?;
    normal.broadcast_mul(&weight.reshape(shape)?)?.broadcast_add(&bias.reshape(shape)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn values_are_those_of_pytorch() -> Result<()> {
        for case in Fixture::open("frozen").cases("layer_norm") {
            let [x, weight, bias] = ["x", "weight", "bias"].map(|name| case.tensor(name).clone());
            let eps = f64::from(case.tensor("eps").to_vec1::<f32>()?[0]);
            case.compare("out", &layer_norm(&x, &weight, &bias, eps)?)?;
            case.compare("out", &reference(&x, &weight, &bias, eps)?)?;
        }
        Ok(())
    }
}
