//! How good a selection and its pseudo labels are, where true masks of unlabeled images allow to say.

use super::scores::{RunScores, Scores};
use super::stats;
use super::study::{ImageFact, LabelFacts, SelectionFacts};
use crate::metric::rank;

/// Means over an arm's complete runs; none where no run has the value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SelectionQuality {
    /// Kept pixels over all unlabeled pixels.
    pub kept: Option<f64>,
    /// Rank correlation of score and true mIoU over images.
    pub spearman: Option<f64>,
    /// Mean true mIoU of the reliable images.
    pub reliable: Option<f64>,
    /// Mean true mIoU of the others.
    pub unreliable: Option<f64>,
    /// Mean within a run of reliable less unreliable.
    pub gap: Option<f64>,
}

impl SelectionQuality {
    /// The quality of an arm's selection.
    pub fn new(scores: &Scores, arm: &str) -> Self {
        let mean = |value: fn(&SelectionFacts) -> Option<f64>| {
            stats::mean(&scores.values(arm, |run| value(run.facts.selection.as_ref()?)))
        };
        Self {
            kept: mean(kept),
            spearman: mean(spearman),
            reliable: mean(|selection| true_miou(selection, true)),
            unreliable: mean(|selection| true_miou(selection, false)),
            gap: mean(|selection| Some(true_miou(selection, true)? - true_miou(selection, false)?)),
        }
    }
}

/// Means over an arm's complete runs of the labels that one re-training is given.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelQuality<'a> {
    /// The model that is trained on them.
    pub role: &'a str,
    /// Kept pixels over all unlabeled pixels.
    pub kept: Option<f64>,
    /// Right pixels over kept pixels with a known truth.
    pub accuracy: Option<f64>,
    /// mIoU of the kept pixels, over the dataset.
    pub miou: Option<f64>,
}

impl<'a> LabelQuality<'a> {
    /// The labels of each of an arm's re-trainings, in their order.
    pub fn of_arm(scores: &Scores<'a>, arm: &str) -> Vec<Self> {
        let longest =
            scores.runs(arm).map(|run| run.facts.labels.as_slice()).max_by_key(|labels| labels.len());
        let roles = longest.unwrap_or_default().iter().map(|labels| labels.role.as_str());
        roles.map(|role| Self::of_role(scores, arm, role)).collect()
    }

    fn of_role(scores: &Scores<'a>, arm: &str, role: &'a str) -> Self {
        let mean = |value: fn(&LabelFacts) -> Option<f64>| {
            let of_run =
                |run: &RunScores| run.facts.labels.iter().find(|labels| labels.role == role).and_then(value);
            stats::mean(&scores.values(arm, of_run))
        };
        Self {
            role,
            kept: mean(|labels| ratio(labels.kept_pixels, labels.pixels)),
            accuracy: mean(|labels| labels.confusion.as_ref()?.pixel_accuracy()),
            miou: mean(|labels| labels.confusion.as_ref()?.miou()),
        }
    }
}

fn kept(selection: &SelectionFacts) -> Option<f64> {
    let total = |pixels: fn(&ImageFact) -> u64| selection.images.iter().map(pixels).sum::<u64>();
    ratio(total(|image| image.kept_pixels), total(|image| image.pixels))
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Images by id: a sum of floats must not depend on the order in which facts were read.
fn by_id(selection: &SelectionFacts) -> Vec<&ImageFact> {
    let mut images: Vec<&ImageFact> = selection.images.iter().collect();
    images.sort_by(|a, b| a.id.cmp(&b.id));
    images
}

/// Rank correlation of score and true mIoU over the images of one selection.
pub fn spearman(selection: &SelectionFacts) -> Option<f64> {
    let known = by_id(selection).into_iter().filter_map(|image| Some((image.score?, image.truth_miou?)));
    let (scores, truths): (Vec<f64>, Vec<f64>) = known.unzip();
    rank::spearman(&scores, &truths)
}

fn true_miou(selection: &SelectionFacts, reliable: bool) -> Option<f64> {
    let group = by_id(selection).into_iter().filter(|image| image.selected == Some(reliable));
    stats::mean(&group.filter_map(|image| image.truth_miou).collect::<Vec<_>>())
}
