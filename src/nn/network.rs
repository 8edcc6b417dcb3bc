//! A segmentation network: backbone, head, and the numbers in them.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var, bail};

use super::backbone::{self, Backbone, scaled};
use super::frozen::{self, Frozen};
use super::head::{self, Head};
use super::layer::Pass;
use super::ops::resize::{Corners, bilinear};
use super::params::{Builder, Parameters};
use super::tape::Tape;
use super::weights::{State, WeightsError, WeightsFile, WeightsReport};
use crate::spec::model;
use crate::spec::model::Model;
use crate::spec::normalisation::Normalisation;

pub use super::ops::dropout::DropoutAt;

/// What all backbone parameters' names start with.
const BACKBONE: &str = "backbone.";

/// Channels of SegFormer's decoder.
const DECODED: usize = 256;

/// Why a network could not be built.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// Only two output strides are meant.
    #[error("build a network of output stride {0}: it is 8 or 16")]
    OutputStride(usize),
    /// A width of nothing, or of no number.
    #[error("build a network of width {0}: it is a positive number, 1 for the network of the paper")]
    Width(f64),
    /// A segmentation needs something to tell apart.
    #[error("build a network for {0} classes: there are 2 to 255")]
    Classes(usize),
    /// A backbone that is not trained has nothing to start from.
    #[error(
        "build a network on the frozen {0:?}: its features are those of its weights, name their file in `model.weights`"
    )]
    NoFeatures(model::Backbone),
    /// Frozen features need more pixels.
    #[error(
        "train on crops of {crop}x{crop} pixels: the frozen backbone needs {least}, make `train.crop` larger"
    )]
    SmallCrop {
        /// Side of the crop.
        crop: usize,
        /// The smallest side.
        least: usize,
    },
    /// Heads learn with their backbone, or on frozen features.
    #[error(
        "build a head {head:?} on {backbone:?}: Linear and Mlp are for frozen backbones, and for no others"
    )]
    OtherHead {
        /// The backbone.
        backbone: model::Backbone,
        /// The head.
        head: model::Head,
    },
    /// The device refused.
    #[error("allocate a network")]
    Device(#[source] candle_core::Error),
}

/// A segmentation network with its parameters and running statistics.
///
/// [`Network::forward`] may be called from several threads at once, but not during [`Network::forward_train`] or while
/// an optimiser moves the parameters: no memory is at risk then, but the result is of no step in particular.
pub struct Network {
    body: Body,
    parameters: Parameters,
    normalisation: Normalisation,
}

enum Body {
    /// Backbone and head learn together.
    Whole(Box<dyn Backbone>, Box<dyn Head>),
    /// The head alone learns.
    Top(Arc<Frozen>, frozen::head::Head),
}

impl Network {
    /// A network with the initial values that belong to `seed` and `role`; `model.weights` is not read.
    ///
    /// # Errors
    /// When `model` or `classes` describe no network, or the device has no room for it; for a frozen backbone, of which
    /// there is no network without weights.
    pub fn new(
        model: &Model,
        classes: usize,
        seed: u64,
        role: &str,
        device: &Device,
    ) -> std::result::Result<Self, NetworkError> {
        let mut parameters = Parameters::default();
        let body = body(model, None, classes, &mut Builder::new(&mut parameters, seed, role, device))?;
        Ok(Self { body, parameters, normalisation: model.backbone.normalisation() })
    }

