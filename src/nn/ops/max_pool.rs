//! Max pooling, 3×3, stride 2, padding 1: the one of a ResNet's stem.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::memory::Values;
use crate::nn::tape::Tape;

/// The maximum of each 3×3 window of `x` `(B, C, H, W)`, every second pixel; of equal values the first one gets the
/// gradient, as in PyTorch.
///
/// # Errors
/// When `x` has other than four dimensions.
pub fn max_pool(tape: &Tape, x: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    if !tape.runs_kernels() {
        return reference(x);
    }
    let size = (height, width);
    let out = forward(&Values::of(x)?, size);
    let kept = x.clone();
    tape.push(out, (batch, channels, half(height), half(width)), [x], move |gradient, _| {
        Ok([Some(backward(&Values::of(&kept)?, &gradient, size))])
    })
}

/// Pooling in tensor operations: the nine shifted images are compared one after the other.
fn reference(x: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let (oh, ow) = (half(height), half(width));
    // Below any finite value, and still finite: candle's padding is by constants through concatenation.
    let edge =
        |dims: (usize, usize, usize, usize)| Tensor::full(f32::MIN, dims, x.device())?.to_dtype(x.dtype());
    let x = Tensor::cat(
        &[&edge((batch, channels, 1, width))?, x, &edge((batch, channels, 2 * oh + 1 - height, width))?],
        2,
    )?;
    let rows = 2 * oh + 2;
    let x = Tensor::cat(
        &[&edge((batch, channels, rows, 1))?, &x, &edge((batch, channels, rows, 2 * ow + 1 - width))?],
        3,
    )?;
    let every_second = |dy: usize, dx: usize| {
        x.narrow(2, dy, 2 * oh)?
            .narrow(3, dx, 2 * ow)?
            .contiguous()?
            .reshape((batch, channels, oh, 2, ow, 2))?
            .narrow(3, 0, 1)?
            .narrow(5, 0, 1)?
            .contiguous()?
            .reshape((batch, channels, oh, ow))
    };
    let mut largest = every_second(0, 0)?;
    for tap in 1..9 {
        let next = every_second(tap / 3, tap % 3)?;
        largest = next.gt(&largest)?.where_cond(&next, &largest)?;
    }
    Ok(largest)
}

/// Output pixels for `n` input pixels.
fn half(n: usize) -> usize {
    n.div_ceil(2)
}

/// The largest value of the window at output (y, x) and its index; NaN counts as largest.
#[inline(always)]
fn largest(plane: &[f32], (height, width): (usize, usize), y: usize, x: usize) -> (f32, usize) {
    let columns = (2 * x).saturating_sub(1)..(2 * x + 2).min(width);
    let mut best = (f32::NEG_INFINITY, (2 * y).saturating_sub(1) * width + columns.start);
    for row in (2 * y).saturating_sub(1)..(2 * y + 2).min(height) {
        let start = row * width + columns.start;
        for (offset, &value) in plane[start..row * width + columns.end].iter().enumerate() {
            if value > best.0 || value.is_nan() {
                best = (value, start + offset);
            }
        }
    }
    best
}

fn forward(x: &[f32], (height, width): (usize, usize)) -> Vec<f32> {
    let (oh, ow) = (half(height), half(width));
    let mut out = vec![0.0; x.len() / (height * width) * oh * ow];
    out.par_chunks_mut(oh * ow).zip(x.par_chunks(height * width)).for_each(|(out, plane)| {
        for (index, out) in out.iter_mut().enumerate() {
            *out = largest(plane, (height, width), index / ow, index % ow).0;
        }
    });
    out
}

fn backward(x: &[f32], gradient: &[f32], (height, width): (usize, usize)) -> Vec<f32> {
    let (oh, ow) = (half(height), half(width));
    let mut out = vec![0.0; x.len()];
    let planes = x.par_chunks(height * width).zip(gradient.par_chunks(oh * ow));
    out.par_chunks_mut(height * width).zip(planes).for_each(|(out, (plane, gradient))| {
        for (index, g) in gradient.iter().enumerate() {
            out[largest(plane, (height, width), index / ow, index % ow).1] += g;
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
        let fixture = Fixture::open("pool");
        for case in fixture.cases("max_pool") {
            case.check(&["x"], |tape, x| max_pool(tape, &x[0]))?;
            case.check_reference(&["x"], |x| reference(&x[0]))?;
        }
        Ok(())
    }
}
