//! Which input pixels each tap of a convolution reads.

use std::ops::Range;

use super::{Padding, Window};

/// All sizes of one convolution, in pixels and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) batch: usize,
    pub(super) inputs: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) outputs: usize,
    /// Groups of channels that don't see each other.
    pub(super) groups: usize,
    pub(super) kernel: (usize, usize),
    pub(super) stride: usize,
    pub(super) dilation: usize,
    /// Zeros above and left of the image; those below and on the right follow from the sizes.
    pub(super) padding: (usize, usize),
    pub(super) out_height: usize,
    pub(super) out_width: usize,
}

/// One direction of a convolution: its rows or its columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    /// Input pixels.
    pub(super) size: usize,
    /// Output pixels.
    pub(super) out: usize,
    stride: usize,
    dilation: usize,
    padding: usize,
}

impl Axis {
    /// The input pixel that tap `k` reads for output `o`, which must be one of its valid ones.
    pub(super) fn source(&self, k: usize, o: usize) -> usize {
        o * self.stride + k * self.dilation - self.padding
    }

    /// The outputs for which tap `k` reads inside the image.
    pub(super) fn valid(&self, k: usize) -> Range<usize> {
        let reach = k * self.dilation;
        let first = self.padding.saturating_sub(reach).div_ceil(self.stride).min(self.out);
        let end = (self.size + self.padding).saturating_sub(reach).div_ceil(self.stride).min(self.out);
        first..end.max(first)
    }
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
    /// The sizes for `x` (B, C, H, W) and `weight` (O, C / groups, kh, kw); nothing if they don't fit each other.
    pub(super) fn new(x: &[usize], weight: &[usize], window: Window) -> Option<Self> {
        let (&[batch, inputs, height, width], &[outputs, depth, kh, kw]) = (x, weight) else { return None };
        let Window { stride, padding, dilation } = window;
        if x.iter().chain(weight).any(|&n| n == 0) || inputs % depth != 0 || outputs % (inputs / depth) != 0 {
            return None;
        }
        // Output pixels, and zeros before the first input pixel.
        let along = |size: usize, kernel: usize| {
            let reach = dilation * (kernel - 1) + 1;
            match padding {
                Padding::Each(zeros) => Some(((size + 2 * zeros).checked_sub(reach)? / stride + 1, zeros)),
                Padding::Same => {
                    let out = size.div_ceil(stride);
                    Some((out, ((out - 1) * stride + reach).saturating_sub(size) / 2))
                }
            }
        };
        let ((out_height, top), (out_width, left)) = (along(height, kh)?, along(width, kw)?);
        let (kernel, padding, groups) = ((kh, kw), (top, left), inputs / depth);
        Some(Self {
            batch,
            inputs,
            height,
            width,
            outputs,
            groups,
            kernel,
            stride,
            dilation,
            padding,
            out_height,
            out_width,
        })
    }

    /// The direction of height.
    pub(super) fn rows(&self) -> Axis {
        let Self { stride, dilation, padding, .. } = *self;
        Axis { size: self.height, out: self.out_height, stride, dilation, padding: padding.0 }
    }

    /// The direction of width.
    pub(super) fn columns(&self) -> Axis {
        let Self { stride, dilation, padding, .. } = *self;
        Axis { size: self.width, out: self.out_width, stride, dilation, padding: padding.1 }
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
        self.batch * self.out_pixels() * self.outputs * (self.inputs / self.groups) * self.taps()
    }

    /// Whether every output pixel reads exactly the input pixel at the same place.
    pub(super) fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.stride == 1 && self.padding == (0, 0)
    }

    /// The taps that read anything at all, in order.
    pub(super) fn valid_taps(&self) -> Vec<Tap> {
        let mut taps = Vec::with_capacity(self.taps());
        let (down, across) = (self.rows(), self.columns());
        for ky in 0..self.kernel.0 {
            for kx in 0..self.kernel.1 {
                let (rows, columns) = (down.valid(ky), across.valid(kx));
                if rows.is_empty() || columns.is_empty() {
                    continue;
                }
                let (top, left) = (down.source(ky, rows.start), across.source(kx, columns.start));
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
            size in 1usize..40, kernel in 1usize..8, stride in 1usize..4, zeros in 0usize..40, dilation in 1usize..40,
            same: bool,
        ) {
            let padding = if same { Padding::Same } else { Padding::Each(zeros) };
            let window = Window { stride, padding, dilation };
            let Some(g) = Geometry::new(&[1, 1, size, size], &[1, 1, kernel, kernel], window) else { return Ok(()) };
            let rows = g.rows();
            for k in 0..kernel {
                let valid = rows.valid(k);
                for o in 0..g.out_height {
                    let place = (o * stride + k * dilation) as isize - g.padding.0 as isize;
                    let inside = (0..size as isize).contains(&place);
                    prop_assert_eq!(valid.contains(&o), inside, "tap {} output {}", k, o);
                }
            }
        }
    }

    #[test]
    fn same_padding_is_that_of_tensorflow() {
        // (size, kernel, stride) to (outputs, zeros before); the surplus zero goes after.
        for (size, kernel, stride, expected) in [
            (224, 3, 2, (112, 0)),
            (225, 3, 2, (113, 1)),
            (112, 5, 2, (56, 1)),
            (7, 5, 1, (7, 2)),
            (6, 1, 2, (3, 0)),
        ] {
            let window = Window { stride, padding: Padding::Same, dilation: 1 };
            let g = Geometry::new(&[1, 1, size, size], &[1, 1, kernel, kernel], window).expect("it fits");
            assert_eq!((g.out_height, g.padding.0), expected, "{size} {kernel} {stride}");
        }
    }

    #[test]
    fn groups_follow_from_the_depth_of_the_weight() {
        let groups = |weight: [usize; 4]| Some(Geometry::new(&[1, 8, 5, 5], &weight, Window::POINT)?.groups);
        assert_eq!(groups([6, 8, 1, 1]), Some(1));
        assert_eq!(groups([6, 4, 1, 1]), Some(2));
        assert_eq!(groups([16, 1, 1, 1]), Some(8));
        assert_eq!(groups([6, 1, 1, 1]), None, "six outputs don't split into eight groups");
        assert_eq!(groups([6, 3, 1, 1]), None, "eight inputs don't split by three");
    }

    #[test]
    fn a_kernel_larger_than_the_padded_image_does_not_fit() {
        let window = Window { stride: 1, padding: Padding::Each(1), dilation: 4 };
        assert_eq!(Geometry::new(&[1, 3, 5, 9], &[8, 3, 3, 3], window), None);
        assert!(Geometry::new(&[1, 3, 7, 9], &[8, 3, 3, 3], window).is_some());
        assert_eq!(Geometry::new(&[1, 3, 7, 9], &[8, 4, 3, 3], window), None);
    }
}
