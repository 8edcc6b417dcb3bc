//! Images on their way into the products and out of them.

use super::super::super::simd::wide;
use super::lines::{Step, along, join, load, split, store};
use super::tiling::{Chunk, Layer, Run};
use super::{FREQUENCIES, maps};

/// Which map an image goes through on its way into the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    /// Bᵀ d B, of the input of the layer.
    Input,
    /// A y Aᵀ, of the gradient of its output.
    Gradient,
}

/// Maps images into the products.
pub(super) struct Analysis<'a> {
    layer: &'a Layer,
    map: Map,
    /// Pixels of a row, first and second of each tile.
    evens: Vec<f32>,
    odds: Vec<f32>,
    /// All even rows that tiles read, mapped along the row: a line of tiles per frequency. Then all odd rows.
    halves: Vec<f32>,
}

impl<'a> Analysis<'a> {
    pub(super) fn new(layer: &'a Layer, map: Map) -> Self {
        let reach = layer.columns.reach();
        Self { layer, map, evens: vec![0.0; reach], odds: vec![0.0; reach], halves: Vec::new() }
    }

    /// Maps a channel: `plane(image)` is its pixels, `tiles` its part of the panel, with `pitch` tiles per frequency.
    pub(super) fn map<'b>(
        &mut self,
        chunk: &Chunk,
        plane: impl Fn(usize) -> &'b [f32],
        (tiles, pitch): (&mut [f32], usize),
    ) {
        wide(|| {
            for run in &chunk.runs {
                self.rows(run, plane(run.image));
                self.columns(run, (tiles, pitch));
            }
        });
        // What fills the lines up is multiplied too: unread, but NaN and subnormal numbers would cost time.
        tiles[..FREQUENCIES * pitch].chunks_exact_mut(pitch).for_each(|line| line[chunk.tiles..].fill(0.0));
    }

    /// Rows of tiles beyond those of a run that the run reads on into.
    fn follow(&self, run: &Run) -> std::ops::Range<usize> {
        match self.map {
            Map::Input => run.follow(&self.layer.rows),
            Map::Gradient => 0..0,
        }
    }

    /// Maps rows of pixels along the row.
    #[inline(always)]
    fn rows(&mut self, run: &Run, plane: &[f32]) {
        let follow = self.follow(run);
        let (rows, columns) = (&self.layer.rows, &self.layer.columns);
        let (count, step) = (columns.count, columns.dilation);
        let part = (run.rows.len() + follow.len()) * count;
        if self.halves.len() < 8 * part {
            self.halves.resize(8 * part, 0.0);
        }
        let (width, zeros) = match self.map {
            Map::Input => (columns.inputs, columns.padding),
            Map::Gradient => (columns.outputs, 0),
        };
        for (index, tile) in run.rows.clone().chain(follow).enumerate() {
            for (half, out) in self.halves[..8 * part].chunks_exact_mut(4 * part).enumerate() {
                let (a, rest) = out.split_at_mut(part);
                let (b, rest) = rest.split_at_mut(part);
                let (c, d) = rest.split_at_mut(part);
                let place = index * count..(index + 1) * count;
                let out =
                    [&mut a[place.clone()], &mut b[place.clone()], &mut c[place.clone()], &mut d[place]];
                let row = match self.map {
                    Map::Input => rows.source(tile, half),
                    Map::Gradient => rows.covered(tile, half),
                };
                let Some(row) = row else {
                    for line in out {
                        line.fill(0.0);
                    }
                    continue;
                };
                let row = &plane[row * width..][..width];
                // The zeros before the row are whole steps: it starts with even pixels or with odd ones.
                match zeros / step {
                    1 => split(row, step, &mut self.odds, &mut self.evens[step..]),
                    steps => {
                        let skip = steps / 2 * step;
                        split(row, step, &mut self.evens[skip..], &mut self.odds[skip..]);
                    }
                }
                apply(self.map, (&self.evens, &self.odds), step, out);
            }
        }
    }

    /// Maps what [`Self::rows`] left along the columns, into the lines of `tiles`.
    #[inline(always)]
    fn columns(&mut self, run: &Run, (tiles, pitch): (&mut [f32], usize)) {
        let count = self.layer.columns.count;
        let shift = self.follow(run).len() * count;
        let len = run.rows.len() * count;
        let part = len + shift;
        let (even, odd) = self.halves[..8 * part].split_at(4 * part);
        for (frequency, halves) in even.chunks_exact(part).zip(odd.chunks_exact(part)).enumerate() {
            let (a, rest) = tiles[frequency * pitch..].split_at_mut(4 * pitch);
            let (b, rest) = rest.split_at_mut(4 * pitch);
            let (c, d) = rest.split_at_mut(4 * pitch);
            let place = run.at..run.at + len;
            let out = [&mut a[place.clone()], &mut b[place.clone()], &mut c[place.clone()], &mut d[place]];
            apply(self.map, halves, shift, out);
        }
    }
}

