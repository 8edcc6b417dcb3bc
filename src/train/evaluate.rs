//! Evaluation on whole images: one confusion matrix per image, summed over the dataset.

use candle_core::Device;
use rayon::prelude::*;

use super::predict::{Probabilities, predict};
use crate::base::progress::{Interrupted, Progress};
use crate::data::reader::{PixelError, Pixels};
use crate::metric::confusion::Confusion;
use crate::nn::network::Network;

/// Images between two looks at the stop button.
const CHUNK: usize = 16;

/// Why an inference pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// An image could not be read.
    #[error(transparent)]
    Pixels(#[from] PixelError),
    /// An image that has to have a mask has none.
    #[error("evaluate on {0}: it has no mask")]
    NoMask(String),
    /// A tensor operation failed.
    #[error("compute the prediction for {image}")]
    Compute {
        /// The image's id.
        image: String,
        /// candle's word.
        #[source]
        source: candle_core::Error,
    },
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Applies `each` to every image, several at a time, and returns the results in the order of the ids.
///
/// # Errors
/// The error of the first image, in that order, that has one.
pub fn for_each_image<T: Send>(
    ids: &[String],
    progress: &mut dyn Progress,
    each: impl Fn(&str) -> Result<T, InferenceError> + Sync,
) -> Result<Vec<T>, InferenceError> {
    let mut results = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        if progress.stop_requested() {
            return Err(Interrupted.into());
        }
        let done: Vec<Result<T, InferenceError>> = chunk.par_iter().map(|id| each(id)).collect();
        for result in done {
            results.push(result?);
        }
        progress.advance(results.len() as u64, ids.len() as u64, "");
    }
    Ok(results)
}

/// The class of the largest probability of every pixel; of equal ones the first.
pub fn argmax(probabilities: &Probabilities) -> Vec<u8> {
    let pixels = probabilities.height * probabilities.width;
    let (mut best, rest) = {
        let (first, rest) = probabilities.data.split_at(pixels);
        (first.to_vec(), rest)
    };
    let mut classes = vec![0u8; pixels];
    for (class, plane) in rest.chunks_exact(pixels).enumerate() {
        for ((best, class_of), &value) in best.iter_mut().zip(&mut classes).zip(plane) {
            if value > *best {
                *best = value;
                *class_of = class as u8 + 1;
            }
        }
    }
    classes
}

/// The confusion matrix of every image, in the order of the ids.
///
/// # Errors
/// [`InferenceError`]; also for an image without a mask.
pub fn evaluate(
    network: &Network,
    ids: &[String],
    pixels: &dyn Pixels,
    classes: usize,
    device: &Device,
    progress: &mut dyn Progress,
) -> Result<Vec<Confusion>, InferenceError> {
    for_each_image(ids, progress, |id| {
        let image = pixels.image(id)?;
        let truth = pixels.truth(id)?.ok_or_else(|| InferenceError::NoMask(id.to_owned()))?;
        let probabilities = predict(network, &image, device)
            .map_err(|source| InferenceError::Compute { image: id.to_owned(), source })?;
        let mut confusion = Confusion::new(classes);
        confusion.add(&truth.data, &argmax(&probabilities));
        Ok(confusion)
    })
}
