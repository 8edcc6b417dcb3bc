//! Two-dimensional convolution (cross-correlation, as in PyTorch), with stride, zero padding, dilation and groups.
//!
//! [`conv2d`] is the door. On a CPU it multiplies matrices, unless each output reads one input only:
//! - `dense`: tiles of about 512 output pixels, which span the images of a batch when feature maps are
//!   small, are unfolded (im2col) and multiplied with all weights at once;
//! - `pointwise`: 1×1 kernels at stride 1 multiply images where they lie;
//! - `dilated`: where dilation pushes most taps off the image (ASPP), each tap multiplies only the
//!   rectangle where it touches something;
//! - `winograd`: 3×3 kernels at stride 1, under any dilation, with 4 multiplications per output in place of 9;
//! - `grouped`: `dense` for each group of channels;
//! - `depthwise`: eight channels at a time, a sum over the taps of each pixel.
//!
//! `algorithm` chooses, by the sizes alone.
//! `geometry` says which pixels a tap reads, `panel` copies them in and out of
//! matrices, and `reference` is the path of other devices; with the feature `cudnn`, NVIDIA cards take `cudnn` instead.

mod algorithm;
mod bias;
#[cfg(feature = "cudnn")]
mod cudnn;
mod dense;
mod depthwise;
mod dilated;
mod geometry;
mod grouped;
mod panel;
mod pointwise;
mod reference;
#[cfg(any(feature = "cudnn", test))]
mod sides;
mod winograd;

use candle_core::{Result, Tensor, bail};

use self::geometry::Geometry;
use super::memory::Values;
use crate::nn::tape::Tape;

/// How a kernel walks over its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Input pixels between neighbouring output pixels.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: Padding,
    /// Input pixels between neighbouring taps.
    pub dilation: usize,
}

/// How many zeros surround an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The same number on every side, as in PyTorch.
    Each(usize),
    /// As many as give ceil(size / stride) outputs; an odd one goes below and to the right (TensorFlow's "SAME").
    Same,
}

impl Window {
    /// Stride 1, no dilation, no padding.
    pub const POINT: Self = Self { stride: 1, padding: Padding::Each(0), dilation: 1 };

    /// Padding that keeps the size at stride 1, for a kernel of odd side `kernel`.
    pub fn same(kernel: usize, stride: usize, dilation: usize) -> Self {
        Self { stride, padding: Padding::Each(dilation * (kernel / 2)), dilation }
    }
}

/// Convolves `x` `(B, C, H, W)` with `weight` `(O, C / groups, kh, kw)` to `(B, O, oh, ow)`.
///
/// How many groups of channels there are follows from the shapes: output channels of one read the input channels of
/// that group only.
///
/// # Errors
/// When the shapes don't fit, or the kernel is larger than the padded image.
pub fn conv2d(tape: &Tape, x: &Tensor, weight: &Tensor, window: Window) -> Result<Tensor> {
    let Some(geometry) = Geometry::new(x.dims(), weight.dims(), window) else {
        bail!("a kernel {:?} at {window:?} does not fit an input {:?}", weight.dims(), x.dims())
    };
    if !tape.runs_kernels() {
        #[cfg(feature = "cudnn")]
        if cudnn::takes(x, weight) {
            return cudnn::conv2d(x, weight, geometry);
        }
        return reference::conv2d(x, weight, geometry);
    }
    let out = algorithm::forward(&geometry, &Values::of(x)?, &Values::of(weight)?);
    let shape = (geometry.batch, geometry.outputs, geometry.out_height, geometry.out_width);
    let kept = (x.clone(), weight.clone());
    tape.push(out, shape, [x, weight], move |gradient, wanted| {
        let (x, weight) = (Values::of(&kept.0)?, Values::of(&kept.1)?);
        let (of_x, of_weight) = algorithm::backward(&geometry, &x, &weight, &gradient, wanted.into());
        Ok([wanted[0].then_some(of_x), wanted[1].then_some(of_weight)])
    })
}

/// Adds `bias` `(C)` to every pixel of `x` `(B, C, H, W)`.
///
/// # Errors
/// When the shapes don't fit.
pub fn add_bias(tape: &Tape, x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    let (_, channels, height, width) = x.dims4()?;
    if bias.dims() != [channels] {
        bail!("a bias {:?} does not fit {:?}", bias.dims(), x.dims())
    }
    if !tape.runs_kernels() {
        return x.broadcast_add(&bias.reshape((1, channels, 1, 1))?);
    }
    let pixels = height * width;
    let out = bias::forward(pixels, &Values::of(x)?, &Values::of(bias)?);
    tape.push(out, x.shape(), [x, bias], move |gradient, wanted| {
        let of_bias = wanted[1].then(|| bias::backward(pixels, channels, &gradient));
        Ok([wanted[0].then_some(gradient), of_bias])
    })
}

#[cfg(test)]
mod tests;
