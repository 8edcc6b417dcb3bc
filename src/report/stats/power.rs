//! What a number of units can show: the smallest effect that would be found, and the units that an effect needs.
//!
//! All of it is about the two-sided t test of a mean of paired differences, which rejects where the t interval excludes
//! 0; that is, about the interval of [`Procedure`](super::procedure). With m arms against one baseline every arm is
//! given α/m (Bonferroni), which is what Holm's first step gives the clearest of them. Effects are in standard
//! deviations of the paired differences (over units), so that no spread need be known before the first run; with one,
//! an effect in mIoU is the effect here times that spread. A spread that was itself measured on three units is off by a
//! factor of two easily, and so is everything computed from it.

use super::noncentral::noncentral_t;
use super::student::two_sided_quantile;

/// Beyond this many units a design is not one for anybody to run.
pub const MOST_UNITS: usize = 1000;

/// The level at which a difference is found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// Two-sided chance of one false "different" among all arms, in (0, 1).
    pub alpha: f64,
    /// Arms that are compared with the baseline, at least 1.
    pub arms: usize,
}

impl Test {
    /// The level of each arm's interval, 1 − α/m.
    pub fn level(self) -> f64 {
        1.0 - self.alpha / self.arms.max(1) as f64
    }

    /// The t that |T| must exceed; `None` without degrees of freedom and for an α that is no probability.
    fn critical(self, freedom: u32) -> Option<f64> {
        two_sided_quantile(freedom, self.level())
    }

    /// The chance of a rejection for `freedom` degrees of freedom and noncentrality `delta`.
    fn chance(critical: f64, freedom: u32, delta: f64) -> f64 {
        1.0 - noncentral_t(critical, freedom, delta) + noncentral_t(-critical, freedom, delta)
    }

    /// The chance that `units` paired differences, normal with mean `effect` in their standard deviations, are found
    /// different from 0. `None` below two units.
    pub fn power(self, units: usize, effect: f64) -> Option<f64> {
        let freedom = freedom(units)?;
        Some(Self::chance(self.critical(freedom)?, freedom, effect * (units as f64).sqrt()))
    }

