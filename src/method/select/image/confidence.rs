//! Confidence: the images of whose pixels the teacher is surest.

use super::score::{ImageScore, ScoreError, finite};
use crate::method::record::ImageRecord;

/// The mean over pixels of the largest probability.
pub struct Confidence;

impl ImageScore for Confidence {
    fn score(&self, record: &ImageRecord) -> Result<f64, ScoreError> {
        finite(record.confidence, "confidence", record)
    }
}
