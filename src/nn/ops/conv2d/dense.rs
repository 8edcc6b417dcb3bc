//! Convolution as one matrix product per tile of output pixels.

use std::ops::Range;

use rayon::prelude::*;

use super::super::gemm::{Matrix, Target, multiply};
use super::super::memory::{Shared, with_scratch};
use super::geometry::Geometry;
use super::panel::{fold, unfold};

/// Output pixels of a tile: what keeps an unfolded tile of a wide layer in the second-level cache.
const TILE: usize = 512;

/// Multiplications worth handing to another thread.
const WORTHWHILE: usize = 1 << 20;

/// Most pieces that the input channels of a backward pass are cut into.
const PIECES: usize = 32;

/// Fewest lines, channels × taps, of a piece: each piece packs the gradients for itself.
const LINES: usize = 160;

/// What the algorithm costs, in its multiplications: unfolding an input pixel for a tap takes as long as 19 of them.
pub(super) fn cost(g: &Geometry) -> f64 {
    (g.work() + 19 * g.batch * g.out_pixels() * g.inputs * g.taps()) as f64
}

/// Tiles of whole output rows of the batch, in order.
fn tiles(g: &Geometry) -> Vec<Range<usize>> {
    let all = g.batch * g.out_height;
    let group = if merges(g) { all } else { g.out_height };
    let most = (TILE / g.out_width).max(1);
    let busy = (g.work() / WORTHWHILE).clamp(1, 2);
    let pieces = group.div_ceil(most).max(if merges(g) { busy } else { 1 });
    let rows = group.div_ceil(pieces);
    (0..all)
        .step_by(group)
        .flat_map(|start| (0..group).step_by(rows).map(move |r| start + r..start + (r + rows).min(group)))
        .collect()
}

/// Whether images are so small that a tile takes several of them.
fn merges(g: &Geometry) -> bool {
    g.out_pixels() < TILE && g.batch > 1
}

/// The image all of whose pixels in the tile lie side by side, if it is one image's.
fn single_image(g: &Geometry, rows: &Range<usize>) -> Option<(usize, usize)> {
    let image = rows.start / g.out_height;
    ((rows.end - 1) / g.out_height == image).then(|| (image, (rows.start % g.out_height) * g.out_width))
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C·taps).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let (depth, plane) = (g.inputs * g.taps(), g.out_pixels());
    let mut out = vec![0.0; g.batch * g.outputs * plane];
    let shared = Shared::new(&mut out);
    tiles(g).into_par_iter().for_each(|rows| {
        let pixels = rows.len() * g.out_width;
        let place = single_image(g, &rows);
        let size = (g.outputs, depth, pixels);
        let weight = Matrix::rows(weight, depth);
        let result_len = if place.is_some() { 0 } else { g.outputs * pixels };
        with_scratch(depth * pixels + result_len, |scratch| {
            let (panel, result) = scratch.split_at_mut(depth * pixels);
            unfold(g, x, 0..g.inputs, rows.clone(), panel);
            let pixels_of = Matrix::rows(panel, pixels);
            match place {
                Some((image, pixel)) => {
                    let start = image * g.outputs * plane + pixel;
                    let target = Target { buffer: &shared, start, stride: plane };
                    // SAFETY: tiles don't share output pixels.
                    unsafe { multiply(target, false, size, weight, pixels_of) };
                }
                None => {
                    let own = Shared::new(result);
                    let target = Target { buffer: &own, start: 0, stride: pixels };
                    // SAFETY: the scratch space is this thread's.
                    unsafe { multiply(target, false, size, weight, pixels_of) };
                    spread(g, result, rows, &shared);
                }
            }
        });
    });
    out
}

