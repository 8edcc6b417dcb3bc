//! Gray in three channels (torchvision's `RandomGrayscale` on a Pillow image).

use super::colours::recolour;
use crate::base::stream::Stream;
use crate::data::image::Rgb;
use crate::spec::augment::Grayscale;

/// With probability `p`, [`grayscale`].
pub fn random_grayscale(image: &mut Rgb, params: &Grayscale, stream: &mut Stream) {
    if stream.chance(params.p) {
        grayscale(image);
    }
}

/// Replaces each colour by its [`luma`].
pub fn grayscale(image: &mut Rgb) {
    recolour(image, |colour| [luma(colour); 3]);
}

/// The gray value of a colour, ITU-R 601 in 16 fractional bits as in Pillow's `L`.
#[inline(always)]
pub fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19595 + u32::from(g) * 38470 + u32::from(b) * 7471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{self, Reference};

    #[test]
    fn gray_is_exactly_pillows() {
        let pillow = Reference::open("strong");
        for (mut image, name) in
            [(reference::image(), "grayscale"), (pillow.image("lattice"), "grayscale/lattice")]
        {
            grayscale(&mut image);
            assert_eq!(reference::difference(&image, &pillow.image(name)), (0, 0.0), "{name}");
        }
    }
}
