//! `[model]`: backbone, head, width, pretrained weights.

use serde::{Deserialize, Serialize};

use super::experiment::Location;

/// `[model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The feature extractor.
    pub backbone: Backbone,
    /// The segmentation head.
    pub head: Head,
    /// Multiplies every channel count of backbone and head; 1 is the network of the paper.
    pub width: f64,
    /// Input pixels per pixel of the deepest features: 8 (official) or 16.
    pub output_stride: usize,
    /// A .safetensors or zip .pth file with backbone weights; none trains from addressed random weights.
    pub weights: Option<Location>,
}

/// Feature extractors; ResNets as torchvision has them, EfficientNet-Lite0 as TensorFlow has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backbone {
    /// ResNet-18, basic blocks.
    Resnet18,
    /// ResNet-34, basic blocks.
    Resnet34,
    /// ResNet-50, bottleneck blocks.
    Resnet50,
    /// ResNet-101, bottleneck blocks.
    Resnet101,
    /// EfficientNet-Lite0, depthwise convolutions.
    #[serde(rename = "efficientnet-lite0")]
    EfficientNetLite0,
}

/// Segmentation heads, as the official code builds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// DeepLabV3+: pyramid of dilated convolutions, refined by shallow features.
    DeepLabV3Plus,
    /// PSPNet: pyramid of averages.
    PspNet,
    /// DeepLabV2: a sum of dilated classifiers. Official trainings of it have `head_lr = 1`.
    DeepLabV2,
}
