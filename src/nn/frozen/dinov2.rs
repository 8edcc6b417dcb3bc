//! DINOv2: a vision transformer (Oquab et al. 2023, <https://arxiv.org/abs/2304.07193>), as in Meta's code
//! (`dinov2/models/vision_transformer.py`), with the names of its released .pth files (`dinov2_vits14_pretrain.pth`, …).
//!
//! Width, depth, patch size and the width of the perceptrons follow from the shapes in the file; heads have 64 channels
//! in every released size. The variants with registers, and the giant one with its gated perceptrons, are refused: they
//! have names that this network has no use for.
//!
//! **Sizes.** A side that is no multiple of the patch is stretched to the next one (bilinear, edges kept), so that
//! the map covers the image, and no more than the image.

use candle_core::{Device, Result, Tensor};

use super::positions::Positions;
use super::source::{Affine, Module, Norm, Source};
use crate::nn::ops::attention::attention;
use crate::nn::ops::conv2d::{Padding, Window};
use crate::nn::ops::gelu::gelu;
use crate::nn::ops::resize::{Corners, bilinear};
use crate::nn::tape::Tape;
use crate::nn::weights::{WeightsError, WeightsFile, WeightsReport};

/// Channels of an attention head.
const HEAD: usize = 64;

/// What layer norms add to a variance.
const EPS: f64 = 1e-6;

/// What a file has for training alone, and a classifier.
const OTHERS: [&str; 2] = ["mask_token", "head."];

/// The network.
pub struct Dinov2 {
    channels: usize,
    patch: usize,
    embed: Affine,
    class: Tensor,
    positions: Positions,
    blocks: Vec<Block>,
    norm: Norm,
}

/// Attention between all tokens, then a perceptron on each, both added to what came in.
struct Block {
    heads: usize,
    norm1: Norm,
    qkv: Affine,
    /// With the factors of `ls1`.
    proj: Affine,
    norm2: Norm,
    fc1: Affine,
    /// With the factors of `ls2`.
    fc2: Affine,
}

impl Dinov2 {
    /// The network in a file, and which names of the file it has no use for.
    ///
    /// # Errors
    /// When the file holds another one, or the device has no room.
    pub fn new(
        weights: &WeightsFile,
        device: &Device,
    ) -> std::result::Result<(Self, WeightsReport), WeightsError> {
        let source = Source::new(weights, "backbone.", &OTHERS, device);
        let [channels, _, patch, _] = source.shape("patch_embed.proj.weight")?;
        let [_, tokens, _] = source.shape("pos_embed")?;
        let side = tokens.saturating_sub(1).isqrt();
        if tokens != 1 + side * side || side == 0 {
            let reason =
                format!("`pos_embed` has {tokens} tokens, which are no square of patches and one more");
            return Err(source.refuse(reason));
        }
        if channels % HEAD != 0 {
            let reason =
                format!("its {channels} channels are no multiple of the {HEAD} of an attention head");
            return Err(source.refuse(reason));
        }
        let depth = source.count("blocks.");
        let [hidden, _] = source.shape("blocks.0.mlp.fc1.weight")?;
        let build = || {
            let root = source.at("");
            let window = Window { stride: patch, padding: Padding::Each(0), dilation: 1 };
            let block = |number| Block::new(&source.at(&format!("blocks.{number}")), channels, hidden);
            Ok(Self {
                channels,
                patch,
                embed: source.at("patch_embed.proj").conv([channels, 3, patch, patch], window)?,
                class: root.tensor("cls_token", &[1, 1, channels])?.reshape((1, channels, 1, 1))?,
                positions: Positions::new(&root.tensor("pos_embed", &[1, tokens, channels])?, side)?,
                blocks: (0..depth).map(block).collect::<Result<_>>()?,
                norm: source.at("norm").norm(channels, EPS)?,
            })
        };
        let network = build();
        source.finish(network)
    }

    /// Channels C of the map.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The normalised patch tokens after the last block `(1, C, ceil(H / patch), ceil(W / patch))` of a normalised image
    /// `(1, 3, H, W)` (Meta's `get_intermediate_layers(x, n=1, reshape=True)`).
    ///
    /// # Errors
    /// When `x` has another shape.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let (height, width) = (height.div_ceil(self.patch), width.div_ceil(self.patch));
        let tape = Tape::silent(x.device());
        let x = bilinear(&tape, x, height * self.patch, width * self.patch, Corners::Free)?;
        let patches = self.embed.forward(&x)?.reshape((1, self.channels, 1, height * width))?;
        let tokens = Tensor::cat(&[&self.class, &patches], 3)?;
        let tokens = (tokens + self.positions.at(height, width)?)?;
        let tokens = self.blocks.iter().try_fold(tokens, |tokens, block| block.forward(&tokens))?;
        let patches = self.norm.forward(&tokens.narrow(3, 1, height * width)?)?;
        patches.reshape((1, self.channels, height, width))
    }
}

impl Block {
    fn new(module: &Module<'_>, channels: usize, hidden: usize) -> Result<Self> {
        let scale = |name| module.at(name).tensor("gamma", &[channels]);
        let attention = module.at("attn");
        Ok(Self {
            heads: channels / HEAD,
            norm1: module.at("norm1").norm(channels, EPS)?,
            qkv: attention.at("qkv").linear(channels, 3 * channels)?,
            proj: attention.at("proj").linear(channels, channels)?.scaled(&scale("ls1")?)?,
            norm2: module.at("norm2").norm(channels, EPS)?,
            fc1: module.at("mlp.fc1").linear(channels, hidden)?,
            fc2: module.at("mlp.fc2").linear(hidden, channels)?.scaled(&scale("ls2")?)?,
        })
    }

    /// `(1, C, 1, T)` to the same, for T tokens.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let channels = x.dim(1)?;
        let qkv = self.qkv.forward(&self.norm1.forward(x)?)?;
        let part = |number| qkv.narrow(1, number * channels, channels);
        let mixed = attention(&part(0)?, &part(1)?, &part(2)?, self.heads)?;
        let x = (x + self.proj.forward(&mixed)?)?;
        let hidden = gelu(&self.fc1.forward(&self.norm2.forward(&x)?)?)?;
        x + self.fc2.forward(&hidden)?
    }
}
