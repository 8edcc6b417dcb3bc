//! `[evaluate]`: on which images, and how often along the way.

use serde::{Deserialize, Serialize};

/// `[evaluate]`. Whole images, one scale, one confusion matrix over the dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluate {
    /// The headline's images.
    pub on: EvaluateOn,
    /// Validation is looked at after floor(total · k / points) for k = 1..=points, the last being the end.
    /// Changes no bits; the best of these is the "best epoch" column.
    pub points: u64,
}

/// Which images the headline is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvaluateOn {
    /// `test` where the dataset has one, else `val`.
    Auto,
    /// Validation images.
    Val,
    /// Test images.
    Test,
}
