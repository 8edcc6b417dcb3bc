//! Which part of a dataset an image belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Training, validation or test images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subset {
    /// Labeled and unlabeled training images together; the split tells them apart.
    Train,
    /// Images that training never sees and that may be looked at along the way.
    Val,
    /// Images that are looked at once, at the end.
    Test,
}

impl Subset {
    /// All three, in the order of a table.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Subset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
