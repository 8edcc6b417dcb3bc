//! Convolution tap by tap, for dilations that push most taps off the image.

use std::ops::Range;

use rayon::prelude::*;

use super::super::gemm::{Matrix, Target, multiply};
use super::super::memory::{Shared, with_scratch};
use super::geometry::{Geometry, Tap};
use super::panel::Rectangle;

/// Pixels multiplied at a time.
const STRIP: usize = 512;

/// Multiplications worth handing to another thread.
const WORTHWHILE: usize = 1 << 20;

/// Most pieces that channels are cut into.
const PIECES: usize = 16;

/// Kernels rearranged at a time, so that they stay in the first-level cache.
const BLOCK: usize = 256;

/// Fewest channels of a piece: below, the products get too thin.
const CHANNELS: usize = 16;

/// Whether the algorithm can compute this convolution.
pub(super) fn applies(g: &Geometry) -> bool {
    g.taps() > 1 && g.stride == 1 && g.groups == 1
}

/// What it costs, in multiplications of the dense algorithm.
pub(super) fn cost(g: &Geometry) -> f64 {
    g.work() as f64 * g.density() / 0.62
}

/// The steps of the computation: groups of images, each with strips of rows of each tap.
struct Plan {
    taps: Vec<Tap>,
    groups: Vec<Range<usize>>,
    most_pixels: usize,
    work: usize,
}

impl Plan {
    fn new(g: &Geometry) -> Self {
        let taps = g.valid_taps();
        let largest = taps.iter().map(|t| t.rows.len() * t.columns.len()).max().unwrap_or(1);
        let images = (STRIP / largest).clamp(1, g.batch);
        let groups = (0..g.batch).step_by(images).map(|b| b..(b + images).min(g.batch)).collect();
        let most_pixels = taps
            .iter()
            .map(|t| images * strip_rows(t).min(t.rows.len()) * t.columns.len())
            .max()
            .unwrap_or(0);
        let work = (g.work() as f64 * g.density()) as usize;
        Self { taps, groups, most_pixels, work }
    }

    /// Cuts `channels` into pieces that are worth a thread each, when `already` many pieces exist.
    fn cut(&self, channels: usize, already: usize) -> Vec<Range<usize>> {
        let pieces = (self.work / WORTHWHILE / already).clamp(1, PIECES).min((channels / CHANNELS).max(1));
        let length = channels.div_ceil(pieces);
        (0..channels).step_by(length).map(|c| c..(c + length).min(channels)).collect()
    }

    /// The taps, each with its rows in strips, in order.
    fn strips(&self) -> impl Iterator<Item = (&Tap, Range<usize>)> {
        self.taps.iter().flat_map(|tap| {
            let rows = strip_rows(tap);
            tap.rows.clone().step_by(rows).map(move |y| (tap, y..(y + rows).min(tap.rows.end)))
        })
    }
}

fn strip_rows(tap: &Tap) -> usize {
    (STRIP / tap.columns.len()).max(1)
}

