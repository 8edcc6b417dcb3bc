//! The prediction record: all that image-level selection may know of an unlabeled image.
//!
//! It is made in one pass over the unlabeled images, one scale, no flip: K checkpoints of the teacher predict, their
//! masks are compared, and the last one's probabilities are averaged. Every image-level criterion reads this record.

use serde::{Deserialize, Serialize};

use super::stability::{Stability, StabilityError, pair_confusions};
use crate::data::image::Mask;
use crate::metric::Confusion;

/// What the teacher's checkpoints said of one unlabeled image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// The image.
    pub id: String,
    /// Its pixels.
    pub pixels: u64,
    /// Its position in the list of unlabeled images, from 0.
    pub position: usize,
    /// Stability with every class, pair by pair: mIoU(M_j, M_K) for j = 1..K.
    pub stability: Vec<f64>,
    /// The mean of [`ImageRecord::stability`].
    pub stability_mean: f64,
    /// The mean of the same pairs without class 0; 0 where nothing else was ever seen.
    pub stability_no_background: f64,
    /// Mean over pixels of the last checkpoint's largest probability.
    pub confidence: f64,
    /// Mean over pixels of the entropy of the last checkpoint's probabilities, in nats.
    pub entropy: f64,
    /// mIoU of the last checkpoint's mask with the true mask, where there is one. Only for diagnostics and `oracle`.
    pub truth_miou: Option<f64>,
}

impl ImageRecord {
    /// The record of one image.
    ///
    /// `masks` are the K checkpoints' predictions in the order of training, `last` what the K-th was sure of.
    ///
    /// # Errors
    /// [`StabilityError`] for fewer than two masks, or masks (the true one included) of different sizes.
    pub fn new(
        id: &str,
        position: usize,
        masks: &[Mask],
        last: &PixelStatistics,
        classes: usize,
        truth: Option<&Mask>,
    ) -> Result<Self, StabilityError> {
        let pairs = pair_confusions(masks, classes)?;
        let official = Stability::of(&pairs, true);
        let truth_miou = match truth {
            Some(truth) => true_miou(masks, classes, truth)?,
            None => None,
        };
        Ok(Self {
            id: id.to_owned(),
            pixels: last.mask.data.len() as u64,
            position,
            stability: official.pairs,
            stability_mean: official.mean,
            stability_no_background: Stability::of(&pairs, false).mean,
            confidence: last.mean_confidence(),
            entropy: last.mean_entropy(),
            truth_miou,
        })
    }
}

fn true_miou(masks: &[Mask], classes: usize, truth: &Mask) -> Result<Option<f64>, StabilityError> {
    let last = masks.last().ok_or(StabilityError::TooFew(0))?;
    if (last.width, last.height) != (truth.width, truth.height) {
        return Err(StabilityError::Size(last.width, last.height, truth.width, truth.height));
    }
    Ok(Confusion::of(classes, &truth.data, &last.data).miou())
}

/// What a model's probabilities say, pixel by pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelStatistics {
    /// The most probable class; the lowest id among equals.
    pub mask: Mask,
    /// Its probability, `(H, W)`.
    pub confidence: Vec<f32>,
    /// The entropy of the probabilities, `(H, W)`, in nats.
    pub entropy: Vec<f32>,
}

impl PixelStatistics {
    /// The statistics of probabilities `(C, H, W)`, row-major, that sum to 1 over C.
    ///
    /// # Panics
    /// When there are not `classes * height * width` probabilities, or no or more than 255 classes.
    pub fn of(probabilities: &[f32], classes: usize, height: usize, width: usize) -> Self {
        let pixels = height * width;
        assert!((1..=255).contains(&classes), "probabilities of {classes} classes");
        assert_eq!(probabilities.len(), classes * pixels, "probabilities of {classes}x{height}x{width}");
        let mut mask = vec![0u8; pixels];
        let mut confidence = vec![f32::NEG_INFINITY; pixels];
        let mut entropy = vec![0f32; pixels];
        if pixels > 0 {
            // Class by class: the planes are read front to back, and every pixel adds its classes in order.
            for (class, plane) in (0u8..).zip(probabilities.chunks_exact(pixels)) {
                for (i, &p) in plane.iter().enumerate() {
                    if p > confidence[i] {
                        confidence[i] = p;
                        mask[i] = class;
                    }
                    if p != 0.0 {
                        entropy[i] -= p * libm::logf(p);
                    }
                }
            }
        }
        Self { mask: Mask::new(width, height, mask), confidence, entropy }
    }

    /// The statistics of an image from those of its strips, top to bottom.
    ///
    /// # Panics
    /// When the strips differ in width.
    pub fn join(strips: impl IntoIterator<Item = Self>) -> Self {
        let mut strips = strips.into_iter();
        let empty =
            || Self { mask: Mask::new(0, 0, Vec::new()), confidence: Vec::new(), entropy: Vec::new() };
        let mut whole = strips.next().unwrap_or_else(empty);
        for strip in strips {
            assert_eq!(strip.mask.width, whole.mask.width, "strips of one image");
            whole.mask.height += strip.mask.height;
            whole.mask.data.extend(strip.mask.data);
            whole.confidence.extend(strip.confidence);
            whole.entropy.extend(strip.entropy);
        }
        whole
    }

