//! ResNet-18, -34, -50 and -101 with torchvision's parameter names, and strides replaced by dilation.
//!
//! He et al. 2016, as in torchvision and the official code's `model/backbone/resnet.py`. Every channel count is
//! multiplied by the width, rounded, and at least 8. At output stride 8 the strides of `layer3` and `layer4` become
//! dilations 2 and 4, at 16 the stride of `layer4` becomes dilation 2. A bottleneck layer's first block keeps the
//! dilation of the layer before, as torchvision has it. Neither torchvision nor the official code dilates basic blocks;
//! here all 3×3 convolutions of a dilated layer of ResNet-18 and -34 have the layer's dilation.

use candle_core::{Result, Tensor};

use super::{Backbone, Features, Strides, scaled};
use crate::nn::layer::{ConvNorm, Pass, Shape};
use crate::nn::ops::activation::Activation;
use crate::nn::ops::batch_norm::Form;
use crate::nn::ops::conv2d::{Padding, Window};
use crate::nn::ops::max_pool::max_pool;
use crate::nn::params::Builder;

/// A ResNet without its classifier.
pub struct ResNet {
    stem: ConvNorm,
    layers: [Vec<Block>; 4],
    /// After `layer1` and after `layer4`.
    channels: (usize, usize),
}

/// A residual block: two 3×3 convolutions, or 1×1, 3×3, 1×1.
struct Block {
    convs: Vec<ConvNorm>,
    shortcut: Option<ConvNorm>,
}

/// How blocks are built.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    blocks: [usize; 4],
    bottleneck: bool,
}

impl Family {
    /// Basic blocks.
    pub const RESNET18: Self = Self { blocks: [2, 2, 2, 2], bottleneck: false };
    /// Basic blocks.
    pub const RESNET34: Self = Self { blocks: [3, 4, 6, 3], bottleneck: false };
    /// Bottleneck blocks.
    pub const RESNET50: Self = Self { blocks: [3, 4, 6, 3], bottleneck: true };
    /// Bottleneck blocks.
    pub const RESNET101: Self = Self { blocks: [3, 4, 23, 3], bottleneck: true };

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
    pub fn new(builder: &mut Builder<'_>, family: Family, width: f64, output_stride: usize) -> Result<Self> {
        let first = scaled(64, width);
        let window = Window { stride: 2, padding: Padding::Each(3), dilation: 1 };
        let stem = conv_norm(builder, ("conv1", "bn1"), Shape::dense(3, first, 7, window), Activation::Relu)?;
        let mut layers: [Vec<Block>; 4] = Default::default();
        let (mut inputs, mut strides) = (first, Strides::new(4, output_stride));
        let mut channels = (0, 0);
        for (number, layer) in layers.iter_mut().enumerate() {
            let inner = scaled(64 << number, width);
            let outputs = scaled((64 << number) * family.expansion(), width);
            let step = strides.take(if number == 0 { 1 } else { 2 });
            let mut builder = builder.at(format_args!("layer{}", number + 1));
            for index in 0..family.blocks[number] {
                let first = index == 0;
                let stride = if first { step.stride } else { 1 };
                let dilation = if first && family.bottleneck { step.before } else { step.after };
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
}

impl Backbone for ResNet {
    fn channels(&self) -> (usize, usize) {
        self.channels
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Features> {
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
                conv_norm(builder, names, conv, Activation::Relu)
            })
            .collect::<Result<_>>()?;
        let shortcut = if stride != 1 || inputs != outputs {
            let shape = Shape::dense(inputs, outputs, 1, Window { stride, ..Window::POINT });
            Some(conv_norm(&mut builder.at("downsample"), ("0", "1"), shape, Activation::Identity)?)
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

/// A layer with the initial values of backbones.
fn conv_norm(
    builder: &mut Builder<'_>,
    names: (&str, &str),
    shape: Shape,
    activation: Activation,
) -> Result<ConvNorm> {
    ConvNorm::new(builder, names, shape, shape.backbone_init(), Form::with(activation))
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::nn::params::Parameters;
    use crate::nn::tape::Tape;

    fn build(family: Family, width: f64, output_stride: usize) -> Result<(ResNet, Parameters)> {
        let mut parameters = Parameters::default();
        let mut builder = Builder::new(&mut parameters, 0, "teacher", &Device::Cpu);
        let net = ResNet::new(&mut builder, family, width, output_stride)?;
        Ok((net, parameters))
    }

    #[test]
    fn parameter_counts_are_those_of_torchvision() -> Result<()> {
        // torchvision's resnet18, 34, 50 and 101 with `fc`, and what that has of them.
        let counts = [
            (Family::RESNET18, 11_689_512 - 513_000),
            (Family::RESNET34, 21_797_672 - 513_000),
            (Family::RESNET50, 25_557_032 - 2_049_000),
            (Family::RESNET101, 44_549_160 - 2_049_000),
        ];
        for (family, expected) in counts {
            let (_, parameters) = build(family, 1.0, 8)?;
            let count: usize = parameters.trainable.values().map(|v| v.elem_count()).sum();
            assert_eq!(count, expected, "{family:?}");
        }
        Ok(())
    }

    #[test]
    fn the_output_stride_is_kept_for_odd_sizes() -> Result<()> {
        let tape = Tape::silent(&Device::Cpu);
        for (output_stride, high) in [(8, (5, 7)), (16, (3, 4))] {
            for family in [Family::RESNET18, Family::RESNET34, Family::RESNET50] {
                let (net, _) = build(family, 0.125, output_stride)?;
                let features = net
                    .forward(&Tensor::zeros((1, 3, 33, 50), DType::F32, &Device::Cpu)?, Pass::Infer(&tape))?;
                assert_eq!(features.low.dims(), [1, net.channels.0, 9, 13]);
                assert_eq!(
                    features.high.dims(),
                    [1, net.channels.1, high.0, high.1],
                    "{family:?} {output_stride}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn names_are_those_of_torchvision() -> Result<()> {
        let (_, parameters) = build(Family::RESNET18, 0.125, 16)?;
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
