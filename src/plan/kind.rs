//! The kinds of stages, the roles of models, and the version of each kind.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One cacheable step of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Checks, shrinks and packs the images.
    Prepare,
    /// Trains on labeled images.
    Teacher,
    /// Compares the teacher's checkpoints on every unlabeled image.
    Score,
    /// Writes pseudo labels.
    Label,
    /// Decides which pseudo labels are trained on.
    Select,
    /// Trains from fresh weights on labeled and pseudo-labeled images.
    Retrain,
    /// Measures a model on validation or test images.
    Evaluate,
}

impl Kind {
    /// Every kind, in the order of a recipe.
    pub const ALL: [Self; 7] =
        [Self::Prepare, Self::Teacher, Self::Score, Self::Label, Self::Select, Self::Retrain, Self::Evaluate];

    /// The version of what the stage computes. It is part of every key: raise it when outputs change
    /// (`tests/stages.rs` says when that is due).
    pub const fn version(self) -> u32 {
        match self {
            Self::Prepare | Self::Teacher | Self::Score | Self::Select | Self::Retrain | Self::Evaluate => 1,
            // 2: `quality` has the calibration.
            Self::Label => 2,
        }
    }

    /// Whether it leaves a model.
    pub const fn trains(self) -> bool {
        matches!(self, Self::Teacher | Self::Retrain)
    }

    /// The kind's one word, as in file names and tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Teacher => "teacher",
            Self::Score => "score",
            Self::Label => "label",
            Self::Select => "select",
            Self::Retrain => "retrain",
            Self::Evaluate => "evaluate",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Which model of the recipe is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// The model of the labeled images.
    #[serde(rename = "teacher")]
    Teacher,
    /// The first of two re-trainings (ST++: on reliable images).
    #[serde(rename = "student_1")]
    Student1,
    /// The last re-training.
    #[serde(rename = "student")]
    Student,
}

impl Role {
    /// The role's one word, as in random streams and tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Student1 => "student_1",
            Self::Student => "student",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
