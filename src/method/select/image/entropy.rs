//! Entropy: the images on which the teacher hesitates least.

use super::score::{ImageScore, ScoreError, finite};
use crate::method::record::ImageRecord;

/// Minus the mean over pixels of the entropy, in nats.
pub struct Entropy;

impl ImageScore for Entropy {
    fn score(&self, record: &ImageRecord) -> Result<f64, ScoreError> {
        finite(-record.entropy, "entropy", record)
    }
}
