//! Every colour of an image, in a form that becomes vector instructions: channels apart, some colours at a time.

use crate::base::simd::wide;
use crate::data::image::Rgb;

/// Colours at a time: few enough to stay in the first cache.
const AT_ONCE: usize = 64;

type Block = [[u8; 3]; AT_ONCE];

/// Replaces every colour by `f` of it. Without a branch or a table in `f`, many colours are computed at once.
#[inline(always)]
pub(super) fn recolour(image: &mut Rgb, f: impl Fn([u8; 3]) -> [u8; 3]) {
    let (colours, _) = image.data.as_chunks_mut::<3>();
    wide(
        #[inline(always)]
        || {
            let (blocks, rest) = colours.as_chunks_mut();
            for block in blocks {
                recolour_block(block, &f);
            }
            let mut last = [[0; 3]; AT_ONCE];
            last[..rest.len()].copy_from_slice(rest);
            recolour_block(&mut last, &f);
            rest.copy_from_slice(&last[..rest.len()]);
        },
    );
}

#[inline(always)]
fn recolour_block(block: &mut Block, f: &impl Fn([u8; 3]) -> [u8; 3]) {
    let [mut red, mut green, mut blue] = channels(block);
    for i in 0..AT_ONCE {
        [red[i], green[i], blue[i]] = f([red[i], green[i], blue[i]]);
    }
    for (i, colour) in block.iter_mut().enumerate() {
        *colour = [red[i], green[i], blue[i]];
    }
}

/// The sum of `f` over all colours.
#[inline(always)]
pub(super) fn total(image: &Rgb, f: impl Fn([u8; 3]) -> u8) -> u64 {
    let (colours, _) = image.data.as_chunks::<3>();
    wide(
        #[inline(always)]
        || {
            let (blocks, rest) = colours.as_chunks();
            let mut sum = 0;
            for block in blocks {
                let [red, green, blue] = channels(block);
                let mut of_block = 0;
                for i in 0..AT_ONCE {
                    of_block += u32::from(f([red[i], green[i], blue[i]]));
                }
                sum += u64::from(of_block);
            }
            for &colour in rest {
                sum += u64::from(f(colour));
            }
            sum
        },
    )
}

#[inline(always)]
fn channels(block: &Block) -> [[u8; AT_ONCE]; 3] {
    let mut channels = [[0; AT_ONCE]; 3];
    let [red, green, blue] = &mut channels;
    for (i, colour) in block.iter().enumerate() {
        [red[i], green[i], blue[i]] = *colour;
    }
    channels
}

/// The whole part of a number, clipped to 8 bits: `value as u8`, but in vectors.
#[inline(always)]
pub(super) fn cut(value: f32) -> u8 {
    // What is no number becomes 0, which `clamp` would not do.
    let positive = value.max(0.0);
    // SAFETY: a number from 0 to 255 fits.
    let whole: i32 = unsafe { positive.min(255.0).to_int_unchecked() };
    whole as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_is_replaced_once_and_counted_once() {
        for width in [1, 63, 64, 65, 200] {
            let data = (0..width * 3).map(|i| i as u8).collect();
            let mut image = Rgb::new(width, 1, data);
            let expected: Vec<u8> = image.data.chunks(3).flat_map(|c| [c[1], c[2], c[0] / 2]).collect();
            let greens: u64 = (0..width).map(|i| (i * 3 + 1) as u64 % 256).sum();
            assert_eq!(total(&image, |[_, g, _]| g), greens);
            recolour(&mut image, |[r, g, b]| [g, b, r / 2]);
            assert_eq!(image.data, expected, "{width} colours");
        }
    }

    #[test]
    fn numbers_are_cut_as_casts_cut_them() {
        for value in [-1.0, -0.0, 0.99, 1.0, 127.5, 254.999, 255.0, 256.0, 1e30, f32::INFINITY, f32::NAN] {
            assert_eq!(cut(value), value as u8, "{value}");
        }
    }
}
