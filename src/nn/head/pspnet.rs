//! PSPNet (Zhao et al. 2017) as the official code has it (`model/semseg/pspnet.py`), without the auxiliary head.
//!
//! The deep features are averaged over grids of 1, 2, 3 and 6 bins a side, reduced, resized back and put beside the
//! features; a 3×3 convolution and a classifier read them all. Channels follow from the features' alone.

use candle_core::{Result, Tensor};

use super::{Head, conv_norm};
use crate::nn::backbone::Features;
use crate::nn::layer::{Conv, ConvNorm, Pass, Shape};
use crate::nn::ops::concat::concat;
use crate::nn::ops::dropout::Unit;
use crate::nn::ops::pool::adaptive_average;
use crate::nn::ops::resize::{Corners, bilinear};
use crate::nn::params::Builder;

/// Bins a side of each level of the pyramid.
const BINS: [usize; 4] = [1, 2, 3, 6];

/// The head.
pub struct PspNet {
    levels: [ConvNorm; 4],
    fuse: ConvNorm,
    classifier: Conv,
}

impl PspNet {
    /// A head over deep features of `channels`.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(builder: &mut Builder<'_>, channels: usize, classes: usize) -> Result<Self> {
        let reduced = (channels / 4).max(8);
        let mut builder = builder.at("head");
        let mut builder = builder.at("conv5");
        let mut pyramid = builder.at("0");
        let mut level =
            |name: &str| conv_norm(&mut pyramid.at(name), ("0", "1"), Shape::point(channels, reduced));
        let levels = [level("conv1")?, level("conv2")?, level("conv3")?, level("conv4")?];
        let fuse = Shape::three(channels + levels.len() * reduced, reduced, 1, 1);
        Ok(Self {
            levels,
            fuse: conv_norm(&mut builder, ("1", "2"), fuse)?,
            classifier: Conv::new(&mut builder, "5", Shape::point(reduced, classes))?,
        })
    }

    /// The mean of each bin, reduced, at the features' resolution.
    fn level(&self, index: usize, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let means = adaptive_average(pass.tape(), x, BINS[index], BINS[index])?;
        let means = self.levels[index].forward(&means, pass)?;
        bilinear(pass.tape(), &means, height, width, Corners::Aligned)
    }
}

impl Head for PspNet {
    /// At the resolution of the deep features.
    fn forward(&self, Features { high: x, .. }: Features, pass: Pass<'_>) -> Result<Tensor> {
        let [a, b, c, d] = [0, 1, 2, 3].map(|index| self.level(index, &x, pass));
        let all = concat(pass.tape(), [&x, &a?, &b?, &c?, &d?])?;
        let x = pass.dropout(self.fuse.forward(&all, pass)?, 0.1, Unit::Value, "head.conv5")?;
        self.classifier.forward(&x, pass)
    }
}
