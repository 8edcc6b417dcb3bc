//! One arm against another, paired on seed and split, and what may be said of the difference.
//!
//! Two intervals, of two things. *The procedure*: would training anew, with other seeds and on other splits, come out like
//! this? *These models*: would these very models come out like this on other images? What a difference is called depends
//! on the first alone.

use std::collections::BTreeMap;

use super::resampled::Resampled;
use super::scores::{RunScores, Scores};
use super::stats::{Cell, ImageInterval, Interval, Layout, Procedure, Superiority};
use super::study::Study;

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
    /// Pairs whose two runs go back to one and the same teacher.
    pub shared_teachers: usize,
    /// The difference as a statement about training anew; none without pairs.
    pub procedure: Option<Procedure>,
    /// P(arm > against), from the same pairs.
    pub superiority: Option<Superiority>,
    /// The interval over images; none where it was not computed, or the runs saw different images.
    pub models: Option<ImageInterval>,
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
    /// One unit: no noise was measured.
    OneUnit,
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
            Self::OneUnit => "single: no interval",
            Self::Unknown => "no pair",
        }
    }

    /// The word for programs.
    pub fn key(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::WithinNoise => "within_noise",
            Self::OneUnit => "single",
            Self::Unknown => "unknown",
        }
    }
}

impl<'a> Comparison<'a> {
    /// Compares two arms.
    fn new(study: &Study, scores: &Scores, arm: &'a str, against: &'a str) -> Self {
        let cells = differences(scores, arm, against, |run| run.miou(study.headline));
        let layout = Layout::of(&cells);
        Self {
            arm,
            against,
            pairs: cells.len(),
            planned: scores.planned_pairs(arm, against),
            shared_teachers: scores
                .both(arm, against)
                .filter(|(_, arm, other)| same_teacher(arm, other))
                .count(),
            procedure: layout.as_ref().and_then(|layout| procedure(study, layout)),
            superiority: layout.as_ref().map(|layout| Superiority::of(layout, LEVEL)),
            models: None,
        }
    }

    /// The mean over units; none without pairs.
    pub fn mean(&self) -> Option<f64> {
        self.procedure.as_ref().map(|procedure| procedure.mean)
    }

    /// The t interval over units; none below two.
    pub fn interval(&self) -> Option<Interval> {
        self.procedure.as_ref()?.interval
    }

    /// p of the exact two-sided sign-flip test over units; none below two, where it can say nothing.
    pub fn p(&self) -> Option<f64> {
        Some(self.procedure.as_ref()?.test?.p)
    }

    /// Independent draws: splits where there are several, else seeds.
    pub fn units(&self) -> usize {
        self.procedure.as_ref().map_or(0, |procedure| procedure.units.len())
    }

    /// What the difference may be called.
    pub fn reading(&self) -> Reading {
        match (self.interval(), self.mean()) {
            (Some(interval), _) if interval.low > 0.0 => Reading::Higher,
            (Some(interval), _) if interval.high < 0.0 => Reading::Lower,
            (Some(_), _) => Reading::WithinNoise,
            (None, Some(_)) => Reading::OneUnit,
            (None, None) => Reading::Unknown,
        }
    }

    /// Whether every pair of the design has a value.
    pub fn is_whole(&self) -> bool {
        self.pairs == self.planned && self.pairs > 0
    }
}

/// The procedure's interval by the units of the design. Where of several splits only one is left, its seeds are no
/// substitute: they know nothing of what another split would do.
fn procedure(study: &Study, layout: &Layout) -> Option<Procedure> {
    let mut found = Procedure::of_layout(layout, LEVEL)?;
    if found.sd == Some(0.0) && found.mean != 0.0 {
        // Equal to the last bit: no spread was seen, and an interval without width would pass for certainty.
        found.interval = None;
    }
    if study.splits.len() > 1 && layout.splits().len() == 1 {
        let unit = super::stats::Unit::Split;
        return Some(Procedure {
            unit,
            units: vec![found.mean],
            sd: None,
            interval: None,
            test: None,
            ..found
        });
    }
    Some(found)
}

/// Arm minus baseline, where both have a value.
pub fn differences(
    scores: &Scores,
    arm: &str,
    against: &str,
    value: impl Fn(&RunScores) -> Option<f64>,
) -> Vec<Cell> {
    let difference = |(pair, arm, against): (super::scores::Pair, &RunScores, &RunScores)| {
        let value = value(arm)? - value(against)?;
        Some(Cell { split: pair.split, seed: pair.seed, value })
    };
    scores.both(arm, against).filter_map(difference).collect()
}

fn same_teacher(one: &RunScores, other: &RunScores) -> bool {
    let teacher =
        |run: &RunScores| run.facts.stages.iter().find(|stage| stage.kind == "teacher").map(|it| it.key);
    teacher(one).is_some() && teacher(one) == teacher(other)
}

/// Intervals over images are computed for this many comparisons: those that are read first.
pub const MOST_RESAMPLED: usize = 40;

/// Every comparison that a report makes, once.
#[derive(Debug)]
pub struct Comparisons<'a> {
    found: BTreeMap<(&'a str, &'a str), Comparison<'a>>,
}

impl<'a> Comparisons<'a> {
    /// Compares pairs of arms, the most important first.
    pub fn new(
        study: &Study,
        scores: &Scores,
        wanted: &[(&'a str, &'a str)],
        resampled: &mut Resampled,
    ) -> Self {
        let mut found = BTreeMap::new();
        for &(arm, against) in wanted {
            let many = found.len() >= MOST_RESAMPLED;
            found.entry((arm, against)).or_insert_with(|| {
                let mut comparison = Comparison::new(study, scores, arm, against);
                if !many {
                    comparison.models = resampled.difference(study, scores, arm, against);
                }
                comparison
            });
        }
        Self { found }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A comparison that was asked for.
    ///
    /// # Panics
    /// For another one: what is shown is compared beforehand.
    pub fn of(&self, arm: &str, against: &str) -> &Comparison<'a> {
        let found =
            self.found.iter().find(|(key, _)| **key == (arm, against)).map(|(_, comparison)| comparison);
        found.unwrap_or_else(|| panic!("{arm} was not compared with {against}"))
    }
}
