//! One arm against another, paired on seed and split, and what may be said of the difference.

use super::scores::Scores;
use super::stats::{Interval, Paired, sign_flip};

/// The level of every interval of a report.
pub const LEVEL: f64 = 0.95;

/// Paired differences of mIoU on the headline subset, in fractions.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'a> {
    /// The arm.
    pub arm: &'a str,
    /// The arm that is subtracted.
    pub against: &'a str,
    /// Pairs in which both arms have a value.
    pub pairs: usize,
    /// Pairs of the design.
    pub planned: usize,
    /// Mean difference; none without pairs.
    pub mean: Option<f64>,
    /// Two-sided 95 % t interval of the mean; none below two pairs.
    pub interval: Option<Interval>,
    /// p of the exact two-sided sign-flip test; none below two pairs, where it can say nothing.
    pub p: Option<f64>,
}

/// What a difference may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The interval is above 0.
    Higher,
    /// The interval is below 0.
    Lower,
    /// The interval holds 0.
    WithinNoise,
    /// One pair: no noise was measured.
    OnePair,
    /// No pair.
    Unknown,
}

impl Reading {
    /// The words of the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::WithinNoise => "within the noise",
            Self::OnePair => "one pair: no interval",
            Self::Unknown => "no pair",
        }
    }
}

impl<'a> Comparison<'a> {
    /// Compares two arms.
    pub fn new(scores: &Scores, arm: &'a str, against: &'a str) -> Self {
        let pairs = scores.pairs(arm, against);
        let paired = Paired::of(&pairs, LEVEL);
        let test = paired.as_ref().and_then(|paired| paired.test);
        Self {
            arm,
            against,
            pairs: pairs.len(),
            planned: scores.planned(),
            mean: paired.as_ref().map(|paired| paired.mean),
            interval: paired.and_then(|paired| paired.interval),
            p: test.filter(|_| pairs.len() > 1).map(|test| test.p),
        }
    }

    /// What the difference may be called.
    pub fn reading(&self) -> Reading {
        match (self.interval, self.mean) {
            (Some(interval), _) if interval.low > 0.0 => Reading::Higher,
            (Some(interval), _) if interval.high < 0.0 => Reading::Lower,
            (Some(_), _) => Reading::WithinNoise,
            (None, Some(_)) => Reading::OnePair,
            (None, None) => Reading::Unknown,
        }
    }

    /// Whether every pair of the design has a value.
    pub fn is_whole(&self) -> bool {
        self.pairs == self.planned && self.pairs > 0
    }
}

/// The smallest p that the exact test can reach with `pairs` pairs.
pub fn smallest_p(pairs: usize) -> Option<f64> {
    sign_flip(&vec![1.0; pairs]).map(|test| test.smallest)
}
