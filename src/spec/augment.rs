//! `[augment.weak]` and `[augment.strong]` (official code: `dataset/semi.py`, `dataset/transform.py`).

use serde::{Deserialize, Serialize};

/// `[augment]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Augment {
    /// For every training image.
    pub weak: Weak,
    /// Strong data augmentation (SDA), after the weak one.
    pub strong: Strong,
}

/// Resize, pad, crop, flip.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Weak {
    /// The long side is resized to a whole number in `[low · base_size, high · base_size]`.
    pub scale: [f64; 2],
    /// Probability of a horizontal flip.
    pub flip: f64,
}

/// Colour jitter, grayscale, blur, Cutout; a part with `p = 0` is off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strong {
    /// Which images of a re-training get it.
    pub on: StrongOn,
    /// `[augment.strong.jitter]`
    pub jitter: Jitter,
    /// `[augment.strong.grayscale]`
    pub grayscale: Grayscale,
    /// `[augment.strong.blur]`
    pub blur: Blur,
    /// `[augment.strong.cutout]`
    pub cutout: Cutout,
}

/// Which images get strong augmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrongOn {
    /// No image: plain self-training.
    None,
    /// Unlabeled images: ST and ST++.
    Unlabeled,
    /// Labeled images only, also the teacher's.
    Labeled,
    /// Every training image.
    Both,
}

/// Brightness, contrast, saturation by a factor in [1-v, 1+v], hue by a turn in [-v, v]; in random order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Jitter {
    /// Probability.
    pub p: f64,
    /// Range of the brightness factor.
    pub brightness: f64,
    /// Range of the contrast factor.
    pub contrast: f64,
    /// Range of the saturation factor.
    pub saturation: f64,
    /// Range of the hue turn, at most 0.5.
    pub hue: f64,
}

/// Gray in three channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grayscale {
    /// Probability.
    pub p: f64,
}

/// Gaussian blur with the semantics of PIL (three box filters).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blur {
    /// Probability.
    pub p: f64,
    /// Range of the radius (sigma) in pixels.
    pub sigma: [f64; 2],
}

/// A rectangle of noise; its mask is ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cutout {
    /// Probability.
    pub p: f64,
    /// Range of the rectangle's share of the crop's area.
    pub area: [f64; 2],
    /// Range of height over width.
    pub aspect: [f64; 2],
}

impl Default for Augment {
    /// The official values: weak for all, strong for unlabeled images.
    fn default() -> Self {
        Self {
            weak: Weak { scale: [0.5, 2.0], flip: 0.5 },
            strong: Strong {
                on: StrongOn::Unlabeled,
                jitter: Jitter { p: 0.8, brightness: 0.5, contrast: 0.5, saturation: 0.5, hue: 0.25 },
                grayscale: Grayscale { p: 0.2 },
                blur: Blur { p: 0.5, sigma: [0.1, 2.0] },
                cutout: Cutout { p: 0.5, area: [0.02, 0.4], aspect: [0.3, 1.0 / 0.3] },
            },
        }
    }
}

impl Strong {
    /// Whether it leaves every image as it is.
    pub fn is_off(&self) -> bool {
        [self.jitter.p, self.grayscale.p, self.blur.p, self.cutout.p].iter().all(|&p| p == 0.0)
    }

    /// No part at all: what a training without strong augmentation is hashed as, whatever the switched-off parts say.
    pub fn none() -> Self {
        Self {
            on: StrongOn::None,
            jitter: Jitter { p: 0.0, brightness: 0.0, contrast: 0.0, saturation: 0.0, hue: 0.0 },
            grayscale: Grayscale { p: 0.0 },
            blur: Blur { p: 0.0, sigma: [0.0, 0.0] },
            cutout: Cutout { p: 0.0, area: [0.0, 0.0], aspect: [1.0, 1.0] },
        }
    }
}
