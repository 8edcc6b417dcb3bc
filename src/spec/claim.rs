//! `[[claim]]` and `[noise]`: what an ablation sets out to show, and how much noise its author expects.
//!
//! Neither changes a result, so neither is part of an identity. A claim has a digest of its own: the store keeps it from
//! before the first run, so that a report can tell a prediction from a description.

use serde::{Deserialize, Serialize};

use crate::base::canon;
use crate::base::digest::Digest;

/// One arm is better than another, by more than a margin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The arm that is claimed to be better.
    pub better: String,
    /// The arm that it is compared with.
    pub than: String,
    /// What is compared.
    pub metric: Measure,
    /// The margin, in points (hundredths): the difference is claimed to be larger.
    pub by: f64,
    /// The images that count; `None` for those of the headline.
    pub on: Option<Images>,
    /// One split of the ablation; `None` for all of them.
    pub split: Option<String>,
}

/// What a claim is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Mean over classes of intersection over union.
    Miou,
    /// Share of right pixels.
    PixelAccuracy,
}

impl Measure {
    /// The word of the spec, which is the metric's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Miou => "miou",
            Self::PixelAccuracy => "pixel_accuracy",
        }
    }
}

/// Evaluated images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Images {
    /// Test images.
    Test,
    /// Validation images.
    Val,
}

/// The digest of what is claimed, in any order.
pub fn claims_digest(claims: &[Claim]) -> Digest {
    let mut each: Vec<Digest> = claims.iter().map(|claim| canon::digest("stpp claim v1", claim)).collect();
    each.sort_by_key(|digest| *digest.as_bytes());
    canon::digest("stpp claims v1", &each)
}

/// `[noise]`: what the standard deviation of paired differences is expected to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    /// In points, as its author expects it.
    Sd(f64),
    /// As an earlier ablation of the store measured it.
    Study(String),
}
