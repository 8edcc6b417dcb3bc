//! Features that were computed before, by the digest of the pixels they belong to.
//!
//! Features are a pure function of the image's pixels, so equal pixels are all it takes: no address of a view has to be
//! right, and what is kept changes no bit. The first images that come are kept for good: a training passes over its
//! images again and again, where to drop the oldest for the newest would drop each one before it returns.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use candle_core::{Result, Tensor};

use super::Features;
use crate::base::digest::Digest;

/// Kept features.
pub(super) struct Memo {
    bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    features: BTreeMap<Digest, Features>,
    bytes: usize,
}

impl Memo {
    /// A memo that keeps at most so many bytes of features.
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, kept: Mutex::default() }
    }

    /// The features of an image: those that were kept, or else computed, and then kept while there is room.
    pub(super) fn recall(
        &self,
        image: &Tensor,
        compute: impl FnOnce() -> Result<Features>,
    ) -> Result<Features> {
        let pixels = image.flatten_all()?.to_vec1::<f32>()?;
        let mut bytes = Vec::with_capacity(pixels.len() * 4 + 16);
        for side in [image.dim(2)?, image.dim(3)?] {
            bytes.extend((side as u64).to_le_bytes());
        }
        bytes.extend(pixels.iter().flat_map(|pixel| pixel.to_le_bytes()));
        let digest = Digest::of(&bytes);
        // Nothing is half done while the lock is held, so what a panic elsewhere left is whole.
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(features) = lock().features.get(&digest) {
            return Ok(features.clone());
        }
        let features = compute()?;
        let size = features.iter().map(|map| map.elem_count() * map.dtype().size_in_bytes()).sum::<usize>();
        let mut kept = lock();
        if kept.bytes + size <= self.bytes && kept.features.insert(digest, features.clone()).is_none() {
            kept.bytes += size;
        }
        Ok(features)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn what_fits_is_computed_once_and_the_rest_each_time() -> Result<()> {
        // Room for the features of two images.
        let memo = Memo::new(2 * 4 * 5);
        let computed = Cell::new(0);
        for _ in 0..3 {
            for number in 0..3u8 {
                let image = Tensor::full(f32::from(number), (1, 3, 2, 2), &Device::Cpu)?;
                let features = memo.recall(&image, || {
                    computed.set(computed.get() + 1);
                    Ok(vec![Tensor::full(f32::from(number), 5, &Device::Cpu)?])
                })?;
                assert_eq!(features[0].to_vec1::<f32>()?, [f32::from(number); 5]);
            }
        }
        assert_eq!(computed.get(), 2 + 3);
        Ok(())
    }

    #[test]
    fn images_of_equal_pixels_and_other_sizes_are_others() -> Result<()> {
        let memo = Memo::new(1000);
        for (height, width) in [(2, 3), (3, 2)] {
            let image = Tensor::zeros((1, 3, height, width), DType::F32, &Device::Cpu)?;
            let features = memo.recall(&image, || Ok(vec![Tensor::full(height as f32, 1, &Device::Cpu)?]))?;
            assert_eq!(features[0].to_vec1::<f32>()?, [height as f32]);
        }
        Ok(())
    }
}
