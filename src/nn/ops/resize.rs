//! Bilinear resizing, PyTorch's `interpolate(mode="bilinear")`.

use std::ops::Range;

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
    let plan = Resizing::new((h, w), (height, width), corners);
    if !tape.runs_kernels() {
        return reference(x, &plan);
    }
    let out = plan.strip(&Values::of(x)?, 0..h, 0..height);
    tape.push(out, (batch, channels, height, width), [x], move |gradient, _| {
        Ok([Some(plan.backward(&gradient))])
    })
}

/// Resizing in tensor operations: a matrix product per axis.
fn reference(x: &Tensor, plan: &Resizing) -> Result<Tensor> {
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

/// One resizing of planes: a place per output row and column.
pub(crate) struct Resizing {
    rows: Vec<Place>,
    columns: Vec<Place>,
    /// Input rows and columns.
    size: (usize, usize),
}

impl Resizing {
    /// From (height, width) to (height, width).
    pub(crate) fn new(from: (usize, usize), to: (usize, usize), corners: Corners) -> Self {
        Self { rows: places(from.0, to.0, corners), columns: places(from.1, to.1, corners), size: from }
    }

    /// The input rows that output rows `rows`, at least one, are made of.
    pub(crate) fn reads(&self, rows: Range<usize>) -> Range<usize> {
        self.rows[rows.start].low..self.rows[rows.end - 1].high + 1
    }

    /// Input columns.
    pub(crate) fn columns_in(&self) -> usize {
        self.size.1
    }

    /// The output rows `rows` of planes whose input rows `held` are in `x`.
    pub(crate) fn strip(&self, x: &[f32], held: Range<usize>, rows: Range<usize>) -> Vec<f32> {
        let (w, width) = (self.size.1, self.columns.len());
        let (plane, pixels) = (held.len() * w, rows.len() * width);
        let mut out = vec![0.0; x.len() / plane * pixels];
        out.par_chunks_mut(pixels).zip(x.par_chunks(plane)).for_each(|(out, plane)| {
            let mut line = vec![0.0; w];
            for (row, out) in self.rows[rows.clone()].iter().zip(out.chunks_exact_mut(width)) {
                let input = |row: usize| &plane[(row - held.start) * w..][..w];
                for ((v, low), high) in line.iter_mut().zip(input(row.low)).zip(input(row.high)) {
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
                    reference(&x[0], &Resizing::new((h, w), (height, width), corners))
                })?;
            }
        }
        Ok(())
    }

    #[test]
    fn strips_are_the_whole_cut_into_rows() {
        let plan = Resizing::new((7, 5), (16, 9), Corners::Aligned);
        let x: Vec<f32> = (0..2 * 35).map(|i| ((i * 37) % 11) as f32).collect();
        let whole = plan.strip(&x, 0..7, 0..16);
        for rows in [0..5, 5..6, 6..16] {
            let held = plan.reads(rows.clone());
            let part: Vec<f32> =
                x.chunks(35).flat_map(|p| p[held.start * 5..held.end * 5].to_vec()).collect();
            let expected: Vec<f32> =
                whole.chunks(16 * 9).flat_map(|p| p[rows.start * 9..rows.end * 9].to_vec()).collect();
            assert_eq!(plan.strip(&part, held, rows), expected);
        }
    }
}
