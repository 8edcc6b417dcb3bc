//! `[data]` and `[split]`: which images, and which of them are labeled.

use serde::{Deserialize, Serialize};

use super::experiment::Location;
use crate::base::share;

/// `[data]`: where images and masks come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Data {
    /// Scenes drawn by the program; nothing to download.
    Synthetic(Synthetic),
    /// Files named by list files in the form of ST++.
    Listed(Listed),
}

impl Data {
    /// Number of classes C.
    pub fn classes(&self) -> usize {
        match self {
            Self::Synthetic(data) => data.classes,
            Self::Listed(data) => data.classes.len(),
        }
    }
}

/// `[data]` with `kind = "synthetic"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synthetic {
    /// Seed of the scenes; another seed is another dataset.
    pub seed: u64,
    /// Columns of every image.
    pub width: usize,
    /// Rows of every image.
    pub height: usize,
    /// Training images, labeled and unlabeled together.
    pub train: usize,
    /// Validation images.
    pub val: usize,
    /// Test images; 0 for none.
    pub test: usize,
    /// Classes C, background included.
    pub classes: usize,
    /// 0 (clean, well lit, no occlusion) to 1 (heavy clutter, blur, occlusion, poor light); images vary around it.
    pub difficulty: f64,
}

/// `[data]` with `kind = "listed"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The dataset's name for people: the preset's, or the root folder's.
    pub name: String,
    /// The folder that paths in lists start from.
    pub root: Location,
    /// List of all training images; needed when the split is drawn.
    pub train: Option<Location>,
    /// List of validation images.
    pub val: Location,
    /// List of test images, where the dataset has some.
    pub test: Option<Location>,
    /// Class names, in the order of their ids.
    pub classes: Vec<String>,
    /// Mask value of pixels that count nowhere.
    pub ignore: u8,
    /// Colour per class, for pictures.
    pub palette: Vec<[u8; 3]>,
    /// Shrinks every image and mask so that its longer side has this many pixels.
    pub long_side: Option<usize>,
}

/// `[split]`: which training images are labeled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Split {
    /// The first images in the order of blake3(seed, image digest): nested for one seed by construction.
    Drawn {
        /// How many are labeled.
        labeled: Amount,
        /// Which draw.
        seed: u64,
    },
    /// A folder with `labeled.txt` and `unlabeled.txt`, the official layout.
    Lists {
        /// The folder.
        folder: Location,
    },
}

/// A number of images, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amount {
    /// `split.labeled = 24`
    Count(usize),
    /// `split.fraction = 0.125`: floor(fraction · n) images.
    Fraction(f64),
}

impl Amount {
    /// The number of images out of `n`.
    pub fn of(self, n: usize) -> usize {
        match self {
            Self::Count(count) => count.min(n),
            Self::Fraction(fraction) => share::floor(fraction, n as u64) as usize,
        }
    }
}
