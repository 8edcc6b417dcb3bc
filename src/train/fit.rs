//! The training loop (official code: `main.py`, `train`).

use candle_core::{Device, Tensor};

use super::course::Course;
use super::schedule::poly;
use super::sgd::{Rates, Sgd};
use crate::base::failpoint;
use crate::base::progress::{Interrupted, Progress};
use crate::data::loader::{Batch, LoadError};
use crate::nn::ops::cross_entropy::cross_entropy;
use crate::nn::tape::Tape;
use crate::nn::{DropoutAt, Network};
use crate::spec::train::Train;

/// The batch size at which `base_lr` is the learning rate (official code: `lr = base_lr / 16 * batch_size`).
const BASE_BATCH: f64 = 16.0;

/// What a training needs to know beside its network and its batches.
#[derive(Debug, Clone, Copy)]
pub struct Fit<'a> {
    /// Seed of dropout.
    pub seed: u64,
    /// The model's role, as in random streams.
    pub role: &'a str,
    /// Optimiser and schedule.
    pub train: &'a Train,
    /// Optimiser steps.
    pub steps: u64,
}

/// Called after every step with its number, from 1: the moment to keep a checkpoint or to look at validation images.
/// `P` is how the training tells its caller what happens.
pub trait AfterStep<P: ?Sized> {
    /// What it may fail with.
    type Error;

    /// Looks at the network after `step`.
    ///
    /// # Errors
    /// Whatever the look reports; the training then ends.
    fn after_step(&mut self, step: u64, network: &Network, progress: &mut P) -> Result<(), Self::Error>;

    /// Keeps where the training stands, if it is time for that: called when all of a step is done that is not the last.
    ///
    /// # Errors
    /// Whatever keeping reports; the training then ends.
    fn keep(
        &mut self,
        _course: &Course<'_>,
        _ends_epoch: bool,
        _progress: &mut P,
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why a training ended early.
#[derive(Debug, thiserror::Error)]
pub enum FitError<E: std::error::Error + 'static> {
    /// The loss is no number any more.
    #[error(
        "train the {role}: the loss became {loss} at step {step} of {steps} (learning rate {lr:.6}); \
         lower `train.base_lr`, or check the images and masks of this batch"
    )]
    NotFinite {
        /// The model's role.
        role: String,
        /// The step, from 1.
        step: u64,
        /// Steps in all.
        steps: u64,
        /// NaN or an infinity.
        loss: f32,
        /// The backbone's learning rate at that step.
        lr: f64,
    },
    /// A batch could not be made.
    #[error("load a batch")]
    Load(#[from] LoadError),
    /// A tensor operation failed.
    #[error("compute step {step}")]
    Compute {
        /// The step, from 1.
        step: u64,
        /// candle's word.
        #[source]
        source: candle_core::Error,
    },
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A look at the network failed.
    #[error(transparent)]
    Look(E),
}

/// Trains a network from where its course stands to the last step. `batches` begin with the step after that.
///
/// Metrics: `loss` (mean cross entropy over the pixels that count) and `lr` (backbone) of every step.
///
/// # Errors
/// [`FitError`]; the course then stands after the last finished step, and may go on from there.
pub fn fit<P: Progress + ?Sized, A: AfterStep<P>>(
    course: &mut Course<'_>,
    batches: impl Iterator<Item = Result<Batch, LoadError>>,
    fit: &Fit<'_>,
    device: &Device,
    looks: &mut A,
    progress: &mut P,
) -> Result<(), FitError<A::Error>>
where
    A::Error: std::error::Error + 'static,
{
    let train = fit.train;
    let start_lr = train.base_lr * train.batch as f64 / BASE_BATCH;
    if !course.at.looked {
        looks.after_step(course.at.step, course.network, progress).map_err(FitError::Look)?;
        course.at.looked = true;
    }
    for batch in batches {
        let batch = batch?;
        let step = batch.step;
        debug_assert_eq!(step, course.at.step + 1, "batches go on where the course stands");
        let lr = poly(start_lr, step - 1, fit.steps, train.power);
        let loss = one_step(course.network, &mut course.sgd, &batch, fit, lr, device)
            .map_err(|source| FitError::Compute { step, source })?;
        if !loss.is_finite() {
            let role = fit.role.to_owned();
            return Err(FitError::NotFinite { role, step, steps: fit.steps, loss, lr });
        }
        failpoint::hit("step.moved");
        course.at.trace.step(step, loss, lr);
        (course.at.step, course.at.looked) = (step, false);
        progress.metric("loss", step, f64::from(loss));
        progress.metric("lr", step, lr);
        looks.after_step(step, course.network, progress).map_err(FitError::Look)?;
        course.at.looked = true;
        progress.advance(step, fit.steps, &format!("loss {loss:.3}"));
        if step == fit.steps {
            break;
        }
        if progress.stop_requested() {
            return Err(Interrupted.into());
        }
        looks.keep(course, batch.ends_epoch, progress).map_err(FitError::Look)?;
    }
    Ok(())
}

/// One optimiser step: forward, mean cross entropy, backward, SGD at the backbone's learning rate `lr`. Returns the
/// loss; where that is no finite number the network stays as it was, but for its running statistics.
///
/// # Errors
/// When the device reports one, or `batch` and `fit` disagree about the size of images.
pub fn one_step(
    network: &Network,
    sgd: &mut Sgd,
    batch: &Batch,
    fit: &Fit<'_>,
    lr: f64,
    device: &Device,
) -> candle_core::Result<f32> {
    let side = fit.train.crop;
    let images = Tensor::from_slice(&batch.images, (batch.size, 3, side, side), device)?;
    let masks = Tensor::from_slice(&batch.masks, (batch.size, side, side), device)?;
    let dropout = DropoutAt { seed: fit.seed, role: fit.role.to_owned(), step: batch.step - 1 };
    let tape = Tape::recording(device);
    let logits = network.forward_repeated(&images, &batch.again, &tape, Some(&dropout))?;
    let loss = cross_entropy(&tape, &logits, &masks, None)?;
    drop(logits);
    let value = loss.to_scalar::<f32>()?;
    failpoint::hit("step.forward");
    if value.is_finite() {
        let rates = Rates { backbone: lr, head: lr * fit.train.head_lr };
        sgd.step(tape.backward(&loss)?, rates)?;
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