/// (O, C, tap) as (tap, O, C) for the taps of the plan, so that the weights of a tap are a matrix.
fn taps_first(g: &Geometry, plan: &Plan, weight: &[f32]) -> Vec<f32> {
    let (taps, kernels) = (g.taps(), g.outputs * g.inputs);
    let mut by_tap = vec![0.0; weight.len()];
    for (start, block) in (0..kernels).step_by(BLOCK).zip(weight.chunks(BLOCK * taps)) {
        for tap in &plan.taps {
            let own = &mut by_tap[tap.index * kernels + start..][..block.len() / taps];
            own.iter_mut().zip(block.chunks_exact(taps)).for_each(|(o, kernel)| *o = kernel[tap.index]);
        }
    }
    by_tap
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

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C·taps).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let plan = Plan::new(g);
    let weight = taps_first(g, &plan, weight);
    let plane = g.out_pixels();
    let mut out = vec![0.0; g.batch * g.outputs * plane];
    let shared = Shared::new(&mut out);
    let outputs = plan.cut(g.outputs, plan.groups.len());
    let items: Vec<_> =
        plan.groups.iter().flat_map(|i| outputs.iter().map(move |o| (i.clone(), o.clone()))).collect();
    items.into_par_iter().for_each(|(images, outputs)| {
        with_scratch((g.inputs + outputs.len()) * plan.most_pixels, |scratch| {
            for (tap, rows) in plan.strips() {
                let read = Rectangle::read_by(g, tap, rows.clone(), images.clone(), 0..g.inputs);
                let pixels = read.pixels();
                let (panel, rest) = scratch.split_at_mut(g.inputs * pixels);
                let result = &mut rest[..outputs.len() * pixels];
                read.gather(x, g.inputs, (g.height, g.width), panel);
                let weight = &weight[(tap.index * g.outputs + outputs.start) * g.inputs..];
                let own = Shared::new(result);
                let target = Target { buffer: &own, start: 0, stride: pixels };
                let size = (outputs.len(), g.inputs, pixels);
                // SAFETY: the scratch space is this thread's.
                unsafe {
                    multiply(target, false, size, Matrix::rows(weight, g.inputs), Matrix::rows(panel, pixels))
                };
                let written = Rectangle::written_by(tap, rows, images.clone(), outputs.clone());
                written.scatter_add(result, g.out_width, |image, channel| {
                    // SAFETY: items don't share (image, channel), and `scatter_add` holds one plane at a time.
                    unsafe { shared.part((image * g.outputs + channel) * plane, plane) }
                });
            }
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
    let by_tap = taps_first(g, &plan, weight);
    let mut grad_x = vec![0.0; if wants_x { x.len() } else { 0 }];
    let mut grad_by_tap = vec![0.0; weight.len()];
    let (shared_x, shared_weight) = (Shared::new(&mut grad_x), Shared::new(&mut grad_by_tap));
    plan.cut(g.inputs, 1).into_par_iter().for_each(|inputs| {
        with_scratch((g.outputs + inputs.len()) * plan.most_pixels, |scratch| {
            for images in &plan.groups {
                for (tap, rows) in plan.strips() {
                    let written = Rectangle::written_by(tap, rows.clone(), images.clone(), 0..g.outputs);
                    let read = Rectangle::read_by(g, tap, rows, images.clone(), inputs.clone());
                    let pixels = read.pixels();
                    let (grad_panel, rest) = scratch.split_at_mut(g.outputs * pixels);
                    let panel = &mut rest[..inputs.len() * pixels];
                    written.gather(grad, g.outputs, (g.out_height, g.out_width), grad_panel);
                    let grads = Matrix::rows(grad_panel, pixels);
                    let start = tap.index * g.outputs * g.inputs + inputs.start;
                    if wants_weight {
                        read.gather(x, g.inputs, (g.height, g.width), panel);
                        let target = Target { buffer: &shared_weight, start, stride: g.inputs };
                        let size = (g.outputs, pixels, inputs.len());
                        // SAFETY: pieces don't share input channels.
                        unsafe {
                            multiply(target, true, size, grads, Matrix::rows(panel, pixels).transposed())
                        };
                    }
                    if wants_x {
                        let own = Shared::new(panel);
                        let target = Target { buffer: &own, start: 0, stride: pixels };
                        let weight = Matrix::rows(&by_tap[start..], g.inputs).transposed();
                        // SAFETY: the scratch space is this thread's.
                        unsafe { multiply(target, false, (inputs.len(), g.outputs, pixels), weight, grads) };
                        read.scatter_add(panel, g.width, |image, channel| {
                            // SAFETY: pieces don't share input channels, and one plane is held at a time.
                            unsafe {
                                shared_x.part((image * g.inputs + channel) * g.in_pixels(), g.in_pixels())
                            }
                        });
                    }
                }
            }
        });
    });
    let grad_weight = if wants_weight { taps_last(g, &plan, &grad_by_tap) } else { Vec::new() };
    (grad_x, grad_weight)
}
