//! `data.long_side`: large photographs are shrunk once, before anything else sees them.

use super::augment::crop::Window;
use super::augment::resize;
use super::image::{Mask, Rgb};

/// An image whose longer side has at most `long_side` pixels: smaller images stay as they are, larger ones are
/// shrunk with Pillow's BILINEAR.
pub fn image(image: Rgb, long_side: usize) -> Rgb {
    match target(image.width, image.height, long_side) {
        Some(size) => resize::bilinear(&image, size, Window::whole(size)),
        None => image,
    }
}

/// The mask of an image that was shrunk so: nearest neighbour, no class is invented.
pub fn mask(mask: Mask, long_side: usize) -> Mask {
    match target(mask.width, mask.height, long_side) {
        Some(size) => resize::nearest(&mask, size, Window::whole(size)),
        None => mask,
    }
}

/// The size of an image that was shrunk so.
pub fn size(width: usize, height: usize, long_side: usize) -> (usize, usize) {
    target(width, height, long_side).unwrap_or((width, height))
}

fn target(width: usize, height: usize, long_side: usize) -> Option<(usize, usize)> {
    (width.max(height) > long_side).then(|| resize::with_long_side(width, height, long_side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_side_is_shrunk_and_never_enlarged() {
        let size = |width, height| {
            let (image, mask) =
                (image(Rgb::filled(width, height, [9; 3]), 240), mask(Mask::filled(width, height, 3), 240));
            assert_eq!((image.width, image.height), (mask.width, mask.height));
            assert!(image.data.iter().all(|value| *value == 9) && mask.data.iter().all(|class| *class == 3));
            (image.width, image.height)
        };
        assert_eq!(size(480, 360), (240, 180));
        assert_eq!(size(360, 480), (180, 240));
        assert_eq!(size(100, 240), (100, 240));
        assert_eq!(size(1000, 1), (240, 1));
    }
}
