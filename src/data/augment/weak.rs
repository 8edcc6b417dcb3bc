use super::{Address, Pair, crop, flip, resize};
use crate::data::image::{Mask, Rgb};
use crate::spec::augment::Weak;

/// Random resize, pad, random crop and random flip; the result is `crop` × `crop`
/// (`dataset/semi.py`: "basic augmentation on all training images").
///
/// Only the pixels inside the crop are resized, which gives the same bytes as resizing them all.
pub fn weak(
    image: &Rgb,
    mask: &Mask,
    params: &Weak,
    base_size: usize,
    crop: usize,
    at: &Address<'_>,
) -> Pair {
    let long_side = resize::draw(params.scale, base_size, &mut at.stream("resize"));
    let size = resize::with_long_side(image.width, image.height, long_side);
    let window = crop::draw(size, crop, &mut at.stream("crop"));
    let mut pair = Pair {
        image: crop::pad_image(resize::bilinear(image, size, window), crop),
        mask: crop::pad_mask(resize::nearest(mask, size, window), crop),
    };
    if at.stream("flip").chance(params.flip) {
        flip::flip(&mut pair);
    }
    pair
}

/// Whether [`weak`] leaves nothing but the flip to chance: there is one size, and it fits the crop.
pub fn only_flips(params: &Weak, base_size: usize, crop: usize) -> bool {
    let (low, high) = resize::range(params.scale, base_size);
    low == high && high as u64 <= crop as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::crop::Window;
    use crate::data::augment::reference;
    use crate::data::image::IGNORE;
    use crate::spec::augment::Augment;

    fn at(item: &str) -> Address<'_> {
        Address { seed: 3, role: "teacher", epoch: 2, item }
    }

    #[test]
    fn resizing_only_the_crop_changes_nothing() {
        let (image, mask, params) = (reference::image(), reference::mask(), Augment::default().weak);
        let (mut padded, mut flipped) = (0, 0);
        for i in 0..60 {
            let item = format!("{i}#0");
            let at = at(&item);
            let pair = weak(&image, &mask, &params, 56, 48, &at);

            let long_side = resize::draw(params.scale, 56, &mut at.stream("resize"));
            let size = resize::with_long_side(56, 40, long_side);
            let window = crop::draw(size, 48, &mut at.stream("crop"));
            let whole = Window::whole(size);
            let mut slow = Pair {
                image: crop::pad_image(crop::crop_image(&resize::bilinear(&image, size, whole), window), 48),
                mask: crop::pad_mask(crop::crop_mask(&resize::nearest(&mask, size, whole), window), 48),
            };
            if at.stream("flip").chance(0.5) {
                flip::flip(&mut slow);
                flipped += 1;
            }
            padded += usize::from(size.1 < 48);
            assert_eq!(pair, slow, "item {item}");
        }
        assert!((10..50).contains(&padded) && (10..50).contains(&flipped), "{padded} {flipped}");
    }

    #[test]
    fn the_same_address_gives_the_same_pair_and_another_does_not() {
        let (image, mask, params) = (reference::image(), reference::mask(), Augment::default().weak);
        let of = |item| weak(&image, &mask, &params, 56, 48, &at(item));
        assert_eq!(of("a#0"), of("a#0"));
        assert_ne!(of("a#0"), of("a#1"));
    }

    #[test]
    fn where_only_the_flip_is_random_an_image_has_two_views() {
        let (image, mask) = (reference::image(), reference::mask());
        // (scale, base size, crop): images are 56 x 40.
        for (scale, base_size, crop, few) in [
            ([1.0, 1.0], 48, 48, true),
            ([0.5, 0.5], 97, 48, true),
            ([1.0, 1.0], 49, 48, false),
            ([1.0, 1.02], 47, 48, true),
            ([1.0, 1.03], 47, 48, false),
            ([0.5, 2.0], 48, 96, false),
        ] {
            let params = Weak { scale, flip: 0.5 };
            assert_eq!(only_flips(&params, base_size, crop), few, "{scale:?} {base_size} {crop}");
            let mut views: Vec<Pair> = Vec::new();
            for item in 0..60 {
                let view = weak(&image, &mask, &params, base_size, crop, &at(&format!("{item}#0")));
                if !views.contains(&view) {
                    views.push(view);
                }
            }
            assert_eq!(views.len() <= 2, few, "{scale:?} {base_size} {crop}: {} views", views.len());
        }
    }

    #[test]
    fn an_image_and_its_mask_stay_aligned() {
        // The image shows its own mask, in blocks large enough to survive the filter of the image.
        let (width, height) = (60, 40);
        let ids: Vec<u8> =
            (0..width * height).map(|i| u8::from(i % width / 20 + i / width / 20 > 1)).collect();
        let image = Rgb::new(width, height, ids.iter().flat_map(|&v| [v * 200; 3]).collect());
        let mask = Mask::new(width, height, ids);
        for i in 0..20 {
            let item = format!("{i}#0");
            let pair = weak(&image, &mask, &Augment::default().weak, 60, 32, &at(&item));
            let counted = pair.mask.data.iter().filter(|&&v| v != IGNORE).count();
            let wrong = (0..32 * 32)
                .filter(|&i| pair.mask.data[i] != IGNORE)
                .filter(|&i| u8::from(pair.image.data[i * 3] > 100) != pair.mask.data[i])
                .count();
            assert!(counted >= 400 && wrong * 20 < counted, "{wrong} of {counted}");
        }
    }
}
