//! Oracle: the images whose pseudo labels are right. Not a method, a ceiling: it reads the true masks.

use super::score::{ImageScore, ScoreError, finite};
use crate::method::record::ImageRecord;

/// The mIoU of the last checkpoint's mask with the true one.
pub struct Oracle;

impl ImageScore for Oracle {
    fn score(&self, record: &ImageRecord) -> Result<f64, ScoreError> {
        let score = record.truth_miou.ok_or_else(|| ScoreError::NoTruth(record.id.clone()))?;
        finite(score, "oracle", record)
    }
}
