//! P(A > B): how often a run of the arm is above the paired run of the baseline.
//!
//! A mean may be carried by one lucky run; the share of pairs that an arm wins can't. Bouthillier et al.
//! (arXiv 2103.03098) propose it for comparing learning procedures, and .75 as the share below which a difference is
//! hardly meaningful. Ties count half.
//!
//! The interval is Clopper and Pearson's, over the units of [`Layout`](super::layout). With one split every unit is a
//! pair; it then covers at least at its level, and ties only make it wider: the lower end takes them all as lost, the
//! upper one as won. With several splits a unit's win is the share of its seeds that are won, and the sum over units is
//! rounded away from the middle. That this too covers at least at its level is no theorem; the bench `coverage` finds
//! it so, and by a wide margin.

use super::binomial::clopper_pearson;
use super::interval::Interval;
use super::layout::Layout;

/// How often an arm is above its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Superiority {
    /// The share of pairs in which the arm is above, ties counting half, in [0, 1]: the mean of the units' shares.
    pub share: f64,
    /// The interval of the probability.
    pub interval: Interval,
    /// Pairs in which the arm is above.
    pub above: usize,
    /// Pairs with the same value: as a rule the same model.
    pub ties: usize,
}

impl Superiority {
    /// Counts paired differences, arm minus baseline, with an interval at `level`.
    ///
    /// # Panics
    /// When `level` is not in (0, 1).
    pub fn of(differences: &Layout, level: f64) -> Self {
        let units = differences.units();
        let count = |values: &[f64], wanted: fn(f64) -> bool| values.iter().filter(|d| wanted(**d)).count();
        let above = |values: &[f64]| count(values, |d| d > 0.0);
        let ties = |values: &[f64]| count(values, |d| d == 0.0);
        let shares = |wins: &dyn Fn(&[f64]) -> f64| {
            units.iter().fold(0.0, |sum, values| sum + wins(values) / values.len() as f64)
        };
        let won = shares(&|values| above(values) as f64);
        let not_lost = shares(&|values| (above(values) + ties(values)) as f64);
        // Shares such as 1/3 three times may fall short of a whole number by rounding.
        let least = (won + ROUNDING).floor() as usize;
        let most = (not_lost - ROUNDING).ceil() as usize;
        let total = |of: &dyn Fn(&[f64]) -> usize| units.iter().map(|values| of(values)).sum();
        Self {
            share: (won + not_lost) / 2.0 / units.len() as f64,
            interval: clopper_pearson(least, most, units.len(), level),
            above: total(&above),
            ties: total(&ties),
        }
    }
}

/// Far above the rounding of a sum of shares, far below the smallest share.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::stats::layout::Cell;

    fn superiority(seeds: usize, values: &[f64]) -> Superiority {
        let cell = |(i, &value): (usize, &f64)| Cell { split: i / seeds, seed: i % seeds, value };
        let cells: Vec<Cell> = values.iter().enumerate().map(cell).collect();
        Superiority::of(&Layout::of(&cells).unwrap(), 0.95)
    }

    #[test]
    fn ties_count_half_and_widen_the_interval() {
        let found = superiority(4, &[0.1, 0.2, 0.0, -0.1]);
        assert_eq!((found.above, found.ties, found.share), (2, 1, 0.625));
        let (lost, won) = (clopper_pearson(2, 2, 4, 0.95), clopper_pearson(3, 3, 4, 0.95));
        assert_eq!((found.interval.low, found.interval.high), (lost.low, won.high));
    }

    #[test]
    fn pairs_of_one_split_are_one_draw() {
        let found = superiority(3, &[0.1; 9]);
        assert_eq!((found.above, found.share), (9, 1.0));
        assert_eq!(found.interval, clopper_pearson(3, 3, 3, 0.95));
        let mixed = superiority(3, &[0.1, 0.1, -0.1, 0.1, -0.1, -0.1, 0.1, 0.1, -0.1]);
        assert!((mixed.share - 5.0 / 9.0).abs() < 1e-15);
        assert_eq!(mixed.interval, clopper_pearson(1, 2, 3, 0.95));
        let thirds = superiority(3, &[0.1, -0.1, -0.1, 0.1, -0.1, -0.1, 0.1, -0.1, -0.1]);
        assert_eq!(thirds.interval, clopper_pearson(1, 1, 3, 0.95));
    }

    #[test]
    fn an_arm_against_itself_says_nothing() {
        let found = superiority(3, &[0.0; 3]);
        assert_eq!((found.share, found.interval.low, found.interval.high), (0.5, 0.0, 1.0));
    }
}
