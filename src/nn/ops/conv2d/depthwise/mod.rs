//! Depthwise convolution: each output channel reads one input channel.
//!
//! There is no sum over channels, hence no matrix product, and little to compute for each value that is moved.
//! Eight channels of an image are packed side by side into a frame with its zeros around it (`lanes`, `frame`); then
//! a pixel is a vector, every tap is a shift, nothing asks where the image ends, and the sums of up to ten pixels
//! stay in registers (`sums`). The gradient of the input is the same sum over a frame of the output's gradient, for
//! each remainder of row and column modulo the stride; that of the weight is a sum over pixels, with a lane's own
//! channel in each lane.

mod frame;
mod lanes;
mod sums;

use std::mem::MaybeUninit;

use rayon::prelude::*;

use self::frame::{GradFrame, InputFrame};
use self::lanes::{LANES, Lanes, pack, unpack, values_for, vectors};
use self::sums::{Rows, correlate, dots};
use super::super::memory::with_scratch;
use super::geometry::Geometry;

/// Multiplications worth handing to another thread.
const WORTHWHILE: usize = 1 << 18;

/// Products that are added up in single precision.
const TERMS: usize = 1024;

/// Whether this algorithm computes a convolution.
pub(super) fn applies(g: &Geometry) -> bool {
    g.groups > 1 && g.groups == g.inputs
}

/// Eight channels of an image, or as many as are left.
#[derive(Clone, Copy)]
struct Block {
    image: usize,
    channel: usize,
    count: usize,
}

impl Block {
    /// What follows the first value of the block, in a tensor with `each` values per input channel of an image.
    fn of<'a, T>(&self, g: &Geometry, values: &'a [T], each: usize) -> &'a [T] {
        &values[(self.image * g.inputs + self.channel) * each..]
    }

    /// The vectors of the block in a list of `each` vectors per block of channels.
    fn vectors<'a>(&self, vectors: &'a [Lanes], each: usize) -> &'a [Lanes] {
        &vectors[self.channel / LANES * each..][..each]
    }
}

/// Computes `out` in parallel, by blocks: `compute` gets some blocks, each with its part of `out`.
fn by_blocks<T: Send>(
    g: &Geometry,
    out: &mut [T],
    compute: impl Fn(&mut dyn Iterator<Item = (Block, &mut [T])>) + Sync,
) {
    let each = out.len() / (g.batch * g.inputs);
    let blocks = g.inputs.div_ceil(LANES);
    let together = (WORTHWHILE * g.batch * blocks / g.work()).clamp(1, blocks);
    out.par_chunks_mut(g.inputs * each).enumerate().for_each(|(image, out)| {
        out.par_chunks_mut(together * LANES * each).enumerate().for_each(|(index, out)| {
            let first = index * together * LANES;
            let parts = out.chunks_mut(LANES * each).zip((first..).step_by(LANES));
            compute(
                &mut parts.map(|(out, channel)| (Block { image, channel, count: out.len() / each }, out)),
            );
        });
    });
}

/// The kernels of each block of channels as vectors, tap `t` of output `j` of an input at `order[j * taps + t]`.
fn kernels(g: &Geometry, weight: &[f32], order: &[usize]) -> Vec<Lanes> {
    let mut out = vec![[0.0; LANES]; g.inputs.div_ceil(LANES) * order.len()];
    for (out, weight) in out.chunks_exact_mut(order.len()).zip(weight.chunks(LANES * order.len())) {
        pack(weight, order.len(), weight.len() / order.len(), out, order);
    }
    out
}

/// A vector of `len` values, all of which `write` writes.
///
/// # Safety
/// `write` must initialise every value.
unsafe fn written(len: usize, write: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut values = Vec::with_capacity(len);
    write(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the caller promised that all are initialised.
    unsafe { values.set_len(len) };
    values
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, 1, kh, kw).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let input = InputFrame::new(g);
    let (each, pixels, taps) = (g.outputs / g.inputs, g.out_pixels(), g.taps());
    let in_order: Vec<usize> = (0..pixels.max(each * taps)).collect();
    let weights = kernels(g, weight, &in_order[..each * taps]);
    let compute = |blocks: &mut dyn Iterator<Item = (Block, &mut [MaybeUninit<f32>])>| {
        with_scratch(values_for(input.len + pixels), |scratch| {
            let (frame, sums) = vectors(scratch)[..input.len + pixels].split_at_mut(input.len);
            frame.fill([0.0; LANES]);
            for (block, out) in blocks {
                pack(block.of(g, x, g.in_pixels()), g.in_pixels(), block.count, frame, &input.places);
                let kernels = block.vectors(&weights, each * taps).chunks_exact(taps);
                for (multiple, kernel) in kernels.enumerate() {
                    for (y, row) in sums.chunks_exact_mut(g.out_width).enumerate() {
                        correlate(row, &frame[y * g.stride * input.pitch..], &input.offsets, kernel);
                    }
                    let out = &mut out[multiple * pixels..];
                    unpack(sums, &in_order[..pixels], out, each * pixels, block.count);
                }
            }
        });
    };
    // SAFETY: every pixel of every output of every block is unpacked.
    unsafe { written(g.batch * g.outputs * pixels, |out| by_blocks(g, out, compute)) }
}

