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
