//! All that a report finds in a study, computed once; every form of the report is made of it.

use super::claim::ClaimFinding;
use super::compare::Comparisons;
use super::contrast::{self, Contrasted};
use super::regime::{self, RegimeCheck};
use super::resampled::Resampled;
use super::scores::Scores;
use super::stats::{Cell, Components, Layout};
use super::study::Study;
use crate::track::table::TableDigest;

/// What was found.
pub struct Findings<'a> {
    /// The facts.
    pub study: &'a Study,
    /// A number per run.
    pub scores: &'a Scores<'a>,
    /// Arms against arms.
    pub compared: Comparisons<'a>,
    /// Whether the study is in the regime of its question.
    pub regime: Option<RegimeCheck<'a>>,
    /// Ways of selecting against each other.
    pub contrasts: Vec<Contrasted<'a>>,
    /// What was claimed, and whether it holds.
    pub claims: Vec<ClaimFinding<'a>>,
    /// Where the spread of each arm's mIoU comes from, in the order of the arms; none of an arm without runs.
    pub components: Vec<Option<Components>>,
    /// The tables that hold every number.
    pub tables: &'a [TableDigest],
}

impl<'a> Findings<'a> {
    /// Finds it.
    pub fn new(study: &'a Study, scores: &'a Scores<'a>, tables: &'a [TableDigest]) -> Self {
        let mut wanted: Vec<(&str, &str)> = Vec::new();
        wanted.extend(contrast::pairs(study).into_iter().map(|(_, arm, against)| (arm, against)));
        for against in references(study) {
            let others = study.arms.iter().filter(|arm| arm.name != against);
            wanted.extend(others.map(|arm| (arm.name.as_str(), against)));
        }
        wanted.extend(regime::pairs(study));
        let compared = Comparisons::new(study, scores, &wanted, &mut Resampled::default());
        let spread = |arm: &super::arm::ArmFacts| {
            let cells: Vec<Cell> = scores.cells(&arm.name, |run| run.miou(study.headline));
            Layout::of(&cells).map(|layout| Components::of(&layout))
        };
        Self {
            regime: RegimeCheck::new(study, &compared),
            contrasts: Contrasted::all(study, scores, &compared),
            claims: ClaimFinding::all(study, scores),
            components: study.arms.iter().map(spread).collect(),
            study,
            scores,
            compared,
            tables,
        }
    }
}

/// The arms that others are compared with: the baseline and, where the study has one, the longer supervised training.
pub fn references(study: &Study) -> Vec<&str> {
    let long = study.regime.as_ref().map(|regime| regime.long.as_str());
    let mut against = vec![study.baseline.as_str()];
    against.extend(long.filter(|long| *long != study.baseline));
    against
}
