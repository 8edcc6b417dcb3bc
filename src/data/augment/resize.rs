//! Random resize: the image by Pillow's BILINEAR (a triangle that widens when shrinking), the mask by its NEAREST.
//!
//! The image filter works on 8-bit pixels with weights of 22 fractional bits and rounds to 8 bits after each of
//! its two passes, rows first, like Pillow (`libImaging/Resample.c`).

use std::ops::Range;

use super::crop::Window;
use crate::base::simd::wide;
use crate::base::stream::Stream;
use crate::data::image::{Mask, Rgb};

const FRACTION_BITS: u32 = 22;
const HALF: i32 = 1 << (FRACTION_BITS - 1);

/// A long side in `[scale[0] · base_size, scale[1] · base_size]`, both ends included and cut to whole pixels
/// (`dataset/transform.py`, `resize`).
pub fn draw(scale: [f64; 2], base_size: usize, stream: &mut Stream) -> usize {
    let (low, high) = range(scale, base_size);
    stream.integer(low, high) as usize
}

/// The shortest and the longest long side that [`draw`] can give.
pub(super) fn range(scale: [f64; 2], base_size: usize) -> (i64, i64) {
    let low = ((base_size as f64 * scale[0]) as i64).max(1);
    (low, ((base_size as f64 * scale[1]) as i64).max(low))
}

/// The (width, height) with this long side and the same shape, at least one pixel
/// (`dataset/transform.py`, `resize`).
pub fn with_long_side(width: usize, height: usize, long_side: usize) -> (usize, usize) {
    let other = |this: usize, long: usize| {
        let side = this as f64 * long_side as f64 / long as f64 + 0.5;
        (side as usize).max(1)
    };
    if height > width { (other(width, height), long_side) } else { (long_side, other(height, width)) }
}

/// The `window` of the image resized to `size` (width, height).
///
/// # Panics
/// When the window is not inside `size`.
pub fn bilinear(image: &Rgb, size: (usize, usize), window: Window) -> Rgb {
    window.check(size);
    let columns = Taps::triangle(image.width, size.0, window.columns());
    let rows = Taps::triangle(image.height, size.1, window.rows());
    let needed = rows.sources();
    let (stride, line) = (image.width * 3, window.width * 3);
    let source = &image.data[needed.start * stride..needed.end * stride];
    let mut data = vec![0; window.height * line];
    wide(
        #[inline(always)]
        || {
            let mut narrowed = vec![0; needed.len() * line];
            let mut narrow = Narrow::new(&columns);
            for (from, to) in source.chunks_exact(stride).zip(narrowed.chunks_exact_mut(line)) {
                narrow.row(from, to);
            }
            let mut sums = vec![0; line];
            for (i, to) in data.chunks_exact_mut(line).enumerate() {
                let (first, weights) = rows.of(i);
                let from = narrowed[(first - needed.start) * line..].chunks_exact(line);
                sums.fill(HALF);
                for (row, &weight) in from.zip(weights) {
                    for (sum, &value) in sums.iter_mut().zip(row) {
                        *sum += i32::from(value) * weight;
                    }
                }
                round(&sums, to);
            }
        },
    );
    Rgb::new(window.width, window.height, data)
}

/// The `window` of the mask resized to `size` (width, height).
///
/// # Panics
/// When the window is not inside `size`.
pub fn nearest(mask: &Mask, size: (usize, usize), window: Window) -> Mask {
    window.check(size);
    let columns = nearest_sources(mask.width, size.0);
    let rows = nearest_sources(mask.height, size.1);
    let mut data = Vec::with_capacity(window.width * window.height);
    for &y in &rows[window.rows()] {
        let row = &mask.data[y * mask.width..][..mask.width];
        data.extend(columns[window.columns()].iter().map(|&x| row[x]));
    }
    Mask::new(window.width, window.height, data)
}

/// The filter along x, in an order that suits vectors: the first source pixel of every output pixel, then the second.
struct Narrow<'a> {
    first: &'a [usize],
    /// For the k-th source pixel of every output pixel, the weight of each of its channels.
    weights: Vec<Vec<i32>>,
    /// The k-th source pixel of every output pixel.
    sources: Vec<u8>,
    sums: Vec<i32>,
}

impl<'a> Narrow<'a> {
    fn new(columns: &'a Taps) -> Self {
        let line = columns.first.len() * 3;
        let kth =
            |k: usize| columns.weights[k..].iter().step_by(columns.most).flat_map(|&w| [w; 3]).collect();
        Self {
            first: &columns.first,
            weights: (0..columns.most).map(kth).collect(),
            sources: vec![0; line],
            sums: vec![0; line],
        }
    }

    #[inline(always)]
    fn row(&mut self, from: &[u8], to: &mut [u8]) {
        let (from, _) = from.as_chunks::<3>();
        let (sources, _) = self.sources.as_chunks_mut::<3>();
        self.sums.fill(HALF);
        for (k, weights) in self.weights.iter().enumerate() {
            let from = &from[k..];
            for (source, &first) in sources.iter_mut().zip(self.first) {
                *source = from[first];
            }
            for ((sum, &value), &weight) in self.sums.iter_mut().zip(sources.as_flattened()).zip(weights) {
                *sum += i32::from(value) * weight;
            }
        }
        round(&self.sums, to);
    }
}

