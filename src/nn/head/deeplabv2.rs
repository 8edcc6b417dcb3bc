//! DeepLabV2 (Chen et al. 2017) as the official code has it (`model/semseg/deeplabv2.py`).
//!
//! Four dilated 3×3 convolutions read the deep features and write logits, which are added: there is no normalisation,
//! no dropout and nothing shallow. The official code trains this head at the backbone's learning rate, which is
//! `head_lr = 1` in a spec.

use candle_core::{Result, Tensor};

use super::Head;
use crate::nn::backbone::Features;
use crate::nn::layer::{Conv, Pass, Shape};
use crate::nn::ops::sum::sum;
use crate::nn::params::{Builder, Init};

/// Dilations at output stride 8.
const RATES: [usize; 4] = [6, 12, 18, 24];

/// The head.
pub struct DeepLabV2 {
    classifier: [Conv; 4],
}

impl DeepLabV2 {
    /// A head over deep features of `channels`, with the official initial values: normal with deviation 0.01.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(
        builder: &mut Builder<'_>,
        channels: usize,
        classes: usize,
        output_stride: usize,
    ) -> Result<Self> {
        let mut builder = builder.at("classifier");
        let mut branch = |index: usize| {
            let shape = Shape::three(channels, classes, 1, RATES[index] * 8 / output_stride);
            Conv::starting(&mut builder, index, shape, Init::Normal { deviation: 0.01 })
        };
        Ok(Self { classifier: [branch(0)?, branch(1)?, branch(2)?, branch(3)?] })
    }
}

impl Head for DeepLabV2 {
    /// At the resolution of the deep features.
    fn forward(&self, Features { high, .. }: Features, pass: Pass<'_>) -> Result<Tensor> {
        let [a, b, c, d] = &self.classifier;
        let logits = [a, b, c, d].map(|branch| branch.forward(&high, pass));
        let [a, b, c, d] = logits;
        sum(pass.tape(), [&a?, &b?, &c?, &d?])
    }
}
