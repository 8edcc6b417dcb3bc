//! Ways of selecting against each other: image level against pixel level, and either against chance.
//!
//! Only arms with the same number of re-trainings are compared, and a reader is told whether both keep the same share
//! of pixels: a selection that keeps more is another budget, not another criterion.

use super::arm::{ArmFacts, ArmSelection, Level};
use super::compare::Comparison;
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
    pub fn all(study: &'a Study, scores: &Scores) -> Vec<Self> {
        let pairs = |contrast: Contrast| {
            let arms = move || study.arms.iter().filter(|arm| arm.is_self_training());
            let pairs = arms().flat_map(move |arm| arms().map(move |against| (arm, against)));
            pairs.filter(move |(arm, against)| comparable(contrast, arm, against)).map(
                move |(arm, against)| Self {
                    contrast,
                    comparison: Comparison::new(scores, &arm.name, &against.name),
                    kept: SelectionQuality::new(scores, &arm.name).kept,
                    kept_against: SelectionQuality::new(scores, &against.name).kept,
                },
            )
        };
        pairs(Contrast::Levels).chain(pairs(Contrast::Chance)).collect()
    }

    /// Whether both arms keep the same share of pixels; none where a share is unknown.
    pub fn same_budget(&self) -> Option<bool> {
        Some((self.kept? - self.kept_against?).abs() <= SAME_BUDGET)
    }
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