    /// The noncentrality at which the chance of a rejection is `power`; `None` where `power` is not above the level of
    /// the test, or not below 1.
    fn noncentrality(self, freedom: u32, power: f64) -> Option<f64> {
        let critical = self.critical(freedom)?;
        if !(power > 1.0 - self.level() && power < 1.0) {
            return None;
        }
        let enough = |delta: f64| Self::chance(critical, freedom, delta) >= power;
        let mut high = 1.0;
        while !enough(high) {
            high *= 2.0;
        }
        let mut low = 0.0;
        // Far beyond what is shown of an effect, and before rounding in the probability moves the result.
        while high - low > PRECISION * high {
            let middle = low + (high - low) / 2.0;
            if enough(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }

    /// The smallest effect, in standard deviations of the paired differences, that `units` find with probability
    /// `power`.
    ///
    /// `None` below two units, where no effect is large enough, and where `power` is not in (α/m, 1).
    pub fn detectable_effect(self, units: usize, power: f64) -> Option<f64> {
        Some(self.noncentrality(freedom(units)?, power)? / (units as f64).sqrt())
    }

    /// The fewest units that find an effect, in standard deviations of the paired differences, with probability
    /// `power`.
    ///
    /// `None` beyond [`MOST_UNITS`], and so for an effect of 0; also where `power` is not in (α/m, 1).
    pub fn units_needed(self, effect: f64, power: f64) -> Option<usize> {
        if !(power > 1.0 - self.level() && power < 1.0) {
            return None;
        }
        let enough = |units: usize| self.power(units, effect.abs()).is_some_and(|chance| chance >= power);
        // More units find more: halve between too few and enough.
        let (mut few, mut many) = (1, MOST_UNITS);
        if !effect.is_finite() || !enough(many) {
            return None;
        }
        while many - few > 1 {
            let middle = few.midpoint(many);
            if enough(middle) { many = middle } else { few = middle }
        }
        Some(many)
    }

    /// The fewest units whose t interval at level 1 − α/m would exclude `bound`, if they had the mean and the standard
    /// deviation that were observed. With that many, half of all repetitions would: it is the least to plan for.
    ///
    /// `None` beyond [`MOST_UNITS`], and so where the mean is the bound.
    pub fn units_to_exclude(self, mean: f64, sd: f64, bound: f64) -> Option<usize> {
        let distance = (mean - bound).abs();
        let excludes = |units: &usize| {
            let critical = freedom(*units).and_then(|freedom| self.critical(freedom));
            critical.is_some_and(|critical| critical * sd / (*units as f64).sqrt() < distance)
        };
        (2..=MOST_UNITS).find(excludes)
    }
}

/// The relative precision of an effect.
const PRECISION: f64 = 1e-13;

fn freedom(units: usize) -> Option<u32> {
    u32::try_from(units.checked_sub(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, text_float};
    use proptest::prelude::*;

    const ONE: Test = Test { alpha: 0.05, arms: 1 };

    fn whole(value: &serde_json::Value) -> usize {
        usize::try_from(value.as_u64().unwrap()).unwrap()
    }

    #[test]
    fn powers_and_detectable_effects_are_those_of_scipy() {
        for case in fixture("stats/stats.json")["power"].as_array().unwrap() {
            let test = Test { alpha: text_float(&case["alpha"]).unwrap(), arms: whole(&case["arms"]) };
            let (units, power) = (whole(&case["units"]), text_float(&case["power"]).unwrap());
            let expected = text_float(&case["effect"]).unwrap();
            let found = test.detectable_effect(units, power).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-9, "{case}: {found}");
            assert!((test.power(units, expected).unwrap() - power).abs() < 1e-9, "{case}");
        }
    }

    #[test]
    fn units_needed_are_those_of_scipy() {
        for case in fixture("stats/stats.json")["needed"].as_array().unwrap() {
            let test = Test { alpha: text_float(&case["alpha"]).unwrap(), arms: whole(&case["arms"]) };
            let effect = text_float(&case["effect"]).unwrap();
            let expected = case["units"].as_u64().map(|units| units as usize);
            assert_eq!(test.units_needed(effect, 0.8), expected, "{case}");
            let expected = case["excluding"].as_u64().map(|units| units as usize);
            assert_eq!(test.units_to_exclude(effect, 1.0, 0.0), expected, "{case}");
            assert_eq!(test.units_to_exclude(0.25 - 0.5 * effect, 0.5, 0.25), expected, "{case}");
        }
    }

    #[test]
    fn unpaired_runs_detect_what_is_known() {
        // Two-sided, α .05, power .80, SD .35 (n per arm): the textbook's two-sample t test.
        for (n, known) in [(3, 1.07), (5, 0.71), (9, 0.49)] {
            let delta = ONE.noncentrality(2 * n - 2, 0.8).unwrap();
            let found = 0.35 * delta * (2.0 / f64::from(n)).sqrt();
            assert!((found - known).abs() < 0.005, "{n}: {found}");
        }
    }

    #[test]
    fn what_cannot_be_found_has_no_number() {
        assert_eq!(ONE.detectable_effect(1, 0.8), None);
        assert_eq!(ONE.detectable_effect(0, 0.8), None);
        assert_eq!(ONE.detectable_effect(5, 0.05), None);
        assert_eq!(ONE.detectable_effect(5, 1.0), None);
        assert_eq!(ONE.units_needed(0.0, 0.8), None);
        assert_eq!(ONE.units_needed(f64::NAN, 0.8), None);
        assert_eq!(ONE.units_to_exclude(0.1, 1.0, 0.1), None);
        assert_eq!(ONE.units_to_exclude(0.1, 0.0, 0.0), Some(2));
        assert!((ONE.power(5, 0.0).unwrap() - 0.05).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn the_fewest_units_are_enough_and_one_less_is_not(effect in 0.15..4.0f64, arms in 1usize..9) {
            let test = Test { alpha: 0.05, arms };
            let units = test.units_needed(effect, 0.8).unwrap();
            prop_assert!(test.detectable_effect(units, 0.8).unwrap() <= effect * (1.0 + 1e-9));
            if units > 2 {
                prop_assert!(test.detectable_effect(units - 1, 0.8).unwrap() >= effect * (1.0 - 1e-9));
            }
            prop_assert!(test.units_to_exclude(effect, 1.0, 0.0).unwrap() <= units);
        }
    }
}
