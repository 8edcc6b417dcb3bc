//! Cross entropy over pixels, with an ignored class id.

use std::sync::OnceLock;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::memory::{Shared, argument, kernel_takes};
use super::softmax::Run;
use crate::data::image::IGNORE;

/// Pixels per work item.
const PIXELS: usize = 1024;

/// The mean over all pixels that count of `-ln softmax(logits)[class]`: PyTorch's
/// `CrossEntropyLoss(ignore_index=255)`, official code `main.py`.
///
/// `logits` are `(B, C, H, W)`, `target` is u8 `(B, H, W)` on the same device. Where PyTorch divides by zero, when
/// every pixel is ignored, the loss is 0 and so is its gradient.
///
/// # Errors
/// When the shapes don't fit, or a class id is neither below C nor 255.
pub fn cross_entropy(logits: &Tensor, target: &Tensor) -> Result<Tensor> {
    let (batch, classes, height, width) = logits.dims4()?;
    if target.dims() != [batch, height, width] || target.dtype() != DType::U8 {
        bail!("logits {:?} need a u8 target {:?}", logits.dims(), [batch, height, width])
    }
    let ids = target.flatten_all()?.to_vec1::<u8>()?;
    if let Some(id) = ids.iter().find(|&&id| id != IGNORE && usize::from(id) >= classes) {
        bail!("class id {id} in a target of {classes} classes")
    }
    let counted = ids.iter().filter(|&&id| id != IGNORE).count();
    if kernel_takes(&[logits]) {
        logits.contiguous()?.apply_op1(CrossEntropy { ids, counted, gradient: OnceLock::new() })
    } else {
        reference(logits, target, counted)
    }
}

/// The loss in tensor operations: no gather or scatter, so that devices without ordered atomics give the same bits.
fn reference(logits: &Tensor, target: &Tensor, counted: usize) -> Result<Tensor> {
    let classes = logits.dim(1)?;
    let log_probability = candle_nn::ops::log_softmax(logits, 1)?;
    let ids = Tensor::arange(0, classes as u32, logits.device())?
        .to_dtype(DType::U8)?
        .reshape((1, classes, 1, 1))?;
    let one_hot = target.unsqueeze(1)?.broadcast_eq(&ids)?.to_dtype(logits.dtype())?;
    let sum = (log_probability * one_hot)?.sum_all()?;
    sum.affine(-1.0 / counted.max(1) as f64, 0.0)
}

struct CrossEntropy {
    ids: Vec<u8>,
    counted: usize,
    /// d loss / d logits, written by the forward pass, which has the probabilities at hand.
    gradient: OnceLock<Vec<f32>>,
}

impl CrossEntropy {
    /// The sum of -ln p over the pixels of one item; `gradient` is written for them.
    fn item(&self, x: &[f32], gradient: &Shared<'_>, run: &Run, ids: &[u8]) -> f64 {
        let count = ids.len();
        // SAFETY: items don't share pixels, and one plane is held at a time.
        let lend = |start, len| unsafe { gradient.part(start, len) };
        let (largest, sums) = run.exponentials(x, count, lend);
        let share = 1.0 / self.counted.max(1) as f32;
        let scale: Vec<f32> =
            sums.iter().zip(ids).map(|(sum, &id)| if id == IGNORE { 0.0 } else { share / sum }).collect();
        for class in 0..run.classes {
            let plane = lend(run.first + class * run.stride, count);
            for ((g, scale), &id) in plane.iter_mut().zip(&scale).zip(ids) {
                *g = *g * scale - if usize::from(id) == class { share } else { 0.0 };
            }
        }
        // The sum of logarithms is the logarithm of the product; 64 sums of at most 255 classes stay far below 2^1024.
        let mut loss = 0.0;
        for start in (0..count).step_by(64) {
            let mut product = 1.0;
            for pixel in start..(start + 64).min(count) {
                if ids[pixel] != IGNORE {
                    let logit = x[run.first + usize::from(ids[pixel]) * run.stride + pixel];
                    product *= f64::from(sums[pixel]);
                    loss += f64::from(largest[pixel]) - f64::from(logit);
                }
            }
            loss += libm::log(product);
        }
        loss
    }
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = argument(storage, layout)?;
        let (batch, classes, height, width) = layout.shape().dims4()?;
        let pixels = height * width;
        let mut gradient = vec![0.0; x.len()];
        let shared = Shared::new(&mut gradient);
        let pieces = pixels.div_ceil(PIXELS);
        let losses: Vec<f64> = (0..batch * pieces)
            .into_par_iter()
            .map(|item| {
                let (image, start) = (item / pieces, item % pieces * PIXELS);
                let run = Run { first: image * classes * pixels + start, classes, stride: pixels };
                let end = (start + PIXELS).min(pixels);
                self.item(x, &shared, &run, &self.ids[image * pixels + start..image * pixels + end])
            })
            .collect();
        if self.gradient.set(gradient).is_err() {
            bail!("a cross entropy operation is used once")
        }
        let loss = losses.iter().sum::<f64>() / self.counted.max(1) as f64;
        Ok((CpuStorage::F32(vec![loss as f32]), Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _loss: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Some(gradient) = self.gradient.get() else { bail!("cross entropy backward before forward") };
        let scale = grad.to_scalar::<f32>()?;
        let values = gradient.iter().map(|g| g * scale).collect();
        Tensor::from_vec(values, x.shape(), x.device()).map(Some)
    }
}

#[cfg(test)]
mod tests;
