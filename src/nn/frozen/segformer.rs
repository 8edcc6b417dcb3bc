//! The encoder of SegFormer, MiT (Xie et al. 2021, <https://arxiv.org/abs/2105.15203>), as in Hugging Face's code and
//! with the names of its files (`nvidia/mit-b0` to `-b5`, and the segmentation models whose encoder they became).
//!
//! Widths, depths, the widths of the perceptrons and the reductions of attention follow from the shapes in the file;
//! heads (1, 2, 5, 8) and strides are the same in every released size. All layer norms add 1e-5, as there.

use candle_core::{Device, Result, Tensor, bail};

use super::source::{Affine, Module, Norm, Source};
use crate::nn::ops::attention::attention;
use crate::nn::ops::conv2d::{Padding, Window};
use crate::nn::ops::gelu::gelu;
use crate::nn::weights::{WeightsError, WeightsFile, WeightsReport};

/// Attention heads of the stages.
const HEADS: [usize; 4] = [1, 2, 5, 8];

/// Strides of the stages' patches, each relative to the map before.
const STRIDES: [usize; 4] = [4, 2, 2, 2];

/// What layer norms add to a variance.
const EPS: f64 = 1e-5;

/// Heads that a file may have.
const OTHERS: [&str; 2] = ["classifier.", "decode_head."];

/// The encoder.
pub struct Segformer {
    channels: [usize; 4],
    /// Smallest side of an image whose attention can be reduced.
    smallest: usize,
    stages: Vec<Stage>,
}

struct Stage {
    embed: Affine,
    embed_norm: Norm,
    blocks: Vec<Block>,
    norm: Norm,
}

/// Attention of every pixel to a reduced map, then a perceptron with a 3×3 convolution inside, both added to what came
/// in.
struct Block {
    heads: usize,
    norm1: Norm,
    /// A convolution whose stride is its size, and its norm.
    reduce: Option<(Affine, Norm)>,
    query: Affine,
    key: Affine,
    value: Affine,
    output: Affine,
    norm2: Norm,
    dense1: Affine,
    depthwise: Affine,
    dense2: Affine,
}

/// Sizes of a stage's blocks.
#[derive(Clone, Copy)]
struct Sizes {
    channels: usize,
    hidden: usize,
    heads: usize,
    /// Pixels of the map per pixel that is attended to, along an axis.
    reduction: usize,
}

impl Segformer {
    /// The encoder in a file, and which names of the file it has no use for.
    ///
    /// # Errors
    /// When the file holds another network, or the device has no room.
    pub fn new(
        weights: &WeightsFile,
        device: &Device,
    ) -> std::result::Result<(Self, WeightsReport), WeightsError> {
        let source = Source::new(weights, "segformer.", &OTHERS, device);
        let (mut channels, mut smallest) = ([0; 4], 1);
        let mut plans = Vec::new();
        let (mut inputs, mut reached) = (3, 1);
        for number in 0..4 {
            let [width, _, kernel, _] =
                source.shape(&format!("encoder.patch_embeddings.{number}.proj.weight"))?;
            let block = format!("encoder.block.{number}.0");
            let [hidden, _] = source.shape(&format!("{block}.mlp.dense1.weight"))?;
            let reduce = format!("{block}.attention.self.sr.weight");
            let [_, _, reduction, _] = if source.has(&reduce) { source.shape(&reduce)? } else { [1; 4] };
            let heads = HEADS[number];
            if width % heads != 0 {
                let reason = format!(
                    "the {width} channels of stage {number} are no multiple of its {heads} attention heads"
                );
                return Err(source.refuse(reason));
            }
            reached *= STRIDES[number];
            // A map of `reduction` pixels: ceil(side / reached) of them.
            smallest = smallest.max((reduction - 1) * reached + 1);
            plans.push((inputs, kernel, Sizes { channels: width, hidden, heads, reduction }));
            channels[number] = width;
            inputs = width;
        }
        let stage = |(number, &(inputs, kernel, sizes)): (usize, &(usize, usize, Sizes))| {
            Stage::new(&source, number, inputs, kernel, sizes)
        };
        let stages: Result<_> = plans.iter().enumerate().map(stage).collect();
        source.finish(stages.map(|stages| Self { channels, smallest, stages }))
    }

