//! Products of mapped images with mapped kernels, back to images.
//!
//! Whichever is larger, images or kernels, is cut into the work items, which map their own part; the other is mapped
//! once, before.

use std::ops::Range;

use rayon::prelude::*;

use super::super::super::gemm::{TERMS, multiply};
use super::super::super::memory::{Shared, with_scratch};
use super::super::super::simd;
use super::image::{Analysis, Images, Map, Synthesis};
use super::tiling::{Chunk, Layer};
use super::weights::Kernels;
use super::{FREQUENCIES, Panel, VALUES, WORTHWHILE, analyse};

/// Tiles multiplied at a time, about.
const TILES: usize = 192;

/// Most tiles that are multiplied all at once, by items that share out the kernels.
const FEW: usize = 512;

/// Output channels of such an item.
const OUTPUTS: usize = 64;

/// `(B, O, pixels)` from `x` (B, C, pixels).
pub(super) fn convolve(layer: &Layer, x: &[f32], kernels: Kernels<'_>) -> Vec<f32> {
    let mut out = vec![0.0; layer.batch * layer.outputs * layer.out_pixels()];
    let shared = Shared::new(&mut out);
    let tiles = layer.tiles();
    if tiles <= FEW && tiles * layer.inputs * FREQUENCIES <= VALUES {
        by_outputs(layer, x, kernels, &shared);
    } else {
        by_tiles(layer, x, kernels, &shared);
    }
    out
}

/// Cuts the output channels into work items, for few tiles.
fn by_outputs(layer: &Layer, x: &[f32], kernels: Kernels<'_>, out: &Shared<'_>) {
    let chunk = &layer.chunks(layer.tiles(), 1)[0];
    let panel = Panel::new(chunk.tiles);
    let pieces = (layer.work() / WORTHWHILE).clamp(1, layer.outputs.div_ceil(OUTPUTS));
    let length = layer.outputs.div_ceil(pieces);
    with_scratch(layer.inputs * panel.stride, |tiles| {
        analyse(layer, Map::Input, chunk, x, tiles);
        let firsts: Vec<_> = (0..layer.outputs).step_by(length).collect();
        firsts.into_par_iter().for_each(|first| {
            let outputs = length.min(layer.outputs - first);
            let (weights, products) = (outputs * kernels.panel().stride, outputs * panel.stride);
            with_scratch(weights + products + 4 * panel.pitch, |scratch| {
                let (weights, rest) = scratch.split_at_mut(weights);
                let (products, pixels) = rest.split_at_mut(products);
                kernels.map(first, weights);
                multiply_all((panel, kernels.panel()), (tiles, 0..layer.inputs), weights, products);
                synthesise(layer, chunk, (first, products), pixels, out);
            });
        });
    });
}

/// Cuts the tiles into work items, for many.
fn by_tiles(layer: &Layer, x: &[f32], kernels: Kernels<'_>, out: &Shared<'_>) {
    let images = Images { values: x, channels: layer.inputs, pixels: layer.in_pixels() };
    with_scratch(layer.outputs * kernels.panel().stride, |weights| {
        kernels.map_all(weights);
        layer.chunks(TILES, 1).into_par_iter().for_each(|chunk| {
            let panel = Panel::new(chunk.tiles);
            let (tiles, products) = (layer.inputs.min(TERMS) * panel.stride, layer.outputs * panel.stride);
            with_scratch(tiles + products + 4 * panel.pitch, |scratch| {
                let (tiles, rest) = scratch.split_at_mut(tiles);
                let (products, pixels) = rest.split_at_mut(products);
                let mut analysis = Analysis::new(layer, Map::Input);
                // As many channels at a time as a product adds up anyway: the tiles of all would take much space.
                for first in (0..layer.inputs).step_by(TERMS) {
                    let depth = TERMS.min(layer.inputs - first);
                    for (index, tiles) in tiles.chunks_exact_mut(panel.stride).take(depth).enumerate() {
                        analysis.map(&chunk, images, first + index, (tiles, panel.pitch));
                    }
                    multiply_all((panel, kernels.panel()), (tiles, first..first + depth), weights, products);
                }
                synthesise(layer, &chunk, (0, products), pixels, out);
            });
        });
    });
}

/// Multiplies `weights` (output, input) with `tiles` (input, tile), for all frequencies; adds to what earlier inputs
/// gave.
fn multiply_all(
    (panel, kernels): (Panel, Panel),
    (tiles, inputs): (&[f32], Range<usize>),
    weights: &[f32],
    products: &mut [f32],
) {
    let size = (weights.len() / kernels.stride, inputs.len(), panel.columns);
    let own = Shared::new(products);
    for frequency in 0..FREQUENCIES {
        let kernels = kernels.matrix(&weights[inputs.start..], frequency);
        let target = panel.target(&own, frequency);
        // SAFETY: the products are borrowed exclusively.
        unsafe { multiply(target, inputs.start > 0, size, kernels, panel.matrix(tiles, frequency)) };
    }
}

/// Writes the output pixels of a chunk, for the channels from `first` on that `products` are for.
fn synthesise(
    layer: &Layer,
    chunk: &Chunk,
    (first, products): (usize, &[f32]),
    pixels: &mut [f32],
    out: &Shared<'_>,
) {
    let (panel, width) = (Panel::new(chunk.tiles), layer.columns.outputs);
    for (index, products) in products.chunks_exact(panel.stride).enumerate() {
        let row = |image: usize, y: usize| {
            let start = (image * layer.outputs + first + index) * layer.out_pixels() + y * width;
            // SAFETY: work items don't share rows of a channel, and one is held at a time.
            unsafe { out.part(start, width) }
        };
        let pitch = panel.pitch;
        simd::run(Synthesis { layer, chunk, products, pitch, pixels: &mut *pixels, row });
    }
}
