//! DeepLabV3+ as the official code builds it (`model/semseg/deeplabv3plus.py`), with the same parameter names.
//!
//! Atrous spatial pyramid pooling over the deep features, a 1×1 reduction of the shallow ones, two 3×3 convolutions
//! over both, a classifier. Channel counts of the head scale with the network's width like the backbone's. The rates
//! 12, 24, 36 belong to output stride 8; at 16 they are halved, which keeps their reach in the image.

use candle_core::{Result, Tensor};

use super::{Head, conv_norm};
use crate::nn::backbone::{Features, scaled};
use crate::nn::layer::{Conv, ConvNorm, Pass, Shape};
use crate::nn::ops::concat::concat;
use crate::nn::ops::dropout::Unit;
use crate::nn::ops::pool::adaptive_average;
use crate::nn::ops::resize::{Corners, bilinear};
use crate::nn::params::Builder;

/// Channels the shallow features are reduced to.
const REDUCED: usize = 48;

/// Channels of the two last 3×3 convolutions.
const FUSED: usize = 256;

/// The head.
pub struct DeepLabV3Plus {
    pyramid: Pyramid,
    reduce: ConvNorm,
    fuse: [ConvNorm; 2],
    classifier: Conv,
}

/// Atrous spatial pyramid pooling: one 1×1 and three dilated 3×3 convolutions and the image's mean, side by side.
struct Pyramid {
    branches: [ConvNorm; 4],
    pool: ConvNorm,
    project: ConvNorm,
}

impl DeepLabV3Plus {
    /// A head over features of `channels` (shallow, deep).
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(
        builder: &mut Builder<'_>,
        channels: (usize, usize),
        classes: usize,
        width: f64,
        output_stride: usize,
    ) -> Result<Self> {
        let pooled = (channels.1 / 8).max(8);
        let (reduced, fused) = (scaled(REDUCED, width), scaled(FUSED, width));
        let rates = if output_stride == 8 { [12, 24, 36] } else { [6, 12, 18] };
        let reduce = Shape::point(channels.0, reduced);
        let first = Shape::three(pooled + reduced, fused, 1, 1);
        let second = Shape::three(fused, fused, 1, 1);
        Ok(Self {
            pyramid: Pyramid::new(&mut builder.at("head"), channels.1, pooled, rates)?,
            reduce: conv_norm(&mut builder.at("reduce"), ("0", "1"), reduce)?,
            fuse: [
                conv_norm(&mut builder.at("fuse"), ("0", "1"), first)?,
                conv_norm(&mut builder.at("fuse"), ("3", "4"), second)?,
            ],
            classifier: Conv::new(builder, "classifier", Shape::point(fused, classes))?,
        })
    }
}

impl Head for DeepLabV3Plus {
    /// At the resolution of the shallow features.
    fn forward(&self, features: Features, pass: Pass<'_>) -> Result<Tensor> {
        let Features { low, high } = features;
        let (_, _, height, width) = low.dims4()?;
        let deep = self.pyramid.forward(&high, pass)?;
        drop(high);
        let deep = bilinear(pass.tape(), &deep, height, width, Corners::Aligned)?;
        let shallow = self.reduce.forward(&low, pass)?;
        drop(low);
        let mut x = concat(pass.tape(), [&shallow, &deep])?;
        drop((shallow, deep));
        for conv in &self.fuse {
            x = conv.forward(&x, pass)?;
        }
        let x = pass.dropout(x, 0.1, Unit::Value, "fuse")?;
        self.classifier.forward(&x, pass)
    }
}

impl Pyramid {
    fn new(builder: &mut Builder<'_>, inputs: usize, outputs: usize, rates: [usize; 3]) -> Result<Self> {
        let point = Shape::point(inputs, outputs);
        let dilated = |rate| Shape::three(inputs, outputs, 1, rate);
        Ok(Self {
            branches: [
                conv_norm(&mut builder.at("b0"), ("0", "1"), point)?,
                conv_norm(&mut builder.at("b1"), ("0", "1"), dilated(rates[0]))?,
                conv_norm(&mut builder.at("b2"), ("0", "1"), dilated(rates[1]))?,
                conv_norm(&mut builder.at("b3"), ("0", "1"), dilated(rates[2]))?,
            ],
            pool: conv_norm(&mut builder.at("b4").at("gap"), ("1", "2"), point)?,
            project: conv_norm(&mut builder.at("project"), ("0", "1"), Shape::point(5 * outputs, outputs))?,
        })
    }

    fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Result<Tensor> {
        let (_, _, height, width) = x.dims4()?;
        let [b0, b1, b2, b3] = &self.branches;
        let [b0, b1, b2, b3] = [b0, b1, b2, b3].map(|branch| branch.forward(x, pass));
        let mean = self.pool.forward(&adaptive_average(pass.tape(), x, 1, 1)?, pass)?;
        let mean = bilinear(pass.tape(), &mean, height, width, Corners::Aligned)?;
        let all = concat(pass.tape(), [&b0?, &b1?, &b2?, &b3?, &mean])?;
        pass.dropout(self.project.forward(&all, pass)?, 0.5, Unit::Channel, "head.project")
    }
}
