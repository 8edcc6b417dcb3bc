//! Matched budget: the most confident pixels, exactly as many as an image-level selection keeps.
//!
//! This is what makes pixels and images comparable: both train on the same number of labeled pixels, and differ only in
//! which. The cut is a confidence; where several pixels lie on it, those of the image whose id comes first are kept, and
//! within an image those that come first row by row.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use super::label::LabelRecord;
use super::rule::{Cut, Look, PixelError, Step};
use crate::data::image::{IGNORE, Mask};

/// The first look: at the confidences of all pixels.
pub struct Matched {
    budget: u64,
    seen: Histogram,
}

impl Matched {
    /// Keeps exactly `budget` pixels.
    pub fn new(budget: u64) -> Self {
        Self { budget, seen: Histogram::default() }
    }
}

impl Look for Matched {
    fn observe(&mut self, record: &LabelRecord) -> Result<(), PixelError> {
        self.seen.add_labeled(&record.mask.data, record.need_confidence()?);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Step, PixelError> {
        let (budget, available) = (self.budget, self.seen.total());
        if budget > available {
            return Err(PixelError::Budget { budget, available });
        }
        // Without a budget there is no such pixel; nobody is above the highest confidence and nothing is left to share.
        let border = self.seen.highest(budget).unwrap_or(u16::MAX);
        let left = budget.saturating_sub(self.seen.above(border));
        Ok(Step::Look(Box::new(Border { border, left, images: BTreeMap::new() })))
    }
}

/// The second look: which images have pixels that lie on the cut.
struct Border {
    border: u16,
    /// Pixels on the cut that may still be kept.
    left: u64,
    images: BTreeMap<String, u64>,
}

impl Look for Border {
    fn observe(&mut self, record: &LabelRecord) -> Result<(), PixelError> {
        let pixels = record.mask.data.iter().zip(record.need_confidence()?);
        let on_border = pixels.filter(|&(&class, &value)| class != IGNORE && value == self.border).count();
        self.images.insert(record.id.clone(), on_border as u64);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Step, PixelError> {
        let Self { border, mut left, images } = *self;
        let share = |(id, pixels): (String, u64)| {
            let quota = pixels.min(left);
            left -= quota;
            (id, quota)
        };
        Ok(Step::Ready(Box::new(MatchedCut { border, quota: images.into_iter().map(share).collect() })))
    }
}

/// The cut, and how many pixels on it every image keeps.
struct MatchedCut {
    border: u16,
    quota: BTreeMap<String, u64>,
}

impl Cut for MatchedCut {
    fn decide(&self, record: &LabelRecord) -> Result<Mask, PixelError> {
        let confidence = record.need_confidence()?;
        let mut left = *self.quota.get(&record.id).ok_or_else(|| PixelError::Unseen(record.id.clone()))?;
        let keep = |_, value: u16| {
            let on_border = value == self.border && left > 0;
            left -= u64::from(on_border);
            value > self.border || on_border
        };
        Ok(record.filtered(confidence, keep))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::select::pixel::kept;
    use crate::method::select::pixel::rule::testing::{labels, row, run, try_run};
    use proptest::prelude::*;

    fn step(budget: u64) -> Step {
        Step::Look(Box::new(Matched::new(budget)))
    }

    #[test]
    fn pixels_on_the_cut_go_by_id_then_row_by_row() {
        let images = [row("b", &[1, 1, 1], &[5, 9, 5]), row("a", &[2, 2, 255, 2], &[5, 5, 5, 4])];
        let masks = run(step(3), &images, &images);
        assert_eq!(masks[0].data, [255, 1, 255]);
        assert_eq!(masks[1].data, [2, 2, 255, 255]);
        let masks = run(step(4), &images, &images);
        assert_eq!(masks[0].data, [1, 1, 255]);
    }

    #[test]
    fn more_pixels_than_there_are_cannot_be_kept() {
        let images = [row("a", &[1, 255], &[3, 3])];
        let error = try_run(step(2), &images, &images).unwrap_err();
        assert_eq!(error, PixelError::Budget { budget: 2, available: 1 });
    }

    #[test]
    fn an_image_that_was_not_shown_is_named() {
        let images = [row("a", &[1], &[3]), row("b", &[1], &[3])];
        let error = try_run(step(1), &images[..1], &images).unwrap_err();
        assert_eq!(error, PixelError::Unseen("b".to_owned()));
    }

    proptest! {
        #[test]
        fn the_budget_is_met_exactly_by_the_most_confident(labels in labels(), part in 0.0f64..=1.0) {
            let all: u64 = labels.iter().map(|record| kept(&record.mask)).sum();
            let budget = (part * all as f64) as u64;
            let masks = run(step(budget), &labels, &labels);
            prop_assert_eq!(masks.iter().map(kept).sum::<u64>(), budget);

            let mut worst_kept = u16::MAX;
            let mut best_dropped = 0;
            for (record, mask) in labels.iter().zip(&masks) {
                let confidence = record.confidence.as_ref().unwrap();
                for ((old, new), value) in record.mask.data.iter().zip(&mask.data).zip(confidence) {
                    if *new != IGNORE {
                        worst_kept = worst_kept.min(*value);
                    } else if *old != IGNORE {
                        best_dropped = best_dropped.max(*value);
                    }
                }
            }
            prop_assert!(budget == 0 || best_dropped <= worst_kept);
        }

        #[test]
        fn a_larger_budget_keeps_all_that_a_smaller_one_does(labels in labels(), a in 0.0f64..=1.0, b in 0.0f64..=1.0) {
            let all: u64 = labels.iter().map(|record| kept(&record.mask)).sum();
            let [small, large] = [a.min(b), a.max(b)].map(|part| (part * all as f64) as u64);
            let (small, large) = (run(step(small), &labels, &labels), run(step(large), &labels, &labels));
            for (small, large) in small.iter().zip(&large) {
                prop_assert!(small.data.iter().zip(&large.data).all(|(s, l)| s == l || *s == IGNORE));
            }
        }

        #[test]
        fn the_order_of_images_does_not_matter(labels in labels(), part in 0.0f64..=1.0) {
            let all: u64 = labels.iter().map(|record| kept(&record.mask)).sum();
            let budget = (part * all as f64) as u64;
            let mut reversed = labels.clone();
            reversed.reverse();
            let mut masks = run(step(budget), &reversed, &reversed);
            masks.reverse();
            prop_assert_eq!(run(step(budget), &labels, &labels), masks);
        }
    }
}
