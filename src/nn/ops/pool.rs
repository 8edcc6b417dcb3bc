//! Average pooling to a fixed size.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::memory::{Values, argument, kernel_takes};

/// Planes per work item.
const PLANES: usize = 32;

/// PyTorch's `AdaptiveAvgPool2d((height, width))`: `x` `(B, C, H, W)` to `(B, C, height, width)`.
///
/// Output o of n averages the input from floor(o · size / n) to ceil((o + 1) · size / n).
///
/// # Errors
/// When `x` has other than four dimensions or a size is 0.
pub fn adaptive_average(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if [h, w, height, width].contains(&0) {
        bail!("an image of {h}x{w} cannot be averaged to {height}x{width}")
    }
    if (height, width) == (1, 1) && kernel_takes(&[x]) {
        x.contiguous()?.apply_op1(GlobalAverage)
    } else {
        by_matrices(x, height, width)
    }
}

/// Pooling in tensor operations: a matrix product per axis.
fn by_matrices(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (batch, channels, h, w) = x.dims4()?;
    let matrix = |size: usize, out: usize| {
        let mut values = vec![0f32; size * out];
        for o in 0..out {
            let (start, end) = (o * size / out, ((o + 1) * size).div_ceil(out));
            (start..end).for_each(|i| values[i * out + o] = 1.0 / (end - start) as f32);
        }
        Tensor::from_vec(values, (size, out), x.device())?.to_dtype(x.dtype())
    };
    let wide = x.contiguous()?.reshape((batch * channels * h, w))?.matmul(&matrix(w, width)?)?;
    let turned = wide.reshape((batch * channels, h, width))?.transpose(1, 2)?.contiguous()?;
    let tall = turned.reshape((batch * channels * width, h))?.matmul(&matrix(h, height)?)?;
    tall.reshape((batch * channels, width, height))?
        .transpose(1, 2)?
        .contiguous()?
        .reshape((batch, channels, height, width))
}

/// The mean of each plane.
struct GlobalAverage;

impl CustomOp1 for GlobalAverage {
    fn name(&self) -> &'static str {
        "global_average"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = argument(storage, layout)?;
        let (batch, channels, h, w) = layout.shape().dims4()?;
        let mean =
            |plane: &[f32]| (plane.iter().map(|&v| f64::from(v)).sum::<f64>() / plane.len() as f64) as f32;
        let out = x.par_chunks(h * w).with_min_len(PLANES).map(mean).collect();
        Ok((CpuStorage::F32(out), Shape::from((batch, channels, 1, 1))))
    }

    fn bwd(&self, x: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, _, h, w) = x.dims4()?;
        let grad = grad.contiguous()?;
        let share = 1.0 / (h * w) as f32;
        let values = Values::of(&grad)?.iter().flat_map(|g| std::iter::repeat_n(g * share, h * w)).collect();
        Tensor::from_vec(values, x.shape(), x.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
        let fixture = Fixture::open("pool");
        for case in fixture.cases("adaptive_average") {
            let (_, _, height, width) = case.tensor("out").dims4()?;
            case.check(&["x"], |x| adaptive_average(&x[0], height, width))?;
            case.check(&["x"], |x| by_matrices(&x[0], height, width))?;
        }
        Ok(())
    }
}
