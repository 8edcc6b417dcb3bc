//! The stability of an image: how little its mask changed while the teacher learned (paper Eq. 4).

use crate::data::image::Mask;
use crate::metric::Confusion;

/// How far the masks of earlier checkpoints agree with the last one's.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    /// mIoU(M_j, M_K) for j = 1..K, in the order of training; in [0, 1].
    pub pairs: Vec<f64>,
    /// Their mean. The paper sums; the order of images is the same.
    pub mean: f64,
}

/// Masks that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StabilityError {
    /// Nothing to compare the last mask with.
    #[error("compare the masks of {0} checkpoint(s): at least 2 are needed, set method.checkpoints")]
    TooFew(usize),
    /// Masks of different images.
    #[error("compare a mask of {0}x{1} with one of {2}x{3} pixels: both must be of one image")]
    Size(usize, usize, usize, usize),
}

/// The stability of the K masks of one image, the last checkpoint's at the end.
///
/// Each pair's value is the mean IoU over the classes in either mask, as in the official code (`main.py`,
/// `select_reliable`); without augmentation at test time. With `background` false class 0 is left out of that mean.
///
/// An image on which both masks are background only scores 1 with `background`: this is the official code's bias towards
/// empty images. Without it nothing is left to agree on, and the pair counts 0: that two checkpoints saw nothing says
/// nothing for the pseudo label, so the image comes last.
///
/// # Errors
/// [`StabilityError`] for fewer than two masks, or masks of different sizes.
pub fn stability(masks: &[Mask], classes: usize, background: bool) -> Result<Stability, StabilityError> {
    let pairs = pair_confusions(masks, classes)?;
    Ok(Stability::of(&pairs, background))
}

impl Stability {
    /// The stability from the confusion of every earlier mask with the last; see [`pair_confusions`].
    pub fn of(pairs: &[Confusion], background: bool) -> Self {
        let value = |confusion: &Confusion| {
            let miou = if background { confusion.miou() } else { confusion.miou_without_background() };
            miou.unwrap_or(0.0)
        };
        let pairs: Vec<f64> = pairs.iter().map(value).collect();
        let mean = pairs.iter().fold(0.0, |sum, pair| sum + pair) / pairs.len() as f64;
        Self { pairs, mean }
    }
}

/// The confusion of every earlier mask (as prediction) with the last (as truth).
///
/// # Errors
/// [`StabilityError`] for fewer than two masks, or masks of different sizes.
pub fn pair_confusions(masks: &[Mask], classes: usize) -> Result<Vec<Confusion>, StabilityError> {
    let [earlier @ .., last] = masks else { return Err(StabilityError::TooFew(0)) };
    if earlier.is_empty() {
        return Err(StabilityError::TooFew(1));
    }
    let compare = |mask: &Mask| {
        if (mask.width, mask.height) != (last.width, last.height) {
            return Err(StabilityError::Size(mask.width, mask.height, last.width, last.height));
        }
        Ok(Confusion::of(classes, &last.data, &mask.data))
    };
    earlier.iter().map(compare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats, optional_floats, text_float};
    use proptest::prelude::*;

    #[test]
    fn scores_have_the_bits_of_the_official_formula() {
        let file = fixture("method/stability.json");
        let number = |key: &str| file[key].as_u64().unwrap() as usize;
        for image in file["images"].as_array().unwrap() {
            let mask = |letters: &serde_json::Value| {
                let classes = letters.as_str().unwrap().bytes().map(|letter| letter - b'A').collect();
                Mask::new(number("width"), number("height"), classes)
            };
            let masks: Vec<Mask> = image["masks"].as_array().unwrap().iter().map(mask).collect();

            let official = stability(&masks, number("classes"), true).unwrap();
            assert_eq!(official.pairs, floats(&image["pairs"]), "{}", image["id"]);
            assert_eq!(Some(official.mean), text_float(&image["score"]), "{}", image["id"]);

            let foreground = stability(&masks, number("classes"), false).unwrap();
            let expected: Vec<f64> =
                optional_floats(&image["foreground"]).into_iter().map(|pair| pair.unwrap_or(0.0)).collect();
            assert_eq!(foreground.pairs, expected, "{}", image["id"]);
        }
    }

    #[test]
    fn an_empty_image_leads_with_background_and_comes_last_without() {
        let empty = vec![Mask::filled(4, 3, 0); 3];
        assert_eq!(stability(&empty, 21, true).unwrap().mean, 1.0);
        assert_eq!(stability(&empty, 21, false).unwrap().mean, 0.0);
    }

    #[test]
    fn masks_that_cannot_be_compared_are_refused() {
        let mask = Mask::filled(4, 3, 0);
        assert_eq!(stability(&[], 2, true), Err(StabilityError::TooFew(0)));
        assert_eq!(stability(std::slice::from_ref(&mask), 2, true), Err(StabilityError::TooFew(1)));
        let turned = Mask::filled(3, 4, 0);
        assert_eq!(stability(&[turned, mask], 2, true), Err(StabilityError::Size(3, 4, 4, 3)));
    }

    proptest! {
        #[test]
        fn a_mask_that_never_changed_scores_one(pixels in prop::collection::vec(0u8..5, 1..50), k in 2usize..5) {
            let masks = vec![Mask::new(pixels.len(), 1, pixels); k];
            let stability = stability(&masks, 5, true).unwrap();
            prop_assert_eq!(stability.mean, 1.0);
            prop_assert_eq!(stability.pairs.len(), k - 1);
        }
    }
}
