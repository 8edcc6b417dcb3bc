//! ResNet-18, -50 and -101 with torchvision's parameter names, and strides replaced by dilation.
//!
//! He et al. 2016, as in torchvision and the official code's `model/backbone/resnet.py`. Every channel count is
//! multiplied by the width, rounded, and at least 8. At output stride 8 the strides of `layer3` and `layer4` become
//! dilations 2 and 4, at 16 the stride of `layer4` becomes dilation 2. A bottleneck layer's first block keeps the
//! dilation of the layer before, as torchvision has it. torchvision refuses to dilate basic blocks; here all 3×3
//! convolutions of a dilated layer of ResNet-18 have the layer's dilation.

use candle_core::{Result, Tensor};

use super::scaled;
use crate::nn::layer::{ConvNorm, Pass, Shape};
use crate::nn::ops::activation::Activation;
use crate::nn::ops::batch_norm::Form;
use crate::nn::ops::conv2d::{Padding, Window};
use crate::nn::ops::max_pool::max_pool;
use crate::nn::params::{Builder, Init};
use crate::spec::model::Backbone;

/// A ResNet without its classifier.
pub struct ResNet {
    stem: ConvNorm,
    layers: [Vec<Block>; 4],
    /// Channels after `layer1` and after `layer4`.
    pub channels: (usize, usize),
}

/// What a segmentation head reads.
pub struct Features {
    /// After `layer1`: stride 4.
    pub low: Tensor,
    /// After `layer4`: the output stride.
    pub high: Tensor,
}

/// A residual block: two 3×3 convolutions, or 1×1, 3×3, 1×1.
struct Block {
    convs: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
}

/// How blocks are built.
#[derive(Clone, Copy)]
struct Family {
    blocks: [usize; 4],
    bottleneck: bool,
}

impl Family {
    fn of(backbone: Backbone) -> Self {
        let (blocks, bottleneck) = match backbone {
            Backbone::Resnet18 => ([2, 2, 2, 2], false),
            Backbone::Resnet50 => ([3, 4, 6, 3], true),
            Backbone::Resnet101 => ([3, 4, 23, 3], true),
        };
        Self { blocks, bottleneck }
    }

    /// A block's output channels per inner channel.
    fn expansion(self) -> usize {
        if self.bottleneck { 4 } else { 1 }
    }
}

/// Channels, stride and dilation of one block.
#[derive(Clone, Copy)]
struct BlockShape {
    inputs: usize,
    inner: usize,
    outputs: usize,
    stride: usize,
    dilation: usize,
}

impl ResNet {
    /// A network with initial values of torchvision's kind.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(
        builder: &mut Builder<'_>,
        backbone: Backbone,
        width: f64,
        output_stride: usize,
    ) -> Result<Self> {
        let family = Family::of(backbone);
        let first = scaled(64, width);
        let window = Window { stride: 2, padding: Padding::Each(3), dilation: 1 };
        let stem = Shape { inputs: 3, outputs: first, kernel: 7, window };
        let stem =
            ConvNorm::new(builder, ("conv1", "bn1"), stem, Init::FanOut, Form::with(Activation::Relu))?;
        let mut layers: [Vec<Block>; 4] = Default::default();
        let (mut inputs, mut reached, mut dilation) = (first, 4, 1);
        let mut channels = (0, 0);
        for (number, layer) in layers.iter_mut().enumerate() {
            let inner = scaled(64 << number, width);
            let outputs = scaled((64 << number) * family.expansion(), width);
            let before = dilation;
            let mut stride = if number == 0 { 1 } else { 2 };
            if reached * stride > output_stride {
                dilation *= stride;
                stride = 1;
            }
            reached *= stride;
            let mut builder = builder.at(format_args!("layer{}", number + 1));
            for index in 0..family.blocks[number] {
                let first = index == 0;
                let stride = if first { stride } else { 1 };
                let dilation = if first && family.bottleneck { before } else { dilation };
                let shape = BlockShape { inputs, inner, outputs, stride, dilation };
                layer.push(Block::new(&mut builder.at(index), family.bottleneck, shape)?);
                inputs = outputs;
            }
            if number == 0 {
                channels.0 = outputs;
            }
            channels.1 = outputs;
        }
        Ok(Self { stem, layers, channels })
    }

    /// The features of `x` `(B, 3, H, W)`.
    ///
    /// # Errors
    /// When `x` has other than three channels.
    pub fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Features> {
        let mut x = max_pool(pass.tape(), &self.stem.forward(x, pass)?)?;
        let mut low = None;
        for layer in &self.layers {
            for block in layer {
                x = block.forward(&x, pass)?;
            }
            low.get_or_insert_with(|| x.clone());
        }
        let low = low.expect("there are four layers");
        Ok(Features { low, high: x })
    }
}

