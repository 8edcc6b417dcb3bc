//! Convolution, and convolution + batch normalisation + activation, as every network here uses them.

use std::fmt::Display;

use candle_core::{Result, Tensor, Var};

use super::ops::batch_norm::{self, Form, batch_norm, scale_shift};
use super::ops::conv2d::{Window, add_bias, conv2d};
use super::ops::dropout::{DropoutAt, Unit, dropout};
use super::params::{Builder, Init};
use super::tape::Tape;

/// Share of a batch's statistics in the running averages (PyTorch's `momentum`).
const MOMENTUM: f64 = 0.1;

/// Why a network is run.
#[derive(Clone, Copy)]
pub enum Pass<'a> {
    /// To learn: batch statistics, which running averages take in; dropout, if addressed; gradients.
    Train {
        /// Where gradients are written down.
        tape: &'a Tape,
        /// Where in a training this is.
        dropout: Option<&'a DropoutAt>,
    },
    /// To predict: running averages, no dropout, no gradients.
    Infer(&'a Tape),
}

impl<'a> Pass<'a> {
    /// The tape that operations write to.
    pub fn tape(self) -> &'a Tape {
        match self {
            Pass::Train { tape, .. } | Pass::Infer(tape) => tape,
        }
    }

    /// The tensor of a parameter: with gradients when training.
    fn read(self, var: &Var) -> Tensor {
        match self {
            Pass::Train { .. } => var.as_tensor().clone(),
            Pass::Infer(_) => var.as_detached_tensor(),
        }
    }

    /// Dropout of `x` as the layer of this name does it, in training.
    ///
    /// # Errors
    /// When `x` has other than four dimensions.
    pub fn dropout(self, x: Tensor, p: f64, unit: Unit, layer: &str) -> Result<Tensor> {
        match self {
            Pass::Train { tape, dropout: Some(at) } => dropout(tape, &x, p, unit, at, layer),
            Pass::Train { dropout: None, .. } | Pass::Infer(_) => Ok(x),
        }
    }
}

/// Sizes of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Side of the square kernel.
    pub kernel: usize,
    /// Groups of channels that don't see each other.
    pub groups: usize,
    /// Stride, padding, dilation.
    pub window: Window,
}

impl Shape {
    /// A convolution of all channels.
    pub fn dense(inputs: usize, outputs: usize, kernel: usize, window: Window) -> Self {
        Self { inputs, outputs, kernel, groups: 1, window }
    }

    /// A 1×1 convolution.
    pub fn point(inputs: usize, outputs: usize) -> Self {
        Self::dense(inputs, outputs, 1, Window::POINT)
    }

    /// A 3×3 convolution that keeps the size at stride 1.
    pub fn three(inputs: usize, outputs: usize, stride: usize, dilation: usize) -> Self {
        Self::dense(inputs, outputs, 3, Window::same(3, stride, dilation))
    }

    /// A convolution of every channel on its own.
    pub fn depthwise(channels: usize, kernel: usize, window: Window) -> Self {
        Self { inputs: channels, outputs: channels, kernel, groups: channels, window }
    }

    fn dims(&self) -> [usize; 4] {
        [self.outputs, self.inputs / self.groups, self.kernel, self.kernel]
    }

    /// PyTorch's default initial values, which the official heads keep: uniform within 1 / sqrt(inputs · taps).
    pub fn default_init(&self) -> Init {
        let fan = self.inputs / self.groups * self.kernel * self.kernel;
        Init::Uniform { bound: 1.0 / (fan as f64).sqrt() }
    }

    /// Initial values of backbones: normal with variance 2 / (outputs · taps), the outputs being those of a group.
    ///
    /// torchvision's ResNets (`kaiming_normal_(mode="fan_out")`), and EfficientNet as it was first published.
    pub fn backbone_init(&self) -> Init {
        let fan = self.outputs / self.groups * self.kernel * self.kernel;
        Init::Normal { deviation: (2.0 / fan as f64).sqrt() }
    }
}

/// Batch normalisation and an activation.
pub struct Norm {
    weight: Var,
    bias: Var,
    mean: Var,
    variance: Var,
    form: Form,
}

