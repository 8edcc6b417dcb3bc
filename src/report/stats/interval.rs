//! The t interval of a mean.

use super::student::two_sided_quantile;
use super::summary::{mean, sd};

/// An interval for a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How often such an interval covers the true mean, in (0, 1).
    pub level: f64,
}

impl Interval {
    /// Whether a value lies inside, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The two-sided t interval of the mean of `values`, n − 1 degrees of freedom.
///
/// `None` for one value: a single run has no spread. `None` also where `level` is not in [0, 1).
pub fn t_interval(values: &[f64], level: f64) -> Option<Interval> {
    let (mean, sd) = (mean(values)?, sd(values)?);
    let freedom = u32::try_from(values.len() - 1).ok()?;
    let half = two_sided_quantile(freedom, level)? * sd / (values.len() as f64).sqrt();
    Some(Interval { low: mean - half, high: mean + half, level })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::fixture::{fixture, floats};

    #[test]
    fn intervals_are_those_of_scipy() {
        for sample in fixture("stats/stats.json")["samples"].as_array().unwrap() {
            let found = t_interval(&floats(&sample["values"]), 0.95);
            if sample["interval"].is_null() {
                assert_eq!(found, None);
                continue;
            }
            let (found, expected) = (found.unwrap(), floats(&sample["interval"]));
            assert!((found.low - expected[0]).abs() < 1e-9, "{sample}");
            assert!((found.high - expected[1]).abs() < 1e-9, "{sample}");
        }
    }

    #[test]
    fn ends_belong_to_an_interval() {
        let interval = Interval { low: 0.0, high: 1.0, level: 0.95 };
        assert!(interval.contains(0.0) && interval.contains(1.0) && !interval.contains(-0.1));
    }
}