    /// A network without initial values, to load a state into.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn blank(model: &Model, classes: usize, device: &Device) -> std::result::Result<Self, NetworkError> {
        let mut parameters = Parameters::default();
        let body = body(model, None, classes, &mut Builder::blank(&mut parameters, device))?;
        Ok(Self { body, parameters, normalisation: model.backbone.normalisation() })
    }

    /// A head with the initial values that belong to `seed` and `role`, on frozen features.
    ///
    /// The head alone is the network's parameters and its state: the features are in the weights file they came from.
    ///
    /// # Errors
    /// When `model` or `classes` describe no such network, or the device has no room for it.
    pub fn on(
        features: Arc<Frozen>,
        model: &Model,
        classes: usize,
        seed: u64,
        role: &str,
        device: &Device,
    ) -> std::result::Result<Self, NetworkError> {
        let mut parameters = Parameters::default();
        let mut builder = Builder::new(&mut parameters, seed, role, device);
        let body = body(model, Some(features), classes, &mut builder)?;
        Ok(Self { body, parameters, normalisation: model.backbone.normalisation() })
    }

    /// A head without initial values on frozen features, to load a state into.
    ///
    /// # Errors
    /// As [`Network::on`].
    pub fn blank_on(
        features: Arc<Frozen>,
        model: &Model,
        classes: usize,
        device: &Device,
    ) -> std::result::Result<Self, NetworkError> {
        let mut parameters = Parameters::default();
        let body = body(model, Some(features), classes, &mut Builder::blank(&mut parameters, device))?;
        Ok(Self { body, parameters, normalisation: model.backbone.normalisation() })
    }

    /// Checks that crops of this side are large enough to learn from.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_crop(&self, crop: usize) -> std::result::Result<(), NetworkError> {
        let least = match &self.body {
            Body::Whole(..) => 1,
            Body::Top(frozen, _) => frozen.smallest(),
        };
        if crop < least { Err(NetworkError::SmallCrop { crop, least }) } else { Ok(()) }
    }

    /// Logits `(B, classes, H, W)` of normalised images `x` `(B, 3, H, W)`, to learn from: batch statistics, dropout
    /// if it is addressed, and gradients by `tape`. Running statistics take in the batch's.
    ///
    /// # Errors
    /// When `x` has another shape, or a single image (batch normalisation of the image's mean needs two).
    pub fn forward_train(&self, x: &Tensor, tape: &Tape, dropout: Option<&DropoutAt>) -> Result<Tensor> {
        self.forward_repeated(x, &[], tape, dropout)
    }

    /// As [`Network::forward_train`], to the bit; frozen features of image i are computed once only where `again[i]` says
    /// that this very image is to come again.
    ///
    /// # Errors
    /// As [`Network::forward_train`].
    pub fn forward_repeated(
        &self,
        x: &Tensor,
        again: &[bool],
        tape: &Tape,
        dropout: Option<&DropoutAt>,
    ) -> Result<Tensor> {
        self.run(x, again, Pass::Train { tape, dropout })
    }

    /// Logits `(B, classes, H, W)` of normalised images `x` `(B, 3, H, W)`, to predict with.
    ///
    /// # Errors
    /// When `x` has another shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(&x.detach(), &[], Pass::Infer(&Tape::silent(x.device())))
    }

    /// The same logits before they are resized to the image, as small as the head leaves them.
    ///
    /// # Errors
    /// When `x` has another shape.
    pub fn forward_small(&self, x: &Tensor) -> Result<Tensor> {
        self.small(&x.detach(), &[], Pass::Infer(&Tape::silent(x.device())))
    }

    fn run(&self, x: &Tensor, again: &[bool], pass: Pass<'_>) -> Result<Tensor> {
        let logits = self.small(x, again, pass)?;
        bilinear(pass.tape(), &logits, x.dim(2)?, x.dim(3)?, self.corners())
    }

    fn small(&self, x: &Tensor, again: &[bool], pass: Pass<'_>) -> Result<Tensor> {
        let (batch, channels, height, width) = x.dims4()?;
        if channels != 3 || batch * height * width == 0 {
            bail!("images are (B, 3, H, W) with at least one pixel, got {:?}", x.dims())
        }
        match &self.body {
            Body::Whole(backbone, head) => head.forward(backbone.forward(x, pass)?, pass),
            Body::Top(frozen, head) => head.forward(&frozen.features(x, again)?, pass),
        }
    }

    /// How small logits are resized to the image: frozen features cover it from edge to edge.
    pub fn corners(&self) -> Corners {
        match &self.body {
            Body::Whole(..) => Corners::Aligned,
            Body::Top(..) => Corners::Free,
        }
    }

    /// How the images that it is given are normalised.
    pub fn normalisation(&self) -> Normalisation {
        self.normalisation
    }

    /// The trainable parameters, sorted by name, and whether each is the head's: those learn faster
    /// (official code `main.py`: what is not named "backbone").
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Var, bool)> {
        self.parameters.trainable.iter().map(|(name, var)| (name.as_str(), var, !name.starts_with(BACKBONE)))
    }

    /// A copy of all parameters and running statistics.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn state(&self) -> Result<State> {
        self.parameters
            .all()
            .into_iter()
            .map(|(name, var)| Ok((name.to_owned(), var.as_detached_tensor().copy()?)))
            .collect()
    }

    /// Takes over all parameters and running statistics.
    ///
    /// # Errors
    /// When `state` is not of a network like this one; nothing is changed then.
    pub fn load_state(&self, state: &State) -> std::result::Result<(), WeightsError> {
        let own = self.parameters.all();
        let report = state.fit(&own);
        if !report.is_exact() {
            return Err(WeightsError::OtherNetwork { report });
        }
        state.fill(&own)
    }

    /// Takes pretrained weights over into the backbone and says what did not fit.
    ///
    /// # Errors
    /// When `weights` are of another network (`WeightsFile::for_backbone`); nothing is changed then.
    pub fn load_backbone(&self, weights: &WeightsFile) -> std::result::Result<WeightsReport, WeightsError> {
        let all = self.parameters.all();
        let own =
            all.into_iter().filter_map(|(name, var)| Some((name.strip_prefix(BACKBONE)?, var))).collect();
        let (state, report) = weights.for_backbone(&own)?;
        state.fill(&own)?;
        Ok(report)
    }
}

