//! Fixed threshold: pixels that the label's writer was sure of (FixMatch, UniMatch).

use super::label::LabelRecord;
use super::rule::{Cut, PixelError};
use crate::data::image::Mask;

/// Keeps pixels whose confidence is at least a threshold, to 1/65535.
pub struct Threshold {
    /// The lowest 16-bit confidence that is kept.
    lowest: u16,
}

impl Threshold {
    /// A threshold in [0, 1]: confidences of at least ceil(65535 · threshold) are kept.
    pub fn new(threshold: f64) -> Self {
        Self { lowest: (threshold * f64::from(u16::MAX)).ceil() as u16 }
    }
}

impl Cut for Threshold {
    fn decide(&self, record: &LabelRecord) -> Result<Mask, PixelError> {
        Ok(record.filtered(record.need_confidence()?, |_, confidence| confidence >= self.lowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::select::pixel::label::quantise;
    use crate::method::select::pixel::rule::Step;
    use crate::method::select::pixel::rule::testing::{labels, row, run};
    use proptest::prelude::*;

    fn step(threshold: f64) -> Step {
        Step::Ready(Box::new(Threshold::new(threshold)))
    }

    #[test]
    fn the_threshold_itself_is_kept() {
        let confidence = [0.94, 0.9499, 0.95001, 1.0].map(quantise);
        let image = [row("a", &[1, 2, 3, 4], &confidence)];
        assert_eq!(run(step(0.95), &[], &image)[0].data, [255, 255, 3, 4]);
        assert_eq!(run(step(0.0), &[], &image)[0].data, [1, 2, 3, 4]);
        assert_eq!(run(step(1.0), &[], &image)[0].data, [255, 255, 255, 4]);
    }

    proptest! {
        #[test]
        fn a_higher_threshold_keeps_a_subset(labels in labels(), a in 0.0f64..=1.0, b in 0.0f64..=1.0) {
            let (low, high) = (a.min(b), a.max(b));
            let (loose, strict) = (run(step(low), &[], &labels), run(step(high), &[], &labels));
            for (loose, strict) in loose.iter().zip(&strict) {
                prop_assert!(loose.data.iter().zip(&strict.data).all(|(l, s)| s == l || *s == 255));
            }
        }
    }
}
