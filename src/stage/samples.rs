//! What a training sees of an image: the true mask of a labeled one, a pseudo label of an unlabeled one.
//!
//! This is where the training path is kept from the truth of unlabeled images.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::pixels::PreparedPixels;
use crate::data::decode::decode_mask;
use crate::data::image::{Mask, Rgb};
use crate::data::loader::{SampleError, Samples};
use crate::data::reader::{PixelError, Pixels};
use crate::data::remember::Memory;
use crate::store::pack::Pack;

/// Decoded pseudo labels are kept in memory up to this many bytes.
const MEMORY: usize = 1 << 28;

/// Images with the masks that they are trained on.
pub(super) struct TrainingSamples {
    pixels: Arc<PreparedPixels>,
    labeled: BTreeSet<String>,
    pseudo: Vec<Pack>,
    decoded: Memory<Arc<Mask>>,
}

impl TrainingSamples {
    /// `labeled` are the images whose true mask may be seen, `pseudo` packs of pseudo labels for the others.
    pub fn new(pixels: Arc<PreparedPixels>, labeled: BTreeSet<String>, pseudo: Vec<Pack>) -> Self {
        Self { pixels, labeled, pseudo, decoded: Memory::new(MEMORY) }
    }

    fn mask(&self, id: &str) -> Result<Arc<Mask>, PixelError> {
        if self.labeled.contains(id) {
            let truth = self.pixels.truth(id)?;
            return truth.ok_or_else(|| PixelError::new(id, "it is labeled and has no mask"));
        }
        self.decoded.get(id, || self.pseudo_label(id), |mask| mask.data.len())
    }

    fn pseudo_label(&self, id: &str) -> Result<Arc<Mask>, PixelError> {
        let label = self.pseudo.iter().find_map(|pack| pack.get(id));
        let label = label.ok_or_else(|| PixelError::new(id, "it has no pseudo label"))?;
        let mask = decode_mask(label, id).map_err(|error| PixelError::new(id, error))?;
        Ok(Arc::new(mask))
    }
}

impl Samples for TrainingSamples {
    fn sample(&self, id: &str) -> Result<(Arc<Rgb>, Arc<Mask>), SampleError> {
        let sample = || Ok((self.pixels.image(id)?, self.mask(id)?));
        sample().map_err(|error: PixelError| SampleError { id: id.to_owned(), source: Box::new(error) })
    }
}
