//! Ways of selecting against each other: image level against pixel level, and either against chance.
//!
//! Only arms with the same number of re-trainings are compared, and a reader is told whether both keep the same share
//! of pixels: a selection that keeps more is another budget, not another criterion.

use super::arm::{ArmFacts, ArmSelection, Level};
use super::compare::{Comparison, Comparisons};
use super::quality::SelectionQuality;
use super::scores::Scores;
use super::study::Study;

/// Kept shares that differ by more than this are not the same budget.
pub const SAME_BUDGET: f64 = 0.01;

/// What two selections differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contrast {
    /// An image-level arm minus a pixel-level arm.
    Levels,
    /// An arm minus the control that selects at random.
    Chance,
}

impl Contrast {
    /// The words of the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Levels => "image against pixel level",
            Self::Chance => "criterion against chance",
        }
    }
}

/// Two selecting arms, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrasted<'a> {
    /// What they differ in.
    pub contrast: Contrast,
    /// The difference of their mIoU.
    pub comparison: Comparison<'a>,
    /// The share of unlabeled pixels that the first keeps.
    pub kept: Option<f64>,
    /// The share that the second keeps.
    pub kept_against: Option<f64>,
}

impl<'a> Contrasted<'a> {
    /// Every comparable pair of a study, in the order of the spec, levels first.
    pub fn all(study: &'a Study, scores: &Scores, compared: &Comparisons<'a>) -> Vec<Self> {
        let contrasted = |(contrast, arm, against)| Self {
            contrast,
            comparison: compared.of(arm, against).clone(),
            kept: SelectionQuality::new(scores, arm).kept,
            kept_against: SelectionQuality::new(scores, against).kept,
        };
        pairs(study).into_iter().map(contrasted).collect()
    }

    /// Whether both arms keep the same share of pixels; none where a share is unknown.
    pub fn same_budget(&self) -> Option<bool> {
        Some((self.kept? - self.kept_against?).abs() <= SAME_BUDGET)
    }
}

/// The pairs of arms that are contrasted.
pub fn pairs(study: &Study) -> Vec<(Contrast, &str, &str)> {
    let mut found = Vec::new();
    let arms = || study.arms.iter().filter(|arm| arm.is_self_training());
    for contrast in [Contrast::Levels, Contrast::Chance] {
        for (arm, against) in arms().flat_map(|arm| arms().map(move |against| (arm, against))) {
            if comparable(contrast, arm, against) {
                found.push((contrast, arm.name.as_str(), against.name.as_str()));
            }
        }
    }
    found
}

fn comparable(contrast: Contrast, arm: &ArmFacts, against: &ArmFacts) -> bool {
    let (Some(first), Some(second)) = (&arm.selection, &against.selection) else { return false };
    let is = |selection: &ArmSelection, level: Level| selection.level == level && !selection.control;
    arm.retrainings == against.retrainings
        && match contrast {
            Contrast::Levels => is(first, Level::Image) && is(second, Level::Pixel),
            Contrast::Chance => !first.control && second.control,
        }
}