/// How the pretrained weights of a file fit the backbone of `model`, without a network to load them into.
///
/// # Errors
/// When `weights` are of another network (`WeightsFile::for_backbone`, [`Frozen::new`]).
pub fn fit_of(model: &Model, weights: &WeightsFile) -> std::result::Result<WeightsReport, WeightsError> {
    if let Some(family) = frozen::Family::of(model.backbone) {
        return Ok(Frozen::new(family, weights, &Device::Cpu)?.report().clone());
    }
    let mut parameters = Parameters::default();
    let mut builder = Builder::blank(&mut parameters, &Device::Cpu);
    backbone::build(&mut builder, model.backbone, model.width, model.output_stride)
        .map_err(WeightsError::Tensor)?;
    Ok(weights.for_backbone(&parameters.all())?.1)
}

fn body(
    model: &Model,
    features: Option<Arc<Frozen>>,
    classes: usize,
    builder: &mut Builder<'_>,
) -> std::result::Result<Body, NetworkError> {
    let Model { backbone, head, width, output_stride, .. } = *model;
    if backbone.is_frozen() != head.reads_frozen() {
        return Err(NetworkError::OtherHead { backbone, head });
    }
    if backbone.is_frozen() != features.is_some() {
        return Err(NetworkError::NoFeatures(backbone));
    }
    if ![8, 16].contains(&output_stride) {
        return Err(NetworkError::OutputStride(output_stride));
    }
    if !(width > 0.0 && width.is_finite()) {
        return Err(NetworkError::Width(width));
    }
    if !(2..=255).contains(&classes) {
        return Err(NetworkError::Classes(classes));
    }
    let build = || match features {
        Some(features) => {
            let channels = features.channels();
            let head = match head {
                model::Head::Linear => frozen::head::Head::linear(builder, &channels, classes)?,
                _ => frozen::head::Head::mlp(builder, &channels, scaled(DECODED, width), classes)?,
            };
            Ok(Body::Top(features, head))
        }
        None => {
            let backbone = backbone::build(&mut builder.at("backbone"), backbone, width, output_stride)?;
            let head = head::build(builder, head, backbone.channels(), classes, width, output_stride)?;
            Ok(Body::Whole(backbone, head))
        }
    };
    build().map_err(NetworkError::Device)
}

#[cfg(test)]
mod parity;
#[cfg(test)]
mod tests;
