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

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::nn::params::Parameters;

    /// Names and shapes of a head of the paper's width over a ResNet-50, for 21 classes.
    fn shapes(which: model::Head) -> Result<Vec<(String, Vec<usize>)>> {
        let mut parameters = Parameters::default();
        build(&mut Builder::blank(&mut parameters, &Device::Cpu), which, (256, 2048), 21, 1.0, 8)?;
        Ok(parameters.trainable.into_iter().map(|(name, var)| (name, var.dims().to_vec())).collect())
    }

    #[test]
    fn parameters_are_those_of_the_official_code() -> Result<()> {
        // Counted in PyTorch, without the backbone.
        for (which, count, name, shape) in [
            (model::Head::DeepLabV3Plus, 16_844_149, "fuse.0.weight", [256, 304, 3, 3]),
            (model::Head::PspNet, 23_084_565, "head.conv5.1.weight", [512, 4096, 3, 3]),
            (model::Head::DeepLabV2, 1_548_372, "classifier.3.weight", [21, 2048, 3, 3]),
        ] {
            let shapes = shapes(which)?;
            let found: usize = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
            assert_eq!(found, count, "{which}");
            assert!(shapes.contains(&(name.to_owned(), shape.to_vec())), "{which}: {shapes:?}");
        }
        Ok(())
    }
}
