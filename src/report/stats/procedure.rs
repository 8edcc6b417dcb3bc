//! An interval and a test for what an arm does on average, over the training procedure.
//!
//! Models differ between seeds, and more between splits (with 92 labels some ten times more), so that the question is
//! not whether these models differ but whether the procedure makes a difference. The draws are the units of
//! [`Layout`](super::layout): with several splits their means over seeds, with s − 1 degrees of freedom; with one split
//! its seeds, and then the interval is one for training on that split. Two splits leave one degree of freedom and an
//! interval of 12.7 standard errors to each side, whatever the number of seeds; that is what two splits can show.
//!
//! The sign-flip test works on the same units. Under its null hypothesis a unit's difference could as well have the
//! other sign, independently of the other units. Pairs of one split do not fulfil that: an arm that suits a split is
//! above in all its seeds, so that nine pairs of three splits would count as nine witnesses where there are three.

use super::interval::{Interval, t_interval};
use super::layout::{Cell, Layout, Unit};
use super::sign_flip::{SignFlip, sign_flip};
use super::summary::{mean, sd};

/// The paired differences of two arms, as a statement about the procedure.
#[derive(Debug, Clone, PartialEq)]
pub struct Procedure {
    /// What was taken as an independent draw.
    pub unit: Unit,
    /// The mean difference of each unit, in the order of splits or seeds.
    pub units: Vec<f64>,
    /// The mean over units; over the pairs, too, where every split has as many seeds.
    pub mean: f64,
    /// The standard deviation over units (n − 1); none for one unit.
    pub sd: Option<f64>,
    /// The t interval of the mean, with one degree of freedom less than there are units; none for one unit.
    pub interval: Option<Interval>,
    /// The exact sign-flip test over units; none for one unit, where it can say nothing.
    pub test: Option<SignFlip>,
    /// Pairs that the unit means are made of.
    pub pairs: usize,
    /// Pairs that are not there, of every seed seen on every split seen: where some are, units weigh alike although
    /// some are means of fewer pairs.
    pub missing: usize,
}

impl Procedure {
    /// Summarises paired differences, arm minus baseline, with an interval at `level`.
    ///
    /// `None` where [`Layout::of`] is.
    pub fn of(differences: &[Cell], level: f64) -> Option<Self> {
        Self::of_layout(&Layout::of(differences)?, level)
    }

    /// As [`Procedure::of`], of differences that are sorted.
    pub fn of_layout(layout: &Layout, level: f64) -> Option<Self> {
        let units: Vec<f64> = layout.units().into_iter().map(mean).collect::<Option<_>>()?;
        Some(Self {
            unit: layout.unit(),
            mean: mean(&units)?,
            sd: sd(&units),
            interval: t_interval(&units, level),
            test: sign_flip(&units).filter(|_| units.len() > 1),
            pairs: layout.values(),
            missing: layout.missing(),
            units,
        })
    }

    /// Degrees of freedom of the interval.
    pub fn freedom(&self) -> usize {
        self.units.len() - 1
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats, text_float};

    /// Cells from a fixture: `[split, seed, value]`.
    pub(in crate::report::stats) fn cells(value: &serde_json::Value) -> Vec<Cell> {
        let whole = |v: &serde_json::Value| usize::try_from(v.as_u64().unwrap()).unwrap();
        let cell = |v: &serde_json::Value| Cell {
            split: whole(&v[0]),
            seed: whole(&v[1]),
            value: text_float(&v[2]).unwrap(),
        };
        value.as_array().unwrap().iter().map(cell).collect()
    }

    #[test]
    fn unit_means_and_intervals_are_those_of_scipy() {
        for case in fixture("stats/stats.json")["layouts"].as_array().unwrap() {
            let found = Procedure::of(&cells(&case["cells"]), 0.95).unwrap();
            for (found, expected) in found.units.iter().zip(floats(&case["units"])) {
                assert!((found - expected).abs() < 1e-12, "{case}");
            }
            assert_eq!(found.units.len(), floats(&case["units"]).len());
            assert_eq!(found.unit == Unit::Split, case["unit"] == "split");
            if case["interval"].is_null() {
                assert_eq!((found.interval, found.test, found.freedom()), (None, None, 0));
                continue;
            }
            let (interval, expected) = (found.interval.unwrap(), floats(&case["interval"]));
            assert!((interval.low - expected[0]).abs() < 1e-9 * expected[0].abs().max(1.0), "{case}");
            assert!((interval.high - expected[1]).abs() < 1e-9 * expected[1].abs().max(1.0), "{case}");
            assert!((found.test.unwrap().p - text_float(&case["p"]).unwrap()).abs() < 1e-12, "{case}");
        }
    }

    #[test]
    fn nine_pairs_of_three_splits_are_three_units() {
        let cells: Vec<Cell> =
            (0..9).map(|i| Cell { split: i / 3, seed: i % 3, value: 0.01 + 0.001 * i as f64 }).collect();
        let found = Procedure::of(&cells, 0.95).unwrap();
        assert_eq!((found.freedom(), found.pairs, found.missing), (2, 9, 0));
        assert_eq!(found.test.unwrap().p, 0.25);
        let fewer = Procedure::of(&cells[..8], 0.95).unwrap();
        assert_eq!((fewer.freedom(), fewer.pairs, fewer.missing), (2, 8, 1));
    }
}
