//! What each stage does: the parameters that its key hashes and its code reads.
//!
//! Inputs (other stages) are not here but in the node, as keys, in the order each type documents.

use serde::{Deserialize, Serialize};

use super::bound::Ids;
use crate::base::digest::Digest;
use crate::spec::augment::Augment;
use crate::spec::evaluate::Windows;
use crate::spec::method::{ImageCriterion, ImageSelect, PixelSelect, Tta};
use crate::spec::model::{Backbone, Head};
use crate::spec::train::Train;

/// The work of one stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "lowercase")]
pub enum Work {
    /// See [`Preparing`].
    Prepare(Preparing),
    /// See [`Training`].
    Train(Box<Training>),
    /// See [`Scoring`].
    Score(Scoring),
    /// See [`Labelling`].
    Label(Labelling),
    /// See [`ImageSelecting`].
    SelectImages(ImageSelecting),
    /// See [`PixelSelecting`].
    SelectPixels(PixelSelecting),
    /// See [`Evaluating`].
    Evaluate(Evaluating),
}

/// Reads every image and mask once, checks them, shrinks and packs them where that is due. No inputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preparing {
    /// Digest of the manifest.
    pub manifest: Digest,
}

/// The network, by what its bits depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Net {
    /// Feature extractor.
    pub backbone: Backbone,
    /// Segmentation head.
    pub head: Head,
    /// Channel multiplier.
    pub width: f64,
    /// Input pixels per pixel of the deepest features.
    pub output_stride: usize,
    /// Digest of the pretrained weights.
    pub weights: Option<Digest>,
    /// Classes C.
    pub classes: usize,
}

/// Trains one model from fresh weights.
///
/// Inputs: prepare; then the stages whose masks the unlabeled images are trained on (label or select), in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Seed of initial weights, order and augmentation.
    pub seed: u64,
    /// The network.
    pub net: Net,
    /// Optimiser, crop, batch. Its length is always `iterations`: what the epochs came to.
    pub train: Train,
    /// Optimiser steps.
    pub steps: u64,
    /// Weak and strong augmentation.
    pub augment: Augment,
    /// Labeled images.
    pub labeled: Ids,
    /// How often each of them stands in the list.
    pub repeats: usize,
    /// Unlabeled images in the list; which of them carry a mask is the inputs' affair.
    pub unlabeled: Unlabeled,
}

/// What stands in the training list beside the labeled images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unlabeled {
    /// Nothing: a teacher.
    None,
    /// These images with their true masks: a ceiling.
    Truth(Ids),
    /// The images that the inputs have masks for; this many.
    Pseudo(usize),
}

/// One single-scale pass of a teacher's checkpoints over the unlabeled images.
///
/// Inputs: prepare, teacher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scoring {
    /// The checkpoints, as optimiser steps; the last is the reference.
    pub checkpoints: Vec<u64>,
    /// Unlabeled images.
    pub images: Ids,
    /// Classes C.
    pub classes: usize,
}

/// Which of a model's states is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelState {
    /// After this many steps.
    At(u64),
    /// The state with the best mIoU on validation images, looked at after these steps (ties: the earliest).
    BestOf(Vec<u64>),
}

/// Writes a pseudo label for some of the unlabeled images.
///
/// Inputs: prepare, model; and the image selection where the images are a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labelling {
    /// Which state of the model.
    pub model: ModelState,
    /// Scales and flips whose softmax is summed.
    pub tta: Tta,
    /// All unlabeled images.
    pub images: Ids,
    /// Which of them are labelled.
    pub part: Part,
    /// Classes C.
    pub classes: usize,
}

/// A part of the unlabeled images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Every one.
    All,
    /// Those that an image selection calls reliable.
    Reliable,
    /// The others.
    Unreliable,
}

/// Ranks images. Inputs: prepare, score; no score for the random criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageSelecting {
    /// Criterion, fraction, ties.
    pub rule: ImageSelect,
    /// Unlabeled images.
    pub images: Ids,
    /// Seed of the random order; only there.
    pub seed: Option<u64>,
    /// Digest of the list's order; only where ties follow the list.
    pub order: Option<Digest>,
}

/// Drops pixels. Inputs: prepare, label; and the image selection whose budget is matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PixelSelecting {
    /// The rule.
    pub rule: PixelSelect,
    /// Unlabeled images.
    pub images: Ids,
    /// Classes C.
    pub classes: usize,
}

/// Measures a model at one scale. Inputs: prepare, model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluating {
    /// Which state of the model.
    pub step: u64,
    /// The images' subset, `val` or `test`.
    pub subset: String,
    /// The images.
    pub images: Ids,
    /// Classes C.
    pub classes: usize,
    /// Windows, or whole images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
}

impl ImageSelecting {
    /// Whether the criterion needs the scores of a teacher's checkpoints.
    pub fn needs_scores(&self) -> bool {
        self.rule.criterion != ImageCriterion::Random
    }
}
