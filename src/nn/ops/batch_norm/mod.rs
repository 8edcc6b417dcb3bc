//! Batch normalisation over `(B, H, W)`, and what follows it in one go: the sum with a shortcut, an activation.
//!
//! In training, [`batch_norm`] normalises by the moments of the batch and returns them, for running averages to take
//! in. In inference, [`fold`] turns the running averages into a scale and a shift per channel, which
//! [`scale_shift`] applies.

mod affine;
mod kernel;

use candle_core::{Result, Tensor, bail};

pub use self::affine::{fold, scale_shift};
use super::activation::{Activation, activate};
use super::memory::Values;
use crate::nn::tape::Tape;

/// What a layer does beside normalising.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Form {
    /// Added to variances: PyTorch's default is 1e-5.
    pub epsilon: f64,
    /// Applied at the end.
    pub activation: Activation,
}

impl Form {
    /// PyTorch's epsilon, and `activation`.
    pub fn with(activation: Activation) -> Self {
        Self { epsilon: 1e-5, activation }
    }
}

/// What a batch's channels look like; no gradient leads here.
pub struct Statistics {
    /// Means `(C)`.
    pub mean: Tensor,
    /// Unbiased variances `(C)`: PyTorch normalises by the biased and keeps the unbiased ones.
    pub variance: Tensor,
}

/// Normalises `x` `(B, C, H, W)` by its own moments, scales by `affine.0` `(C)`, shifts by `affine.1` `(C)`, adds
/// `shortcut` `(B, C, H, W)` if there is one, and applies the activation.
///
/// # Errors
/// When the shapes don't fit, or a channel has a single value (its variance says nothing).
pub fn batch_norm(
    tape: &Tape,
    x: &Tensor,
    affine: (&Tensor, &Tensor),
    shortcut: Option<&Tensor>,
    form: Form,
) -> Result<(Tensor, Statistics)> {
    let (batch, channels, height, width) = x.dims4()?;
    let (weight, bias) = affine;
    if weight.dims() != [channels] || bias.dims() != [channels] {
        bail!("weight {:?} and bias {:?} do not fit {:?}", weight.dims(), bias.dims(), x.dims())
    }
    if let Some(shortcut) = shortcut
        && shortcut.shape() != x.shape()
    {
        bail!("a shortcut {:?} of a block whose result is {:?}", shortcut.dims(), x.dims())
    }
    if batch * height * width < 2 {
        bail!(
            "batch normalisation of one value per channel, {:?}: train with more than one image per step",
            x.dims()
        )
    }
    if !tape.runs_kernels() {
        return reference(x, affine, shortcut, form);
    }
    let sizes = kernel::Sizes { batch, channels, pixels: height * width };
    let (out, moments) = {
        let add = shortcut.map(Values::of).transpose()?;
        let (x, weight, bias) = (Values::of(x)?, Values::of(weight)?, Values::of(bias)?);
        kernel::forward(sizes, &x, (&weight, &bias), add.as_deref(), form)
    };
    let n = (batch * height * width) as f64;
    let tensor = |values: Vec<f32>| Tensor::from_vec(values, channels, x.device());
    let mean = tensor(moments.iter().map(|m| m.mean).collect())?;
    let variance = tensor(moments.iter().map(|m| (m.variance * n / (n - 1.0)) as f32).collect())?;
    let (kept_x, kept_weight) = (x.clone(), weight.clone());
    let backward = move |out: &Tensor, gradient, wanted| -> Result<kernel::Gradients> {
        let (x, weight, out) = (Values::of(&kept_x)?, Values::of(&kept_weight)?, Values::of(out)?);
        let values = kernel::Kept { x: &x, weight: &weight, out: &out, moments: &moments };
        Ok(kernel::backward(sizes, values, gradient, form.activation, wanted))
    };
    let inputs = [x, weight, bias];
    let out = match shortcut {
        None => tape.push_with_result(out, x.shape(), inputs, move |out, gradient, [x, weight, bias]| {
            let gradients = backward(out, gradient, [x, false])?;
            Ok([gradients.x, weight.then_some(gradients.weight), bias.then_some(gradients.bias)])
        }),
        Some(shortcut) => {
            let inputs = [x, weight, bias, shortcut];
            tape.push_with_result(
                out,
                x.shape(),
                inputs,
                move |out, gradient, [x, weight, bias, shortcut]| {
                    let gradients = backward(out, gradient, [x, shortcut])?;
                    let affine = [weight.then_some(gradients.weight), bias.then_some(gradients.bias)];
                    let [weight, bias] = affine;
                    Ok([gradients.x, weight, bias, gradients.shortcut])
                },
            )
        }
    };
    Ok((out?, Statistics { mean, variance }))
}

/// Batch normalisation in tensor operations.
fn reference(
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    shortcut: Option<&Tensor>,
    form: Form,
) -> Result<(Tensor, Statistics)> {
    let (batch, channels, height, width) = x.dims4()?;
    let n = (batch * height * width) as f64;
    let shape = (1, channels, 1, 1);
    let mean_of = |x: &Tensor| x.sum_keepdim((0, 2, 3))? / n;
    let rough = mean_of(x)?;
    let centred = x.broadcast_sub(&rough)?;
    // Sums in single precision miss a little of a large mean: take out the rest.
    let rest = mean_of(&centred)?;
    let (mean, centred) = ((rough + &rest)?, centred.broadcast_sub(&rest)?);
    let variance = (centred.sqr()?.sum_keepdim((0, 2, 3))? / n)?;
    let deviation = (&variance + form.epsilon)?.sqrt()?;
    let out = centred
        .broadcast_div(&deviation)?
        .broadcast_mul(&weight.reshape(shape)?)?
        .broadcast_add(&bias.reshape(shape)?)?;
    let statistics = Statistics {
        mean: mean.detach().reshape(channels)?,
        variance: (variance.detach().reshape(channels)? * (n / (n - 1.0)))?,
    };
    let out = match shortcut {
        None => out,
        Some(shortcut) => (out + shortcut)?,
    };
    Ok((activate(out, form.activation)?, statistics))
}

#[cfg(test)]
mod tests;