impl Norm {
    /// The submodule `name`, which normalises `channels` channels.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(builder: &mut Builder<'_>, name: &str, channels: usize, form: Form) -> Result<Self> {
        let mut norm = builder.at(name);
        Ok(Self {
            weight: norm.trainable("weight", &[channels], Init::Constant(1.0))?,
            bias: norm.trainable("bias", &[channels], Init::Constant(0.0))?,
            mean: norm.running("running_mean", channels, 0.0)?,
            variance: norm.running("running_var", channels, 1.0)?,
            form,
        })
    }

    /// `(B, C, H, W)` to the same, with `shortcut` added before the activation. In inference the memory of `x` is
    /// reused: it must not be used elsewhere.
    ///
    /// # Errors
    /// When the shapes don't fit, or, in training, when a channel has a single value.
    pub fn forward(&self, x: Tensor, shortcut: Option<&Tensor>, pass: Pass<'_>) -> Result<Tensor> {
        let tape = pass.tape();
        let (weight, bias) = (pass.read(&self.weight), pass.read(&self.bias));
        match pass {
            Pass::Train { .. } => {
                let (out, batch) = batch_norm(tape, &x, (&weight, &bias), shortcut, self.form)?;
                take_in(&self.mean, &batch.mean)?;
                take_in(&self.variance, &batch.variance)?;
                Ok(out)
            }
            Pass::Infer(_) => {
                let (mean, variance) = (self.mean.as_detached_tensor(), self.variance.as_detached_tensor());
                let (scale, shift) = batch_norm::fold(&weight, &bias, &mean, &variance, self.form.epsilon)?;
                scale_shift(tape, x, (&scale, &shift), shortcut, self.form.activation)
            }
        }
    }
}

/// Convolution without bias, batch normalisation, and an activation.
pub struct ConvNorm {
    kernel: Var,
    window: Window,
    norm: Norm,
}

impl ConvNorm {
    /// The layer whose convolution and normalisation are the submodules `names` of the builder's.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(
        builder: &mut Builder<'_>,
        names: (&str, &str),
        shape: Shape,
        init: Init,
        form: Form,
    ) -> Result<Self> {
        let kernel = builder.at(names.0).trainable("weight", &shape.dims(), init)?;
        Ok(Self { kernel, window: shape.window, norm: Norm::new(builder, names.1, shape.outputs, form)? })
    }

    /// How the kernel walks over its input.
    pub fn window(&self) -> Window {
        self.window
    }

    /// `(B, C, H, W)` to `(B, O, oh, ow)`.
    ///
    /// # Errors
    /// When the shapes don't fit, or, in training, when a channel of the result has a single value.
    pub fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        self.run(x, None, pass)
    }

    /// As [`ConvNorm::forward`], with `shortcut` `(B, O, oh, ow)` added before the activation.
    ///
    /// # Errors
    /// As [`ConvNorm::forward`].
    pub fn forward_onto(&self, x: &Tensor, shortcut: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        self.run(x, Some(shortcut), pass)
    }

    fn run(&self, x: &Tensor, shortcut: Option<&Tensor>, pass: Pass<'_>) -> Result<Tensor> {
        let out = conv2d(pass.tape(), x, &pass.read(&self.kernel), self.window)?;
        self.norm.forward(out, shortcut, pass)
    }
}

/// Moves a running average towards a batch's value.
fn take_in(running: &Var, batch: &Tensor) -> Result<()> {
    let kept = (running.as_detached_tensor() * (1.0 - MOMENTUM))?;
    running.set(&(kept + (batch * MOMENTUM)?)?)
}

/// Convolution with a bias.
pub struct Conv {
    weight: Var,
    bias: Var,
    window: Window,
}

impl Conv {
    /// The submodule `name`, with PyTorch's default initial values.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(builder: &mut Builder<'_>, name: impl Display, shape: Shape) -> Result<Self> {
        Self::starting(builder, name, shape, shape.default_init())
    }

    /// The submodule `name`, whose weight starts as `init` says and whose bias as PyTorch has it.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn starting(builder: &mut Builder<'_>, name: impl Display, shape: Shape, init: Init) -> Result<Self> {
        let mut conv = builder.at(name);
        let weight = conv.trainable("weight", &shape.dims(), init)?;
        let bias = conv.trainable("bias", &[shape.outputs], shape.default_init())?;
        Ok(Self { weight, bias, window: shape.window })
    }

    /// `(B, C, H, W)` to `(B, O, oh, ow)`.
    ///
    /// # Errors
    /// When the shapes don't fit.
    pub fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let out = conv2d(pass.tape(), x, &pass.read(&self.weight), self.window)?;
        add_bias(pass.tape(), &out, &pass.read(&self.bias))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_values_are_those_of_pytorch() {
        // torch.nn.init._calculate_fan_in_and_fan_out of (64, 32, 3, 3).
        let shape = Shape::three(32, 64, 1, 1);
        assert_eq!(shape.default_init(), Init::Uniform { bound: 1.0 / 288f64.sqrt() });
        assert_eq!(shape.backbone_init(), Init::Normal { deviation: (2.0f64 / 576.0).sqrt() });
    }

    #[test]
    fn a_channel_on_its_own_starts_by_its_own_taps() {
        let shape = Shape::depthwise(96, 5, Window::same(5, 1, 1));
        assert_eq!(shape.dims(), [96, 1, 5, 5]);
        assert_eq!(shape.default_init(), Init::Uniform { bound: 0.2 });
        assert_eq!(shape.backbone_init(), Init::Normal { deviation: (2.0f64 / 25.0).sqrt() });
    }
}
