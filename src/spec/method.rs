//! `[method]`: the recipe, and every quirk of the official code as a named switch.

use serde::{Deserialize, Serialize};

/// `[method]`. `method.name` is a preset of these fields (see the reader); what is hashed is the fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Re-trainings after the teacher: 0 (supervised), 1 (plain, ST), 2 (ST++).
    pub retrainings: usize,
    /// What unlabeled images are trained on.
    pub labels: Labels,
    /// Which of a model's epochs writes pseudo labels.
    pub teacher: Which,
    /// Checkpoints K of the teacher that scores compare; the K-th is its end (paper: 3).
    pub checkpoints: usize,
    /// Test-time augmentation of pseudo labels (paper: five scales and a flip).
    pub tta: Tta,
    /// Which pseudo labels enter the (first) re-training.
    pub select: Select,
    /// In the second re-training, label the reliable images anew with `student_1`
    /// (official: false, they keep the teacher's masks).
    pub relabel_reliable: bool,
}

impl Method {
    /// Whether the recipe compares checkpoints of the teacher (paper Eq. 4).
    pub fn compares_checkpoints(&self) -> bool {
        let select = match &self.select {
            Select::Image(select) | Select::Pixel(PixelSelect::Matched { to: select }) => select,
            Select::None | Select::Pixel(_) => return false,
        };
        self.retrainings > 0 && select.criterion == ImageCriterion::Stability
    }
}

/// Where the masks of unlabeled images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Labels {
    /// A model of ours wrote them.
    Pseudo,
    /// The true masks: a ceiling, marked as oracle everywhere, never a side of a claim. With 0 re-trainings.
    Truth,
}

/// Which epoch of a training is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The last (sound: validation images choose nothing).
    Last,
    /// The best on the validation images (official code).
    Best,
}

/// Test-time augmentation; softmax is summed over scales and flips.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tta {
    /// Scales of the input.
    pub scales: Vec<f64>,
    /// Also each scale flipped.
    pub flip: bool,
}

impl Tta {
    /// One pass, as it is.
    pub fn none() -> Self {
        Self { scales: vec![1.0], flip: false }
    }

    /// Image-forwards per image, counted by area: Σ scale² (twice with flip).
    pub fn forwards(&self) -> f64 {
        let area: f64 = self.scales.iter().map(|s| s * s).sum();
        if self.flip { 2.0 * area } else { area }
    }
}

/// `[method.select]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "lowercase")]
pub enum Select {
    /// Everything enters: plain, ST.
    None,
    /// Whole images, the best first.
    Image(ImageSelect),
    /// Pixels of every image.
    Pixel(PixelSelect),
}

/// Image-level selection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageSelect {
    /// What makes an image reliable.
    pub criterion: ImageCriterion,
    /// The first floor(fraction · n) images are reliable (paper: 0.5).
    pub fraction: f64,
    /// Which of two images with equal scores comes first.
    pub ties: Ties,
    /// Whether class 0 counts in the stability score (official: true).
    pub background: bool,
}

/// Image-level criteria: high is reliable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageCriterion {
    /// Mean over j < K of the mIoU between the masks of checkpoints j and K (paper Eq. 4).
    Stability,
    /// Mean over pixels of the largest probability.
    Confidence,
    /// Minus the mean over pixels of the entropy.
    Entropy,
    /// A random order, drawn from the seed and the image's id.
    Random,
    /// mIoU with the true mask: not a method, a ceiling.
    Oracle,
}

/// The order among equal scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ties {
    /// By image id: the same for every order of the list.
    Id,
    /// By position in the list of unlabeled images (official code: stable sort).
    List,
}

/// Pixel-level selection, on the probability that wrote the label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum PixelSelect {
    /// Pixels whose confidence is at least `threshold` (FixMatch, UniMatch: 0.95).
    Threshold {
        /// In [0, 1].
        threshold: f64,
    },
    /// In every class the most confident `fraction` of its pixels (CBST).
    ClassBalanced {
        /// In (0, 1].
        fraction: f64,
    },
    /// All but the `quantile` of pixels with the highest entropy (U2PL: 0.2).
    Entropy {
        /// In [0, 1).
        quantile: f64,
    },
    /// The most confident pixels, exactly as many as image-level selection keeps.
    Matched {
        /// The image-level selection whose number of pixels is matched.
        to: ImageSelect,
    },
    /// Pixels whose label is right: not a method, a ceiling.
    Oracle,
}

impl Method {
    /// Whether true masks of unlabeled images are used: a ceiling, not a method.
    pub fn is_oracle(&self) -> bool {
        let by_truth = |select: &ImageSelect| select.criterion == ImageCriterion::Oracle;
        self.labels == Labels::Truth
            || self.retrainings > 0
                && match &self.select {
                    Select::None => false,
                    Select::Image(select) => by_truth(select),
                    Select::Pixel(PixelSelect::Matched { to }) => by_truth(to),
                    Select::Pixel(rule) => *rule == PixelSelect::Oracle,
                }
    }
}
