//! What a report is a function of: the facts of an ablation that the store holds, as plain data.
//!
//! Nothing here says where, when or how fast something ran, so that nothing of it can reach a report.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::arm::ArmFacts;
use crate::base::digest::Digest;
use crate::metric::Confusion;
use crate::spec::ablation::Regime;

/// All that a report knows of an ablation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// The ablation's name.
    pub name: String,
    /// What is asked, in one sentence.
    pub question: String,
    /// One or two lines more; may be empty.
    pub description: String,
    /// The arm that others are compared with.
    pub baseline: String,
    /// In the order of the spec.
    pub arms: Vec<ArmFacts>,
    /// Seeds of the experiments.
    pub seeds: Vec<u64>,
    /// Labels of the splits.
    pub splits: Vec<String>,
    /// The arms of the budget and headroom lines.
    pub regime: Option<Regime>,
    /// Class names, by class id.
    pub classes: Vec<String>,
    /// The subset that is reported first.
    pub headline: Subset,
    /// The runs that the store knows of, in any order; at most one per arm, seed and split.
    pub runs: Vec<RunFacts>,
    /// What the plan shares between experiments.
    pub sharing: Sharing,
    /// Where the numbers come from.
    pub provenance: Provenance,
}

/// Images that a model is evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subset {
    /// Test images.
    Test,
    /// Validation images.
    Val,
}

impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Test => "test",
            Self::Val => "val",
        })
    }
}

/// One arm at one seed and split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The arm's name.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// The split's label.
    pub split: String,
    /// blake3 of experiment id and numerics class.
    pub run_id: Digest,
    /// blake3 of spec id and content of the data.
    pub experiment_id: Digest,
    /// blake3 of the canonical spec.
    pub spec_id: Digest,
    /// Whether every stage is done. A run that is not adds nothing to any mean.
    pub complete: bool,
    /// The chain of stages, first to last.
    pub stages: Vec<StageFact>,
    /// The last epoch's model on each evaluated subset.
    pub evaluations: BTreeMap<Subset, Evaluation>,
    /// The best of the looks at the validation images along the way.
    pub best: Option<Best>,
    /// What a selecting arm chose.
    pub selection: Option<SelectionFacts>,
    /// The pseudo labels of each re-training, first to last.
    pub labels: Vec<LabelFacts>,
}

/// One stage of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageFact {
    /// `prepare`, `teacher`, `score`, …
    pub kind: String,
    /// `teacher`, `student_1`, `student`, or empty.
    pub role: String,
    /// The stage's key.
    pub key: Digest,
}

/// A model on a subset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The key of the stage that evaluated.
    pub stage: Digest,
    /// Per image, in any order.
    pub images: Vec<ImageConfusion>,
}

/// A model on one image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageConfusion {
    /// The image's id.
    pub id: String,
    /// Pixels by true and predicted class.
    pub confusion: Confusion,
}

/// The best of several looks at the validation images: an oracle selection, shown beside the last epoch only.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Optimiser steps at the best look.
    pub step: u64,
    /// Its mIoU on the validation images, in [0, 1].
    pub miou: f64,
    /// How many looks there were.
    pub looks: u64,
}

/// What a selecting stage chose among the unlabeled images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelectionFacts {
    /// The key of the stage that selected.
    pub stage: Digest,
    /// Per unlabeled image, in any order.
    pub images: Vec<ImageFact>,
}

/// An unlabeled image in a selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageFact {
    /// The image's id.
    pub id: String,
    /// Its score by the criterion, high being reliable; none where the criterion scores pixels.
    pub score: Option<f64>,
    /// Whether it is reliable; none where pixels are selected.
    pub selected: Option<bool>,
    /// Pixels whose pseudo label enters the selective re-training.
    pub kept_pixels: u64,
    /// Pixels of the image.
    pub pixels: u64,
    /// mIoU of the pseudo label with the true mask, where there is one: a diagnostic.
    pub truth_miou: Option<f64>,
}

/// The pseudo labels that one re-training is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelFacts {
    /// The model that is trained on them: `student_1` or `student`.
    pub role: String,
    /// Pixels of all unlabeled images.
    pub pixels: u64,
    /// Pixels among them whose pseudo label is kept.
    pub kept_pixels: u64,
    /// True class against kept pseudo label, where true masks exist: a diagnostic.
    pub confusion: Option<Confusion>,
}

/// What sharing stages between experiments saves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    /// Experiments of the ablation.
    pub experiments: u64,
    /// Stages, each counted for each experiment that needs it.
    pub stages_requested: u64,
    /// Stages, each counted once.
    pub stages_distinct: u64,
    /// Optimiser steps of the requested stages.
    pub steps_requested: u64,
    /// Optimiser steps of the distinct stages.
    pub steps_distinct: u64,
    /// Image-forwards of the requested stages, counted by area and rounded.
    pub forwards_requested: u64,
    /// Image-forwards of the distinct stages.
    pub forwards_distinct: u64,
}

/// Where the numbers come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The resolved ablation.
    pub ablation: Digest,
    /// The manifest: every image and mask.
    pub data: Digest,
    /// The lists of each split, by its label.
    pub splits: BTreeMap<String, Digest>,
    /// The pretrained weights, if any.
    pub weights: Option<Digest>,
    /// All that may change bits, in words.
    pub numerics: String,
    /// The code versions in the records; more than one when the work spans an upgrade. In any order.
    pub code: Vec<String>,
    /// The VERSION of each stage kind.
    pub stages: BTreeMap<String, u32>,
}
