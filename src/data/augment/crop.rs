//! Pad at the right and the bottom (image 0, mask [`IGNORE`]) and crop at random (`dataset/transform.py`, `crop`).

use std::ops::Range;

use crate::base::stream::Stream;
use crate::data::image::{IGNORE, Mask, Rgb};

/// A rectangle of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Left column.
    pub x: usize,
    /// Top row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Window {
    /// All of an image of this (width, height).
    pub fn whole(size: (usize, usize)) -> Self {
        Self { x: 0, y: 0, width: size.0, height: size.1 }
    }

    pub(super) fn columns(&self) -> Range<usize> {
        self.x..self.x + self.width
    }

    pub(super) fn rows(&self) -> Range<usize> {
        self.y..self.y + self.height
    }

    pub(super) fn check(&self, size: (usize, usize)) {
        assert!(self.columns().end <= size.0 && self.rows().end <= size.1, "{self:?} is not inside {size:?}");
    }
}

/// Where an image of (width, height) is cropped to a square of `side`: the part of the crop that is not padding.
pub fn draw(size: (usize, usize), side: usize, stream: &mut Stream) -> Window {
    let mut start = |length: usize| stream.integer(0, length.saturating_sub(side) as i64) as usize;
    let (x, y) = (start(size.0), start(size.1));
    Window { x, y, width: side.min(size.0), height: side.min(size.1) }
}

/// The `window` of an image.
pub fn crop_image(image: &Rgb, window: Window) -> Rgb {
    window.check((image.width, image.height));
    let data = cut_out(&image.data, image.width, window, 3);
    Rgb::new(window.width, window.height, data)
}

/// The `window` of a mask.
pub fn crop_mask(mask: &Mask, window: Window) -> Mask {
    window.check((mask.width, mask.height));
    let data = cut_out(&mask.data, mask.width, window, 1);
    Mask::new(window.width, window.height, data)
}

/// The image in the upper left corner of a black square, unless it fills it.
pub fn pad_image(image: Rgb, side: usize) -> Rgb {
    if (image.width, image.height) == (side, side) {
        return image;
    }
    Rgb::new(side, side, padded(&image.data, image.width * 3, side * 3, side, 0))
}

/// The mask in the upper left corner of an ignored square, unless it fills it.
pub fn pad_mask(mask: Mask, side: usize) -> Mask {
    if (mask.width, mask.height) == (side, side) {
        return mask;
    }
    Mask::new(side, side, padded(&mask.data, mask.width, side, side, IGNORE))
}

fn cut_out(data: &[u8], width: usize, window: Window, channels: usize) -> Vec<u8> {
    let mut cut = Vec::with_capacity(window.width * window.height * channels);
    for y in window.rows() {
        cut.extend_from_slice(&data[(y * width + window.x) * channels..][..window.width * channels]);
    }
    cut
}

fn padded(data: &[u8], line: usize, padded_line: usize, rows: usize, fill: u8) -> Vec<u8> {
    let mut out = vec![fill; padded_line * rows];
    for (from, to) in data.chunks_exact(line).zip(out.chunks_exact_mut(padded_line)) {
        to[..line].copy_from_slice(from);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{self, Reference};

    #[test]
    fn padding_and_cropping_are_exactly_pillows() {
        let pillow = Reference::open("weak");
        for name in pillow.under("crop/").iter().filter(|n| !n.ends_with("mask")) {
            let numbers: Vec<usize> = name.split(',').map(|n| n.parse().unwrap()).collect();
            let [side, x, y] = numbers[..] else { panic!("{name}") };
            let window = Window { x, y, width: side.min(56), height: side.min(40) };
            let image = pad_image(crop_image(&reference::image(), window), side);
            let mask = pad_mask(crop_mask(&reference::mask(), window), side);
            assert_eq!(image, pillow.image(&format!("crop/{name}")), "{name}");
            assert_eq!(mask, pillow.mask(&format!("crop/{name}/mask")), "{name}");
        }
    }

    #[test]
    fn every_position_can_be_drawn_and_none_outside() {
        let mut stream = Stream::at(0, "test", "", 0, "");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..400 {
            let window = draw((12, 7), 8, &mut stream);
            window.check((12, 7));
            assert_eq!((window.width, window.height), (8, 7));
            seen.insert((window.x, window.y));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)]);
    }
}
