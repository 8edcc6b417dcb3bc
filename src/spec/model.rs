//! `[model]`: backbone, head, width, pretrained weights.

use serde::{Deserialize, Serialize};

use super::convert::Choice;
use super::experiment::Location;

/// `[model]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The feature extractor.
    pub backbone: Backbone,
    /// The segmentation head.
    pub head: Head,
    /// Multiplies every channel count of backbone and head; 1 is the network of the paper. The channels of a frozen
    /// backbone are those of its weights.
    pub width: f64,
    /// Input pixels per pixel of the deepest features: 8 (official) or 16. A frozen backbone has its own strides.
    pub output_stride: usize,
    /// A .safetensors or zip .pth file with backbone weights; none trains from addressed random weights,
    /// which a frozen backbone refuses.
    pub weights: Option<Location>,
}

impl Model {
    /// The network in words, as the spec has them: `resnet101 deeplabv3plus, output stride 8`.
    pub fn words(&self) -> String {
        let mut words = format!("{} {}", self.backbone.word(), self.head.word());
        if !self.backbone.is_frozen() {
            words += &format!(", output stride {}", self.output_stride);
        }
        if self.width != 1.0 {
            words += &format!(", width {}", self.width);
        }
        words
    }
}

/// Feature extractors; ResNets as torchvision has them, EfficientNet-Lite0 as TensorFlow has it. The last two are frozen:
/// only a head on top of them is trained, and their weights say how large they are.
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
    /// DINOv2's vision transformer, frozen.
    Dinov2,
    /// SegFormer's encoder, frozen.
    Segformer,
}

impl Backbone {
    /// Whether only what stands on top of it is trained.
    pub fn is_frozen(self) -> bool {
        matches!(self, Self::Dinov2 | Self::Segformer)
    }
}

/// Segmentation heads: three as the official code builds them, and two for frozen backbones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Head {
    /// DeepLabV3+: pyramid of dilated convolutions, refined by shallow features.
    DeepLabV3Plus,
    /// PSPNet: pyramid of averages.
    PspNet,
    /// DeepLabV2: a sum of dilated classifiers. Official trainings of it have `head_lr = 1`.
    DeepLabV2,
    /// Batch normalisation and a linear map of frozen features.
    Linear,
    /// SegFormer's decoder, on frozen features: a projection of each map, a perceptron on all of them.
    Mlp,
}

impl Head {
    /// Whether it reads frozen features, and no others.
    pub fn reads_frozen(self) -> bool {
        matches!(self, Self::Linear | Self::Mlp)
    }

    /// Whether it normalises averages over whole images: a training step then needs two images.
    pub fn normalises_averages(self) -> bool {
        match self {
            Self::DeepLabV3Plus | Self::PspNet => true,
            Self::DeepLabV2 | Self::Linear | Self::Mlp => false,
        }
    }
}