/// The gradients of the input and of the weight; empty where not wanted.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    let input = InputFrame::new(g);
    let output = GradFrame::new(g, &input);
    let grad_x = if wanted.0 { grad_input(g, &input, &output, weight, grad) } else { Vec::new() };
    let grad_weight = if wanted.1 { grad_weight(g, &input, &output, x, grad) } else { Vec::new() };
    (grad_x, grad_weight)
}

/// Packs the gradients of a block's outputs into their frames.
fn pack_grad(g: &Geometry, block: Block, output: &GradFrame, grad: &[f32], frames: &mut [Lanes]) {
    let (each, pixels) = (g.outputs / g.inputs, g.out_pixels());
    let grad = block.of(g, grad, each * pixels);
    for (multiple, frame) in frames.chunks_exact_mut(output.len).enumerate() {
        pack(&grad[multiple * pixels..], each * pixels, block.count, frame, &output.places);
    }
}

/// The gradient of the input.
fn grad_input(
    g: &Geometry,
    input: &InputFrame,
    output: &GradFrame,
    weight: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    let (s, (top, _)) = (g.stride, g.padding);
    let frames = g.outputs / g.inputs * output.len;
    let weights = kernels(g, weight, &output.order);
    let compute = |blocks: &mut dyn Iterator<Item = (Block, &mut [MaybeUninit<f32>])>| {
        with_scratch(values_for(input.len + frames), |scratch| {
            let (sums, frames) = vectors(scratch)[..input.len + frames].split_at_mut(input.len);
            frames.fill([0.0; LANES]);
            for (block, out) in blocks {
                pack_grad(g, block, output, grad, frames);
                let weights = block.vectors(&weights, output.order.len());
                for y in top..top + g.height {
                    let from = &frames[(y / s - top / s) * output.pitch..];
                    for phase in output.phases[y % s * s..][..s].iter().filter(|phase| phase.count > 0) {
                        let to = &mut sums[y * input.pitch + phase.to..][..phase.count];
                        let taps = phase.taps.clone();
                        correlate(to, &from[phase.from..], &output.offsets[taps.clone()], &weights[taps]);
                    }
                }
                unpack(sums, &input.places, out, g.in_pixels(), block.count);
            }
        });
    };
    // SAFETY: every pixel of every channel of every block is unpacked.
    unsafe { written(g.batch * g.inputs * g.in_pixels(), |out| by_blocks(g, out, compute)) }
}

/// The gradient of the weight.
fn grad_weight(g: &Geometry, input: &InputFrame, output: &GradFrame, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let (each, taps) = (g.outputs / g.inputs, g.taps());
    let weights = g.outputs * taps;
    let strip = (TERMS / g.out_width).max(1);
    // Of each image by itself.
    let mut parts = vec![0f64; g.batch * weights];
    by_blocks(g, &mut parts, |blocks| {
        with_scratch(values_for(input.len + each * output.len + taps), |scratch| {
            let (frame, rest) = vectors(scratch).split_at_mut(input.len);
            let (frames, rest) = rest.split_at_mut(each * output.len);
            let sums = &mut rest[..taps];
            frame.fill([0.0; LANES]);
            frames.fill([0.0; LANES]);
            for (block, out) in blocks {
                pack(block.of(g, x, g.in_pixels()), g.in_pixels(), block.count, frame, &input.places);
                pack_grad(g, block, output, grad, frames);
                for (multiple, grads) in frames.chunks_exact(output.len).enumerate() {
                    for y in (0..g.out_height).step_by(strip) {
                        let grads = &grads[output.places[0] + y * output.pitch..];
                        let grads = Rows { values: grads, pitch: output.pitch };
                        let pitch = g.stride * input.pitch;
                        let read = Rows { values: &frame[y * pitch..], pitch };
                        sums.fill([0.0; LANES]);
                        dots(sums, strip.min(g.out_height - y), g.out_width, grads, read, &input.offsets);
                        for (lane, out) in out.chunks_exact_mut(each * taps).enumerate() {
                            let out = &mut out[multiple * taps..][..taps];
                            out.iter_mut().zip(&*sums).for_each(|(out, sum)| *out += f64::from(sum[lane]));
                        }
                    }
                }
            }
        });
    });
    let (total, images) = parts.split_at_mut(weights);
    for image in images.chunks_exact(weights) {
        total.iter_mut().zip(image).for_each(|(total, part)| *total += part);
    }
    total.iter().map(|&total| total as f32).collect()
}
