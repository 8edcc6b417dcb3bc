//! Feature extractors that are used as they are: only a head on top of them is trained.
//!
//! | file | what it is |
//! |---|---|
//! | [`dinov2`] | DINOv2 (Oquab et al. 2023), a plain vision transformer: one map, a patch of 14 pixels a pixel |
//! | `positions` | its position embeddings at other sizes than their own |
//! | [`segformer`] | the encoder of SegFormer (Xie et al. 2021), MiT-B0 to -B5: four maps at strides 4, 8, 16, 32 |
//! | [`head`] | what is trained on top of them: a linear map, or SegFormer's perceptron |
//! | `source` | their layers, filled from a weights file by name, and the names that don't fit |
//! | `memo` | features that were computed before |
//!
//! A file says by its shapes how wide and deep its network is, so that all sizes of a family are one backbone here;
//! which one it was is in the digest of the weights, and so in the identity of the experiment.
//!
//! **Why not candle-transformers.** Its DINOv2 differs from Meta's in three ways that features show: GELU by `tanh` for
//! the exact one, 1e-5 for 1e-6 in layer norms, nearest for bicubic position embeddings, and images of 518 pixels are the
//! only ones for which it has embeddings of its own. Of its SegFormer only the classes come out, not the maps. And
//! its matrix products and exponentials have other bits on other CPUs, which ours may not.
//!
//! **One image at a time.** The features of an image never depend on what else is in its batch, to the bit. So they may
//! be computed once and kept ([`Frozen::features`]), and a training is the same with and without.

mod memo;
mod positions;
mod source;

pub mod dinov2;
pub mod head;
pub mod segformer;

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{Device, Result, Tensor, bail};

use self::dinov2::Dinov2;
use self::memo::Memo;
use self::segformer::Segformer;
use super::weights::{WeightsError, WeightsFile, WeightsReport};
use crate::spec::model::Backbone;

/// Bytes of features that are kept at most: those of some 600 crops of 321² pixels.
const KEPT: usize = 1 << 30;

/// The families of frozen feature extractors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// [`dinov2`]
    Dinov2,
    /// [`segformer`]
    Segformer,
}

impl Family {
    /// The family of a backbone, if it is a frozen one.
    pub fn of(backbone: Backbone) -> Option<Self> {
        match backbone {
            Backbone::Dinov2 => Some(Self::Dinov2),
            Backbone::Segformer => Some(Self::Segformer),
            _ => None,
        }
    }
}

/// What a head reads: maps `(B, C, h, w)`, the finest first.
pub type Features = Vec<Tensor>;

/// A frozen feature extractor.
pub struct Frozen {
    body: Body,
    report: WeightsReport,
    memo: Memo,
    forwards: AtomicU64,
}

enum Body {
    Dinov2(Dinov2),
    Segformer(Segformer),
}

impl Frozen {
    /// The extractor that a file holds the weights of.
    ///
    /// # Errors
    /// When the file has too little or too much for a network of this family, or the device has no room.
    pub fn new(
        family: Family,
        weights: &WeightsFile,
        device: &Device,
    ) -> std::result::Result<Self, WeightsError> {
        let (body, report) = match family {
            Family::Dinov2 => {
                Dinov2::new(weights, device).map(|(body, report)| (Body::Dinov2(body), report))?
            }
            Family::Segformer => {
                Segformer::new(weights, device).map(|(body, report)| (Body::Segformer(body), report))?
            }
        };
        Ok(Self { body, report, memo: Memo::new(KEPT), forwards: AtomicU64::new(0) })
    }

    /// How the file fitted: nothing was missing, and what it has for training or classifying alone is unused.
    pub fn report(&self) -> &WeightsReport {
        &self.report
    }

    /// Channels of the maps, the finest first.
    pub fn channels(&self) -> Vec<usize> {
        match &self.body {
            Body::Dinov2(body) => vec![body.channels()],
            Body::Segformer(body) => body.channels().to_vec(),
        }
    }

    /// The smallest side of an image in pixels.
    pub fn smallest(&self) -> usize {
        match &self.body {
            Body::Dinov2(_) => 1,
            Body::Segformer(body) => body.smallest(),
        }
    }

    /// The features of normalised images `x` `(B, 3, H, W)`. Those of image i are kept, or taken from what was kept,
    /// where `again[i]` says that this very image is to come again; nothing is kept of images beyond the end of `again`.
    ///
    /// # Errors
    /// When `x` has another shape, or its images are too small for the network.
    pub fn features(&self, x: &Tensor, again: &[bool]) -> Result<Features> {
        let (batch, channels, height, width) = x.dims4()?;
        if channels != 3 || batch * height * width == 0 {
            bail!("images are (B, 3, H, W) with at least one pixel, got {:?}", x.dims())
        }
        let x = x.detach();
        let images = (0..batch).map(|index| {
            let image = x.narrow(0, index, 1)?.contiguous()?;
            if again.get(index) == Some(&true) {
                self.memo.recall(&image, || self.compute(&image))
            } else {
                self.compute(&image)
            }
        });
        let images = images.collect::<Result<Vec<Features>>>()?;
        (0..images[0].len())
            .map(|map| Tensor::cat(&images.iter().map(|maps| &maps[map]).collect::<Vec<_>>(), 0))
            .collect()
    }

    /// Images whose features were computed so far, and not taken from what was kept.
    pub fn forwards(&self) -> u64 {
        self.forwards.load(Ordering::Relaxed)
    }

    fn compute(&self, image: &Tensor) -> Result<Features> {
        self.forwards.fetch_add(1, Ordering::Relaxed);
        match &self.body {
            Body::Dinov2(body) => Ok(vec![body.forward(image)?]),
            Body::Segformer(body) => body.forward(image),
        }
    }
}

#[cfg(test)]
mod tests;
