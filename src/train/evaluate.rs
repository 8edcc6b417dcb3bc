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
    /// What was computed can't be kept.
    #[error("keep what was computed of some images")]
    Keep(#[source] KeepError),
    /// The user asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// What was computed of single images before an interruption, and where it is kept for the next.
pub trait Kept: Send {
    /// What was kept of an image.
    fn get(&self, id: &str) -> Option<Vec<u8>>;

    /// Keeps what was computed of some images.
    ///
    /// # Errors
    /// Whatever writing reports.
    fn keep(&mut self, images: &[(&str, Vec<u8>)]) -> Result<(), KeepError>;
}

/// Why something could not be kept.
pub type KeepError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps nothing: for passes that are short.
#[derive(Debug, Clone, Copy)]
pub struct Forgetful;

impl Kept for Forgetful {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn keep(&mut self, _: &[(&str, Vec<u8>)]) -> Result<(), KeepError> {
        Ok(())
    }
}

/// A result that can be kept, and comes back with the same bits.
pub trait Portable: Send + Sized {
    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// The result of some bytes; none for bytes of something else.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Portable for Confusion {
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a matrix is plain data")
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Portable for Vec<u8> {
    fn to_bytes(&self) -> Vec<u8> {
        self.clone()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

/// Applies `each` to every image, several at a time, and returns the results in the order of the ids.
///
/// Large images, by the first one's size, go one at a time: each of them keeps all threads busy, and several at once
/// would need several times the memory.
///
/// # Errors
/// The error of the first image, in that order, that has one.
pub fn for_each_image<T: Portable>(
    ids: &[String],
    pixels: &dyn Pixels,
    progress: &mut dyn Progress,
    kept: &mut dyn Kept,
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
        let known: Vec<Option<T>> =
            chunk.iter().map(|id| kept.get(id).and_then(|bytes| T::from_bytes(&bytes))).collect();
        let new: Vec<bool> = known.iter().map(Option::is_none).collect();
        let done: Vec<Result<T, InferenceError>> =
            chunk.par_iter().zip(known).map(|(id, known)| known.map_or_else(|| each(id), Ok)).collect();
        let done = done.into_iter().collect::<Result<Vec<T>, _>>()?;
        let computed: Vec<(&str, Vec<u8>)> = chunk
            .iter()
            .zip(&done)
            .zip(new)
            .filter(|(_, new)| *new)
            .map(|((id, result), _)| (id.as_str(), result.to_bytes()))
            .collect();
        if !computed.is_empty() {
            kept.keep(&computed).map_err(InferenceError::Keep)?;
        }
        results.extend(done);
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
    kept: &mut dyn Kept,
) -> Result<Vec<Confusion>, InferenceError> {
    let Evaluation { ids, pixels, classes, windows } = evaluation;
    let looking = windows.map_or(Looking::Whole, Looking::Windows);
    for_each_image(ids, pixels, progress, kept, |id| {
        let image = pixels.image(id)?;
        let truth = pixels.truth(id)?.ok_or_else(|| InferenceError::NoMask(id.to_owned()))?;
        let prediction = Prediction::of(network, &image, looking, device)
            .map_err(|source| InferenceError::Compute { image: id.to_owned(), source })?;
        let mut confusion = Confusion::new(classes);
        confusion.add(&truth.data, &prediction.classes());
        Ok(confusion)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::base::progress::Quiet;
    use crate::data::image::{Mask, Rgb};

    struct Gray;

    impl Pixels for Gray {
        fn image(&self, _: &str) -> Result<Arc<Rgb>, PixelError> {
            Ok(Arc::new(Rgb::new(1, 1, vec![7; 3])))
        }

        fn truth(&self, _: &str) -> Result<Option<Arc<Mask>>, PixelError> {
            Ok(None)
        }
    }

    #[derive(Default)]
    struct Shelf(BTreeMap<String, Vec<u8>>);

    impl Kept for Shelf {
        fn get(&self, id: &str) -> Option<Vec<u8>> {
            self.0.get(id).cloned()
        }

        fn keep(&mut self, images: &[(&str, Vec<u8>)]) -> Result<(), KeepError> {
            self.0.extend(images.iter().map(|(id, bytes)| ((*id).to_owned(), bytes.clone())));
            Ok(())
        }
    }

    /// Stops after some images.
    struct StopAfter(u64, u64);

    impl Progress for StopAfter {
        fn advance(&mut self, done: u64, _: u64, _: &str) {
            self.1 = done;
        }

        fn metric(&mut self, _: &str, _: u64, _: f64) {}

        fn stop_requested(&self) -> bool {
            self.1 >= self.0
        }
    }

    #[test]
    fn an_interrupted_pass_goes_on_with_the_image_after_the_last() {
        let ids: Vec<String> = (0..50).map(|id| id.to_string()).collect();
        let computed = AtomicU64::new(0);
        let each = |id: &str| -> Result<Vec<u8>, InferenceError> {
            computed.fetch_add(1, Ordering::Relaxed);
            Ok(id.as_bytes().to_vec())
        };
        let whole = for_each_image(&ids, &Gray, &mut Quiet::default(), &mut Forgetful, each).unwrap();
        assert_eq!(computed.swap(0, Ordering::Relaxed), 50);
        let mut shelf = Shelf::default();
        for stop in [1, 20, 40] {
            let stopped = for_each_image(&ids, &Gray, &mut StopAfter(stop, 0), &mut shelf, each);
            assert!(matches!(stopped, Err(InferenceError::Interrupted(_))));
        }
        let resumed = for_each_image(&ids, &Gray, &mut Quiet::default(), &mut shelf, each).unwrap();
        assert_eq!(resumed, whole);
        assert_eq!(computed.into_inner(), 50, "no image is computed twice");
    }
}