    /// The mean confidence, in [1/C, 1].
    pub fn mean_confidence(&self) -> f64 {
        mean(&self.confidence)
    }

    /// The mean entropy in nats, in [0, ln C].
    pub fn mean_entropy(&self) -> f64 {
        mean(&self.entropy)
    }
}

/// The mean in the order of pixels; NaN of nothing, which no selection accepts.
fn mean(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |sum, &value| sum + f64::from(value)) / values.len() as f64
}

/// The mask, mean confidence and mean entropy (nats) of probabilities `(C, H, W)`, row-major.
///
/// # Panics
/// See [`PixelStatistics::of`].
pub fn summarise(probabilities: &[f32], classes: usize, height: usize, width: usize) -> (Mask, f64, f64) {
    let pixels = PixelStatistics::of(probabilities, classes, height, width);
    let (confidence, entropy) = (pixels.mean_confidence(), pixels.mean_entropy());
    (pixels.mask, confidence, entropy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// (3, 1, 4): sure of 0, sure of 2, undecided, a tie of 1 and 2.
    const PROBABILITIES: [f32; 12] =
        [1.0, 0.0, 1.0 / 3.0, 0.0, 0.0, 0.0, 1.0 / 3.0, 0.5, 0.0, 1.0, 1.0 / 3.0, 0.5];

    #[test]
    fn probabilities_are_read_pixel_by_pixel() {
        let pixels = PixelStatistics::of(&PROBABILITIES, 3, 1, 4);
        assert_eq!(pixels.mask.data, [0, 2, 0, 1]);
        assert_eq!(pixels.confidence, [1.0, 1.0, 1.0 / 3.0, 0.5]);
        for (found, expected) in pixels.entropy.iter().zip([0.0, 0.0, libm::logf(3.0), libm::logf(2.0)]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn a_record_holds_scores_with_and_without_background_and_truth() {
        let masks = [Mask::new(2, 1, vec![0, 1]), Mask::new(2, 1, vec![0, 0])];
        let last = PixelStatistics::of(&[0.75, 0.75, 0.25, 0.25], 2, 1, 2);
        let truth = Mask::new(2, 1, vec![0, 255]);
        let record = ImageRecord::new("a", 3, &masks, &last, 2, Some(&truth)).unwrap();
        assert_eq!(record.stability, [0.25]);
        assert_eq!(record.stability_mean, 0.25);
        assert_eq!(record.stability_no_background, 0.0);
        assert_eq!(record.confidence, 0.75);
        assert_eq!(record.truth_miou, Some(1.0));
        assert_eq!(ImageRecord::new("a", 3, &masks, &last, 2, None).unwrap().truth_miou, None);
    }

    #[test]
    fn a_true_mask_of_another_size_is_refused() {
        let masks = vec![Mask::filled(2, 1, 0); 2];
        let last = PixelStatistics::of(&[1.0, 1.0], 1, 1, 2);
        let error = ImageRecord::new("a", 0, &masks, &last, 1, Some(&Mask::filled(1, 2, 0)));
        assert_eq!(error, Err(StabilityError::Size(2, 1, 1, 2)));
    }

    #[test]
    fn probabilities_that_are_no_numbers_leave_no_number() {
        let (_, _, entropy) = summarise(&[f32::NAN, f32::NAN], 2, 1, 1);
        assert!(entropy.is_nan());
    }

    proptest! {
        #[test]
        fn a_stored_record_comes_back_to_the_bit(
            stability in prop::collection::vec(0.0f64..=1.0, 2),
            (confidence, entropy) in (0.0f64..=1.0, 0.0f64..5.0),
            truth_miou in prop::option::of(0.0f64..=1.0),
        ) {
            let record = ImageRecord {
                pixels: 1,
                id: "a \"quoted\" näme".to_owned(),
                position: 7,
                stability_mean: (stability[0] + stability[1]) / 2.0,
                stability_no_background: stability[1],
                stability,
                confidence,
                entropy,
                truth_miou,
            };
            let text = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<ImageRecord>(&text).unwrap(), record);
        }

        #[test]
        fn entropy_and_confidence_stay_in_their_bounds(weights in prop::collection::vec(0.01f32..1.0, 4)) {
            let sum: f32 = weights.iter().sum();
            let probabilities: Vec<f32> = weights.iter().map(|w| w / sum).collect();
            let (_, confidence, entropy) = summarise(&probabilities, 4, 1, 1);
            prop_assert!((0.25 - 1e-6..=1.0).contains(&confidence));
            prop_assert!((0.0..=libm::log(4.0) + 1e-6).contains(&entropy));
        }
    }
}
