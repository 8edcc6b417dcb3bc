//! Copies between images and the matrices that are multiplied.
//!
//! A *row* here is an output row of the batch: rows `0..out_height` are those of the first image, and so on, so that
//! a tile of rows may span images. A panel has a line per (channel, tap), or per channel, and a column per pixel.

use std::ops::Range;

use super::super::gemm::{Matrix, Target, multiply};
use super::super::memory::Shared;
use super::geometry::{Geometry, Tap};

/// Rows below this length are copied pixel by pixel through a list of offsets.
const SHORT: usize = 8;

/// Copies every `stride`-th value of `from`.
#[inline(always)]
fn copy(to: &mut [f32], from: &[f32], stride: usize) {
    match stride {
        1 => copy_row(to, &from[..to.len()]),
        2 => {
            let from = &from[..(2 * to.len()).saturating_sub(1)];
            (0..to.len()).for_each(|i| to[i] = from[2 * i]);
        }
        _ => to.iter_mut().zip(from.iter().step_by(stride)).for_each(|(t, f)| *t = *f),
    }
}

/// Copies a row without calling `memcpy`, which costs more than most rows are long: blocks of fixed length, of which
/// the last one overlaps the one before.
#[inline(always)]
fn copy_row(to: &mut [f32], from: &[f32]) {
    const BLOCK: usize = 8;
    let n = to.len();
    if n > 64 {
        to.copy_from_slice(from);
    } else if n >= BLOCK {
        for start in (0..n - BLOCK).step_by(BLOCK).chain([n - BLOCK]) {
            to[start..start + BLOCK].copy_from_slice(&from[start..start + BLOCK]);
        }
    } else {
        (0..n).for_each(|i| to[i] = from[i]);
    }
}

/// Adds `from` to every `stride`-th value of `to`.
#[inline(always)]
fn add(to: &mut [f32], from: &[f32], stride: usize) {
    const BLOCK: usize = 4;
    match stride {
        1 => {
            let to = &mut to[..from.len()];
            let (mut to, mut from) = (to.chunks_exact_mut(BLOCK), from.chunks_exact(BLOCK));
            to.by_ref().zip(from.by_ref()).for_each(|(t, f)| (0..BLOCK).for_each(|i| t[i] += f[i]));
            to.into_remainder().iter_mut().zip(from.remainder()).for_each(|(t, f)| *t += *f);
        }
        _ => to.iter_mut().step_by(stride).zip(from).for_each(|(t, f)| *t += *f),
    }
}

/// The parts of a tile that lie in one image: (image, its rows, the first column of the panel).
fn images(g: &Geometry, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>, usize)> + Clone {
    let height = g.out_height;
    (rows.start / height..rows.end.div_ceil(height)).map(move |image| {
        let first = (image * height).max(rows.start);
        let end = ((image + 1) * height).min(rows.end);
        (image, first - image * height..end - image * height, (first - rows.start) * g.out_width)
    })
}

/// Writes to `panel` `((channel, tap), pixel)` what each tap reads for the pixels of `rows` (im2col).
pub(super) fn unfold(g: &Geometry, x: &[f32], channels: Range<usize>, rows: Range<usize>, panel: &mut [f32]) {
    if g.out_width < SHORT {
        unfold_pixels(g, x, channels, rows, panel)
    } else {
        unfold_rows(g, x, channels, rows, panel)
    }
}

/// [`unfold`] for narrow images.
fn unfold_pixels(g: &Geometry, x: &[f32], channels: Range<usize>, rows: Range<usize>, panel: &mut [f32]) {
    let pixels = rows.len() * g.out_width;
    let taps = g.taps();
    // Where each tap reads for each pixel in the first channel; beyond any image where it reads padding.
    let mut offsets = Vec::with_capacity(taps * pixels);
    for ky in 0..g.kernel.0 {
        let inside = g.rows().valid(ky);
        for kx in 0..g.kernel.1 {
            let columns = g.columns().valid(kx);
            for row in rows.clone() {
                let (image, y) = (row / g.out_height, row % g.out_height);
                let start = image * g.inputs * g.in_pixels();
                offsets.extend((0..g.out_width).map(|x| {
                    let reads = inside.contains(&y) && columns.contains(&x);
                    if reads {
                        start + g.rows().source(ky, y) * g.width + g.columns().source(kx, x)
                    } else {
                        usize::MAX / 2
                    }
                }));
            }
        }
    }
    for (channel, lines) in channels.zip(panel.chunks_exact_mut(taps * pixels)) {
        let x = &x[channel * g.in_pixels()..];
        lines.iter_mut().zip(&offsets).for_each(|(v, &o)| *v = x.get(o).copied().unwrap_or(0.0));
    }
}

