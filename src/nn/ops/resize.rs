//! Bilinear resizing, PyTorch's `interpolate(mode="bilinear")`.

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::memory::Values;
use crate::nn::tape::Tape;

/// Where output pixel o of n lies in an input of `size` pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corners {
    /// At o · (size - 1) / (n - 1): the corner pixels keep their places (`align_corners=True`, the official code).
    Aligned,
    /// At (o + 1/2) · size / n - 1/2: the image's edges keep their places (`align_corners=False`).
    Free,
}

/// Resizes `(B, C, H, W)` to `(B, C, height, width)`.
///
/// # Errors
/// When `x` has other than four dimensions or a size is 0.
pub fn bilinear(tape: &Tape, x: &Tensor, height: usize, width: usize, corners: Corners) -> Result<Tensor> {
    let (batch, channels, h, w) = x.dims4()?;
    if (h, w) == (height, width) {
        return Ok(x.clone());
    }
    if [h, w, height, width].contains(&0) {
        bail!("an image of {h}x{w} cannot be resized to {height}x{width}")
    }
    let plan = Plan { rows: places(h, height, corners), columns: places(w, width, corners), size: (h, w) };
    if !tape.runs_kernels() {
        return reference(x, &plan);
    }
    let out = plan.forward(&Values::of(x)?);
    tape.push(out, (batch, channels, height, width), [x], move |gradient, _| {
        Ok([Some(plan.backward(&gradient))])
    })
}

/// Resizing in tensor operations: a matrix product per axis.
fn reference(x: &Tensor, plan: &Plan) -> Result<Tensor> {
    let (batch, channels, h, w) = x.dims4()?;
    let (height, width) = (plan.rows.len(), plan.columns.len());
    let matrix = |size: usize, places: &[Place]| {
        let out = places.len();
        let mut values = vec![0f32; size * out];
        for (o, place) in places.iter().enumerate() {
            values[place.low * out + o] += 1.0 - place.part;
            values[place.high * out + o] += place.part;
        }
        Tensor::from_vec(values, (size, out), x.device())?.to_dtype(x.dtype())
    };
    let wide = x.contiguous()?.reshape((batch * channels * h, w))?.matmul(&matrix(w, &plan.columns)?)?;
    let turned = wide.reshape((batch * channels, h, width))?.transpose(1, 2)?.contiguous()?;
    let tall = turned.reshape((batch * channels * width, h))?.matmul(&matrix(h, &plan.rows)?)?;
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

fn places(size: usize, out: usize, corners: Corners) -> Vec<Place> {
    let position = |o: usize| match corners {
        Corners::Aligned if out > 1 => (size - 1) as f32 / (out - 1) as f32 * o as f32,
        Corners::Aligned => 0.0,
        Corners::Free => ((o as f32 + 0.5) * (size as f32 / out as f32) - 0.5).max(0.0),
    };
    (0..out)
        .map(|o| {
            let position = position(o);
            let low = (position as usize).min(size - 1);
            Place { low, high: (low + 1).min(size - 1), part: position - low as f32 }
        })
        .collect()
}

/// One resizing: a place per output row and column.
struct Plan {
    rows: Vec<Place>,
    columns: Vec<Place>,
    /// Input rows and columns.
    size: (usize, usize),
}

impl Plan {
    fn forward(&self, x: &[f32]) -> Vec<f32> {
        let ((h, w), width) = (self.size, self.columns.len());
        let pixels = self.rows.len() * width;
        let mut out = vec![0.0; x.len() / (h * w) * pixels];
        out.par_chunks_mut(pixels).zip(x.par_chunks(h * w)).for_each(|(out, plane)| {
            let mut line = vec![0.0; w];
            for (row, out) in self.rows.iter().zip(out.chunks_exact_mut(width)) {
                let (low, high) = (&plane[row.low * w..][..w], &plane[row.high * w..][..w]);
                for ((v, low), high) in line.iter_mut().zip(low).zip(high) {
                    *v = (1.0 - row.part) * low + row.part * high;
                }
                for (column, out) in self.columns.iter().zip(out) {
                    *out = (1.0 - column.part) * line[column.low] + column.part * line[column.high];
                }
            }
        });
        out
    }

    fn backward(&self, gradient: &[f32]) -> Vec<f32> {
        let ((h, w), width) = (self.size, self.columns.len());
        let pixels = self.rows.len() * width;
        let mut out = vec![0.0; gradient.len() / pixels * h * w];
        out.par_chunks_mut(h * w).zip(gradient.par_chunks(pixels)).for_each(|(plane, gradient)| {
            let mut line = vec![0.0; w];
            for (row, gradient) in self.rows.iter().zip(gradient.chunks_exact(width)) {
                line.fill(0.0);
                for (column, g) in self.columns.iter().zip(gradient) {
                    line[column.low] += (1.0 - column.part) * g;
                    line[column.high] += column.part * g;
                }
                let mut add = |y: usize, weight: f32| {
                    plane[y * w..][..w].iter_mut().zip(&line).for_each(|(p, v)| *p += weight * v);
                };
                add(row.low, 1.0 - row.part);
                add(row.high, row.part);
            }
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
        for (file, corners) in [("resize", Corners::Aligned), ("resize_free", Corners::Free)] {
            for case in Fixture::open(file).cases("") {
                let (_, _, height, width) = case.tensor("out").dims4()?;
                case.check(&["x"], |tape, x| bilinear(tape, &x[0], height, width, corners))?;
                case.check_reference(&["x"], |x| {
                    let (_, _, h, w) = x[0].dims4()?;
                    let (rows, columns) = (places(h, height, corners), places(w, width, corners));
                    reference(&x[0], &Plan { rows, columns, size: (h, w) })
                })?;
            }
        }
        Ok(())
    }
}
