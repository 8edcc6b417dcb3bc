//! Is the study in the regime its question speaks of? Two lines say so.
//!
//! *Budget*: the supervised arm at the length of a re-training should gain nothing over the one at the teacher's
//! length. Where it does, a gain of self-training over the short arm may be a gain of training longer.
//! *Headroom*: true masks for the unlabeled images should be clearly better. Where they are not, no pseudo label can be.

use super::compare::{Comparison, Comparisons, Reading};
use super::study::Study;
use crate::spec::ablation::Regime;

/// With one pair there is no interval: a longer supervised training that gains more than this is called a confound.
pub const BUDGET_ONE_PAIR: f64 = 0.01;

/// With one pair there is no interval: a ceiling that gains less than this is called no headroom.
pub const HEADROOM_ONE_PAIR: f64 = 0.02;

/// What a line found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// As the question needs it.
    Sound,
    /// Not as the question needs it.
    Failed,
    /// Runs are missing, or a value is undefined.
    Undecided,
}

/// Both lines of a study that names its regime's arms.
#[derive(Debug, Clone, PartialEq)]
pub struct RegimeCheck<'a> {
    /// The longer supervised training less the shorter.
    pub budget: Comparison<'a>,
    /// The ceiling less the longer supervised training.
    pub headroom: Comparison<'a>,
}

impl<'a> RegimeCheck<'a> {
    /// Checks a study; none where it names no regime.
    pub fn new(study: &'a Study, compared: &Comparisons<'a>) -> Option<Self> {
        let [budget, headroom] = pairs(study).try_into().ok()?;
        let of = |(arm, against)| compared.of(arm, against).clone();
        Some(Self { budget: of(budget), headroom: of(headroom) })
    }

    /// Failed where longer supervised training gains beyond the noise.
    pub fn budget_finding(&self) -> Finding {
        decide(&self.budget, |reading, gain| match reading {
            Reading::OneUnit => gain > BUDGET_ONE_PAIR,
            reading => reading == Reading::Higher,
        })
    }

    /// Failed where the ceiling does not gain beyond the noise.
    pub fn headroom_finding(&self) -> Finding {
        decide(&self.headroom, |reading, gain| match reading {
            Reading::OneUnit => gain < HEADROOM_ONE_PAIR,
            reading => reading != Reading::Higher,
        })
    }

    /// What the study is called for the lines it fails.
    pub fn names(&self) -> Vec<&'static str> {
        let budget = (self.budget_finding() == Finding::Failed).then_some("confounded by budget");
        let headroom = (self.headroom_finding() == Finding::Failed).then_some("without headroom");
        budget.into_iter().chain(headroom).collect()
    }
}

/// The pairs of arms that the lines compare: budget, then headroom; nothing where the study names no regime.
pub fn pairs(study: &Study) -> Vec<(&str, &str)> {
    let Some(Regime { short, long, ceiling }) = &study.regime else { return Vec::new() };
    vec![(long, short), (ceiling, long)]
}

fn decide(comparison: &Comparison, fails: impl Fn(Reading, f64) -> bool) -> Finding {
    match comparison.mean() {
        Some(gain) if comparison.is_whole() => {
            if fails(comparison.reading(), gain) {
                Finding::Failed
            } else {
                Finding::Sound
            }
        }
        _ => Finding::Undecided,
    }
}