/// Maps lines of even and odd pixels; the input map reads on `shift` tiles further.
#[inline(always)]
fn apply(map: Map, (evens, odds): (&[f32], &[f32]), shift: usize, out: [&mut [f32]; 4]) {
    struct Input<'a> {
        pixels: [&'a [f32]; 4],
        out: [&'a mut [f32]; 4],
    }
    impl Step for Input<'_> {
        #[inline(always)]
        fn step<const N: usize>(&mut self, at: usize) {
            let [a, b, c, d] = self.pixels;
            let mapped = maps::input::<N>([load(a, at), load(b, at), load(c, at), load(d, at)]);
            for (out, mapped) in self.out.iter_mut().zip(mapped) {
                store(out, at, mapped);
            }
        }
    }
    struct Gradient<'a> {
        pixels: [&'a [f32]; 2],
        out: [&'a mut [f32]; 4],
    }
    impl Step for Gradient<'_> {
        #[inline(always)]
        fn step<const N: usize>(&mut self, at: usize) {
            let [a, b] = self.pixels;
            let mapped = maps::output_gradient::<N>([load(a, at), load(b, at)]);
            for (out, mapped) in self.out.iter_mut().zip(mapped) {
                store(out, at, mapped);
            }
        }
    }
    let len = out[0].len();
    match map {
        Map::Input => along(len, Input { pixels: [evens, odds, &evens[shift..], &odds[shift..]], out }),
        Map::Gradient => along(len, Gradient { pixels: [evens, odds], out }),
    }
}

/// Aᵀ m A of a channel: `products` holds its lines of the panel, `row(image, y)` lends a row of the output; `pixels`
/// is scratch space for four lines.
pub(super) fn synthesise<'a>(
    layer: &Layer,
    chunk: &Chunk,
    (products, pitch): (&[f32], usize),
    pixels: &mut [f32],
    row: impl Fn(usize, usize) -> &'a mut [f32],
) {
    struct Output<'a> {
        products: &'a [f32],
        pitch: usize,
        pixels: &'a mut [f32],
    }
    impl Step for Output<'_> {
        #[inline(always)]
        fn step<const N: usize>(&mut self, at: usize) {
            let line = |frequency: usize| load::<N>(self.products, frequency * self.pitch + at);
            let mut rows = [[[0.0; N]; 4]; 2];
            for q in 0..4 {
                let pair = maps::output([line(q), line(4 + q), line(8 + q), line(12 + q)]);
                (rows[0][q], rows[1][q]) = (pair[0], pair[1]);
            }
            for (half, row) in rows.into_iter().enumerate() {
                let pair = maps::output(row);
                store(self.pixels, 2 * half * self.pitch + at, pair[0]);
                store(self.pixels, (2 * half + 1) * self.pitch + at, pair[1]);
            }
        }
    }
    wide(|| {
        along(chunk.tiles, Output { products, pitch, pixels: &mut *pixels });
        let (rows, columns) = (&layer.rows, &layer.columns);
        for run in &chunk.runs {
            for (index, tile) in run.rows.clone().enumerate() {
                let at = run.at + index * columns.count;
                for (half, pixels) in pixels.chunks_exact(2 * pitch).enumerate() {
                    if let Some(y) = rows.covered(tile, half) {
                        let (evens, odds) =
                            (&pixels[at..][..columns.count], &pixels[pitch + at..][..columns.count]);
                        join(evens, odds, columns.dilation, row(run.image, y));
                    }
                }
            }
        }
    });
}
