//! Which input pixels each tap of a convolution reads.

use std::ops::Range;

use super::Window;

/// All sizes of one convolution, in pixels and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) batch: usize,
    pub(super) inputs: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) outputs: usize,
    pub(super) kernel: (usize, usize),
    pub(super) window: Window,
    pub(super) out_height: usize,
    pub(super) out_width: usize,
}

/// One tap of the kernel and the rectangle of output pixels for which it reads inside the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tap {
    /// Index in the flattened kernel.
    pub(super) index: usize,
    /// Output rows.
    pub(super) rows: Range<usize>,
    /// Output columns.
    pub(super) columns: Range<usize>,
    /// Input row read by the first output row.
    pub(super) top: usize,
    /// Input column read by the first output column.
    pub(super) left: usize,
}

impl Geometry {
    /// The sizes for `x` (B, C, H, W) and `weight` (O, C, kh, kw); nothing if they don't fit each other.
    pub(super) fn new(x: &[usize], weight: &[usize], window: Window) -> Option<Self> {
        let (&[batch, inputs, height, width], &[outputs, depth, kh, kw]) = (x, weight) else { return None };
        let out = |size: usize, kernel: usize| {
            let reach = window.dilation * kernel.checked_sub(1)? + 1;
            Some((size + 2 * window.padding).checked_sub(reach)? / window.stride + 1)
        };
        let (out_height, out_width) = (out(height, kh)?, out(width, kw)?);
        let kernel = (kh, kw);
        let fits = depth == inputs && x.iter().chain(weight).all(|&n| n > 0);
        fits.then_some(Self { batch, inputs, height, width, outputs, kernel, window, out_height, out_width })
    }

    /// Taps of the kernel.
    pub(super) fn taps(&self) -> usize {
        self.kernel.0 * self.kernel.1
    }

    /// Pixels of an input image.
    pub(super) fn in_pixels(&self) -> usize {
        self.height * self.width
    }

    /// Pixels of an output image.
    pub(super) fn out_pixels(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Multiplications of the dense algorithm.
    pub(super) fn work(&self) -> usize {
        self.batch * self.out_pixels() * self.outputs * self.inputs * self.taps()
    }

    /// Whether every output pixel reads exactly the input pixel at the same place.
    pub(super) fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.window.stride == 1 && self.window.padding == 0
    }

    /// Input row or column that tap `k` reads for output `o`, which must be one of its valid ones.
    pub(super) fn source(&self, k: usize, o: usize) -> usize {
        o * self.window.stride + k * self.window.dilation - self.window.padding
    }

    /// The outputs, of `out`, for which tap `k` reads inside `size` input rows or columns.
    pub(super) fn valid(&self, k: usize, size: usize, out: usize) -> Range<usize> {
        let Window { stride, padding, dilation } = self.window;
        let reach = k * dilation;
        let first = padding.saturating_sub(reach).div_ceil(stride).min(out);
        let end = (size + padding).saturating_sub(reach).div_ceil(stride).min(out);
        first..end.max(first)
    }

    /// The taps that read anything at all, in order.
    pub(super) fn valid_taps(&self) -> Vec<Tap> {
        let mut taps = Vec::with_capacity(self.taps());
        for ky in 0..self.kernel.0 {
            for kx in 0..self.kernel.1 {
                let rows = self.valid(ky, self.height, self.out_height);
                let columns = self.valid(kx, self.width, self.out_width);
                if rows.is_empty() || columns.is_empty() {
                    continue;
                }
                let (top, left) = (self.source(ky, rows.start), self.source(kx, columns.start));
                taps.push(Tap { index: ky * self.kernel.1 + kx, rows, columns, top, left });
            }
        }
        taps
    }

    /// The share of (output pixel, tap) pairs that read inside the image.
    pub(super) fn density(&self) -> f64 {
        let valid: usize = self.valid_taps().iter().map(|t| t.rows.len() * t.columns.len()).sum();
        valid as f64 / (self.taps() * self.out_pixels()) as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_tap_is_valid_exactly_where_it_reads_inside(
            size in 1usize..40, kernel in 1usize..8, stride in 1usize..4, padding in 0usize..40, dilation in 1usize..40,
        ) {
            let window = Window { stride, padding, dilation };
            let Some(g) = Geometry::new(&[1, 1, size, size], &[1, 1, kernel, kernel], window) else { return Ok(()) };
            for k in 0..kernel {
                let valid = g.valid(k, size, g.out_height);
                for o in 0..g.out_height {
                    let place = (o * stride + k * dilation) as isize - padding as isize;
                    let inside = (0..size as isize).contains(&place);
                    prop_assert_eq!(valid.contains(&o), inside, "tap {} output {}", k, o);
                }
            }
        }
    }

    #[test]
    fn a_kernel_larger_than_the_padded_image_does_not_fit() {
        let window = Window { stride: 1, padding: 1, dilation: 4 };
        assert_eq!(Geometry::new(&[1, 3, 5, 9], &[8, 3, 3, 3], window), None);
        assert!(Geometry::new(&[1, 3, 7, 9], &[8, 3, 3, 3], window).is_some());
        assert_eq!(Geometry::new(&[1, 3, 7, 9], &[8, 4, 3, 3], window), None);
    }
}
