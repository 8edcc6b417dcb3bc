//! Images on their way into the products and out of them.

use super::lines::{Step, along, join, load, split, store};
use super::tiling::{Chunk, Layer, Run};
use super::{FREQUENCIES, maps};
use crate::base::simd::{self, Loops};

/// Which map an image goes through on its way into the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    /// Bᵀ d B, of the input of the layer.
    Input,
    /// A y Aᵀ, of the gradient of its output.
    Gradient,
}

/// The images (B, C, pixels) of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Images<'a> {
    pub(super) values: &'a [f32],
    pub(super) channels: usize,
    pub(super) pixels: usize,
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

    /// Maps a channel of a chunk of tiles, into its part of the panel, with `pitch` tiles per frequency.
    pub(super) fn map(
        &mut self,
        chunk: &Chunk,
        images: Images<'_>,
        channel: usize,
        (tiles, pitch): (&mut [f32], usize),
    ) {
        simd::run(MapChannel { analysis: self, chunk, images, channel, tiles, pitch });
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

struct MapChannel<'a, 'b> {
    analysis: &'a mut Analysis<'b>,
    chunk: &'a Chunk,
    images: Images<'a>,
    channel: usize,
    tiles: &'a mut [f32],
    pitch: usize,
}

impl Loops for MapChannel<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Images { values, channels, pixels } = self.images;
        for run in &self.chunk.runs {
            let plane = &values[(run.image * channels + self.channel) * pixels..][..pixels];
            self.analysis.rows(run, plane);
            self.analysis.columns(run, (self.tiles, self.pitch));
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

/// Aᵀ m A of a channel.
pub(super) struct Synthesis<'a, F> {
    pub(super) layer: &'a Layer,
    pub(super) chunk: &'a Chunk,
    /// The lines of the channel in the panel of products, with `pitch` tiles per frequency.
    pub(super) products: &'a [f32],
    pub(super) pitch: usize,
    /// Scratch space for four lines of tiles: the even and odd pixels of their even and odd rows.
    pub(super) pixels: &'a mut [f32],
    /// Lends row y of the channel's output for an image.
    pub(super) row: F,
}

impl<'a, F: Fn(usize, usize) -> &'a mut [f32]> Loops for Synthesis<'a, F> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        along(
            self.chunk.tiles,
            Pixels { products: self.products, pitch: self.pitch, pixels: &mut *self.pixels },
        );
        let (rows, columns) = (&self.layer.rows, &self.layer.columns);
        for run in &self.chunk.runs {
            for (index, tile) in run.rows.clone().enumerate() {
                let at = run.at + index * columns.count;
                for (half, pixels) in self.pixels.chunks_exact(2 * self.pitch).enumerate() {
                    if let Some(y) = rows.covered(tile, half) {
                        let (evens, odds) = pixels.split_at(self.pitch);
                        let (evens, odds) = (&evens[at..][..columns.count], &odds[at..][..columns.count]);
                        join(evens, odds, columns.dilation, (self.row)(run.image, y));
                    }
                }
            }
        }
    }
}

/// Maps products to pixels.
struct Pixels<'a> {
    products: &'a [f32],
    pitch: usize,
    pixels: &'a mut [f32],
}

impl Step for Pixels<'_> {
    #[inline(always)]
    fn step<const N: usize>(&mut self, at: usize) {
        let mut rows = [[[0.0; N]; 4]; 2];
        for q in 0..4 {
            let mut column = [[0.0; N]; 4];
            for (i, line) in column.iter_mut().enumerate() {
                *line = load(self.products, (4 * i + q) * self.pitch + at);
            }
            let [even, odd] = maps::output(column);
            (rows[0][q], rows[1][q]) = (even, odd);
        }
        for (half, row) in rows.into_iter().enumerate() {
            let [even, odd] = maps::output(row);
            store(self.pixels, 2 * half * self.pitch + at, even);
            store(self.pixels, (2 * half + 1) * self.pitch + at, odd);
        }
    }
}