impl Block {
    fn new(builder: &mut Builder<'_>, bottleneck: bool, shape: BlockShape) -> Result<Self> {
        let BlockShape { inputs, inner, outputs, stride, dilation } = shape;
        let convs = if bottleneck {
            vec![
                Shape::point(inputs, inner),
                Shape::three(inner, inner, stride, dilation),
                Shape::point(inner, outputs),
            ]
        } else {
            vec![Shape::three(inputs, inner, stride, dilation), Shape::three(inner, outputs, 1, dilation)]
        };
        let convs = (1..)
            .zip(convs)
            .map(|(n, conv)| {
                let names = (&*format!("conv{n}"), &*format!("bn{n}"));
                ConvNorm::new(builder, names, conv, Init::FanOut, Form::with(Activation::Relu))
            })
            .collect::<Result<_>>()?;
        let shortcut = if stride != 1 || inputs != outputs {
            let window = Window { stride, ..Window::POINT };
            let shape = Shape { inputs, outputs, kernel: 1, window };
            Some(ConvNorm::new(
                &mut builder.at("downsample"),
                ("0", "1"),
                shape,
                Init::FanOut,
                Form::with(Activation::Identity),
            )?)
        } else {
            None
        };
        Ok(Self { convs, shortcut })
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let (last, before) = self.convs.split_last().expect("a block has convolutions");
        let inner = before.iter().try_fold(x.clone(), |x, conv| conv.forward(&x, pass))?;
        match &self.shortcut {
            Some(shortcut) => last.forward_onto(&inner, &shortcut.forward(x, pass)?, pass),
            None => last.forward_onto(&inner, x, pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::nn::params::Parameters;
    use crate::nn::tape::Tape;

    fn build(backbone: Backbone, width: f64, output_stride: usize) -> Result<(ResNet, Parameters)> {
        let mut parameters = Parameters::default();
        let mut builder = Builder::new(&mut parameters, 0, "teacher", &Device::Cpu);
        let net = ResNet::new(&mut builder, backbone, width, output_stride)?;
        Ok((net, parameters))
    }

    #[test]
    fn parameter_counts_are_those_of_torchvision() -> Result<()> {
        // torchvision's resnet18/50/101 without `fc`: 11 689 512 - 513 000, 25 557 032 - 2 049 000, 44 549 160 - 2 049 000.
        let counts = [
            (Backbone::Resnet18, 11_176_512),
            (Backbone::Resnet50, 23_508_032),
            (Backbone::Resnet101, 42_500_160),
        ];
        for (backbone, expected) in counts {
            let (_, parameters) = build(backbone, 1.0, 8)?;
            let count: usize = parameters.trainable.values().map(|v| v.elem_count()).sum();
            assert_eq!(count, expected, "{backbone:?}");
        }
        Ok(())
    }

    #[test]
    fn the_output_stride_is_kept_for_odd_sizes() -> Result<()> {
        let tape = Tape::silent(&Device::Cpu);
        for (output_stride, high) in [(8, (5, 7)), (16, (3, 4))] {
            for backbone in [Backbone::Resnet18, Backbone::Resnet50] {
                let (net, _) = build(backbone, 0.125, output_stride)?;
                let features = net
                    .forward(&Tensor::zeros((1, 3, 33, 50), DType::F32, &Device::Cpu)?, Pass::Infer(&tape))?;
                assert_eq!(features.low.dims(), [1, net.channels.0, 9, 13]);
                assert_eq!(
                    features.high.dims(),
                    [1, net.channels.1, high.0, high.1],
                    "{backbone:?} {output_stride}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn names_are_those_of_torchvision() -> Result<()> {
        let (_, parameters) = build(Backbone::Resnet18, 0.125, 16)?;
        let names: Vec<_> = parameters.all().into_keys().filter(|n| !n.starts_with("layer3")).collect();
        for expected in [
            "conv1.weight",
            "bn1.running_var",
            "layer1.0.conv1.weight",
            "layer2.0.downsample.0.weight",
            "layer2.0.downsample.1.bias",
            "layer4.1.bn2.running_mean",
        ] {
            assert!(names.contains(&expected), "{expected} is not among {names:?}");
        }
        Ok(())
    }
}
