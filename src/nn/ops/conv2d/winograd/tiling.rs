//! Where the tiles of an image lie.
//!
//! Under dilation d the pixels 0, d, 2d, … form an image of their own, and so do 1, d + 1, …: d images in each
//! direction, woven into each other. A tile takes two neighbours of one of them: along one axis it *starts* at an
//! output pixel s and also covers s + d. The starts 0..d, 2d..3d, 4d..5d, … cover every pixel exactly once.
//! Tile j + d starts 2d pixels after tile j, and so the four input pixels that a tile reads along an axis are the
//! *even* and the *odd* pixel of tile j, and those of tile j + d.

use std::ops::Range;

use super::super::geometry::Geometry;

/// Tiles along one axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiling {
    /// Pixels that a tile reads from.
    pub(super) inputs: usize,
    /// Pixels that the tiles cover.
    pub(super) outputs: usize,
    /// Zeros before the first input pixel: none, or one or two steps of the dilation.
    pub(super) padding: usize,
    /// Distance of the two pixels that a tile covers.
    pub(super) dilation: usize,
    /// Number of tiles.
    pub(super) count: usize,
}

impl Tiling {
    fn new(inputs: usize, outputs: usize, padding: usize, dilation: usize) -> Self {
        let (whole, rest) = (outputs / (2 * dilation), outputs % (2 * dilation));
        let count = whole * dilation + rest.min(dilation);
        Self { inputs, outputs, padding, dilation, count }
    }

    /// The tiling of the adjoint: what was read is covered, and the other way around.
    fn adjoint(self) -> Self {
        Self::new(self.outputs, self.inputs, 2 * self.dilation - self.padding, self.dilation)
    }

    /// The first output pixel of tile `tile`.
    pub(super) fn start(&self, tile: usize) -> usize {
        tile / self.dilation * 2 * self.dilation + tile % self.dilation
    }

    /// Tiles whose pixels are read: all, and those that follow them; whole steps of the dilation.
    pub(super) fn reach(&self) -> usize {
        (self.count + self.dilation).next_multiple_of(self.dilation)
    }

    /// The even (`half` 0) or odd (`half` 1) input pixel of a tile, if it is inside the image.
    pub(super) fn source(&self, tile: usize, half: usize) -> Option<usize> {
        let place = (self.start(tile) + half * self.dilation).checked_sub(self.padding)?;
        (place < self.inputs).then_some(place)
    }

    /// The even or odd output pixel of a tile, if it is inside the image.
    pub(super) fn covered(&self, tile: usize, half: usize) -> Option<usize> {
        let place = self.start(tile) + half * self.dilation;
        (place < self.outputs).then_some(place)
    }
}

/// A convolution as its tiles see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer {
    pub(super) batch: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) rows: Tiling,
    pub(super) columns: Tiling,
}

impl Layer {
    pub(super) fn new(g: &Geometry) -> Self {
        let (top, left) = g.padding;
        Self {
            batch: g.batch,
            inputs: g.inputs,
            outputs: g.outputs,
            rows: Tiling::new(g.height, g.out_height, top, g.dilation),
            columns: Tiling::new(g.width, g.out_width, left, g.dilation),
        }
    }

    /// The convolution that computes the gradient of the input from that of the output.
    pub(super) fn adjoint(self) -> Self {
        let (rows, columns) = (self.rows.adjoint(), self.columns.adjoint());
        Self { batch: self.batch, inputs: self.outputs, outputs: self.inputs, rows, columns }
    }

    /// Tiles of the whole batch.
    pub(super) fn tiles(&self) -> usize {
        self.batch * self.rows.count * self.columns.count
    }

    /// Multiplications of the matrix products.
    pub(super) fn work(&self) -> usize {
        16 * self.tiles() * self.inputs * self.outputs
    }

    /// Pixels of an input image.
    pub(super) fn in_pixels(&self) -> usize {
        self.rows.inputs * self.columns.inputs
    }

    /// Pixels of an output image.
    pub(super) fn out_pixels(&self) -> usize {
        self.rows.outputs * self.columns.outputs
    }

    /// Cuts the tiles into at least `least` chunks of whole rows, of about `most` tiles at most.
    pub(super) fn chunks(&self, most: usize, least: usize) -> Vec<Chunk> {
        let all = self.batch * self.rows.count;
        let pieces = all.div_ceil((most / self.columns.count).max(1)).max(least).min(all);
        let rows = all.div_ceil(pieces);
        (0..all).step_by(rows).map(|start| self.chunk(start..(start + rows).min(all))).collect()
    }

    fn chunk(&self, rows: Range<usize>) -> Chunk {
        let (mut runs, mut row) = (Vec::new(), rows.start);
        while row < rows.end {
            let (image, first) = (row / self.rows.count, row % self.rows.count);
            let count = (self.rows.count - first).min(rows.end - row);
            runs.push(Run { image, rows: first..first + count, at: (row - rows.start) * self.columns.count });
            row += count;
        }
        Chunk { runs, tiles: rows.len() * self.columns.count }
    }
}

/// Tiles that are multiplied together.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) runs: Vec<Run>,
    /// How many tiles the runs have.
    pub(super) tiles: usize,
}

/// Neighbouring rows of tiles of one image.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) image: usize,
    pub(super) rows: Range<usize>,
    /// Index of the first tile in its chunk.
    pub(super) at: usize,
}

impl Run {
    /// The rows of tiles whose pixels those of the run read on into, but for those that are in the run.
    pub(super) fn follow(&self, rows: &Tiling) -> Range<usize> {
        let end = self.rows.end + rows.dilation;
        end - self.rows.len().min(rows.dilation)..end
    }
}
