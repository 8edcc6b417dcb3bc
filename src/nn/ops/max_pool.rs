//! Max pooling, 3×3, stride 2, padding 1: the one of a ResNet's stem.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::memory::{Values, argument, kernel_takes};

/// The maximum of each 3×3 window of `x` `(B, C, H, W)`, every second pixel; of equal values the first one gets the
/// gradient, as in PyTorch.
///
/// # Errors
/// When `x` has other than four dimensions.
pub fn max_pool(x: &Tensor) -> Result<Tensor> {
    x.dims4()?;
    if kernel_takes(&[x]) { x.contiguous()?.apply_op1(MaxPool) } else { reference(x) }
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

struct MaxPool;

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

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = argument(storage, layout)?;
        let (batch, channels, height, width) = layout.shape().dims4()?;
        let (oh, ow) = (half(height), half(width));
        let mut out = vec![0.0; batch * channels * oh * ow];
        out.par_chunks_mut(oh * ow).zip(x.par_chunks(height * width)).for_each(|(out, plane)| {
            for (index, out) in out.iter_mut().enumerate() {
                *out = largest(plane, (height, width), index / ow, index % ow).0;
            }
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, channels, oh, ow))))
    }

    fn bwd(&self, x: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, _, height, width) = x.dims4()?;
        let (oh, ow) = (half(height), half(width));
        let grad = grad.contiguous()?;
        let mut out = vec![0.0; x.elem_count()];
        let (xs, grads) = (Values::of(x)?, Values::of(&grad)?);
        let planes = xs.par_chunks(height * width).zip(grads.par_chunks(oh * ow));
        out.par_chunks_mut(height * width).zip(planes).for_each(|(out, (plane, grads))| {
            for (index, grad) in grads.iter().enumerate() {
                out[largest(plane, (height, width), index / ow, index % ow).1] += grad;
            }
        });
        Tensor::from_vec(out, x.shape(), x.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
        let fixture = Fixture::open("pool");
        for case in fixture.cases("max_pool") {
            case.check(&["x"], |x| max_pool(&x[0]))?;
            case.check(&["x"], |x| reference(&x[0]))?;
        }
        Ok(())
    }
}
