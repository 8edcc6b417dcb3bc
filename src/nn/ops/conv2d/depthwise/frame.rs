//! Where pixels lie while they are computed with.

use std::ops::Range;

use super::super::geometry::Geometry;

/// Rows and columns, row by row.
fn grid(height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
}

/// The input with its zeros around it. In each row come first the columns 0, s, 2s…, then 1, s + 1…: what one tap
/// reads for neighbouring outputs lies side by side, whatever the stride `s`.
pub(super) struct InputFrame {
    /// Pixels of the frame.
    pub(super) len: usize,
    /// Pixels of a row.
    pub(super) pitch: usize,
    /// Pixels of the columns of one remainder.
    part: usize,
    /// Where each pixel of the input lies.
    pub(super) places: Vec<usize>,
    /// What each tap reads for the first output.
    pub(super) offsets: Vec<usize>,
}

impl InputFrame {
    pub(super) fn new(g: &Geometry) -> Self {
        let (s, (top, left)) = (g.stride, g.padding);
        let read = |out: usize, kernel: usize| (out - 1) * s + (kernel - 1) * g.dilation + 1;
        let height = (top + g.height).max(read(g.out_height, g.kernel.0));
        let part = (left + g.width).max(read(g.out_width, g.kernel.1)).div_ceil(s);
        let pitch = part * s;
        let at = |y: usize, x: usize| y * pitch + x % s * part + x / s;
        let places = grid(g.height, g.width).map(|(y, x)| at(top + y, left + x)).collect();
        let offsets = grid(g.kernel.0, g.kernel.1).map(|(y, x)| at(y * g.dilation, x * g.dilation)).collect();
        Self { len: height * pitch, pitch, part, places, offsets }
    }
}

/// The gradient of the output with zeros around it, such that each input pixel finds all outputs that read it, or
/// zeros. The frames of the outputs of one input follow each other.
pub(super) struct GradFrame {
    /// Pixels of the frame of one output.
    pub(super) len: usize,
    /// Pixels of a row.
    pub(super) pitch: usize,
    /// Where each pixel of the gradient lies.
    pub(super) places: Vec<usize>,
    /// Input pixels by the remainders of row and column: those of a remainder are reached by the same taps.
    pub(super) phases: Vec<Phase>,
    /// Of the taps of all phases: what each reads for the first pixel of the input.
    pub(super) offsets: Vec<usize>,
    /// Of the taps of all outputs of an input: their places among those of all phases.
    pub(super) order: Vec<usize>,
}

/// Input pixels whose row and column leave the same remainders when divided by the stride.
pub(super) struct Phase {
    /// The first of them in its row of the input's frame.
    pub(super) to: usize,
    /// How many there are in a row.
    pub(super) count: usize,
    /// Columns of the gradient between what the first input pixel reads and what the first of these reads.
    pub(super) from: usize,
    /// The taps that reach them, among those of all phases.
    pub(super) taps: Range<usize>,
}

impl GradFrame {
    pub(super) fn new(g: &Geometry, input: &InputFrame) -> Self {
        let (s, (top, left)) = (g.stride, g.padding);
        let (first, last) = ((top / s, left / s), ((top + g.height - 1) / s, (left + g.width - 1) / s));
        let reach = ((g.kernel.0 - 1) * g.dilation / s, (g.kernel.1 - 1) * g.dilation / s);
        let (above, before) = (reach.0.saturating_sub(first.0), reach.1.saturating_sub(first.1));
        let pitch = before + g.out_width.max(last.1 + 1);
        let len = (above + g.out_height.max(last.0 + 1)) * pitch;
        let (each, taps) = (g.outputs / g.inputs, g.taps());
        let (mut offsets, mut order) = (Vec::with_capacity(each * taps), vec![0; each * taps]);
        let mut phases = Vec::with_capacity(s * s);
        for (down, across) in grid(s, s) {
            let start = offsets.len();
            for multiple in 0..each {
                for (tap, (y, x)) in grid(g.kernel.0, g.kernel.1).enumerate() {
                    let (y, x) = (y * g.dilation, x * g.dilation);
                    if (y % s, x % s) == (down, across) {
                        order[multiple * taps + tap] = offsets.len();
                        let (row, column) = (above + first.0 - y / s, before + first.1 - x / s);
                        offsets.push(multiple * len + row * pitch + column);
                    }
                }
            }
            // The padded columns across, across + s, … of the image.
            let columns = |end: usize| end.saturating_sub(across).div_ceil(s);
            let (begin, end) = (columns(left), columns(left + g.width));
            phases.push(Phase {
                to: across * input.part + begin,
                count: end - begin,
                from: begin - first.1,
                taps: start..offsets.len(),
            });
        }
        let places = grid(g.out_height, g.out_width).map(|(y, x)| (above + y) * pitch + before + x).collect();
        Self { len, pitch, places, phases, offsets, order }
    }
}
