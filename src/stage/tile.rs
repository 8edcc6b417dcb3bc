//! Pictures of images and masks, of a size to be looked at.

use crate::data::image::{IGNORE, Mask, Rgb};
use crate::data::shrink;

/// The longest side of a picture, in pixels.
pub const LONGEST: usize = 320;
/// Smaller pictures are enlarged by a whole number, up to about this side, and at most so many times.
const SMALLEST: usize = 204;
const MOST_ENLARGED: usize = 8;
/// Of pixels that carry no label.
pub const IGNORED_COLOUR: [u8; 3] = [230, 230, 230];

/// An image.
pub fn image(image: &Rgb) -> Rgb {
    enlarged(shrink::image(image.clone(), LONGEST))
}

/// A mask in the colours of its classes. It is shrunk before it is painted: no colour is invented.
pub fn mask(mask: &Mask, colours: &[[u8; 3]]) -> Rgb {
    enlarged(painted(&shrink::mask(mask.clone(), LONGEST), colours))
}

/// A mask in the colours of its classes, pixel by pixel.
pub fn painted(mask: &Mask, colours: &[[u8; 3]]) -> Rgb {
    let colour = |class: &u8| match *class {
        IGNORE => IGNORED_COLOUR,
        class => colours.get(usize::from(class)).copied().unwrap_or_default(),
    };
    Rgb::new(mask.width, mask.height, mask.data.iter().flat_map(colour).collect())
}

/// A picture that is large enough to be seen, every pixel as a square.
pub fn enlarged(picture: Rgb) -> Rgb {
    let factor = SMALLEST.div_ceil(picture.width.max(picture.height).max(1)).min(MOST_ENLARGED);
    if factor <= 1 {
        return picture;
    }
    let (width, height) = (picture.width * factor, picture.height * factor);
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            data.extend_from_slice(&picture.at(x / factor, y / factor));
        }
    }
    Rgb::new(width, height, data)
}
