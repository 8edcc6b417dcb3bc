//! An ablation: one question, several arms, the same seeds and splits for each.

use serde::{Deserialize, Serialize};

use super::claim::{Claim, Noise};
use super::data::Split;
use super::experiment::Experiment;

/// A question and the experiments that answer it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// Unique in a store: the key of reports and tables.
    pub name: String,
    /// What is asked, in one sentence.
    pub question: String,
    /// One or two lines more.
    pub description: String,
    /// The arm that others are compared with.
    pub baseline: String,
    /// Dotted spec keys (or tables of keys) that arms may set.
    pub factors: Vec<String>,
    /// Seeds of the experiments.
    pub seeds: Vec<u64>,
    /// Labels of the splits: seeds of drawn splits, or names of list folders.
    pub splits: Vec<String>,
    /// In the order of the file.
    pub arms: Vec<Arm>,
    /// Which arms tell whether the study is in the regime its question speaks of.
    pub regime: Option<Regime>,
    /// What the ablation sets out to show, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    /// How much noise its author expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<Noise>,
    /// Seed-major: every split and arm of one seed, then the next seed.
    pub experiments: Vec<Member>,
}

/// A named setting of the factors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Unique in the ablation.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Uses true masks of unlabeled images: a ceiling, not a method.
    pub oracle: bool,
}

/// One experiment of an ablation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The arm's name.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// The split's label.
    pub split: String,
    /// The resolved experiment.
    pub experiment: Experiment,
}

/// `[regime]`: the arms that show whether the study can answer its question at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regime {
    /// The supervised arm at the teacher's own length.
    pub short: String,
    /// The supervised arm at the length of a re-training: should gain nothing beyond the noise (budget line).
    pub long: String,
    /// True masks everywhere: should be clearly above `long` (headroom line).
    pub ceiling: String,
}

impl Ablation {
    /// Whether this is a single experiment, named after its file: then its name is no claim to be the same question.
    pub fn is_single_experiment(&self) -> bool {
        self.factors.is_empty() && self.arms.len() == 1
    }

    /// A single experiment as a study of one arm.
    pub fn of_experiment(name: &str, experiment: Experiment) -> Self {
        let split = match &experiment.split {
            Split::Drawn { seed, .. } => seed.to_string(),
            Split::Lists { folder } => {
                folder.file_name().map_or_else(String::new, |folder| folder.to_string_lossy().into_owned())
            }
        };
        let description = experiment.about.description.clone();
        Self {
            name: name.to_owned(),
            question: format!("What does {name} reach?"),
            description: description.clone(),
            baseline: name.to_owned(),
            factors: Vec::new(),
            seeds: vec![experiment.seed],
            splits: vec![split.clone()],
            arms: vec![Arm { name: name.to_owned(), description, oracle: experiment.method.is_oracle() }],
            regime: None,
            claims: Vec::new(),
            noise: None,
            experiments: vec![Member { arm: name.to_owned(), seed: experiment.seed, split, experiment }],
        }
    }
}
