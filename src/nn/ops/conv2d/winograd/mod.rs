//! Convolution with 3×3 kernels at stride 1 by Winograd's minimal filtering, F(2×2, 3×3).
//!
//! Two by two output pixels, a *tile*, read four by four input pixels. Linear maps along rows and columns (`maps`)
//! take the input tile and the kernel to 16 values each, their *frequencies*, whose products, summed over the input
//! channels, go back to the tile: 16 multiplications in place of 36. The sums are 16 matrix products.
//! The rounding errors are those of f32 sums times a small factor; tests hold them to 1e-5 of the largest value.
//!
//! The gradient of the input is the adjoint convolution, computed the same way; that of the kernel comes from the
//! same maps turned around: 16 products of the mapped input with the mapped gradient of the output.
//!
//! `tiling` says where tiles lie, under any dilation; `image` and `weights` map them in and out.

mod convolve;
mod image;
mod lines;
mod maps;
mod tiling;
mod weights;

use rayon::prelude::*;

use self::convolve::convolve;
use self::image::{Analysis, Images, Map};
use self::tiling::{Chunk, Layer};
use self::weights::Kernels;
use super::super::gemm::{Matrix, TERMS, Target, multiply};
use super::super::memory::{Shared, with_scratch};
use super::geometry::Geometry;

/// Products per tile.
const FREQUENCIES: usize = 16;

/// Values of a cache line.
const LINE: usize = 16;

/// Most values of mapped images that are kept at a time.
const VALUES: usize = 8 << 20;

/// Channels mapped by one work item; the kernels of neighbouring inputs lie side by side.
const CHANNELS: usize = 8;

/// Multiplications worth handing to another thread.
const WORTHWHILE: usize = 1 << 20;

/// What mapping a tile of a channel costs, in multiplications.
const TILE_COST: usize = 150;

/// What mapping a row of tiles of a channel costs besides.
const ROW_COST: usize = 1300;

/// What mapping a kernel costs.
const KERNEL_COST: usize = 340;

/// Values of channels by frequencies: value v of frequency f of channel c is at c · `stride` + f · `pitch` + v.
#[derive(Debug, Clone, Copy)]
struct Panel {
    /// Values of a frequency, filled up to whole vectors.
    columns: usize,
    pitch: usize,
    stride: usize,
}

impl Panel {
    /// A panel with `values` values of each frequency.
    fn new(values: usize) -> Self {
        // An odd number of cache lines between neighbours, or else they would compete for a few places in the
        // first-level cache.
        let odd = |values: usize| (values.div_ceil(LINE) | 1) * LINE;
        let pitch = odd(values);
        Self { columns: values.next_multiple_of(8), pitch, stride: odd(FREQUENCIES * pitch) }
    }

    /// The matrix (channel, value) of a frequency.
    fn matrix(self, values: &[f32], frequency: usize) -> Matrix<'_> {
        Matrix::rows(&values[frequency * self.pitch..], self.stride)
    }

    fn target<'a, 'b>(self, buffer: &'a Shared<'b>, frequency: usize) -> Target<'a, 'b> {
        Target { buffer, start: frequency * self.pitch, stride: self.stride }
    }
}

/// How many work items, of so many multiplications each, are worth handing to another thread.
fn grain(work: usize) -> usize {
    WORTHWHILE.div_ceil(work.max(1))
}

/// Whether the algorithm can compute this convolution.
pub(super) fn applies(g: &Geometry) -> bool {
    let whole = |zeros: usize| zeros.is_multiple_of(g.dilation) && zeros <= 2 * g.dilation;
    g.kernel == (3, 3) && g.stride == 1 && g.groups == 1 && whole(g.padding.0) && whole(g.padding.1)
}

/// What it costs, in multiplications of the dense algorithm: the products, and the maps of each channel, by tiles and
/// by rows of tiles, and of each kernel.
pub(super) fn cost(g: &Geometry) -> f64 {
    let layer = Layer::new(g);
    let rows = g.batch * layer.rows.count;
    let maps = (TILE_COST * layer.tiles() + ROW_COST * rows) * (g.inputs + g.outputs);
    (layer.work() + maps + KERNEL_COST * g.inputs * g.outputs) as f64
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C·9).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    convolve(&Layer::new(g), x, Kernels::new(g, weight))
}

/// The gradients of the input and of the weight, those that are wanted.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    let of_x = || convolve(&Layer::new(g).adjoint(), grad, Kernels::adjoint(g, weight));
    let of_weight = || weight_gradient(g, x, grad);
    (wanted.0.then(of_x).unwrap_or_default(), wanted.1.then(of_weight).unwrap_or_default())
}

/// The gradient (O, C, 3, 3) of the weight.
fn weight_gradient(g: &Geometry, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let layer = Layer::new(g);
    let most = (VALUES / (FREQUENCIES * (g.inputs + g.outputs))).min(TERMS);
    let kernels = Panel::new(g.inputs);
    with_scratch(g.outputs * kernels.stride, |sums| {
        let shared = Shared::new(sums);
        for (index, chunk) in layer.chunks(most, 1).iter().enumerate() {
            let panel = Panel::new(chunk.tiles);
            with_scratch((g.inputs + g.outputs) * panel.stride, |scratch| {
                let (tiles, grads) = scratch.split_at_mut(g.inputs * panel.stride);
                analyse(&layer, Map::Input, chunk, x, tiles);
                analyse(&layer, Map::Gradient, chunk, grad, grads);
                let grain = grain(chunk.tiles * g.inputs * g.outputs);
                (0..FREQUENCIES).into_par_iter().with_min_len(grain).for_each(|frequency| {
                    let size = (g.outputs, chunk.tiles, g.inputs);
                    let tiles = panel.matrix(tiles, frequency).transposed();
                    let target = kernels.target(&shared, frequency);
                    // SAFETY: frequencies don't share values.
                    unsafe { multiply(target, index > 0, size, panel.matrix(grads, frequency), tiles) };
                });
            });
        }
        weights::synthesise(g, sums)
    })
}

/// Maps all channels of the input of `layer`, or of the gradient of its output.
fn analyse(layer: &Layer, map: Map, chunk: &Chunk, values: &[f32], tiles: &mut [f32]) {
    let panel = Panel::new(chunk.tiles);
    let images = match map {
        Map::Input => Images { values, channels: layer.inputs, pixels: layer.in_pixels() },
        Map::Gradient => Images { values, channels: layer.outputs, pixels: layer.out_pixels() },
    };
    let items = tiles.par_chunks_mut(CHANNELS * panel.stride).enumerate();
    items.with_min_len(grain(CHANNELS * chunk.tiles * TILE_COST)).for_each(|(item, tiles)| {
        let mut analysis = Analysis::new(layer, map);
        for (index, tiles) in tiles.chunks_exact_mut(panel.stride).enumerate() {
            analysis.map(chunk, images, item * CHANNELS + index, (tiles, panel.pitch));
        }
    });
}

#[cfg(test)]
mod tests;
