//! What a report is a function of: the facts of an ablation that the store holds, as plain data.
//!
//! Nothing here says where, when or how fast something ran, so that nothing of it can reach a report. All of it is in the
//! tables, too: [`super::rows`] writes them, and [`super::restore`] reads a study back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::arm::ArmFacts;
use crate::base::digest::Digest;
use crate::metric::Confusion;
use crate::metric::calibration::Calibration;
use crate::metric::confusion::Cell;
use crate::spec::ablation::Regime;
use crate::spec::claim::Claim;
use crate::store::study::Registration;

/// All that a report knows of an ablation.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// The question, and where its answer comes from.
    pub design: Design,
    /// The runs that the store knows of, in any order; at most one per arm, seed and split.
    pub runs: Vec<RunFacts>,
}

impl std::ops::Deref for Study {
    type Target = Design;

    fn deref(&self) -> &Design {
        &self.design
    }
}

impl std::ops::DerefMut for Study {
    fn deref_mut(&mut self) -> &mut Design {
        &mut self.design
    }
}

/// What is known of a study beside its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Design {
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
    /// Colour per class, for pictures.
    pub palette: Vec<[u8; 3]>,
    /// The subset that is reported first.
    pub headline: Subset,
    /// What the ablation sets out to show.
    pub claims: Vec<Claim>,
    /// When its claims were written down, first to last.
    pub registrations: Vec<Registration>,
    /// Cells of the design that nobody asked for: only where ablations with other seeds or splits are put together.
    #[serde(default)]
    pub absent: BTreeSet<Absent>,
    /// What numbers must have in common to stand in one table.
    pub protocol: Protocol,
    /// What the plan shares between experiments.
    pub sharing: Sharing,
    /// Where the numbers come from.
    pub provenance: Provenance,
}

/// A run that is no part of the design.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Absent {
    /// The arm's name.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// The split's label.
    pub split: String,
}

/// What two numbers must have in common to be compared: images, labels, geometry, convention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// The dataset's name.
    pub dataset: String,
    /// Labeled and unlabeled images, by the label of the split.
    pub splits: BTreeMap<String, SplitSize>,
    /// `whole`, or the side and stride of windows.
    pub geometry: String,
    /// How absent classes and ignored pixels count.
    pub convention: String,
    /// The network: backbone, head, output stride.
    pub network: String,
    /// Side of the training crop, in pixels.
    pub crop: u64,
}

/// How many images a split labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSize {
    /// With their masks.
    pub labeled: u64,
    /// Without.
    pub unlabeled: u64,
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
#[derive(Debug, Clone, PartialEq)]
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
    /// The last epoch's model on each evaluated subset. Runs that share the stage share the facts.
    pub evaluations: BTreeMap<Subset, Arc<Evaluation>>,
    /// The looks at the validation images along the way, first to last.
    pub looks: Vec<Look>,
    /// What a selecting arm chose.
    pub selection: Option<Arc<SelectionFacts>>,
    /// The pseudo labels of each re-training, first to last.
    pub labels: Vec<LabelFacts>,
}

impl RunFacts {
    /// The best of the looks, the earliest among equals: an oracle selection, shown beside the last epoch only.
    pub fn best(&self) -> Option<Look> {
        let better = |best: Look, look: &Look| if look.miou > best.miou { *look } else { best };
        let (first, rest) = self.looks.split_first()?;
        Some(rest.iter().fold(*first, better))
    }
}

/// One stage of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFact {
    /// `prepare`, `teacher`, `score`, …
    pub kind: String,
    /// `teacher`, `student_1`, `student`, or empty.
    pub role: String,
    /// The stage's key.
    pub key: Digest,
    /// The stages that it read, in its order; empty as long as it is not done.
    pub inputs: Vec<Digest>,
}

/// A model on a subset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// The key of the stage that evaluated.
    pub stage: Digest,
    /// Sorted by id.
    images: Vec<ImageCells>,
}

impl Evaluation {
    /// What a stage counted, image by image, in any order.
    pub fn new(stage: Digest, mut images: Vec<ImageCells>) -> Self {
        images.sort_by(|one, other| one.id.cmp(&other.id));
        Self { stage, images }
    }

    /// The images, sorted by id.
    pub fn images(&self) -> &[ImageCells] {
        &self.images
    }

    /// All images in one matrix of `classes` × `classes`.
    ///
    /// # Panics
    /// When a class is beyond `classes`, which the reader of records has checked.
    pub fn total(&self, classes: usize) -> Confusion {
        let mut total = Confusion::new(classes);
        self.images.iter().for_each(|image| total.add_cells(&image.cells));
        total
    }
}

/// A model on one image: the cells of its confusion matrix that are not 0, in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageCells {
    /// The image's id.
    pub id: Arc<str>,
    /// Pixels by true and predicted class.
    pub cells: Box<[Cell]>,
}

/// One look at the validation images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Optimiser steps until then.
    pub step: u64,
    /// mIoU on the validation images, in [0, 1].
    pub miou: f64,
}

/// What a selecting stage chose among the unlabeled images.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectionFacts {
    /// The key of the stage that selected.
    pub stage: Digest,
    /// Per unlabeled image, in any order.
    pub images: Vec<ImageFact>,
}

/// An unlabeled image in a selection.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
pub struct LabelFacts {
    /// The model that is trained on them: `student_1` or `student`.
    pub role: String,
    /// Pixels of all unlabeled images.
    pub pixels: u64,
    /// Pixels among them whose pseudo label is kept.
    pub kept_pixels: u64,
    /// True class against kept pseudo label, where true masks exist: a diagnostic.
    pub confusion: Option<Confusion>,
    /// Confidence of the labels against their accuracy, where true masks exist and no pixel was left out.
    pub calibration: Option<Calibration>,
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
