//! The pixels of prepared data: from the pack that `prepare` left, or from the files it checked.

use std::sync::Arc;

use super::StageError;
use crate::data::dataset::Dataset;
use crate::data::decode::{decode_mask, decode_rgb};
use crate::data::image::{Mask, Rgb};
use crate::data::reader::{PixelError, Pixels};
use crate::data::remember::Memory;
use crate::store::pack::Pack;
use crate::store::{Record, Store};

/// Decoded pixels are kept in memory up to this many bytes; images beyond are decoded every time.
const MEMORY: usize = 1 << 30;

/// An image and its true mask.
type Decoded = (Arc<Rgb>, Option<Arc<Mask>>);

/// Reads prepared images, and remembers those it has decoded.
pub struct PreparedPixels {
    dataset: Arc<Dataset>,
    pack: Option<Pack>,
    decoded: Memory<Decoded>,
}

impl PreparedPixels {
    /// Opens what a `prepare` stage left.
    ///
    /// # Errors
    /// A pack that is damaged or gone.
    pub fn open(store: &Store, dataset: &Arc<Dataset>, prepare: &Record) -> Result<Arc<Self>, StageError> {
        let pack = match prepare.output("images") {
            None => None,
            Some(digest) => {
                let pack = Pack::read(store.get(digest)?).map_err(|error| StageError::BadOutput {
                    stage: format!("{} {}", prepare.kind, prepare.key.short()),
                    output: "images".to_owned(),
                    what: error.to_string(),
                })?;
                Some(pack)
            }
        };
        Ok(Arc::new(Self { dataset: Arc::clone(dataset), pack, decoded: Memory::new(MEMORY) }))
    }

    fn load(&self, id: &str) -> Result<Decoded, PixelError> {
        let bytes =
            |(image, mask): &Decoded| image.data.len() + mask.as_ref().map_or(0, |mask| mask.data.len());
        self.decoded.get(id, || self.decode(id), bytes)
    }

    fn decode(&self, id: &str) -> Result<Decoded, PixelError> {
        let Some(pack) = &self.pack else {
            let (image, mask) = self.dataset.load(id).map_err(|error| PixelError::new(id, error))?;
            return Ok((Arc::new(image), mask.map(Arc::new)));
        };
        let image = pack
            .get(&format!("image/{id}"))
            .ok_or_else(|| PixelError::new(id, "the prepared data has no such image"))?;
        let image = decode_rgb(image, id).map_err(|error| PixelError::new(id, error))?;
        let mask = match pack.get(&format!("mask/{id}")) {
            None => None,
            Some(mask) => Some(Arc::new(decode_mask(mask, id).map_err(|error| PixelError::new(id, error))?)),
        };
        Ok((Arc::new(image), mask))
    }
}

impl Pixels for PreparedPixels {
    fn image(&self, id: &str) -> Result<Arc<Rgb>, PixelError> {
        Ok(self.load(id)?.0)
    }

    fn truth(&self, id: &str) -> Result<Option<Arc<Mask>>, PixelError> {
        Ok(self.load(id)?.1)
    }
}
