//! The exact interval of a share (Clopper and Pearson, 1934).
//!
//! Its ends are the shares under which so many successes, or so few, would be just too unlikely. For whole numbers the
//! tails of a binomial are finite sums of positive terms, so that no incomplete beta function is needed.

use super::interval::Interval;

/// P(X ≥ `successes`) for `trials` draws of probability `p`.
fn upper_tail(trials: usize, successes: usize, p: f64) -> f64 {
    if successes == 0 || p >= 1.0 {
        return 1.0;
    }
    if p <= 0.0 {
        return 0.0;
    }
    let (n, odds) = (trials as f64, p / (1.0 - p));
    let k = successes as f64;
    let log_choose = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
    let mut term = libm::exp(log_choose + k * libm::log(p) + (n - k) * libm::log1p(-p));
    let mut sum = 0.0;
    for k in successes..=trials {
        sum += term;
        term *= odds * (trials - k) as f64 / (k + 1) as f64;
    }
    sum.min(1.0)
}

/// The smallest p that makes `successes` or more of `trials` at least as likely as `tail`.
fn lower_end(trials: usize, successes: usize, tail: f64) -> f64 {
    if successes == 0 {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    // Halve until no float lies between, as for Student's t.
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return low;
        }
        if upper_tail(trials, successes, middle) < tail { low = middle } else { high = middle }
    }
}

/// The two-sided interval of a probability, from the fewest and the most successes that `trials` draws may have had:
/// the same number twice where each is a success or a failure.
///
/// It covers at least at `level`: the lower end holds for the fewest, the upper for the most.
///
/// # Panics
/// When there are no trials, when `least` ≤ `most` ≤ `trials` does not hold, or when `level` is not in (0, 1).
pub fn clopper_pearson(least: usize, most: usize, trials: usize, level: f64) -> Interval {
    assert!(trials > 0 && least <= most && most <= trials, "{least} to {most} successes of {trials}");
    assert!(level > 0.0 && level < 1.0, "an interval at level {level}");
    let tail = (1.0 - level) / 2.0;
    Interval {
        low: lower_end(trials, least, tail),
        high: 1.0 - lower_end(trials, trials - most, tail),
        level,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats, text_float};
    use proptest::prelude::*;

    #[test]
    fn intervals_are_those_of_scipy() {
        for case in fixture("stats/stats.json")["binomial"].as_array().unwrap() {
            let whole = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
            let level = text_float(&case["level"]).unwrap();
            let found = clopper_pearson(whole("successes"), whole("successes"), whole("trials"), level);
            let expected = floats(&case["interval"]);
            assert!((found.low - expected[0]).abs() <= 1e-9 * expected[0], "{case}: {found:?}");
            assert!((found.high - expected[1]).abs() <= 1e-9 * expected[1], "{case}: {found:?}");
        }
    }

    #[test]
    fn all_successes_reach_one() {
        let found = clopper_pearson(5, 5, 5, 0.95);
        assert_eq!(found.high, 1.0);
        // 0.025^(1/5)
        assert!((found.low - 0.478_176_249_895_018_5).abs() < 1e-12, "{found:?}");
    }

    proptest! {
        #[test]
        fn coverage_is_at_least_the_level(trials in 1usize..25, p in 0.001..0.999f64) {
            let covered: f64 = (0..=trials)
                .filter(|&k| clopper_pearson(k, k, trials, 0.95).contains(p))
                .map(|k| upper_tail(trials, k, p) - if k == trials { 0.0 } else { upper_tail(trials, k + 1, p) })
                .sum();
            prop_assert!(covered >= 0.95 - 1e-12, "{}", covered);
        }

        #[test]
        fn failures_are_the_mirror_of_successes(trials in 1usize..200, share in 0.0..=1.0f64) {
            let k = (trials as f64 * share) as usize;
            let (found, mirror) = (clopper_pearson(k, k, trials, 0.9), clopper_pearson(trials - k, trials - k, trials, 0.9));
            prop_assert!((found.low - (1.0 - mirror.high)).abs() < 1e-12);
            prop_assert!(found.low <= k as f64 / trials as f64 && k as f64 / trials as f64 <= found.high);
        }
    }
}