/// [`unfold`] row by row.
fn unfold_rows(g: &Geometry, x: &[f32], channels: Range<usize>, rows: Range<usize>, panel: &mut [f32]) {
    let pixels = rows.len() * g.out_width;
    let width = g.out_width;
    let mut lines = panel.chunks_exact_mut(pixels);
    for channel in channels {
        for ky in 0..g.kernel.0 {
            let inside = g.rows().valid(ky);
            for kx in 0..g.kernel.1 {
                let line = lines.next().expect("the panel has a line per channel and tap");
                let columns = g.columns().valid(kx);
                if inside.is_empty() || columns.is_empty() {
                    line.fill(0.0);
                    continue;
                }
                let left = g.columns().source(kx, columns.start);
                for (image, rows, start) in images(g, rows.clone()) {
                    let plane = &x[(image * g.inputs + channel) * g.in_pixels()..][..g.in_pixels()];
                    let part = &mut line[start..start + rows.len() * width];
                    let valid =
                        inside.start.clamp(rows.start, rows.end)..inside.end.clamp(rows.start, rows.end);
                    let (above, rest) = part.split_at_mut((valid.start - rows.start) * width);
                    let (within, below) = rest.split_at_mut(valid.len() * width);
                    above.fill(0.0);
                    below.fill(0.0);
                    for (y, out) in valid.zip(within.chunks_exact_mut(width)) {
                        out[..columns.start].iter_mut().for_each(|v| *v = 0.0);
                        out[columns.end..].iter_mut().for_each(|v| *v = 0.0);
                        let source = &plane[g.rows().source(ky, y) * g.width + left..];
                        copy(&mut out[columns.clone()], source, g.stride);
                    }
                }
            }
        }
    }
}

/// Adds a panel back to the places that [`unfold`] read it from (col2im).
///
/// `target(image, channel)` lends the plane of `height * width` values that belongs to them.
pub(super) fn fold<'a>(
    g: &Geometry,
    panel: &[f32],
    channels: Range<usize>,
    rows: Range<usize>,
    target: impl Fn(usize, usize) -> &'a mut [f32],
) {
    let pixels = rows.len() * g.out_width;
    let mut lines = panel.chunks_exact(pixels);
    for channel in channels {
        for ky in 0..g.kernel.0 {
            let inside = g.rows().valid(ky);
            for kx in 0..g.kernel.1 {
                let line = lines.next().expect("the panel has a line per channel and tap");
                let columns = g.columns().valid(kx);
                if columns.is_empty() {
                    continue;
                }
                let left = g.columns().source(kx, columns.start);
                for (image, rows, start) in images(g, rows.clone()) {
                    let plane = target(image, channel);
                    for (y, values) in rows.zip(line[start..].chunks_exact(g.out_width)) {
                        if inside.contains(&y) {
                            let to = &mut plane[g.rows().source(ky, y) * g.width + left..];
                            add(to, &values[columns.clone()], g.stride);
                        }
                    }
                }
            }
        }
    }
}

/// A rectangle of some images and channels of a `(B, C, H, W)` tensor.
pub(super) struct Rectangle {
    pub(super) images: Range<usize>,
    pub(super) channels: Range<usize>,
    pub(super) top: usize,
    pub(super) left: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Pixels between neighbouring pixels of the rectangle.
    pub(super) stride: usize,
}

impl Rectangle {
    /// The input pixels that `tap` reads for the output rows `rows`, a part of `tap.rows`.
    pub(super) fn read_by(
        g: &Geometry,
        tap: &Tap,
        rows: Range<usize>,
        images: Range<usize>,
        channels: Range<usize>,
    ) -> Self {
        let stride = g.stride;
        let top = tap.top + (rows.start - tap.rows.start) * stride;
        Self { images, channels, top, left: tap.left, height: rows.len(), width: tap.columns.len(), stride }
    }

