//! Claims: what an ablation set out to show, and whether the data support it.
//!
//! A claim holds if the interval of the procedure lies above its margin. With several claims in an ablation the intervals
//! are Holm's: the clearest claim is held to the strictest level, and as soon as one can't be told from its margin, neither
//! can those after it. So that a wrong *supported* or *refuted* is rare over all of them; the bench `coverage` counts the
//! former. A claim whose runs are not all there comes last and is not decided.

use super::compare::{LEVEL, differences};
use super::grid::code;
use super::number::points;
use super::scores::{RunScores, Scores};
use super::stats::power::{MOST_UNITS, Test};
use super::stats::student::two_sided_p;
use super::stats::{Interval, Layout, Procedure, t_interval};
use super::study::{Study, Subset};
use crate::spec::claim::{Claim, Images, Measure};

/// A claim, held against the data.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimFinding<'a> {
    /// What is claimed.
    pub claim: &'a Claim,
    /// The images that it is about.
    pub on: Subset,
    /// The paired differences; none without pairs.
    pub procedure: Option<Procedure>,
    /// Pairs of the design that it is about.
    pub planned: usize,
    /// The interval that decided, at its own level; none below two units.
    pub interval: Option<Interval>,
    /// What follows.
    pub verdict: Verdict,
    /// Units that would decide it, if they were as those there are; none where it is decided, where there is no spread
    /// to reckon with, or beyond [`MOST_UNITS`].
    pub units_needed: Option<usize>,
}

/// Whether a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The interval lies above the margin.
    Supported,
    /// The interval lies below the margin.
    Refuted,
    /// It holds the margin, or there is none.
    Undecided,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Refuted => "refuted",
            Self::Undecided => "undecided",
        }
    }
}

impl<'a> ClaimFinding<'a> {
    /// Every claim of a study, in its order.
    pub fn all(study: &'a Study, scores: &Scores) -> Vec<Self> {
        let mut found: Vec<Self> =
            study.claims.iter().map(|claim| Self::open(study, scores, claim)).collect();
        // The clearest first; without an interval last. Equal ones in the order of the spec.
        let mut order: Vec<(f64, usize)> =
            found.iter().enumerate().map(|(i, claim)| (claim.p(), i)).collect();
        order.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let mut stopped = None;
        for (place, &(_, i)) in order.iter().enumerate() {
            let left = found.len() - place;
            // Where Holm stops, all that follow are read at the level of the one that stopped it.
            let test = Test { alpha: 1.0 - LEVEL, arms: stopped.unwrap_or(left) };
            found[i].decide(test, stopped.is_some());
            if found[i].verdict == Verdict::Undecided && stopped.is_none() {
                stopped = Some(left);
            }
        }
        found
    }

    fn open(study: &Study, scores: &Scores, claim: &'a Claim) -> Self {
        let on = match claim.on {
            None => study.headline,
            Some(Images::Test) => Subset::Test,
            Some(Images::Val) => Subset::Val,
        };
        let value = |run: &RunScores| match claim.metric {
            Measure::Miou => run.miou(on),
            Measure::PixelAccuracy => run.on(on)?.confusion.pixel_accuracy(),
        };
        let split = claim.split.as_ref().and_then(|label| study.splits.iter().position(|one| one == label));
        let mut cells = differences(scores, &claim.better, &claim.than, value);
        cells.retain(|cell| claim.split.is_none() || split == Some(cell.split));
        let splits = if claim.split.is_some() { 1 } else { study.splits.len() };
        Self {
            claim,
            on,
            procedure: Layout::of(&cells).and_then(|layout| Procedure::of_layout(&layout, LEVEL)),
            planned: study.seeds.len() * splits,
            interval: None,
            verdict: Verdict::Undecided,
            units_needed: None,
        }
    }

    /// The margin as a fraction.
    pub fn margin(&self) -> f64 {
        self.claim.by / 100.0
    }

    /// The claim in words.
    pub fn words(&self) -> String {
        let claim = self.claim;
        let what = match claim.metric {
            Measure::Miou => "mIoU",
            Measure::PixelAccuracy => "pixel accuracy",
        };
        let split = claim.split.as_ref().map_or_else(String::new, |split| format!(", split {}", code(split)));
        let (better, than) = (code(&claim.better), code(&claim.than));
        let claimed = match claim.by {
            0.0 => format!("{better} is above {than}"),
            by if by > 0.0 => format!("{better} is above {than} by more than {}", points(self.margin())),
            _ => format!("{better} is less than {} below {than}", points(-self.margin())),
        };
        format!("{claimed} ({} {what}{split})", self.on)
    }

    /// Why it is undecided, and what would decide it.
    pub fn reason(&self) -> Option<String> {
        if self.verdict != Verdict::Undecided {
            return None;
        }
        let Some(procedure) = &self.procedure else { return Some("no pair of runs".to_owned()) };
        if procedure.pairs < self.planned {
            return Some(format!("{} of {} pairs are there", procedure.pairs, self.planned));
        }
        let (units, word) = (procedure.units.len(), |count| procedure.unit.word(count));
        Some(match self.units_needed {
            _ if units == 1 => format!("one {} has no spread, and it takes 1 more at least", word(1)),
            _ if procedure.sd == Some(0.0) => {
                format!("{units} {} are equal to the last bit, and show no spread", word(units))
            }
            Some(needed) if needed > units => {
                let then = if procedure.mean > self.margin() { Verdict::Supported } else { Verdict::Refuted };
                let more = needed - units;
                format!("at least {more} more {}, and {} if they are like these", word(more), then.word())
            }
            Some(_) => "a clearer claim is undecided, too".to_owned(),
            None => format!("not even {MOST_UNITS} {} would decide it", word(2)),
        })
    }

    /// Whether every pair that it is about is there. An incomplete design decides nothing: which runs are there may not be
    /// chance.
    fn is_whole(&self) -> bool {
        self.procedure.as_ref().is_some_and(|found| found.pairs == self.planned)
    }

    /// How clearly the mean differs from the margin: p of the two-sided t test; 1 where there is none.
    fn p(&self) -> f64 {
        let p = self.procedure.as_ref().filter(|_| self.is_whole()).and_then(|found| {
            let distance = (found.mean - self.margin()).abs();
            let error = found.sd? / (found.units.len() as f64).sqrt();
            // All units alike: as clear as can be, unless they are the margin.
            let t = if distance == 0.0 { 0.0 } else { distance / error };
            two_sided_p(u32::try_from(found.units.len() - 1).ok()?, t)
        });
        p.unwrap_or(1.0)
    }

    fn decide(&mut self, test: Test, stopped: bool) {
        let Some(found) = &self.procedure else { return };
        // Units that are equal to the last bit have shown no spread, and decide nothing.
        self.interval = t_interval(&found.units, test.level()).filter(|_| found.sd != Some(0.0));
        let whole = self.is_whole();
        if let Some(interval) = self.interval.filter(|_| whole && !stopped) {
            if interval.low > self.margin() {
                self.verdict = Verdict::Supported;
            } else if interval.high < self.margin() {
                self.verdict = Verdict::Refuted;
            }
        }
        if self.verdict == Verdict::Undecided
            && whole
            && let Some(sd) = found.sd.filter(|sd| *sd > 0.0)
        {
            self.units_needed = test.units_to_exclude(found.mean, sd, self.margin());
        }
    }
}
