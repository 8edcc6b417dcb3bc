//! Left becomes right (`dataset/transform.py`, `hflip`).

use super::Pair;
use crate::base::simd::wide;

/// Mirrors image and mask.
pub fn flip(pair: &mut Pair) {
    let width = pair.image.width;
    let mut copy = vec![[0; 3]; width];
    wide(
        #[inline(always)]
        || {
            for row in pair.image.data.chunks_exact_mut(width * 3) {
                let (pixels, _) = row.as_chunks_mut::<3>();
                copy.copy_from_slice(pixels);
                for (to, from) in pixels.iter_mut().zip(copy.iter().rev()) {
                    *to = *from;
                }
            }
        },
    );
    for row in pair.mask.data.chunks_exact_mut(pair.mask.width) {
        row.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{self, Reference};

    #[test]
    fn flipping_is_exactly_pillows() {
        let mut pair = Pair { image: reference::image(), mask: reference::mask() };
        flip(&mut pair);
        let pillow = Reference::open("weak");
        assert_eq!(pair, Pair { image: pillow.image("flip"), mask: pillow.mask("flip/mask") });
    }
}
