//! Batch normalisation over `(B, H, W)`, with or without a ReLU after it.
//!
//! In training, [`batch_norm`] normalises by the moments of the batch and returns them, for running averages to take
//! in. In inference, [`fold`] turns the running averages into a scale and a shift per channel, which
//! [`scale_shift`] applies.

mod affine;
mod kernel;

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Tensor, bail};

pub use self::affine::{fold, scale_shift};
use self::kernel::{BatchNorm, Moments};
use super::add_relu::relu;
use super::memory::kernel_takes;

/// Added to variances, as in PyTorch.
pub const EPSILON: f64 = 1e-5;

/// What a batch's channels look like; no gradient leads here.
pub struct Statistics {
    /// Means `(C)`.
    pub mean: Tensor,
    /// Unbiased variances `(C)`: PyTorch normalises by the biased and keeps the unbiased ones.
    pub variance: Tensor,
}

/// Normalises `x` `(B, C, H, W)` by its own moments, scales by `weight` `(C)`, shifts by `bias` `(C)`, and cuts
/// negative values if `with_relu`.
///
/// # Errors
/// When the shapes don't fit, or a channel has a single value (its variance says nothing).
pub fn batch_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    with_relu: bool,
) -> Result<(Tensor, Statistics)> {
    let (batch, channels, height, width) = x.dims4()?;
    if weight.dims() != [channels] || bias.dims() != [channels] {
        bail!("weight {:?} and bias {:?} do not fit {:?}", weight.dims(), bias.dims(), x.dims())
    }
    if batch * height * width < 2 {
        bail!(
            "batch normalisation of one value per channel, {:?}: train with more than one image per step",
            x.dims()
        )
    }
    if !kernel_takes(&[x, weight, bias]) {
        return reference(x, weight, bias, with_relu);
    }
    let moments: Arc<OnceLock<Moments>> = Arc::default();
    let op = BatchNorm { with_relu, moments: Arc::clone(&moments) };
    let out = x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)?;
    let moments = moments.get().expect("the forward pass sets the moments");
    let n = (batch * height * width) as f64;
    let tensor = |values: Vec<f32>| Tensor::from_vec(values, channels, x.device());
    let mean = tensor(moments.channels.iter().map(|m| m.mean).collect())?;
    let variance = tensor(moments.channels.iter().map(|m| (m.variance * n / (n - 1.0)) as f32).collect())?;
    Ok((out, Statistics { mean, variance }))
}

/// Batch normalisation in tensor operations.
fn reference(x: &Tensor, weight: &Tensor, bias: &Tensor, with_relu: bool) -> Result<(Tensor, Statistics)> {
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
    let deviation = (&variance + EPSILON)?.sqrt()?;
    let out = centred
        .broadcast_div(&deviation)?
        .broadcast_mul(&weight.reshape(shape)?)?
        .broadcast_add(&bias.reshape(shape)?)?;
    let statistics = Statistics {
        mean: mean.detach().reshape(channels)?,
        variance: (variance.detach().reshape(channels)? * (n / (n - 1.0)))?,
    };
    Ok((if with_relu { relu(out)? } else { out }, statistics))
}

#[cfg(test)]
mod tests;
