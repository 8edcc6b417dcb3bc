//! DINOv2's position embeddings, for any number of patches.
//!
//! They were learnt for a square of patches; for another one they are resized bicubically, each channel as an image.
//! The steps between output pixels are those of an output larger by a tenth of a pixel, as Meta's code has it
//! (`interpolate_pos_encoding` with `interpolate_offset` 0.1, and PyTorch's `interpolate(scale_factor=…)`): its
//! weights were used that way ever since, so that is where the embeddings belong.

use candle_core::{Device, Result, Tensor};

/// What Meta's code adds to the number of patches.
const OFFSET: f64 = 0.1;

/// The cubic's free coefficient, as in PyTorch.
const A: f64 = -0.75;

/// Position embeddings of the class token and of a square of patches.
pub(super) struct Positions {
    class: Vec<f32>,
    /// One row of C values a patch, row by row of the square.
    patches: Vec<f32>,
    side: usize,
    device: Device,
}

impl Positions {
    /// The embeddings `(1, 1 + side², C)` of a weights file.
    pub(super) fn new(embeddings: &Tensor, side: usize) -> Result<Self> {
        let (_, _, channels) = embeddings.dims3()?;
        let mut class = embeddings.flatten_all()?.to_vec1::<f32>()?;
        let patches = class.split_off(channels);
        Ok(Self { class, patches, side, device: embeddings.device().clone() })
    }

    /// The embeddings `(1, C, 1, 1 + height · width)` of the class token and so many patches.
    pub(super) fn at(&self, height: usize, width: usize) -> Result<Tensor> {
        let channels = self.class.len();
        let count = 1 + height * width;
        let mut out = vec![0f32; channels * count];
        for (out, class) in out.chunks_exact_mut(count).zip(&self.class) {
            out[0] = *class;
        }
        let (rows, columns) = (self.places(height, height == width), self.places(width, height == width));
        for (row, above) in rows.iter().enumerate() {
            for (column, across) in columns.iter().enumerate() {
                let place = 1 + row * width + column;
                for channel in 0..channels {
                    let value: f64 = above
                        .iter()
                        .map(|&(y, weight)| {
                            let line: f64 = across
                                .iter()
                                .map(|&(x, weight)| {
                                    weight * f64::from(self.patches[(y * self.side + x) * channels + channel])
                                })
                                .sum();
                            weight * line
                        })
                        .sum();
                    out[channel * count + place] = value as f32;
                }
            }
        }
        Tensor::from_vec(out, (1, channels, 1, count), &self.device)
    }

    /// Which input pixels each of `out` output pixels is a mean of, and their weights.
    fn places(&self, out: usize, square: bool) -> Vec<Vec<(usize, f64)>> {
        if square && out == self.side {
            return (0..out).map(|o| vec![(o, 1.0)]).collect();
        }
        let step = self.side as f64 / (out as f64 + OFFSET);
        let last = self.side as i64 - 1;
        let place = |o| {
            let position = step * (o as f64 + 0.5) - 0.5;
            let low = position.floor();
            let tap = |tap: i64| {
                let at = (low as i64 + tap).clamp(0, last) as usize;
                (at, cubic((position - low - tap as f64).abs()))
            };
            (-1..=2).map(tap).collect()
        };
        (0..out).map(place).collect()
    }
}

/// Keys' cubic convolution kernel at a distance below 2.
fn cubic(distance: f64) -> f64 {
    let x = distance;
    if x <= 1.0 { ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0 } else { A * (((x - 5.0) * x + 8.0) * x - 4.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn embeddings_of_other_sizes_are_those_of_pytorch() -> Result<()> {
        for case in Fixture::open("frozen").cases("positions") {
            let embeddings = case.tensor("embeddings");
            let side = (embeddings.dim(1)? - 1).isqrt();
            let size = case.tensor("size").to_vec1::<i64>()?;
            let found = Positions::new(embeddings, side)?.at(size[0] as usize, size[1] as usize)?;
            case.compare("out", &found.squeeze(2)?.transpose(1, 2)?)?;
        }
        Ok(())
    }
}
