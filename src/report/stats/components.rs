//! Where the spread of a layout comes from: the split, or the seed within a split.
//!
//! The model is one-way with random effects: value = mean + effect of the split + rest, where the rest is what seeds do
//! within a split (see [`layout`](super::layout) for why seeds are nested) together with an interaction of both, which
//! one run per seed and split can't tell apart. Mean squares are set equal to what they are on average (method of
//! moments; Searle, Casella and McCulloch, *Variance Components*, 1992), which for equally many seeds per
//! split is the analysis of variance, and needs no distribution. So estimated, the split's variance can be negative:
//! splits then differ less than their seeds would make them. It is shown as 0, and that this was done is told.

use super::layout::Layout;
use super::summary::{mean, sd};

/// Standard deviations of a layout, in the unit of its values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Components {
    /// Of split effects; none for one split, and where every split has one value.
    pub split: Option<f64>,
    /// Of values within a split; none where every split has one value.
    pub seed: Option<f64>,
    /// Of values that differ in split and seed at once; only where every split has one value and nothing can tell them
    /// apart.
    pub together: Option<f64>,
    /// Whether the estimate of the split's variance was below 0, and is shown as 0.
    pub below_zero: bool,
    /// Degrees of freedom between splits.
    pub split_freedom: usize,
    /// Degrees of freedom within splits.
    pub seed_freedom: usize,
}

impl Components {
    /// The components of an arm's values, or of paired differences.
    pub fn of(layout: &Layout) -> Self {
        let splits = layout.splits();
        let (count, values) = (splits.len(), layout.values());
        let mut found = Self {
            split: None,
            seed: None,
            together: None,
            below_zero: false,
            split_freedom: count - 1,
            seed_freedom: values - count,
        };
        if found.seed_freedom == 0 {
            let singles: Vec<f64> = splits.iter().flatten().copied().collect();
            found.together = sd(&singles);
            return found;
        }
        let within = splits.iter().fold(0.0, |sum, split| sum + squares(split, mean_of(split)));
        let within = within / found.seed_freedom as f64;
        found.seed = Some(within.sqrt());
        if count > 1 {
            let variance = (between(splits) - within) / seeds_per_split(splits);
            found.split = Some(variance.max(0.0).sqrt());
            found.below_zero = variance < 0.0;
        }
        found
    }
}

fn mean_of(split: &[f64]) -> f64 {
    mean(split).expect("no split of a layout is empty")
}

/// The sum of squared distances from `centre`.
fn squares(values: &[f64], centre: f64) -> f64 {
    values.iter().fold(0.0, |sum, value| sum + (value - centre) * (value - centre))
}

/// The mean square between splits, each weighing as many times as it has seeds.
fn between(splits: &[Vec<f64>]) -> f64 {
    let all: Vec<f64> = splits.iter().flatten().copied().collect();
    let centre = mean_of(&all);
    let weigh = |split: &Vec<f64>| split.len() as f64 * squares(&[mean_of(split)], centre);
    splits.iter().fold(0.0, |sum, split| sum + weigh(split)) / (splits.len() - 1) as f64
}

/// How often the split's variance is in the mean square between splits: the number of seeds, where all have as many.
fn seeds_per_split(splits: &[Vec<f64>]) -> f64 {
    let sizes = || splits.iter().map(|split| split.len() as f64);
    let (all, squared) = (sizes().sum::<f64>(), sizes().map(|size| size * size).sum::<f64>());
    (all - squared / all) / (splits.len() - 1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::layout::Cell;
    use super::*;
    use crate::metric::fixture::{fixture, text_float};
    use proptest::prelude::*;

    #[test]
    fn components_are_those_of_numpy() {
        for case in fixture("stats/stats.json")["layouts"].as_array().unwrap() {
            let cells = crate::report::stats::procedure::tests::cells(&case["cells"]);
            let found = Components::of(&Layout::of(&cells).unwrap());
            let expected = &case["components"];
            for (found, key) in [(found.split, "split"), (found.seed, "seed"), (found.together, "together")] {
                match (found, text_float(&expected[key])) {
                    (Some(found), Some(expected)) => {
                        assert!((found - expected).abs() < 1e-9, "{case}: {key} {found}");
                    }
                    (found, expected) => assert_eq!(found, expected, "{case}: {key}"),
                }
            }
            assert_eq!(found.below_zero, expected["below_zero"].as_bool().unwrap(), "{case}");
        }
    }

    fn layout(seeds: usize, values: &[f64]) -> Layout {
        let cell = |(i, &value): (usize, &f64)| Cell { split: i / seeds, seed: i % seeds, value };
        Layout::of(&values.iter().enumerate().map(cell).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn splits_that_differ_less_than_their_seeds_are_shown_as_zero() {
        let found = Components::of(&layout(2, &[0.1, 0.3, 0.3, 0.1]));
        assert_eq!((found.split, found.below_zero), (Some(0.0), true));
        assert!((found.seed.unwrap() - 0.02f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn one_run_has_no_spread() {
        let found = Components::of(&layout(1, &[0.1]));
        assert_eq!((found.split, found.seed, found.together), (None, None, None));
    }

    proptest! {
        #[test]
        fn a_shift_changes_nothing_and_a_scale_scales(
            values in prop::collection::vec(-1.0..1.0f64, 4..16), by in -5.0..5.0f64,
        ) {
            let found = Components::of(&layout(3, &values));
            let moved: Vec<f64> = values.iter().map(|value| 2.0 * value + by).collect();
            let moved = Components::of(&layout(3, &moved));
            prop_assert!((moved.seed.unwrap() - 2.0 * found.seed.unwrap()).abs() < 1e-9);
            // Near 0 the root turns a rounding of 1e-16 into one of 1e-8.
            prop_assert!((moved.split.unwrap() - 2.0 * found.split.unwrap()).abs() < 1e-6);
        }
    }
}
