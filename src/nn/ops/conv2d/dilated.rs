//! Convolution tap by tap, for dilations that push most taps off the image.

use std::ops::Range;

use rayon::prelude::*;

use super::super::gemm::{Matrix, Target, multiply};
use super::super::memory::{Shared, with_scratch};
use super::geometry::{Geometry, Tap};
use super::panel::Rectangle;

/// Output pixels of a band, about.
const BAND: usize = 256;

/// Multiplications worth handing to another thread.
const WORTHWHILE: usize = 1 << 20;

/// Most pieces that the input channels are cut into: each gathers the same gradients.
const PIECES: usize = 8;

/// Kernels rearranged at a time, so that they stay in the first-level cache.
const BLOCK: usize = 256;

/// Fewest channels of a piece: below, the products get too thin.
const CHANNELS: usize = 16;

/// Whether the algorithm can compute this convolution.
pub(super) fn applies(g: &Geometry) -> bool {
    g.taps() > 1 && g.stride == 1 && g.groups == 1
}

/// What it costs, in multiplications of the dense algorithm: products that are thinner than those, pixels gathered
/// and scattered for each tap.
pub(super) fn cost(g: &Geometry) -> f64 {
    let moved = g.batch * g.out_pixels() * g.taps() * (g.inputs + g.outputs);
    1.3 * g.density() * (g.work() + 19 * moved) as f64
}

/// The steps of the computation.
struct Plan {
    taps: Vec<Tap>,
    work: usize,
}

impl Plan {
    fn new(g: &Geometry) -> Self {
        Self { taps: g.valid_taps(), work: (g.work() as f64 * g.density()) as usize }
    }

    /// Cuts the output into bands of rows: (images, rows), of whole images where these are small.
    fn bands(&self, g: &Geometry) -> Vec<(Range<usize>, Range<usize>)> {
        let pieces = (self.work / WORTHWHILE).clamp(1, 4);
        let pixels = (g.batch * g.out_pixels()).div_ceil(pieces).min(BAND);
        let images = (pixels / g.out_pixels()).clamp(1, g.batch);
        let rows = (pixels / (images * g.out_width)).clamp(1, g.out_height);
        let rows = g.out_height.div_ceil(g.out_height.div_ceil(rows));
        let starts = (0..g.batch).step_by(images);
        let bands = starts.flat_map(|b| (0..g.out_height).step_by(rows).map(move |y| (b, y)));
        bands.map(|(b, y)| (b..(b + images).min(g.batch), y..(y + rows).min(g.out_height))).collect()
    }

    /// Cuts the input channels into pieces that are worth a thread each.
    fn pieces(&self, g: &Geometry) -> Vec<Range<usize>> {
        let pieces = (self.work / WORTHWHILE).clamp(1, PIECES).min((g.inputs / CHANNELS).max(1));
        let length = g.inputs.div_ceil(pieces);
        (0..g.inputs).step_by(length).map(|c| c..(c + length).min(g.inputs)).collect()
    }
}

/// The rows of a band that a tap contributes to.
fn common(tap: &Tap, band: &Range<usize>) -> Option<Range<usize>> {
    let rows = tap.rows.start.max(band.start)..tap.rows.end.min(band.end);
    (!rows.is_empty()).then_some(rows)
}

/// (O, C, tap) as (tap, O, C) for the taps of the plan, so that the weights of a tap are a matrix.
fn taps_first(g: &Geometry, plan: &Plan, weight: &[f32], by_tap: &mut [f32]) {
    let (taps, kernels) = (g.taps(), g.outputs * g.inputs);
    for (start, block) in (0..kernels).step_by(BLOCK).zip(weight.chunks(BLOCK * taps)) {
        for tap in &plan.taps {
            let own = &mut by_tap[tap.index * kernels + start..][..block.len() / taps];
            own.iter_mut().zip(block.chunks_exact(taps)).for_each(|(o, kernel)| *o = kernel[tap.index]);
        }
    }
}

