//! Bilinear resizing with aligned corners.
//!
//! PyTorch's `interpolate(mode="bilinear", align_corners=True)`: the corner pixels keep their places, so that output
//! pixel o of n lies at input position o · (size - 1) / (n - 1).

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::memory::{Values, argument, kernel_takes};

/// Resizes `(B, C, H, W)` to `(B, C, height, width)`, bilinear, `align_corners = true`.
///
/// # Errors
/// When `x` has other than four dimensions or a size is 0.
pub fn bilinear(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    if (h, w) == (height, width) {
        return Ok(x.clone());
    }
    if [h, w, height, width].contains(&0) {
        bail!("an image of {h}x{w} cannot be resized to {height}x{width}")
    }
    if kernel_takes(&[x]) {
        x.contiguous()?.apply_op1(Bilinear { height, width })
    } else {
        reference(x, height, width)
    }
}

/// Resizing in tensor operations: a matrix product per axis.
fn reference(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (batch, channels, h, w) = x.dims4()?;
    let matrix = |size: usize, out: usize| {
        let mut values = vec![0f32; size * out];
        for (o, place) in places(size, out).into_iter().enumerate() {
            values[place.low * out + o] += 1.0 - place.part;
            values[place.high * out + o] += place.part;
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

/// An output pixel between two input pixels.
struct Place {
    low: usize,
    high: usize,
    /// Weight of `high`, in [0, 1); `low` has the rest.
    part: f32,
}

fn places(size: usize, out: usize) -> Vec<Place> {
    let scale = if out > 1 { (size - 1) as f32 / (out - 1) as f32 } else { 0.0 };
    (0..out)
        .map(|o| {
            let position = scale * o as f32;
            let low = (position as usize).min(size - 1);
            Place { low, high: (low + 1).min(size - 1), part: position - low as f32 }
        })
        .collect()
}

struct Bilinear {
    height: usize,
    width: usize,
}

impl CustomOp1 for Bilinear {
    fn name(&self) -> &'static str {
        "bilinear"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = argument(storage, layout)?;
        let (batch, channels, h, w) = layout.shape().dims4()?;
        let (height, width) = (self.height, self.width);
        let (rows, columns) = (places(h, height), places(w, width));
        let mut out = vec![0.0; batch * channels * height * width];
        out.par_chunks_mut(height * width).zip(x.par_chunks(h * w)).for_each(|(out, plane)| {
            for (row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
                let (low, high) = (&plane[row.low * w..][..w], &plane[row.high * w..][..w]);
                for (column, out) in columns.iter().zip(out) {
                    let part = column.part;
                    let upper = (1.0 - part) * low[column.low] + part * low[column.high];
                    let lower = (1.0 - part) * high[column.low] + part * high[column.high];
                    *out = (1.0 - row.part) * upper + row.part * lower;
                }
            }
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, channels, height, width))))
    }

    fn bwd(&self, x: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, _, h, w) = x.dims4()?;
        let (height, width) = (self.height, self.width);
        let (rows, columns) = (places(h, height), places(w, width));
        let grad = grad.contiguous()?;
        let mut out = vec![0.0; x.elem_count()];
        let grads = Values::of(&grad)?;
        out.par_chunks_mut(h * w).zip(grads.par_chunks(height * width)).for_each(|(plane, grads)| {
            let mut line = vec![0.0; w];
            for (row, grads) in rows.iter().zip(grads.chunks_exact(width)) {
                line.fill(0.0);
                for (column, grad) in columns.iter().zip(grads) {
                    line[column.low] += (1.0 - column.part) * grad;
                    line[column.high] += column.part * grad;
                }
                let mut add = |y: usize, weight: f32| {
                    plane[y * w..][..w].iter_mut().zip(&line).for_each(|(p, v)| *p += weight * v);
                };
                add(row.low, 1.0 - row.part);
                add(row.high, row.part);
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
        let fixture = Fixture::open("resize");
        for case in fixture.cases("bilinear") {
            let (_, _, height, width) = case.tensor("out").dims4()?;
            case.check(&["x"], |x| bilinear(&x[0], height, width))?;
            case.check(&["x"], |x| reference(&x[0], height, width))?;
        }
        Ok(())
    }
}
