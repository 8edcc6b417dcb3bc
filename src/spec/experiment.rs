//! One experiment, fully resolved: the value that is hashed, planned and run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::augment::Augment;
use super::data::{Data, Split};
use super::evaluate::Evaluate;
use super::method::Method;
use super::model::Model;
use super::train::Train;

/// A fully resolved setting: data, model, training, method, seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Seed of initial weights, augmentation, order and random choices; at most 2^53 - 1.
    pub seed: u64,
    /// `[data]`: which images and masks.
    pub data: Data,
    /// `[split]`: which training images are labeled.
    pub split: Split,
    /// `[model]`: the network.
    pub model: Model,
    /// `[train]`: how the teacher is trained.
    pub train: Train,
    /// `[retrain]`: how every re-training is done; what it leaves out is as in `[train]`.
    pub retrain: Train,
    /// `[augment]`: weak for every image, strong (SDA) where it is asked for.
    pub augment: Augment,
    /// `[method]`: the recipe.
    pub method: Method,
    /// `[evaluate]`: on what, and how often.
    pub evaluate: Evaluate,
    /// `description`, `tags`: for people; never part of an identity.
    pub about: About,
    /// `[run]`: where it runs; never part of an identity.
    pub run: RunOn,
}

impl Experiment {
    /// Whether there are test images.
    pub fn has_test(&self) -> bool {
        match &self.data {
            Data::Synthetic(synthetic) => synthetic.test > 0,
            Data::Listed(listed) => listed.test.is_some(),
        }
    }

    /// Whether there are validation images.
    pub fn has_val(&self) -> bool {
        match &self.data {
            Data::Synthetic(synthetic) => synthetic.val > 0,
            Data::Listed(_) => true,
        }
    }
}

/// What is said of an experiment to people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// One line.
    pub description: String,
    /// Free words.
    pub tags: Vec<String>,
}

/// Where an experiment runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOn {
    /// `auto`, `cpu` or `cuda:N`.
    pub device: String,
    /// Worker threads; 0 for one per core.
    pub threads: usize,
}

impl Default for RunOn {
    fn default() -> Self {
        Self { device: "auto".to_owned(), threads: 0 }
    }
}

/// Where something lies. A location is not identity: the content found there is.
pub type Location = PathBuf;
