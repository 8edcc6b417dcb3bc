//! Kernels on their way into the products, and their gradients out of them.

use rayon::prelude::*;

use super::super::geometry::Geometry;
use super::{CHANNELS, FREQUENCIES, KERNEL_COST, Panel, grain, maps};
use crate::base::simd::{self, Loops};

/// Kernels mapped at a time: what a panel is padded to a multiple of.
const LANES: usize = 8;

/// One value of each of some kernels.
type Line = [f32; LANES];

/// The kernels of a convolution, a channel of kernels per output of the layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernels<'a> {
    weight: &'a [f32],
    /// Kernels of a channel: inputs of the layer.
    values: usize,
    /// Kernels between neighbouring channels and between neighbouring values.
    strides: (usize, usize),
    /// Whether taps are in reverse order.
    turned: bool,
}

impl<'a> Kernels<'a> {
    /// Those of `weight` (O, C, 3, 3).
    pub(super) fn new(g: &Geometry, weight: &'a [f32]) -> Self {
        Self { weight, values: g.inputs, strides: (g.inputs, 1), turned: false }
    }

    /// Those of the adjoint convolution, which are turned by half a turn.
    pub(super) fn adjoint(g: &Geometry, weight: &'a [f32]) -> Self {
        Self { weight, values: g.outputs, strides: (1, g.inputs), turned: true }
    }

    /// The panel of their frequencies.
    pub(super) fn panel(&self) -> Panel {
        Panel::new(self.values)
    }

    /// G g Gᵀ of the kernels of as many channels as fit `panel`, from `channel` on.
    pub(super) fn map(&self, channel: usize, panel: &mut [f32]) {
        simd::run(MapKernels { kernels: *self, channel, panel: self.panel(), out: panel });
    }

    /// The same, by several threads.
    pub(super) fn map_all(&self, panel: &mut [f32]) {
        let channels = panel.par_chunks_mut(CHANNELS * self.panel().stride).enumerate();
        let grain = grain(CHANNELS * self.values * KERNEL_COST);
        channels.with_min_len(grain).for_each(|(item, panel)| self.map(item * CHANNELS, panel));
    }
}

/// Maps the kernels of some channels from `channel` on.
struct MapKernels<'a> {
    kernels: Kernels<'a>,
    channel: usize,
    panel: Panel,
    out: &'a mut [f32],
}

impl Loops for MapKernels<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Kernels { weight, values, strides, turned } = self.kernels;
        for first in (0..values).step_by(LANES) {
            for (index, out) in self.out.chunks_exact_mut(self.panel.stride).enumerate() {
                // Lanes beyond the last kernel repeat it: nobody reads them.
                let mut kernels = [&weight[..9]; LANES];
                for (lane, kernel) in kernels.iter_mut().enumerate() {
                    let value = (first + lane).min(values - 1);
                    *kernel = &weight[9 * ((self.channel + index) * strides.0 + value * strides.1)..][..9];
                }
                let mut taps = [[0.0; LANES]; 9];
                for (tap, line) in taps.iter_mut().enumerate() {
                    let tap = if turned { 8 - tap } else { tap };
                    *line = [
                        kernels[0][tap],
                        kernels[1][tap],
                        kernels[2][tap],
                        kernels[3][tap],
                        kernels[4][tap],
                        kernels[5][tap],
                        kernels[6][tap],
                        kernels[7][tap],
                    ];
                }
                for (line, out) in map_block(&taps).iter().zip(out.chunks_exact_mut(self.panel.pitch)) {
                    out[first..first + LANES].copy_from_slice(line);
                }
            }
        }
    }
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

/// Gᵀ u G: the gradient (O, C, 3, 3) of the weight from that of its panel.
pub(super) fn synthesise(g: &Geometry, mapped: &[f32]) -> Vec<f32> {
    let panel = Panel::new(g.inputs);
    let mut out = vec![0.0; g.outputs * g.inputs * 9];
    let channels = mapped.par_chunks(CHANNELS * panel.stride);
    let items = out.par_chunks_mut(CHANNELS * g.inputs * 9).zip(channels);
    items.with_min_len(grain(CHANNELS * g.inputs * KERNEL_COST)).for_each(|(out, mapped)| {
        simd::run(UnmapKernels { mapped, panel, inputs: g.inputs, out });
    });
    out
}

/// Maps the gradients of some channels back to those of their kernels.
struct UnmapKernels<'a> {
    mapped: &'a [f32],
    panel: Panel,
    inputs: usize,
    out: &'a mut [f32],
}

impl Loops for UnmapKernels<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let channels = self.mapped.chunks_exact(self.panel.stride);
        for (out, mapped) in self.out.chunks_exact_mut(self.inputs * 9).zip(channels) {
            for (block, out) in out.chunks_mut(LANES * 9).enumerate() {
                let mut lines = [[0.0; LANES]; FREQUENCIES];
                for (line, mapped) in lines.iter_mut().zip(mapped.chunks_exact(self.panel.pitch)) {
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
    }
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