    /// The smallest side of an image in pixels.
    pub fn smallest(&self) -> usize {
        self.smallest
    }

    /// Channels of the four maps.
    pub fn channels(&self) -> [usize; 4] {
        self.channels
    }

    /// The maps `(1, C, ceil(H / s), ceil(W / s))` of a normalised image `(1, 3, H, W)`, s = 4, 8, 16, 32.
    ///
    /// # Errors
    /// When `x` has another shape, or is so small that a reduced map would have no pixel.
    pub fn forward(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let (_, _, height, width) = x.dims4()?;
        if height.min(width) < self.smallest {
            bail!(
                "SegFormer with these weights reads images of at least {0}x{0} pixels, got {height}x{width}",
                self.smallest
            )
        }
        let mut x = x.clone();
        let mut maps = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            x = stage.forward(&x)?;
            maps.push(x.clone());
        }
        Ok(maps)
    }
}

impl Stage {
    fn new(source: &Source<'_>, number: usize, inputs: usize, kernel: usize, sizes: Sizes) -> Result<Self> {
        let embed = source.at(&format!("encoder.patch_embeddings.{number}"));
        let stride = STRIDES[number];
        let window = Window { stride, padding: Padding::Each(kernel / 2), dilation: 1 };
        let depth = source.count(&format!("encoder.block.{number}."));
        let block = |index| Block::new(&source.at(&format!("encoder.block.{number}.{index}")), sizes);
        Ok(Self {
            embed: embed.at("proj").conv([sizes.channels, inputs, kernel, kernel], window)?,
            embed_norm: embed.at("layer_norm").norm(sizes.channels, EPS)?,
            blocks: (0..depth).map(block).collect::<Result<_>>()?,
            norm: source.at(&format!("encoder.layer_norm.{number}")).norm(sizes.channels, EPS)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.embed_norm.forward(&self.embed.forward(x)?)?;
        let x = self.blocks.iter().try_fold(x, |x, block| block.forward(&x))?;
        self.norm.forward(&x)
    }
}

impl Block {
    fn new(module: &Module<'_>, sizes: Sizes) -> Result<Self> {
        let Sizes { channels, hidden, heads, reduction } = sizes;
        let attention = module.at("attention.self");
        let linear = |name| attention.at(name).linear(channels, channels);
        let reduce = || -> Result<_> {
            let window = Window { stride: reduction, padding: Padding::Each(0), dilation: 1 };
            let conv = attention.at("sr").conv([channels, channels, reduction, reduction], window)?;
            Ok((conv, attention.at("layer_norm").norm(channels, EPS)?))
        };
        Ok(Self {
            heads,
            norm1: module.at("layer_norm_1").norm(channels, EPS)?,
            reduce: (reduction > 1).then(reduce).transpose()?,
            query: linear("query")?,
            key: linear("key")?,
            value: linear("value")?,
            output: module.at("attention.output.dense").linear(channels, channels)?,
            norm2: module.at("layer_norm_2").norm(channels, EPS)?,
            dense1: module.at("mlp.dense1").linear(channels, hidden)?,
            depthwise: module.at("mlp.dwconv.dwconv").conv([hidden, 1, 3, 3], Window::same(3, 1, 1))?,
            dense2: module.at("mlp.dense2").linear(hidden, channels)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let normal = self.norm1.forward(x)?;
        let query = self.query.forward(&normal)?;
        let around = match &self.reduce {
            Some((conv, norm)) => norm.forward(&conv.forward(&normal)?)?,
            None => normal,
        };
        let mixed =
            attention(&query, &self.key.forward(&around)?, &self.value.forward(&around)?, self.heads)?;
        let x = (x + self.output.forward(&mixed)?)?;
        let hidden = self.depthwise.forward(&self.dense1.forward(&self.norm2.forward(&x)?)?)?;
        x + self.dense2.forward(&gelu(&hidden)?)?
    }
}
