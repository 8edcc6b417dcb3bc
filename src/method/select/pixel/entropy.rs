//! Entropy quantile: all pixels but those on which the label's writer hesitated most (U2PL).

use super::histogram::Histogram;
use super::label::LabelRecord;
use super::rule::{Cut, Look, PixelError, Step};
use crate::base::share;
use crate::data::image::Mask;

/// Looks at the entropies of all pixels.
pub struct EntropyQuantile {
    quantile: f64,
    seen: Histogram,
}

impl EntropyQuantile {
    /// Drops, of n pixels, those whose entropy is above that of the (floor(quantile · n) + 1)-th highest.
    ///
    /// Pixels that equal it are kept: never more than the quantile is dropped.
    pub fn new(quantile: f64) -> Self {
        Self { quantile, seen: Histogram::default() }
    }
}

impl Look for EntropyQuantile {
    fn observe(&mut self, record: &LabelRecord) -> Result<(), PixelError> {
        self.seen.add_labeled(&record.mask.data, record.need_entropy()?);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Step, PixelError> {
        let dropped = share::floor(self.quantile, self.seen.total());
        // With a quantile of 1, or no pixels, there is no such pixel, and nothing to keep.
        Ok(Step::Ready(Box::new(EntropyCut { highest: self.seen.highest(dropped + 1) })))
    }
}

/// The highest entropy that is kept; `None` keeps nothing.
struct EntropyCut {
    highest: Option<u16>,
}

impl Cut for EntropyCut {
    fn decide(&self, record: &LabelRecord) -> Result<Mask, PixelError> {
        let keep = |_, entropy| self.highest.is_some_and(|highest| entropy <= highest);
        Ok(record.filtered(record.need_entropy()?, keep))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::select::pixel::kept;
    use crate::method::select::pixel::rule::testing::{labels, row, run};
    use proptest::prelude::*;

    fn step(quantile: f64) -> Step {
        Step::Look(Box::new(EntropyQuantile::new(quantile)))
    }

    fn hesitant(id: &str, classes: &[u8], entropy: &[u16]) -> LabelRecord {
        LabelRecord { entropy: Some(entropy.to_vec()), ..row(id, classes, entropy) }
    }

    #[test]
    fn the_most_hesitant_pixels_of_all_images_go() {
        let images = [hesitant("a", &[1, 1, 1], &[900, 5, 800]), hesitant("b", &[2, 2], &[7, 6])];
        let masks = run(step(0.4), &images, &images);
        assert_eq!(masks[0].data, [255, 1, 255]);
        assert_eq!(masks[1].data, [2, 2]);
        assert_eq!(run(step(0.0), &images, &images)[0].data, [1, 1, 1]);
    }

    proptest! {
        #[test]
        fn never_more_than_the_quantile_is_dropped(labels in labels(), quantile in 0.0f64..1.0) {
            let all: u64 = labels.iter().map(|record| kept(&record.mask)).sum();
            let masks = run(step(quantile), &labels, &labels);
            let left: u64 = masks.iter().map(kept).sum();
            prop_assert!(all - left <= share::floor(quantile, all));
        }
    }
}
