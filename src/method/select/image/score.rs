//! What a criterion is.

use super::confidence::Confidence;
use super::entropy::Entropy;
use super::oracle::Oracle;
use super::random::Random;
use super::stability::Stability;
use crate::method::record::ImageRecord;
use crate::spec::method::{ImageCriterion, ImageSelect};

/// A criterion: how far the pseudo label of an image is to be believed.
pub trait ImageScore {
    /// The score of one image, from its record alone; the highest are reliable. Always a finite number.
    ///
    /// # Errors
    /// [`ScoreError`], which names the image.
    fn score(&self, record: &ImageRecord) -> Result<f64, ScoreError>;
}

/// An image that a criterion cannot rank.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScoreError {
    /// The criterion needs the true mask.
    #[error(
        "score image `{0}` by oracle: it has no true mask with a pixel that counts; give one, or choose another criterion"
    )]
    NoTruth(String),
    /// A record whose numbers are no numbers.
    #[error("score image `{id}` by {criterion}: its score is {score}; did the teacher diverge?")]
    NotFinite {
        /// The image.
        id: String,
        /// The criterion.
        criterion: &'static str,
        /// What it gave.
        score: f64,
    },
}

/// The criterion that a spec names. `seed` is read by `random` alone.
pub fn criterion(select: &ImageSelect, seed: u64) -> Box<dyn ImageScore> {
    match select.criterion {
        ImageCriterion::Stability => Box::new(Stability { background: select.background }),
        ImageCriterion::Confidence => Box::new(Confidence),
        ImageCriterion::Entropy => Box::new(Entropy),
        ImageCriterion::Random => Box::new(Random { seed }),
        ImageCriterion::Oracle => Box::new(Oracle),
    }
}

/// The score, if it is a number that can be sorted.
pub(super) fn finite(score: f64, criterion: &'static str, record: &ImageRecord) -> Result<f64, ScoreError> {
    if score.is_finite() {
        Ok(score)
    } else {
        Err(ScoreError::NotFinite { id: record.id.clone(), criterion, score })
    }
}
