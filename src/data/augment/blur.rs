//! Gaussian blur as Pillow computes it: three box filters of fractional width along each axis, in fixed point
//! (`libImaging/BoxBlur.c`; the widths after Gwosdek et al., SSVM 2011, equations 7, 11 and 14).

use crate::base::simd::wide;
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
    wide(
        #[inline(always)]
        || {
            filter.along_rows(image);
            filter.along_columns(image);
        },
    );
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

    /// Three passes along each row.
    #[inline(always)]
    fn along_rows(&self, image: &mut Rgb) {
        // A row between as many copies of its ends as a pass looks at.
        let line = image.width * 3;
        let margin = 3 * (self.reach + 1);
        let [mut row, mut spare] = [(); 2].map(|()| vec![0; line + 2 * margin]);
        let mut sums = vec![0; line];
        for place in image.data.chunks_exact_mut(line) {
            row[margin..][..line].copy_from_slice(place);
            for _ in 0..PASSES {
                for at in (0..margin).step_by(3) {
                    row.copy_within(margin..margin + 3, at);
                    row.copy_within(margin + line - 3..margin + line, margin + line + at);
                }
                self.pass_along(&row, &mut spare[margin..][..line], &mut sums);
                std::mem::swap(&mut row, &mut spare);
            }
            place.copy_from_slice(&row[margin..][..line]);
        }
    }

    /// Three passes along the columns.
    #[inline(always)]
    fn along_columns(&self, image: &mut Rgb) {
        let mut spare = vec![0; image.data.len()];
        let mut sums = vec![0; image.width * 3];
        for _ in 0..PASSES {
            self.pass_down(&image.data, &mut spare, &mut sums);
            std::mem::swap(&mut image.data, &mut spare);
        }
    }

    /// One pass along a row that has margins, which those of `to` and `sums` have not.
    #[inline(always)]
    fn pass_along(&self, from: &[u8], to: &mut [u8], sums: &mut [u32]) {
        let shifted = |pixels: usize| &from[3 * pixels..][..to.len()];
        sums.fill(0);
        for pixels in 1..2 * self.reach + 2 {
            for (sum, &value) in sums.iter_mut().zip(shifted(pixels)) {
                *sum += u32::from(value);
            }
        }
        let (before, after) = (shifted(0), shifted(2 * self.reach + 2));
        self.weigh(sums, before, after, to);
    }

    /// One pass down the columns, a whole line at a time.
    #[inline(always)]
    fn pass_down(&self, from: &[u8], to: &mut [u8], sums: &mut [u32]) {
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
            for ((sum, &enters), &leaves) in sums.iter_mut().zip(entering).zip(leaving) {
                *sum = *sum + u32::from(enters) - u32::from(leaves);
            }
            self.weigh(sums, leaving, at(y + self.reach + 1), out);
        }
    }

    /// The filtered values from the sums of the inner pixels, and the pixels before and after these.
    #[inline(always)]
    fn weigh(&self, sums: &[u32], before: &[u8], after: &[u8], to: &mut [u8]) {
        for (((out, &sum), &before), &after) in to.iter_mut().zip(sums).zip(before).zip(after) {
            let far = u32::from(before) + u32::from(after);
            *out = ((sum * self.inner + far * self.outer + (1 << 23)) >> 24) as u8;
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