/// Copies a tile `(channel, pixel)` that spans images to its places in `out` (B, O, oh, ow).
fn spread(g: &Geometry, tile: &[f32], rows: Range<usize>, out: &Shared<'_>) {
    let width = g.out_width;
    let pixels = rows.len() * width;
    for (channel, line) in tile.chunks_exact(pixels).enumerate() {
        let mut row = rows.start;
        while row < rows.end {
            let (image, y) = (row / g.out_height, row % g.out_height);
            let count = (g.out_height - y).min(rows.end - row);
            let start = ((image * g.outputs + channel) * g.out_height + y) * width;
            let from = (row - rows.start) * width;
            // SAFETY: tiles don't share output pixels.
            let part = unsafe { out.part(start, count * width) };
            part.copy_from_slice(&line[from..from + count * width]);
            row += count;
        }
    }
}

/// The gradients of the input, if wanted, and of the weight.
///
/// The work is cut by input channels: both gradients of a piece belong to nobody else.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    let (wants_x, wants_weight) = wanted;
    let (taps, plane) = (g.taps(), g.out_pixels());
    let depth = g.inputs * taps;
    let merged = merges(g).then(|| channels_first(g, grad));
    let grad = merged.as_deref().unwrap_or(grad);
    let mut grad_x = vec![0.0; if wants_x { x.len() } else { 0 }];
    let mut grad_weight = vec![0.0; if wants_weight { weight.len() } else { 0 }];
    let (shared_x, shared_weight) = (Shared::new(&mut grad_x), Shared::new(&mut grad_weight));
    let most = PIECES.min(depth / LINES).clamp(1, g.inputs);
    let pieces = (g.work() / WORTHWHILE).clamp(1, most);
    let channels = g.inputs.div_ceil(pieces);
    let tiles = tiles(g);
    (0..g.inputs.div_ceil(channels)).into_par_iter().for_each(|piece| {
        let channels = piece * channels..((piece + 1) * channels).min(g.inputs);
        let lines = channels.len() * taps;
        let longest = tiles.iter().map(|rows| rows.len() * g.out_width).max().unwrap_or(0);
        with_scratch(lines * longest, |panel| {
            for (index, rows) in tiles.iter().enumerate() {
                let pixels = rows.len() * g.out_width;
                let (start, stride) = match single_image(g, rows) {
                    Some((image, pixel)) if merged.is_none() => (image * g.outputs * plane + pixel, plane),
                    _ => (rows.start * g.out_width, g.batch * plane),
                };
                let grad = Matrix::rows(&grad[start..], stride);
                let panel = &mut panel[..lines * pixels];
                if wants_weight {
                    unfold(g, x, channels.clone(), rows.clone(), panel);
                    let start = channels.start * taps;
                    let target = Target { buffer: &shared_weight, start, stride: depth };
                    let panel = Matrix::rows(panel, pixels).transposed();
                    // SAFETY: pieces don't share weights.
                    unsafe { multiply(target, index > 0, (g.outputs, pixels, lines), grad, panel) };
                }
                if wants_x {
                    let own = Shared::new(panel);
                    let target = Target { buffer: &own, start: 0, stride: pixels };
                    let weight = Matrix::rows(&weight[channels.start * taps..], depth).transposed();
                    // SAFETY: the scratch space is this thread's.
                    unsafe { multiply(target, false, (lines, g.outputs, pixels), weight, grad) };
                    fold(g, panel, channels.clone(), rows.clone(), |image, channel| {
                        // SAFETY: pieces don't share input channels, and `fold` holds one plane at a time.
                        unsafe { shared_x.part((image * g.inputs + channel) * g.in_pixels(), g.in_pixels()) }
                    });
                }
            }
        });
    });
    (grad_x, grad_weight)
}

/// (B, O, oh, ow) as (O, B, oh, ow), so that the pixels of a tile that spans images lie side by side.
fn channels_first(g: &Geometry, grad: &[f32]) -> Vec<f32> {
    let plane = g.out_pixels();
    let mut out = Vec::with_capacity(grad.len());
    for channel in 0..g.outputs {
        for image in 0..g.batch {
            out.extend_from_slice(&grad[(image * g.outputs + channel) * plane..][..plane]);
        }
    }
    out
}
