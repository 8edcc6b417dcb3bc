//! 1×1 convolution: matrix products of images where they lie.

use std::ops::Range;

use rayon::prelude::*;

use super::super::gemm::{Matrix, Target, multiply};
use super::super::memory::Shared;
use super::geometry::Geometry;

/// Pixels multiplied at a time.
const TILE: usize = 512;

/// Fewest pixels of an image: below, products over several images at once (`dense`) are wider.
const PIXELS: usize = 64;

/// Multiplications worth handing to another thread.
const WORTHWHILE: usize = 1 << 20;

/// Work items that there should be, if they are worth it.
const ITEMS: usize = 8;

/// Fewest channels of an item that packs the pixels of its tile for itself.
const CHANNELS: usize = 256;

/// Most items of the weight's gradient.
const PIECES: usize = 16;

/// Fewest input channels of such an item: below, the products get too thin.
const LINES: usize = 64;

/// Whether every output pixel reads exactly the input pixel at the same place, of images that are large enough.
pub(super) fn applies(g: &Geometry) -> bool {
    g.is_pointwise() && g.groups == 1 && (g.batch == 1 || g.out_pixels() >= PIXELS)
}

/// (image, pixels), in order; whole strips of the library's kernels, but for the last.
fn tiles(g: &Geometry) -> Vec<(usize, Range<usize>)> {
    let pixels = g.out_pixels();
    let length = pixels.div_ceil(pixels.div_ceil(TILE)).next_multiple_of(16);
    let starts = move |image| (0..pixels).step_by(length).map(move |p| (image, p..(p + length).min(pixels)));
    (0..g.batch).flat_map(starts).collect()
}

/// Cuts channels into at most `pieces`, of at least `least`.
fn cut(channels: usize, pieces: usize, least: usize) -> Vec<Range<usize>> {
    let length = channels.div_ceil(pieces.clamp(1, (channels / least).max(1)));
    (0..channels).step_by(length).map(|c| c..(c + length).min(channels)).collect()
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    product(g, (g.outputs, g.inputs), |output| Matrix::rows(&weight[output * g.inputs..], g.inputs), x)
}

/// The gradients of the input and of the weight, those that are wanted.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    let turned = |input: usize| Matrix::rows(&weight[input..], g.inputs).transposed();
    let of_x = || product(g, (g.inputs, g.outputs), turned, grad);
    let of_weight = || weight_gradient(g, x, grad);
    (wanted.0.then(of_x).unwrap_or_default(), wanted.1.then(of_weight).unwrap_or_default())
}

/// The product (B, m, pixels) of a matrix (m, k) with images (B, k, pixels); `matrix` is the rows from one on.
fn product<'a>(
    g: &Geometry,
    (m, k): (usize, usize),
    matrix: impl Fn(usize) -> Matrix<'a> + Sync,
    images: &[f32],
) -> Vec<f32> {
    let plane = g.out_pixels();
    let mut out = vec![0.0; g.batch * m * plane];
    let shared = Shared::new(&mut out);
    let tiles = tiles(g);
    let pieces = cut(m, (g.work() / WORTHWHILE).min(ITEMS).div_ceil(tiles.len()), CHANNELS);
    let items: Vec<_> = tiles.iter().flat_map(|tile| pieces.iter().map(move |rows| (tile, rows))).collect();
    items.into_par_iter().for_each(|((image, pixels), rows)| {
        let start = (image * m + rows.start) * plane + pixels.start;
        let target = Target { buffer: &shared, start, stride: plane };
        let images = Matrix::rows(&images[image * k * plane + pixels.start..], plane);
        // SAFETY: items don't share channels of a pixel.
        unsafe { multiply(target, false, (rows.len(), k, pixels.len()), matrix(rows.start), images) };
    });
    out
}

/// The gradient (O, C) of the weight, cut by input channels.
fn weight_gradient(g: &Geometry, x: &[f32], grad: &[f32]) -> Vec<f32> {
    let plane = g.out_pixels();
    let mut out = vec![0.0; g.outputs * g.inputs];
    let shared = Shared::new(&mut out);
    cut(g.inputs, (g.work() / WORTHWHILE).min(PIECES), LINES).into_par_iter().for_each(|channels| {
        for image in 0..g.batch {
            let grad = Matrix::rows(&grad[image * g.outputs * plane..], plane);
            let x = Matrix::rows(&x[(image * g.inputs + channels.start) * plane..], plane).transposed();
            let target = Target { buffer: &shared, start: channels.start, stride: g.inputs };
            // SAFETY: pieces don't share input channels.
            unsafe { multiply(target, image > 0, (g.outputs, plane, channels.len()), grad, x) };
        }
    });
    out
}
