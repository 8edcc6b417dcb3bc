//! The arithmetic: sums over taps and sums over pixels, as many at a time as stay in registers.

use super::lanes::{LANES, Lanes};
use crate::base::simd::wide_fn;

/// Sums that stay in the sixteen registers of AVX2, together with what is multiplied.
const MOST: usize = 10;

/// The length of pieces that cover `count` sums: as even as can be.
fn piece(count: usize) -> usize {
    count.div_ceil(count.div_ceil(MOST))
}

/// Calls a function with a constant from 1 to [`MOST`].
macro_rules! with_constant {
    ($number:expr, $function:ident($($argument:expr),*)) => {
        match $number {
            1 => $function::<1>($($argument),*),
            2 => $function::<2>($($argument),*),
            3 => $function::<3>($($argument),*),
            4 => $function::<4>($($argument),*),
            5 => $function::<5>($($argument),*),
            6 => $function::<6>($($argument),*),
            7 => $function::<7>($($argument),*),
            8 => $function::<8>($($argument),*),
            9 => $function::<9>($($argument),*),
            _ => $function::<MOST>($($argument),*),
        }
    };
}

wide_fn! {
    /// `to[i] = Σ weight · from[i + offset]` over the taps; at least one `to`.
    pub(super) fn correlate(to: &mut [Lanes], from: &[Lanes], offsets: &[usize], weights: &[Lanes]) {
        with_constant!(piece(to.len()), correlate_pieces(to, from, offsets, weights))
    }
}

/// [`correlate`] with `N` pixels at a time; the last ones overlap those before.
#[inline(always)]
fn correlate_pieces<const N: usize>(to: &mut [Lanes], from: &[Lanes], offsets: &[usize], weights: &[Lanes]) {
    let last = to.len() - N;
    let mut start = 0;
    loop {
        let mut sums = [[0.0; LANES]; N];
        let from = &from[start..];
        for (&offset, weight) in offsets.iter().zip(weights) {
            for (sum, value) in sums.iter_mut().zip(&from[offset..offset + N]) {
                for i in 0..LANES {
                    sum[i] += weight[i] * value[i];
                }
            }
        }
        to[start..start + N].copy_from_slice(&sums);
        if start == last {
            break;
        }
        start = (start + N).min(last);
    }
}

/// Rows of pixels in a frame.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// From the first row on.
    pub(super) values: &'a [Lanes],
    /// From one row to the next.
    pub(super) pitch: usize,
}

wide_fn! {
    /// Adds `Σ grad · x[offset further]` over `height` rows of `width` pixels to the sum of each tap.
    pub(super) fn dots(
        sums: &mut [Lanes],
        height: usize,
        width: usize,
        grad: Rows<'_>,
        x: Rows<'_>,
        offsets: &[usize],
    ) {
        let taps = piece(offsets.len());
        for (sums, offsets) in sums.chunks_mut(taps).zip(offsets.chunks(taps)) {
            with_constant!(offsets.len(), dots_of_taps(sums, height, width, grad, x, offsets));
        }
    }
}

/// [`dots`] for `N` taps.
#[inline(always)]
fn dots_of_taps<const N: usize>(
    sums: &mut [Lanes],
    height: usize,
    width: usize,
    grad: Rows<'_>,
    x: Rows<'_>,
    offsets: &[usize],
) {
    let mut own = [[0.0; LANES]; N];
    own.copy_from_slice(sums);
    for y in 0..height {
        let grad = &grad.values[y * grad.pitch..][..width];
        let x = &x.values[y * x.pitch..];
        let mut rows = [x; N];
        for (row, &offset) in rows.iter_mut().zip(offsets) {
            *row = &x[offset..offset + width];
        }
        for (column, grad) in grad.iter().enumerate() {
            for (sum, row) in own.iter_mut().zip(&rows) {
                let x = &row[column];
                for i in 0..LANES {
                    sum[i] += grad[i] * x[i];
                }
            }
        }
    }
    sums.copy_from_slice(&own);
}