/// The weights are not negative and add up to one but for a few units of 2⁻²², so nothing has to be clipped.
#[inline(always)]
fn round(sums: &[i32], to: &mut [u8]) {
    for (value, &sum) in to.iter_mut().zip(sums) {
        *value = (sum >> FRACTION_BITS) as u8;
    }
}

/// For each output position, the first source position and the weights from there on.
struct Taps {
    first: Vec<usize>,
    /// As many for each position as the position with the most has; those beyond its own are 0.
    weights: Vec<i32>,
    most: usize,
}

impl Taps {
    /// The triangle filter from `from` to `to` pixels, for the output positions `wanted`.
    fn triangle(from: usize, to: usize, wanted: Range<usize>) -> Self {
        let scale = from as f64 / to as f64;
        let support = scale.max(1.0);
        let inverse = 1.0 / support;
        let one = f64::from(1 << FRACTION_BITS);
        let sources = |i: usize| {
            let center = (i as f64 + 0.5) * scale;
            // The casts cut towards zero, as in C.
            let first = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            (center, first..end)
        };
        let most = wanted.clone().map(|i| sources(i).1.len()).max().unwrap_or(0);
        let mut taps = Self { first: Vec::new(), weights: Vec::new(), most };
        let mut raw = Vec::new();
        for i in wanted {
            let (center, range) = sources(i);
            raw.clear();
            raw.extend(range.clone().map(|x| {
                let distance = ((x as f64 - center + 0.5) * inverse).abs();
                if distance < 1.0 { 1.0 - distance } else { 0.0 }
            }));
            let sum: f64 = raw.iter().sum();
            // At the end of the image, the weights that are 0 come before the others.
            let first = range.start.min(from - most);
            let row = taps.weights.len();
            taps.weights.resize(row + most, 0);
            for (weight, raw) in taps.weights[row + range.start - first..].iter_mut().zip(&raw) {
                *weight = (0.5 + raw / sum * one) as i32;
            }
            taps.first.push(first);
        }
        taps
    }

    #[inline]
    fn of(&self, i: usize) -> (usize, &[i32]) {
        (self.first[i], &self.weights[i * self.most..][..self.most])
    }

    /// All source positions that have a weight.
    fn sources(&self) -> Range<usize> {
        match (self.first.first(), self.first.last()) {
            (Some(first), Some(last)) => *first..last + self.most,
            _ => 0..0,
        }
    }
}

/// The source of each of `to` positions. Positions are added up, not multiplied, because Pillow
/// (`libImaging/Geometry.c`) does so and the last bit decides at ties.
fn nearest_sources(from: usize, to: usize) -> Vec<usize> {
    let step = from as f64 / to as f64;
    let mut at = step * 0.5;
    (0..to)
        .map(|_| {
            let source = (at as usize).min(from - 1);
            at += step;
            source
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{self, Reference, difference};

    fn size_of(name: &str) -> (usize, usize) {
        let (width, height) = name.split_once('x').unwrap();
        (width.parse().unwrap(), height.parse().unwrap())
    }

    #[test]
    fn images_are_resized_exactly_as_by_pillow() {
        let pillow = Reference::open("weak");
        for name in pillow.under("resize/bilinear/") {
            let size = size_of(&name);
            let resized = bilinear(&reference::image(), size, Window::whole(size));
            assert_eq!(
                difference(&resized, &pillow.image(&format!("resize/bilinear/{name}"))),
                (0, 0.0),
                "{name}"
            );
        }
    }

    #[test]
    fn masks_are_resized_exactly_as_by_pillow() {
        let pillow = Reference::open("weak");
        for name in pillow.under("resize/nearest/") {
            let size = size_of(&name);
            let resized = nearest(&reference::mask(), size, Window::whole(size));
            assert_eq!(resized, pillow.mask(&format!("resize/nearest/{name}")), "{name}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_official_code() {
        for row in Reference::open("weak").integers("resize/sizes").chunks_exact(5) {
            let [width, height, long_side, w, h] = [0, 1, 2, 3, 4].map(|i| row[i] as usize);
            assert_eq!(with_long_side(width, height, long_side), (w, h), "{width}x{height} to {long_side}");
        }
    }

    #[test]
    fn a_thin_image_keeps_a_pixel() {
        assert_eq!(with_long_side(1000, 1, 20), (20, 1));
    }

    #[test]
    fn long_sides_reach_both_ends() {
        let mut stream = Stream::at(0, "test", "", 0, "");
        let drawn: Vec<usize> = (0..300).map(|_| draw([0.5, 2.0], 9, &mut stream)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&4), Some(&18)));
    }

    #[test]
    fn one_colour_stays_one_colour() {
        for colour in [[0, 0, 0], [255, 255, 255], [1, 128, 254]] {
            let image = Rgb::filled(31, 17, colour);
            for size in [(5, 3), (30, 18), (97, 53)] {
                assert_eq!(bilinear(&image, size, Window::whole(size)), Rgb::filled(size.0, size.1, colour));
            }
        }
    }
}
