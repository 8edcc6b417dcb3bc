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

mod image;
mod lines;
mod maps;
mod tiling;
mod weights;

use std::ops::Range;

use rayon::prelude::*;

use self::image::{Analysis, Map, synthesise};
use self::tiling::{Chunk, Layer};
use super::super::gemm::{Matrix, TERMS, Target, multiply};
use super::super::memory::{Shared, with_scratch};
use super::geometry::Geometry;

/// Products per tile.
const FREQUENCIES: usize = 16;

/// Most tiles multiplied at a time.
const TILES: usize = 192;

/// Most values of a panel of the weights' gradient.
const VALUES: usize = 8 << 20;

/// Channels mapped by one work item.
const CHANNELS: usize = 8;

/// Multiplications worth handing to another thread.
const WORTHWHILE: usize = 1 << 20;

/// Values of channels by frequencies: value v of frequency f of channel c is at c · `stride` + f · `pitch` + v.
#[derive(Debug, Clone, Copy)]
struct Panel {
    pitch: usize,
    stride: usize,
}

impl Panel {
    /// A panel with `values` values of each frequency.
    fn new(values: usize) -> Self {
        // Whole vectors; and channels never a multiple of a memory page apart, where the values of all channels would
        // compete for a few lines of the first-level cache.
        let pitch = values.next_multiple_of(8);
        Self { pitch, stride: FREQUENCIES * pitch + 16 }
    }

    /// The matrix (channel, value) of a frequency.
    fn matrix(self, values: &[f32], frequency: usize) -> Matrix<'_> {
        Matrix::rows(&values[frequency * self.pitch..], self.stride)
    }

    fn target<'a, 'b>(self, buffer: &'a Shared<'b>, frequency: usize) -> Target<'a, 'b> {
        Target { buffer, start: frequency * self.pitch, stride: self.stride }
    }
}

/// Whether the algorithm applies.
pub(super) fn applies(g: &Geometry) -> bool {
    let whole = |zeros: usize| zeros.is_multiple_of(g.dilation) && zeros <= 2 * g.dilation;
    g.kernel == (3, 3) && g.stride == 1 && g.groups == 1 && whole(g.padding.0) && whole(g.padding.1)
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C·9).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let layer = Layer::new(g);
    with_scratch(layer.outputs * Panel::new(layer.inputs).stride, |weights| {
        weights::analyse(g, weight, weights);
        convolve(&layer, x, weights)
    })
}

/// The gradients of the input and of the weight, those that are wanted.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    let input = || {
        let layer = Layer::new(g).adjoint();
        with_scratch(layer.outputs * Panel::new(layer.inputs).stride, |weights| {
            weights::analyse_adjoint(g, weight, weights);
            convolve(&layer, grad, weights)
        })
    };
    let grad_x = if wanted.0 { input() } else { Vec::new() };
    let grad_weight = if wanted.1 { weight_gradient(g, x, grad) } else { Vec::new() };
    (grad_x, grad_weight)
}

/// Convolves `x` with mapped weights, chunk by chunk of tiles.
fn convolve(layer: &Layer, x: &[f32], weights: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; layer.batch * layer.outputs * layer.out_pixels()];
    let shared = Shared::new(&mut out);
    let least = (layer.work() / WORTHWHILE).clamp(1, 2);
    let chunks = layer.chunks(TILES, least);
    chunks.into_par_iter().for_each(|chunk| convolve_chunk(layer, &chunk, x, weights, &shared));
    out
}

/// The output pixels of one chunk.
fn convolve_chunk(layer: &Layer, chunk: &Chunk, x: &[f32], weights: &[f32], out: &Shared<'_>) {
    let (panel, kernels) = (Panel::new(chunk.tiles), Panel::new(layer.inputs));
    let depth = layer.inputs.min(TERMS);
    let mut analysis = Analysis::new(layer, Map::Input);
    with_scratch((depth + layer.outputs) * panel.stride + 4 * panel.pitch, |scratch| {
        let (tiles, rest) = scratch.split_at_mut(depth * panel.stride);
        let (products, pixels) = rest.split_at_mut(layer.outputs * panel.stride);
        for first in (0..layer.inputs).step_by(TERMS) {
            let depth = TERMS.min(layer.inputs - first);
            for (index, tiles) in tiles.chunks_exact_mut(panel.stride).take(depth).enumerate() {
                let plane = |image| channel(x, image * layer.inputs + first + index, layer.in_pixels());
                analysis.map(chunk, plane, (tiles, panel.pitch));
            }
            let own = Shared::new(products);
            for frequency in 0..FREQUENCIES {
                let size = (layer.outputs, depth, panel.pitch);
                let kernels = kernels.matrix(&weights[first..], frequency);
                let target = panel.target(&own, frequency);
                // SAFETY: the scratch space is this thread's.
                unsafe { multiply(target, first > 0, size, kernels, panel.matrix(tiles, frequency)) };
            }
        }
        for (index, products) in products.chunks_exact(panel.stride).enumerate() {
            synthesise(layer, chunk, (products, panel.pitch), pixels, |image, y| {
                let width = layer.columns.outputs;
                let start = (image * layer.outputs + index) * layer.out_pixels() + y * width;
                // SAFETY: chunks don't share output rows, and one is held at a time.
                unsafe { out.part(start, width) }
            });
        }
    });
}

fn channel(values: &[f32], index: usize, pixels: usize) -> &[f32] {
    &values[index * pixels..][..pixels]
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
                (0..FREQUENCIES).into_par_iter().for_each(|frequency| {
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

/// Maps all channels of `images`, which are the input of `layer` or the gradient of its output.
fn analyse(layer: &Layer, map: Map, chunk: &Chunk, images: &[f32], tiles: &mut [f32]) {
    let panel = Panel::new(chunk.tiles);
    let (depth, pixels) = match map {
        Map::Input => (layer.inputs, layer.in_pixels()),
        Map::Gradient => (layer.outputs, layer.out_pixels()),
    };
    tiles.par_chunks_mut(CHANNELS * panel.stride).enumerate().for_each(|(item, tiles)| {
        let mut analysis = Analysis::new(layer, map);
        for (index, tiles) in tiles.chunks_exact_mut(panel.stride).enumerate() {
            let plane = |image| channel(images, image * depth + item * CHANNELS + index, pixels);
            analysis.map(chunk, plane, (tiles, panel.pitch));
        }
    });
}
