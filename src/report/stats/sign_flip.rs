//! The exact sign-flip test: were the differences as likely to have the other sign?
//!
//! If two arms are alike, each paired difference could as well have come out with its sign turned. The p-value is the
//! share of the 2^n sign patterns whose sum is at least as far from 0 as the one seen. Nothing is drawn at random.

/// The result of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// Two-sided p-value: never 0, the pattern seen is one of those counted.
    pub p: f64,
    /// The smallest p that n pairs can reach, 2^(1−n): with 5 pairs .0625, so no outcome is below .05.
    pub smallest: f64,
}

/// The smallest p that `units` can reach once Holm's correction has multiplied it for the clearest of `arms`:
/// min(1, m · 2^(1−n)).
pub fn smallest_after_holm(units: usize, arms: usize) -> f64 {
    (0..units.saturating_sub(1)).fold(arms.max(1) as f64, |p, _| p / 2.0).min(1.0)
}

/// The fewest units with which one of `arms` can be at or below `alpha` after Holm's correction: 6 for .05 and one arm,
/// 9 for seven.
///
/// `None` where not even [`MAX_PAIRS`] could be.
pub fn fewest_units(alpha: f64, arms: usize) -> Option<usize> {
    (1..=MAX_PAIRS).find(|&units| smallest_after_holm(units, arms) <= alpha)
}

/// Beyond this many pairs the patterns are not enumerated.
pub const MAX_PAIRS: usize = 40;

/// Sums that differ by less than this share of Σ|d| are equal: far above rounding, far below any difference of mIoU.
const TIE: f64 = 1e-12;

/// The exact two-sided sign-flip test of paired differences.
///
/// `None` without differences, for more than [`MAX_PAIRS`] of them, and where one is not a finite number.
pub fn sign_flip(differences: &[f64]) -> Option<SignFlip> {
    let n = differences.len();
    if n == 0 || n > MAX_PAIRS || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let sum = |values: &[f64]| values.iter().fold(0.0, |sum, value| sum + value);
    let size: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let bar = sum(differences).abs() - TIE * sum(&size);
    // A pattern and its mirror image are equally far from 0: the first sign may stay, and all patterns are half as many.
    let (front, back) = size.split_at(n.div_ceil(2));
    let front = pattern_sums(&front[1..], front[0]);
    let mut back = pattern_sums(back, 0.0);
    back.sort_by(f64::total_cmp);
    let far = |a: &f64| {
        let high = back.len() - back.partition_point(|b| a + b < bar);
        let low = back.partition_point(|b| a + b <= -bar);
        (high + low).min(back.len()) as u64
    };
    let extreme: u64 = front.iter().map(far).sum();
    let patterns = 1u64 << (n - 1);
    Some(SignFlip { p: extreme as f64 / patterns as f64, smallest: 1.0 / patterns as f64 })
}

/// `start` plus the sum of the values under each of their 2^n sign patterns.
fn pattern_sums(values: &[f64], start: f64) -> Vec<f64> {
    values.iter().fold(vec![start], |sums, value| sums.iter().flat_map(|s| [s - value, s + value]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats, text_float};
    use proptest::prelude::*;

    #[test]
    fn p_values_are_those_of_scipy() {
        for sample in fixture("stats/stats.json")["samples"].as_array().unwrap() {
            let found = sign_flip(&floats(&sample["values"])).unwrap();
            assert!((found.p - text_float(&sample["p"]).unwrap()).abs() < 1e-9, "{sample}");
        }
    }

    #[test]
    fn agreement_of_all_pairs_reaches_the_smallest_p() {
        let found = sign_flip(&[0.01, 0.02, 0.015, 0.03, 0.001]).unwrap();
        assert_eq!((found.p, found.smallest), (0.0625, 0.0625));
        assert_eq!(sign_flip(&[0.01]).unwrap().p, 1.0);
        assert_eq!(sign_flip(&[0.0; 4]).unwrap().p, 1.0);
    }

    #[test]
    fn a_correction_asks_for_more_units() {
        assert_eq!([smallest_after_holm(3, 1), smallest_after_holm(9, 7)], [0.25, 7.0 / 256.0]);
        assert_eq!([smallest_after_holm(0, 1), smallest_after_holm(2, 7)], [1.0, 1.0]);
        let fewest = |arms| fewest_units(0.05, arms);
        assert_eq!([fewest(1), fewest(3), fewest(7)], [Some(6), Some(7), Some(9)]);
        assert_eq!([fewest_units(1.0, 1), fewest_units(0.0, 1)], [Some(1), None]);
        for units in 1..=20 {
            let found = sign_flip(&vec![1.0; units]).unwrap();
            assert_eq!(smallest_after_holm(units, 1), found.smallest);
        }
    }

    #[test]
    fn the_most_pairs_are_enumerated_and_no_more() {
        let found = sign_flip(&[0.5; MAX_PAIRS]).unwrap();
        assert_eq!(found.p, found.smallest);
        assert_eq!(sign_flip(&[0.5; MAX_PAIRS + 1]), None);
        assert_eq!(sign_flip(&[]), None);
        assert_eq!(sign_flip(&[f64::NAN]), None);
    }

    proptest! {
        #[test]
        fn every_pattern_is_counted_once(steps in prop::collection::vec(-9i32..=9, 1..11)) {
            let n = steps.len();
            let seen = steps.iter().sum::<i32>().abs();
            let far = (0..1u32 << n).filter(|pattern| {
                let flipped = steps.iter().enumerate().map(|(i, d)| if pattern >> i & 1 == 1 { -d } else { *d });
                flipped.sum::<i32>().abs() >= seen
            });
            let p = far.count() as f64 / f64::from(1u32 << n);
            let differences: Vec<f64> = steps.iter().map(|step| f64::from(*step) * 0.1).collect();
            let found = sign_flip(&differences).unwrap();
            prop_assert_eq!(found.p, p);
            prop_assert!(found.p >= found.smallest);
        }
    }
}
