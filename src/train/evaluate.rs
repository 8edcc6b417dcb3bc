//! Evaluation on whole images: one confusion matrix per image, summed over the dataset.

use candle_core::Device;
use rayon::prelude::*;

use super::predict::{Looking, Prediction};
use crate::base::progress::{Interrupted, Progress};
use crate::data::reader::{PixelError, Pixels};
use crate::metric::confusion::Confusion;
use crate::nn::network::Network;
use crate::spec::evaluate::Windows;

/// Images between two looks at the stop button.
const CHUNK: usize = 16;

/// Pixels beyond which images are looked at one by one.
const LARGE: usize = 1 << 19;

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
/// Large images, by the first one's size, go one at a time: each of them keeps all threads busy, and several at once
/// would need several times the memory.
///
/// # Errors
/// The error of the first image, in that order, that has one.
pub fn for_each_image<T: Send>(
    ids: &[String],
    pixels: &dyn Pixels,
    progress: &mut dyn Progress,
    each: impl Fn(&str) -> Result<T, InferenceError> + Sync,
) -> Result<Vec<T>, InferenceError> {
    let Some(first) = ids.first() else { return Ok(Vec::new()) };
    let first = pixels.image(first)?;
    let at_once = if first.width * first.height > LARGE { 1 } else { CHUNK };
    drop(first);
    let mut results = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(at_once) {
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

/// What an evaluation looks at, and how.
#[derive(Clone, Copy)]
pub struct Evaluation<'a> {
    /// The images.
    pub ids: &'a [String],
    /// Where they and their masks are.
    pub pixels: &'a dyn Pixels,
    /// Classes C.
    pub classes: usize,
    /// Windows, or the whole image at once.
    pub windows: Option<Windows>,
}

/// The confusion matrix of every image, in the order of the ids.
///
/// # Errors
/// [`InferenceError`]; also for an image without a mask.
pub fn evaluate(
    network: &Network,
    evaluation: Evaluation<'_>,
    device: &Device,
    progress: &mut dyn Progress,
) -> Result<Vec<Confusion>, InferenceError> {
    let Evaluation { ids, pixels, classes, windows } = evaluation;
    let looking = windows.map_or(Looking::Whole, Looking::Windows);
    for_each_image(ids, pixels, progress, |id| {
        let image = pixels.image(id)?;
        let truth = pixels.truth(id)?.ok_or_else(|| InferenceError::NoMask(id.to_owned()))?;
        let prediction = Prediction::of(network, &image, looking, device)
            .map_err(|source| InferenceError::Compute { image: id.to_owned(), source })?;
        let mut confusion = Confusion::new(classes);
        confusion.add(&truth.data, &prediction.classes());
        Ok(confusion)
    })
}
