//! Random: the control that every criterion has to beat, with the same schedule and the same number of images.

use super::score::{ImageScore, ScoreError};
use crate::base::stream::Stream;
use crate::method::record::ImageRecord;

/// A number in [0, 1) that belongs to the seed and the image, whatever list the image is in.
pub struct Random {
    /// The experiment's seed.
    pub seed: u64,
}

impl ImageScore for Random {
    fn score(&self, record: &ImageRecord) -> Result<f64, ScoreError> {
        Ok(Stream::at(self.seed, "select-random", "", 0, &record.id).unit_f64())
    }
}
