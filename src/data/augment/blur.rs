//! Gaussian blur as Pillow computes it: three box filters of fractional width along each axis, in fixed point
//! (`libImaging/BoxBlur.c`; the widths after Gwosdek et al., SSVM 2011, equations 7, 11 and 14).

use crate::base::stream::Stream;
use crate::data::image::Rgb;
use crate::spec::augment::Blur;

const PASSES: usize = 3;

/// With probability `p`, [`gaussian_blur`] with a radius from the range `sigma`.
pub fn random_blur(image: &mut Rgb, params: &Blur, stream: &mut Stream) {
    if stream.chance(params.p) {
        let [low, high] = params.sigma;
        gaussian_blur(image, stream.uniform(low, high) as f32);
    }
}

/// Blurs with a Gaussian of standard deviation `radius` pixels; what is outside has the colour of the border.
pub fn gaussian_blur(image: &mut Rgb, radius: f32) {
    if radius <= 0.0 || image.data.is_empty() {
        return;
    }
    let filter = BoxFilter::for_gaussian(radius);
    let (width, height) = (image.width, image.height);
    let mut spare = vec![0; image.data.len()];

    // Columns of the transposed image are rows; a pass adds whole lines up, which is what CPUs are good at.
    transpose(&image.data, &mut spare, width);
    filter.along_columns(&mut spare, &mut image.data, height * 3);
    transpose(&spare, &mut image.data, height);
    filter.along_columns(&mut image.data, &mut spare, width * 3);
}

/// `2 · reach + 1` pixels of full weight and one of partial weight at either end, in 2⁻²⁴.
struct BoxFilter {
    reach: usize,
    inner: u32,
    outer: u32,
}

impl BoxFilter {
    /// The box that, applied three times, has the variance of the Gaussian. Single precision, as in Pillow.
    fn for_gaussian(radius: f32) -> Self {
        let variance = radius * radius / PASSES as f32;
        let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
        let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
        let mut part = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance);
        part /= 6.0 * (variance - (whole + 1.0) * (whole + 1.0));
        let half_width = whole + part;

        let reach = half_width as usize;
        let one = 1u32 << 24;
        let inner = (one as f32 / (half_width * 2.0 + 1.0)) as u32;
        let outer = one.saturating_sub((2 * reach as u32 + 1) * inner) / 2;
        Self { reach, inner, outer }
    }

    /// Three passes over lines of `line` bytes, along the columns; `spare` is overwritten.
    fn along_columns(&self, data: &mut Vec<u8>, spare: &mut Vec<u8>, line: usize) {
        let mut sums = vec![0; line];
        for _ in 0..PASSES {
            self.pass(data, spare, &mut sums);
            std::mem::swap(data, spare);
        }
    }

    fn pass(&self, from: &[u8], to: &mut [u8], sums: &mut [u32]) {
        let line = sums.len();
        let last = from.len() / line - 1;
        let at = |y: usize| &from[y.min(last) * line..][..line];

        // The window before the first line: its upper reach + 1 lines and one more are outside.
        for (sum, &value) in sums.iter_mut().zip(at(0)) {
            *sum = u32::from(value) * (self.reach as u32 + 1);
        }
        for y in 0..self.reach {
            for (sum, &value) in sums.iter_mut().zip(at(y)) {
                *sum += u32::from(value);
            }
        }
        for (y, out) in to.chunks_exact_mut(line).enumerate() {
            let leaving = at(y.saturating_sub(self.reach + 1));
            let entering = at(y + self.reach);
            let next = at(y + self.reach + 1);
            for i in 0..line {
                let far = u32::from(leaving[i]) + u32::from(next[i]);
                sums[i] = sums[i] + u32::from(entering[i]) - u32::from(leaving[i]);
                out[i] = ((sums[i] * self.inner + far * self.outer + (1 << 23)) >> 24) as u8;
            }
        }
    }
}

/// Rows of `width` pixels become columns.
fn transpose(from: &[u8], to: &mut [u8], width: usize) {
    /// Squares of this side stay in the first cache.
    const TILE: usize = 16;
    let (from, _) = from.as_chunks::<3>();
    let (to, _) = to.as_chunks_mut::<3>();
    let height = from.len() / width;
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            for x in left..(left + TILE).min(width) {
                for y in top..(top + TILE).min(height) {
                    to[x * height + y] = from[y * width + x];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{self, Reference, difference};

    #[test]
    fn blur_is_exactly_pillows() {
        let pillow = Reference::open("strong");
        for name in pillow.under("blur/").iter().filter(|n| *n != "small") {
            let mut image = reference::image();
            gaussian_blur(&mut image, name.parse().unwrap());
            assert_eq!(difference(&image, &pillow.image(&format!("blur/{name}"))), (0, 0.0), "{name}");
        }
    }

    #[test]
    fn an_image_smaller_than_the_blur_is_exactly_pillows() {
        let pillow = Reference::open("strong");
        let mut image = pillow.image("small");
        gaussian_blur(&mut image, 2.0);
        assert_eq!(difference(&image, &pillow.image("blur/small")), (0, 0.0));
    }

    #[test]
    fn one_colour_stays_one_colour() {
        for sigma in [0.1, 1.0, 2.0, 9.0, 40.0] {
            let mut image = Rgb::filled(9, 5, [255, 1, 128]);
            gaussian_blur(&mut image, sigma);
            assert_eq!(image, Rgb::filled(9, 5, [255, 1, 128]), "sigma {sigma}");
        }
    }
}
