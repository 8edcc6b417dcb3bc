//! Stability: the images whose masks hardly changed while the teacher learned (paper Eq. 4).

use super::score::{ImageScore, ScoreError, finite};
use crate::method::record::ImageRecord;

/// The mean mIoU between the masks of earlier checkpoints and the last one's.
pub struct Stability {
    /// Whether class 0 counts (official code: true).
    pub background: bool,
}

impl ImageScore for Stability {
    fn score(&self, record: &ImageRecord) -> Result<f64, ScoreError> {
        let score = if self.background { record.stability_mean } else { record.stability_no_background };
        finite(score, "stability", record)
    }
}
