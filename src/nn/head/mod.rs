//! Segmentation heads, as the official ST++ code builds them (`model/semseg`), with the same parameter names.
//!
//! [`deeplabv3plus`] · [`pspnet`] · [`deeplabv2`]. They were made for output stride 8; at 16 dilated convolutions
//! have half their rate, which keeps their reach in the image.

pub mod deeplabv2;
pub mod deeplabv3plus;
pub mod pspnet;

use candle_core::{Result, Tensor, bail};

use self::deeplabv2::DeepLabV2;
use self::deeplabv3plus::DeepLabV3Plus;
use self::pspnet::PspNet;
use super::backbone::Features;
use super::layer::{ConvNorm, Pass, Shape};
use super::ops::activation::Activation;
use super::ops::batch_norm::Form;
use super::params::Builder;
use crate::spec::model;

/// A segmentation head.
pub trait Head: Send + Sync {
    /// Logits `(B, classes, h, w)`, smaller than the image; the features are freed as soon as they were read.
    ///
    /// # Errors
    /// When the features don't fit the head, or, in training, when a channel somewhere has a single value.
    fn forward(&self, features: Features, pass: Pass<'_>) -> Result<Tensor>;
}

/// The head of this name over features of `channels` (shallow, deep), with PyTorch's default initial values.
///
/// # Errors
/// When the device has no room.
pub fn build(
    builder: &mut Builder<'_>,
    which: model::Head,
    channels: (usize, usize),
    classes: usize,
    width: f64,
    output_stride: usize,
) -> Result<Box<dyn Head>> {
    Ok(match which {
        model::Head::DeepLabV3Plus => {
            Box::new(DeepLabV3Plus::new(builder, channels, classes, width, output_stride)?)
        }
        model::Head::PspNet => Box::new(PspNet::new(builder, channels.1, classes)?),
        model::Head::Linear | model::Head::Mlp => bail!("{which:?} reads frozen features, and no others"),
        model::Head::DeepLabV2 => Box::new(DeepLabV2::new(builder, channels.1, classes, output_stride)?),
    })
}

/// A layer with PyTorch's default initial values and a ReLU.
fn conv_norm(builder: &mut Builder<'_>, names: (&str, &str), shape: Shape) -> Result<ConvNorm> {
    ConvNorm::new(builder, names, shape, shape.default_init(), Form::with(Activation::Relu))
}
