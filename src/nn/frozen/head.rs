//! What is trained on top of frozen features.
//!
//! Both resize their maps to the finest one, with edges kept as the extractors' own heads do. Names of parameters are
//! those of Meta's `BNHead` and of Hugging Face's `SegformerDecodeHead`, whose linear maps are 1×1 convolutions here.

use candle_core::{Result, Tensor, bail};

use crate::nn::layer::{Conv, ConvNorm, Norm, Pass, Shape};
use crate::nn::ops::activation::Activation;
use crate::nn::ops::batch_norm::Form;
use crate::nn::ops::concat::concat;
use crate::nn::ops::dropout::Unit;
use crate::nn::ops::resize::{Corners, bilinear};
use crate::nn::params::Builder;

/// A head on frozen features.
pub enum Head {
    /// Batch normalisation of all maps and a 1×1 convolution: how separable the classes are as they come.
    Linear {
        /// `bn`
        norm: Norm,
        /// `conv_seg`
        classifier: Conv,
    },
    /// A projection of each map, then a perceptron on all of them: SegFormer's decoder.
    Mlp {
        /// `linear_c.<map>.proj`
        projections: Vec<Conv>,
        /// `linear_fuse` and `batch_norm`
        fuse: ConvNorm,
        /// `classifier`
        classifier: Conv,
    },
}

impl Head {
    /// A linear head on maps of so many channels.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn linear(builder: &mut Builder<'_>, channels: &[usize], classes: usize) -> Result<Self> {
        let mut builder = builder.at("decode_head");
        let inputs = channels.iter().sum();
        Ok(Self::Linear {
            norm: Norm::new(&mut builder, "bn", inputs, Form::with(Activation::Identity))?,
            classifier: Conv::new(&mut builder, "conv_seg", Shape::point(inputs, classes))?,
        })
    }

    /// SegFormer's decoder with `inner` channels on maps of so many channels.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn mlp(builder: &mut Builder<'_>, channels: &[usize], inner: usize, classes: usize) -> Result<Self> {
        let mut builder = builder.at("decode_head");
        let mut of_maps = builder.at("linear_c");
        let project = |(map, &inputs)| Conv::new(&mut of_maps.at(map), "proj", Shape::point(inputs, inner));
        let projections = channels.iter().enumerate().map(project).collect::<Result<_>>()?;
        let all = Shape::point(inner * channels.len(), inner);
        let relu = Form::with(Activation::Relu);
        Ok(Self::Mlp {
            projections,
            fuse: ConvNorm::new(&mut builder, ("linear_fuse", "batch_norm"), all, all.default_init(), relu)?,
            classifier: Conv::new(&mut builder, "classifier", Shape::point(inner, classes))?,
        })
    }

    /// Logits `(B, classes, h, w)` at the size of the finest map.
    ///
    /// # Errors
    /// When the maps don't fit the head, or, in training, when a channel has a single value.
    pub fn forward(&self, maps: &[Tensor], pass: Pass<'_>) -> Result<Tensor> {
        match self {
            Self::Linear { norm, classifier } => {
                let all = side_by_side(maps.iter().cloned().map(Ok), pass)?;
                classifier.forward(&norm.forward(all, None, pass)?, pass)
            }
            Self::Mlp { projections, fuse, classifier } => {
                if maps.len() != projections.len() {
                    bail!("a head on {} maps was given {}", projections.len(), maps.len())
                }
                let parts = projections.iter().zip(maps).map(|(project, map)| project.forward(map, pass));
                let x = fuse.forward(&side_by_side(parts, pass)?, pass)?;
                classifier.forward(&pass.dropout(x, 0.1, Unit::Value, "decode_head")?, pass)
            }
        }
    }
}

/// The channels of all maps at the size of the first, the last map's in front as in SegFormer, in memory of their own.
fn side_by_side(maps: impl Iterator<Item = Result<Tensor>>, pass: Pass<'_>) -> Result<Tensor> {
    let mut size = None;
    let maps = maps.map(|map| {
        let map = map?;
        let (_, _, h, w) = map.dims4()?;
        let (height, width) = *size.get_or_insert((h, w));
        bilinear(pass.tape(), &map, height, width, Corners::Free)
    });
    let maps = maps.collect::<Result<Vec<_>>>()?;
    match &maps[..] {
        [one] => concat(pass.tape(), [one]),
        [a, b, c, d] => concat(pass.tape(), [d, c, b, a]),
        _ => bail!("a head on {} maps: extractors have 1 or 4", maps.len()),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::nn::ops::fixture::{Case, Fixture};
    use crate::nn::params::Parameters;
    use crate::nn::tape::Tape;

    fn check(case: &Case, is_linear: bool) -> Result<()> {
        let maps: Vec<Tensor> = (0..4)
            .map(|number| format!("map{number}"))
            .filter(|name| case.has(name))
            .map(|name| case.tensor(&name).clone())
            .collect();
        let channels = maps.iter().map(|map| map.dim(1)).collect::<Result<Vec<_>>>()?;
        let mut parameters = Parameters::default();
        let mut builder = Builder::new(&mut parameters, 0, "teacher", &Device::Cpu);
        let head = if is_linear {
            Head::linear(&mut builder, &channels, 3)?
        } else {
            Head::mlp(&mut builder, &channels, 8, 3)?
        };
        for (name, parameter) in &parameters.trainable {
            parameter.set(case.tensor(&format!("param.{name}")))?;
        }
        let tape = Tape::recording(&Device::Cpu);
        let out = head.forward(&maps, Pass::Train { tape: &tape, dropout: None })?;
        case.compare("out", &out)?;
        let mut gradients = tape.backward_from(&out, case.tensor("grad").flatten_all()?.to_vec1()?)?;
        for (name, parameter) in &parameters.trainable {
            let gradient = gradients.take(parameter)?.expect("every parameter has a gradient");
            if name.ends_with("proj.bias") {
                // The normalisation takes a constant out again: there is nothing to learn here but rounding.
                assert!(gradient.abs()?.max(0)?.to_scalar::<f32>()? < 1e-4, "{name}: {gradient}");
            } else {
                case.compare(&format!("grad.{name}"), &gradient)?;
            }
        }
        case.compare("inference", &head.forward(&maps, Pass::Infer(&Tape::silent(&Device::Cpu)))?)
    }

    #[test]
    fn logits_and_gradients_are_those_of_pytorch() -> Result<()> {
        let fixture = Fixture::open("frozen_head");
        for (prefix, is_linear) in [("linear", true), ("mlp", false)] {
            for case in fixture.cases(prefix) {
                check(&case, is_linear)?;
            }
        }
        Ok(())
    }
}
