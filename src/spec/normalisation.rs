//! How pixels become numbers that a backbone was made for.

use super::model::Backbone;

/// A channel's value v in 0 to 255 becomes `(v / unit - mean) / std`, in single precision and in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// What is 1 in the units of `mean` and `std`.
    pub unit: f32,
    /// Red, green, blue.
    pub mean: [f32; 3],
    /// Red, green, blue.
    pub std: [f32; 3],
}

impl Normalisation {
    /// Mean and standard deviation of ImageNet's colours (official code: `dataset/transform.py`, `normalize`).
    pub const IMAGENET: Self = Self { unit: 255.0, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

    /// `(v - 127) / 128`, which the EfficientNet-Lite networks were trained with.
    pub const LITE: Self = Self { unit: 1.0, mean: [127.0; 3], std: [128.0; 3] };
}

impl Backbone {
    /// What its images look like, pretrained or not.
    pub fn normalisation(self) -> Normalisation {
        match self {
            Self::EfficientNetLite0 => Normalisation::LITE,
            _ => Normalisation::IMAGENET,
        }
    }
}
