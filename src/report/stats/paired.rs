//! The differences of two arms over the same seeds and splits.

use super::interval::{Interval, t_interval};
use super::sign_flip::{SignFlip, sign_flip};
use super::summary::{mean, median, sd};

/// The paired differences of two arms, summarised.
#[derive(Debug, Clone, PartialEq)]
pub struct Paired {
    /// Arm minus baseline, in the order of the pairs.
    pub differences: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their median.
    pub median: f64,
    /// Their standard deviation (n − 1); `None` for one pair.
    pub sd: Option<f64>,
    /// The t interval of the mean; `None` for one pair.
    pub interval: Option<Interval>,
    /// The exact sign-flip test; `None` beyond [`MAX_PAIRS`](super::sign_flip::MAX_PAIRS) pairs.
    pub test: Option<SignFlip>,
    /// Pairs in which the arm is above the baseline.
    pub above: usize,
}

impl Paired {
    /// Summarises `(baseline, arm)` values, one pair per seed and split, with an interval at `level`.
    ///
    /// `None` without pairs, and where a value is not a finite number.
    pub fn of(pairs: &[(f64, f64)], level: f64) -> Option<Self> {
        let differences: Vec<f64> = pairs.iter().map(|(baseline, arm)| arm - baseline).collect();
        if differences.iter().any(|d| !d.is_finite()) {
            return None;
        }
        Some(Self {
            mean: mean(&differences)?,
            median: median(&differences)?,
            sd: sd(&differences),
            interval: t_interval(&differences, level),
            test: sign_flip(&differences),
            above: differences.iter().filter(|d| **d > 0.0).count(),
            differences,
        })
    }

    /// Number of pairs.
    pub fn n(&self) -> usize {
        self.differences.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_is_compared_pair_by_pair() {
        let paired = Paired::of(&[(0.50, 0.52), (0.60, 0.63), (0.40, 0.41)], 0.95).unwrap();
        assert_eq!((paired.n(), paired.above), (3, 3));
        assert!((paired.mean - 0.02).abs() < 1e-12 && (paired.median - 0.02).abs() < 1e-12);
        assert_eq!(paired.test.unwrap().p, 0.25);
        assert!(paired.interval.unwrap().contains(0.0));
    }

    #[test]
    fn one_pair_has_no_interval() {
        let paired = Paired::of(&[(0.5, 0.6)], 0.95).unwrap();
        assert_eq!((paired.sd, paired.interval), (None, None));
        assert_eq!(paired.test.unwrap().p, 1.0);
    }

    #[test]
    fn what_is_no_number_is_not_compared() {
        assert_eq!(Paired::of(&[], 0.95), None);
        assert_eq!(Paired::of(&[(0.5, f64::NAN)], 0.95), None);
    }
}
