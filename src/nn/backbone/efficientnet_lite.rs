//! EfficientNet-Lite0: small, without squeeze-and-excitation, with ReLU6.
//!
//! Tan and Le 2019, in the variant that TensorFlow published for devices (`lite/efficientnet_lite_builder.py`). Names
//! of parameters are those of the PyTorch ports of it (`_conv_stem`, `_blocks.N._depthwise_conv`, …). The convolutions
//! pad as TensorFlow does ([`Padding::Same`]); symmetric padding with the same weights costs a point of accuracy on
//! ImageNet. The classifier and the 1×1 convolution before it (`_conv_head`, `_bn1`, `_fc`) are left out.
//!
//! Two things differ from the training that made the published weights: running averages take in a tenth of a batch's
//! statistics, as in the other networks here, where it was a hundredth, which a training of some hundred steps would
//! not get far with; and no block is skipped at random ("drop connect").

use candle_core::{Result, Tensor};

use super::{Backbone, Features, Strides, scaled};
use crate::nn::layer::{ConvNorm, Pass, Shape};
use crate::nn::ops::activation::Activation;
use crate::nn::ops::batch_norm::Form;
use crate::nn::ops::conv2d::{Padding, Window};
use crate::nn::params::Builder;

/// Added to variances: a hundred times PyTorch's default.
const EPSILON: f64 = 1e-3;

/// Channels of the stem.
const STEM: usize = 32;

/// Blocks of one width.
struct Stage {
    /// Channels inside a block per channel of its input.
    expansion: usize,
    channels: usize,
    blocks: usize,
    /// Of the first block.
    stride: usize,
    /// Side of the depthwise kernels.
    kernel: usize,
}

/// The seven stages.
const STAGES: [Stage; 7] = [
    Stage { expansion: 1, channels: 16, blocks: 1, stride: 1, kernel: 3 },
    Stage { expansion: 6, channels: 24, blocks: 2, stride: 2, kernel: 3 },
    Stage { expansion: 6, channels: 40, blocks: 2, stride: 2, kernel: 5 },
    Stage { expansion: 6, channels: 80, blocks: 3, stride: 2, kernel: 3 },
    Stage { expansion: 6, channels: 112, blocks: 3, stride: 1, kernel: 5 },
    Stage { expansion: 6, channels: 192, blocks: 4, stride: 2, kernel: 5 },
    Stage { expansion: 6, channels: 320, blocks: 1, stride: 1, kernel: 3 },
];

/// The block whose result is the shallow features: the last one at stride 4.
const SHALLOW: usize = 2;

/// An EfficientNet-Lite0 without its classifier.
pub struct EfficientNetLite {
    stem: ConvNorm,
    blocks: Vec<Block>,
    /// After block 2 and after the last one.
    channels: (usize, usize),
}

/// An inverted residual block: up by a 1×1 convolution, each channel on its own, down again without activation.
struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    /// Whether the input is added to the result: they have the same shape.
    residual: bool,
}

/// Sizes of one block.
struct BlockShape {
    inputs: usize,
    inner: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
}

impl EfficientNetLite {
    /// A network with the initial values of the original.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(builder: &mut Builder<'_>, width: f64, output_stride: usize) -> Result<Self> {
        let mut inputs = scaled(STEM, width);
        let stem = Shape::dense(3, inputs, 3, window(2, 1));
        let stem = conv_norm(builder, ("_conv_stem", "_bn0"), stem, Activation::Relu6)?;
        let mut blocks = Vec::new();
        let mut shallow = inputs;
        let mut strides = Strides::new(2, output_stride);
        for stage in &STAGES {
            let step = strides.take(stage.stride);
            let outputs = scaled(stage.channels, width);
            for index in 0..stage.blocks {
                let (stride, dilation) =
                    if index == 0 { (step.stride, step.before) } else { (1, step.after) };
                let (inner, kernel) = (inputs * stage.expansion, stage.kernel);
                let shape = BlockShape { inputs, inner, outputs, kernel, stride, dilation };
                let number = blocks.len();
                blocks.push(Block::new(&mut builder.at("_blocks").at(number), &shape)?);
                inputs = outputs;
                if number == SHALLOW {
                    shallow = outputs;
                }
            }
        }
        Ok(Self { stem, blocks, channels: (shallow, inputs) })
    }
}

impl Backbone for EfficientNetLite {
    fn channels(&self) -> (usize, usize) {
        self.channels
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Features> {
        let x = self.stem.forward(x, pass)?;
        let (shallow, deep) = self.blocks.split_at(SHALLOW + 1);
        let low = shallow.iter().try_fold(x, |x, block| block.forward(&x, pass))?;
        let high = deep.iter().try_fold(low.clone(), |x, block| block.forward(&x, pass))?;
        Ok(Features { low, high })
    }
}

impl Block {
    fn new(builder: &mut Builder<'_>, shape: &BlockShape) -> Result<Self> {
        let &BlockShape { inputs, inner, outputs, kernel, stride, dilation } = shape;
        let depthwise = Shape::depthwise(inner, kernel, window(stride, dilation));
        let expand = (inner != inputs).then(|| {
            conv_norm(builder, ("_expand_conv", "_bn0"), Shape::point(inputs, inner), Activation::Relu6)
        });
        let project = Shape::point(inner, outputs);
        Ok(Self {
            expand: expand.transpose()?,
            depthwise: conv_norm(builder, ("_depthwise_conv", "_bn1"), depthwise, Activation::Relu6)?,
            project: conv_norm(builder, ("_project_conv", "_bn2"), project, Activation::Identity)?,
            residual: stride == 1 && inputs == outputs,
        })
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let wide = self.expand.as_ref().map(|expand| expand.forward(x, pass)).transpose()?;
        let inner = self.depthwise.forward(wide.as_ref().unwrap_or(x), pass)?;
        drop(wide);
        if self.residual {
            self.project.forward_onto(&inner, x, pass)
        } else {
            self.project.forward(&inner, pass)
        }
    }
}

fn window(stride: usize, dilation: usize) -> Window {
    Window { stride, padding: Padding::Same, dilation }
}

/// A layer with the initial values and the epsilon of this network.
fn conv_norm(
    builder: &mut Builder<'_>,
    names: (&str, &str),
    shape: Shape,
    activation: Activation,
) -> Result<ConvNorm> {
    let form = Form { epsilon: EPSILON, activation };
    ConvNorm::new(builder, names, shape, shape.backbone_init(), form)
}

#[cfg(test)]
mod tests;
