//! Average pooling to a fixed size.

use std::ops::Range;

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::memory::Values;
use crate::nn::tape::Tape;

/// Planes per work item.
const PLANES: usize = 32;

/// PyTorch's `AdaptiveAvgPool2d((height, width))`: `x` `(B, C, H, W)` to `(B, C, height, width)`.
///
/// Output o of n averages the input from floor(o · size / n) to ceil((o + 1) · size / n).
///
/// # Errors
/// When `x` has other than four dimensions or a size is 0.
pub fn adaptive_average(tape: &Tape, x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (batch, channels, h, w) = x.dims4()?;
    if [h, w, height, width].contains(&0) {
        bail!("an image of {h}x{w} cannot be averaged to {height}x{width}")
    }
    if !tape.runs_kernels() {
        return by_matrices(x, height, width);
    }
    let (bins, pixels) = (Bins::new((h, w), (height, width)), h * w);
    let out =
        Values::of(x)?.par_chunks(pixels).with_min_len(PLANES).flat_map_iter(|p| bins.means(p)).collect();
    tape.push(out, (batch, channels, height, width), [x], move |gradient, _| {
        let mut out = vec![0.0; batch * channels * pixels];
        let planes = out.par_chunks_mut(pixels).with_min_len(PLANES);
        planes
            .zip(gradient.par_chunks(bins.0.len()))
            .for_each(|(plane, gradient)| bins.spread(gradient, plane));
        Ok([Some(out)])
    })
}

/// The part of an input that output `o` of `out` averages.
fn part(o: usize, size: usize, out: usize) -> Range<usize> {
    o * size / out..((o + 1) * size).div_ceil(out)
}

/// The rows of pixels that each output averages, as ranges of a plane, and 1 / their number.
struct Bins(Vec<(Vec<Range<usize>>, f64)>);

impl Bins {
    fn new((h, w): (usize, usize), (height, width): (usize, usize)) -> Self {
        let bin = |y: usize, x: usize| {
            let (rows, columns) = (part(y, h, height), part(x, w, width));
            let share = 1.0 / (rows.len() * columns.len()) as f64;
            (rows.map(|row| row * w + columns.start..row * w + columns.end).collect(), share)
        };
        Self((0..height).flat_map(|y| (0..width).map(move |x| (y, x))).map(|(y, x)| bin(y, x)).collect())
    }

    fn means(&self, plane: &[f32]) -> impl Iterator<Item = f32> {
        self.0.iter().map(|(rows, share)| {
            let values = rows.iter().flat_map(|row| &plane[row.clone()]);
            (values.map(|&v| f64::from(v)).sum::<f64>() * share) as f32
        })
    }

    fn spread(&self, gradient: &[f32], plane: &mut [f32]) {
        for ((rows, share), g) in self.0.iter().zip(gradient) {
            let g = (f64::from(*g) * share) as f32;
            rows.iter().for_each(|row| plane[row.clone()].iter_mut().for_each(|v| *v += g));
        }
    }
}

/// Pooling in tensor operations: a matrix product per axis.
fn by_matrices(x: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (batch, channels, h, w) = x.dims4()?;
    let matrix = |size: usize, out: usize| {
        let mut values = vec![0f32; size * out];
        for o in 0..out {
            let part = part(o, size, out);
            let share = 1.0 / part.len() as f32;
            part.for_each(|i| values[i * out + o] = share);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
        let fixture = Fixture::open("pool");
        for case in fixture.cases("adaptive_average") {
            let (_, _, height, width) = case.tensor("out").dims4()?;
            case.check(&["x"], |tape, x| adaptive_average(tape, &x[0], height, width))?;
            case.check_reference(&["x"], |x| by_matrices(&x[0], height, width))?;
        }
        Ok(())
    }
}
