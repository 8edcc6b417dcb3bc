//! Feature extractors.
//!
//! [`resnet`] · [`efficientnet_lite`]. Names of parameters are those of the published weights, and every count of
//! channels is multiplied by the width. Where a network's strides would pass the output stride, they become dilation
//! of the convolutions behind them (`Strides`).

pub mod efficientnet_lite;
pub mod resnet;

use candle_core::{Result, Tensor, bail};

use self::efficientnet_lite::EfficientNetLite;
use self::resnet::{Family, ResNet};
use super::layer::Pass;
use super::params::Builder;
use crate::spec::model;

/// A feature extractor.
pub trait Backbone: Send + Sync {
    /// Channels of the shallow and of the deep features.
    fn channels(&self) -> (usize, usize);

    /// The features of normalised images `x` `(B, 3, H, W)`.
    ///
    /// # Errors
    /// When `x` has other than three channels, or, in training, when a channel somewhere has a single value.
    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Features>;
}

/// What a segmentation head reads.
pub struct Features {
    /// Shallow ones `(B, C, h, w)`, at stride 4.
    pub low: Tensor,
    /// Deep ones, at the output stride.
    pub high: Tensor,
}

/// The backbone of this name, with initial values.
///
/// # Errors
/// When the device has no room.
pub fn build(
    builder: &mut Builder<'_>,
    which: model::Backbone,
    width: f64,
    output_stride: usize,
) -> Result<Box<dyn Backbone>> {
    let family = match which {
        model::Backbone::Resnet18 => Family::RESNET18,
        model::Backbone::Resnet34 => Family::RESNET34,
        model::Backbone::Resnet50 => Family::RESNET50,
        model::Backbone::Resnet101 => Family::RESNET101,
        model::Backbone::EfficientNetLite0 => {
            return Ok(Box::new(EfficientNetLite::new(builder, width, output_stride)?));
        }
        model::Backbone::Dinov2 | model::Backbone::Segformer => bail!("{which:?} is frozen, and not trained"),
    };
    Ok(Box::new(ResNet::new(builder, family, width, output_stride)?))
}

/// Channels of a layer of `base` channels in a network of width `width`: rounded, and at least 8.
pub fn scaled(base: usize, width: f64) -> usize {
    ((base as f64 * width).round() as usize).max(8)
}

/// Follows the stride from stage to stage; one that would pass the output stride becomes dilation.
struct Strides {
    output_stride: usize,
    reached: usize,
    dilation: usize,
}

/// What became of a stage's stride.
struct Step {
    /// Of its first convolution.
    stride: usize,
    /// Dilation up to the convolution that had the stride: it sees its input as it always did.
    before: usize,
    /// Dilation of what follows, which sees more pixels than it was made for.
    after: usize,
}

impl Strides {
    /// Of a stem that has reached a stride.
    fn new(reached: usize, output_stride: usize) -> Self {
        Self { output_stride, reached, dilation: 1 }
    }

    /// Enters a stage of this stride.
    fn take(&mut self, stride: usize) -> Step {
        let before = self.dilation;
        let passes = self.reached * stride > self.output_stride;
        if passes {
            self.dilation *= stride;
        } else {
            self.reached *= stride;
        }
        Step { stride: if passes { 1 } else { stride }, before, after: self.dilation }
    }
}
