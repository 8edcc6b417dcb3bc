//! Kernels on their way into the products, and their gradients out of them.

use rayon::prelude::*;

use super::super::super::simd::wide;
use super::super::geometry::Geometry;
use super::{FREQUENCIES, Panel, maps};

/// Kernels mapped at a time: what a panel is padded to a multiple of.
const LANES: usize = 8;

/// Channels mapped by one work item, whose kernels lie side by side where they are read across.
const CHANNELS: usize = 8;

/// One value of each of some kernels.
type Line = [f32; LANES];

/// G g Gᵀ of `weight` (O, C, 3, 3), as a panel of O channels with C values.
pub(super) fn analyse(g: &Geometry, weight: &[f32], panel: &mut [f32]) {
    map_all(g.inputs, panel, |output, input| &weight[(output * g.inputs + input) * 9..][..9], |tap| tap);
}

/// The same for the adjoint convolution, whose kernels are turned by half a turn: C channels with O values.
pub(super) fn analyse_adjoint(g: &Geometry, weight: &[f32], panel: &mut [f32]) {
    map_all(g.outputs, panel, |input, output| &weight[(output * g.inputs + input) * 9..][..9], |tap| 8 - tap);
}

/// Maps the taps `order(0..9)` of the kernels `kernel(channel, value)`.
fn map_all<'a>(
    values: usize,
    out: &mut [f32],
    kernel: impl Fn(usize, usize) -> &'a [f32] + Sync,
    order: impl Fn(usize) -> usize + Sync,
) {
    let panel = Panel::new(values);
    out.par_chunks_mut(CHANNELS * panel.stride).enumerate().for_each(|(item, out)| {
        wide(|| {
            for first in (0..values).step_by(LANES) {
                for (index, out) in out.chunks_exact_mut(panel.stride).enumerate() {
                    let mut taps = [[0.0; LANES]; 9];
                    for lane in 0..LANES.min(values - first) {
                        let kernel = kernel(item * CHANNELS + index, first + lane);
                        for (tap, line) in taps.iter_mut().enumerate() {
                            line[lane] = kernel[order(tap)];
                        }
                    }
                    for (line, out) in map_block(&taps).iter().zip(out.chunks_exact_mut(panel.pitch)) {
                        out[first..first + LANES].copy_from_slice(line);
                    }
                }
            }
        });
    });
}

#[inline(always)]
fn map_block(taps: &[Line; 9]) -> [Line; FREQUENCIES] {
    let mut rows = [[[0.0; LANES]; 4]; 3];
    for i in 0..3 {
        rows[i] = maps::kernel([taps[3 * i], taps[3 * i + 1], taps[3 * i + 2]]);
    }
    let mut out = [[0.0; LANES]; FREQUENCIES];
    for i in 0..4 {
        let column = maps::kernel([rows[0][i], rows[1][i], rows[2][i]]);
        for (k, line) in column.into_iter().enumerate() {
            out[4 * k + i] = line;
        }
    }
    out
}

/// Gᵀ u G: the gradient (O, C, 3, 3) of the weight from that of [`analyse`].
pub(super) fn synthesise(g: &Geometry, mapped: &[f32]) -> Vec<f32> {
    let panel = Panel::new(g.inputs);
    let mut out = vec![0.0; g.outputs * g.inputs * 9];
    let channels = mapped.par_chunks(CHANNELS * panel.stride);
    out.par_chunks_mut(CHANNELS * g.inputs * 9).zip(channels).for_each(|(out, mapped)| {
        wide(|| {
            let channels = mapped.chunks_exact(panel.stride);
            for (out, mapped) in out.chunks_exact_mut(g.inputs * 9).zip(channels) {
                for (block, out) in out.chunks_mut(LANES * 9).enumerate() {
                    let mut lines = [[0.0; LANES]; FREQUENCIES];
                    for (line, mapped) in lines.iter_mut().zip(mapped.chunks_exact(panel.pitch)) {
                        line.copy_from_slice(&mapped[block * LANES..][..LANES]);
                    }
                    let taps = unmap_block(&lines);
                    for (lane, kernel) in out.chunks_exact_mut(9).enumerate() {
                        for (kernel, line) in kernel.iter_mut().zip(&taps) {
                            *kernel = line[lane];
                        }
                    }
                }
            }
        });
    });
    out
}

#[inline(always)]
fn unmap_block(lines: &[Line; FREQUENCIES]) -> [Line; 9] {
    let mut rows = [[[0.0; LANES]; 4]; 3];
    for i in 0..4 {
        let column = maps::kernel_gradient([lines[i], lines[4 + i], lines[8 + i], lines[12 + i]]);
        for (row, line) in rows.iter_mut().zip(column) {
            row[i] = line;
        }
    }
    let mut out = [[0.0; LANES]; 9];
    for (i, row) in rows.into_iter().enumerate() {
        let taps = maps::kernel_gradient(row);
        for (k, line) in taps.into_iter().enumerate() {
            out[3 * i + k] = line;
        }
    }
    out
}