/// The inverse of [`taps_first`]; taps that are not in the plan have gradient 0.
fn taps_last(g: &Geometry, plan: &Plan, by_tap: &[f32]) -> Vec<f32> {
    let (taps, kernels) = (g.taps(), g.outputs * g.inputs);
    let mut weight = vec![0.0; by_tap.len()];
    for (start, block) in (0..kernels).step_by(BLOCK).zip(weight.chunks_mut(BLOCK * taps)) {
        for tap in &plan.taps {
            let own = &by_tap[tap.index * kernels + start..][..block.len() / taps];
            block.chunks_exact_mut(taps).zip(own).for_each(|(kernel, o)| kernel[tap.index] = *o);
        }
    }
    weight
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C·taps), cut by output rows.
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let plan = Plan::new(g);
    let mut out = vec![0.0; g.batch * g.outputs * g.out_pixels()];
    let shared = Shared::new(&mut out);
    with_scratch(weight.len(), |by_tap| {
        taps_first(g, &plan, weight, by_tap);
        plan.bands(g).into_par_iter().for_each(|(images, band)| {
            let most = images.len() * band.len() * g.out_width;
            with_scratch((g.inputs + g.outputs) * most, |scratch| {
                for tap in &plan.taps {
                    let Some(rows) = common(tap, &band) else { continue };
                    let read = Rectangle::read_by(g, tap, rows.clone(), images.clone(), 0..g.inputs);
                    let written = Rectangle::written_by(tap, rows, images.clone(), 0..g.outputs);
                    let (panel, result) = scratch.split_at_mut(g.inputs * read.pixels());
                    let pixels = read.matrix(x, g.inputs, (g.height, g.width), panel);
                    let weight = Matrix::rows(&by_tap[tap.index * g.outputs * g.inputs..], g.inputs);
                    // SAFETY: bands don't share output rows.
                    unsafe {
                        written.add_product(
                            g.outputs,
                            (g.out_height, g.out_width),
                            &shared,
                            (weight, g.inputs, pixels),
                            result,
                        )
                    };
                }
            });
        });
    });
    out
}

/// The gradients of the input, if wanted, and of the weight, cut by input channels.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    let (wants_x, wants_weight) = wanted;
    let plan = Plan::new(g);
    let (inside, outside) = ((g.height, g.width), (g.out_height, g.out_width));
    let mut grad_x = vec![0.0; if wants_x { x.len() } else { 0 }];
    let mut grad_by_tap = vec![0.0; if wants_weight { weight.len() } else { 0 }];
    let (shared_x, shared_weight) = (Shared::new(&mut grad_x), Shared::new(&mut grad_by_tap));
    with_scratch(weight.len(), |by_tap| {
        if wants_x {
            taps_first(g, &plan, weight, by_tap);
        }
        let bands = plan.bands(g);
        plan.pieces(g).into_par_iter().for_each(|inputs| {
            let most = bands.iter().map(|(images, band)| images.len() * band.len() * g.out_width).max();
            with_scratch((g.outputs + inputs.len()) * most.unwrap_or(0), |scratch| {
                for (tap, (images, band)) in plan.taps.iter().flat_map(|t| bands.iter().map(move |b| (t, b)))
                {
                    let Some(rows) = common(tap, band) else { continue };
                    let written = Rectangle::written_by(tap, rows.clone(), images.clone(), 0..g.outputs);
                    let read = Rectangle::read_by(g, tap, rows, images.clone(), inputs.clone());
                    let pixels = read.pixels();
                    let (grad_panel, panel) = scratch.split_at_mut(g.outputs * pixels);
                    let grads = written.matrix(grad, g.outputs, outside, grad_panel);
                    let start = tap.index * g.outputs * g.inputs + inputs.start;
                    if wants_weight {
                        let target = Target { buffer: &shared_weight, start, stride: g.inputs };
                        let read = read.matrix(x, g.inputs, inside, panel).transposed();
                        // SAFETY: pieces don't share input channels.
                        unsafe { multiply(target, true, (g.outputs, pixels, inputs.len()), grads, read) };
                    }
                    if wants_x {
                        let weight = Matrix::rows(&by_tap[start..], g.inputs).transposed();
                        // SAFETY: pieces don't share input channels.
                        unsafe {
                            read.add_product(g.inputs, inside, &shared_x, (weight, g.outputs, grads), panel)
                        };
                    }
                }
            });
        });
    });
    let grad_weight = if wants_weight { taps_last(g, &plan, &grad_by_tap) } else { Vec::new() };
    (grad_x, grad_weight)
}