    /// The output pixels that `tap` contributes to in the output rows `rows`.
    pub(super) fn written_by(
        tap: &Tap,
        rows: Range<usize>,
        images: Range<usize>,
        channels: Range<usize>,
    ) -> Self {
        let (left, width) = (tap.columns.start, tap.columns.len());
        Self { images, channels, top: rows.start, left, height: rows.len(), width, stride: 1 }
    }

    /// Pixels per channel.
    pub(super) fn pixels(&self) -> usize {
        self.images.len() * self.height * self.width
    }

    /// Copies the rectangle of a tensor with `depth` channels of `height * width` to `panel` `(channel, pixel)`.
    fn gather(&self, x: &[f32], depth: usize, (height, width): (usize, usize), panel: &mut [f32]) {
        if self.width < SHORT {
            let mut offsets = Vec::with_capacity(self.pixels());
            for image in self.images.clone() {
                for y in 0..self.height {
                    let row = (image * depth * height + self.top + y * self.stride) * width + self.left;
                    offsets.extend((0..self.width).map(|x| row + x * self.stride));
                }
            }
            for (channel, line) in self.channels.clone().zip(panel.chunks_exact_mut(offsets.len())) {
                let x = &x[channel * height * width..];
                line.iter_mut().zip(&offsets).for_each(|(v, &o)| *v = x[o]);
            }
            return;
        }
        let mut out = panel.chunks_exact_mut(self.width);
        for channel in self.channels.clone() {
            for image in self.images.clone() {
                for y in 0..self.height {
                    let row = ((image * depth + channel) * height + self.top + y * self.stride) * width;
                    let source = &x[row + self.left..row + width];
                    let out = out.next().expect("the panel holds the rectangle");
                    copy(out, source, self.stride);
                }
            }
        }
    }

    /// The rectangle of a tensor with `depth` channels of `height * width`, as a matrix (channel, pixel): where it
    /// lies, if the pixels of a channel are neighbours, else copied to `panel`.
    pub(super) fn matrix<'a>(
        &self,
        x: &'a [f32],
        depth: usize,
        (height, width): (usize, usize),
        panel: &'a mut [f32],
    ) -> Matrix<'a> {
        if self.is_whole(width) {
            return Matrix::rows(&x[self.start(depth, (height, width))..], height * width);
        }
        self.gather(x, depth, (height, width), panel);
        Matrix::rows(panel, self.pixels())
    }

    /// Adds `a · b`, where `b` has `terms` rows, to the rectangle of a tensor with `depth` channels of
    /// `height * width`; `panel` is scratch space for the rectangle.
    ///
    /// # Safety
    /// While this runs nothing else may read or write the rows of the rectangle.
    pub(super) unsafe fn add_product(
        &self,
        depth: usize,
        (height, width): (usize, usize),
        out: &Shared<'_>,
        (a, terms, b): (Matrix<'_>, usize, Matrix<'_>),
        panel: &mut [f32],
    ) {
        let size = (self.channels.len(), terms, self.pixels());
        if self.is_whole(width) {
            let target =
                Target { buffer: out, start: self.start(depth, (height, width)), stride: height * width };
            // SAFETY: the caller's promise.
            return unsafe { multiply(target, true, size, a, b) };
        }
        let own = Shared::new(panel);
        // SAFETY: the panel is borrowed exclusively.
        unsafe { multiply(Target { buffer: &own, start: 0, stride: self.pixels() }, false, size, a, b) };
        let mut values = panel.chunks_exact(self.width);
        for channel in self.channels.clone() {
            for image in self.images.clone() {
                for y in 0..self.height {
                    let row = ((image * depth + channel) * height + self.top + y * self.stride) * width;
                    // SAFETY: the caller's promise; one row is held at a time.
                    let row = unsafe { out.part(row + self.left, width - self.left) };
                    add(row, values.next().expect("the panel holds the rectangle"), self.stride);
                }
            }
        }
    }

    /// Whether the pixels of a channel are neighbours in images with rows of `width`.
    fn is_whole(&self, width: usize) -> bool {
        self.images.len() == 1 && self.width == width && self.stride == 1
    }

    /// Where its first pixel lies.
    fn start(&self, depth: usize, (height, width): (usize, usize)) -> usize {
        ((self.images.start * depth + self.channels.start) * height + self.top) * width + self.left
    }
}
