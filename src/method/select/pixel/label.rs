//! What pixel-level selection may know of a pseudo label.

use super::rule::PixelError;
use crate::data::image::{IGNORE, Mask};
use crate::method::record::PixelStatistics;

/// The pseudo label of one image, and how sure its writer was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRecord {
    /// The image.
    pub id: String,
    /// The most probable class of every pixel.
    pub mask: Mask,
    /// The probability of that class, `(H, W)`; see [`quantise`].
    pub confidence: Option<Vec<u16>>,
    /// The entropy over ln C, `(H, W)`; see [`quantise`].
    pub entropy: Option<Vec<u16>>,
    /// The true mask; only the rule `oracle` reads it.
    pub truth: Option<Mask>,
}

/// A share of [0, 1] in 16 bits: round(65535 · share), ends included.
pub fn quantise(share: f64) -> u16 {
    // A NaN becomes 0: no confidence.
    (share * f64::from(u16::MAX)).round() as u16
}

/// Number of pixels that carry a pseudo label.
pub fn kept(mask: &Mask) -> u64 {
    mask.data.iter().filter(|&&class| class != IGNORE).count() as u64
}

impl LabelRecord {
    /// The record of what a model of `classes` classes said, without a true mask.
    pub fn new(id: &str, pixels: PixelStatistics, classes: usize) -> Self {
        let most = libm::log(classes.max(2) as f64);
        let confidence = pixels.confidence.iter().map(|&p| quantise(f64::from(p))).collect();
        let entropy = pixels.entropy.iter().map(|&h| quantise(f64::from(h) / most)).collect();
        Self {
            id: id.to_owned(),
            mask: pixels.mask,
            confidence: Some(confidence),
            entropy: Some(entropy),
            truth: None,
        }
    }

    pub(super) fn need_confidence(&self) -> Result<&[u16], PixelError> {
        self.need(self.confidence.as_deref(), "confidence")
    }

    pub(super) fn need_entropy(&self) -> Result<&[u16], PixelError> {
        self.need(self.entropy.as_deref(), "entropy")
    }

    pub(super) fn need_truth(&self) -> Result<&[u8], PixelError> {
        let truth = self.truth.as_ref().ok_or_else(|| PixelError::NoTruth(self.id.clone()))?;
        self.need(Some(&truth.data), "true mask")
    }

    fn need<'a, T>(&self, plane: Option<&'a [T]>, what: &'static str) -> Result<&'a [T], PixelError> {
        let plane = plane.ok_or_else(|| PixelError::Missing { id: self.id.clone(), what })?;
        let (found, expected) = (plane.len(), self.mask.data.len());
        if found != expected {
            return Err(PixelError::Size { id: self.id.clone(), what, found, expected });
        }
        Ok(plane)
    }

    /// The mask with every pixel dropped whose value fails `keep`.
    pub(super) fn filtered<T: Copy>(&self, values: &[T], mut keep: impl FnMut(u8, T) -> bool) -> Mask {
        let keep_or_drop = |(&class, &value): (&u8, &T)| {
            if class != IGNORE && keep(class, value) { class } else { IGNORE }
        };
        let data = self.mask.data.iter().zip(values).map(keep_or_drop).collect();
        Mask::new(self.mask.width, self.mask.height, data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_share_are_exact() {
        assert_eq!([0.0, 1.0, 0.5, -0.1, 1.1, f64::NAN].map(quantise), [0, 65535, 32768, 0, 65535, 0]);
    }

    #[test]
    fn a_record_is_made_of_what_a_model_said() {
        let pixels = PixelStatistics::of(&[0.5, 1.0, 0.5, 0.0], 2, 1, 2);
        let record = LabelRecord::new("a", pixels, 2);
        assert_eq!(record.confidence, Some(vec![32768, 65535]));
        assert_eq!(record.entropy, Some(vec![65535, 0]));
        assert_eq!(kept(&record.mask), 2);
    }
}
