//! Class-balanced: of every class its most confident share, so that rare classes keep a voice (CBST).

use std::collections::BTreeMap;

use super::histogram::Histogram;
use super::label::LabelRecord;
use super::rule::{Cut, Look, PixelError, Step};
use crate::base::share;
use crate::data::image::{IGNORE, Mask};

/// Looks at the confidences of every class.
pub struct ClassBalanced {
    fraction: f64,
    classes: BTreeMap<u8, Histogram>,
}

impl ClassBalanced {
    /// Keeps, of a class with n pixels, those at least as confident as its ceil(fraction · n)-th.
    ///
    /// Pixels that equal it are kept, too: a class whose confidences are all the same is kept whole.
    pub fn new(fraction: f64) -> Self {
        Self { fraction, classes: BTreeMap::new() }
    }
}

impl Look for ClassBalanced {
    fn observe(&mut self, record: &LabelRecord) -> Result<(), PixelError> {
        for (&class, &confidence) in record.mask.data.iter().zip(record.need_confidence()?) {
            if class != IGNORE {
                self.classes.entry(class).or_default().add(confidence);
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Step, PixelError> {
        let lowest = |histogram: &Histogram| histogram.highest(share::ceil(self.fraction, histogram.total()));
        let mut cut = ClassCut { lowest: [None; 256] };
        for (&class, histogram) in &self.classes {
            cut.lowest[usize::from(class)] = lowest(histogram);
        }
        Ok(Step::Ready(Box::new(cut)))
    }
}

/// The lowest confidence of every class that is kept; `None` keeps nothing.
struct ClassCut {
    lowest: [Option<u16>; 256],
}

impl Cut for ClassCut {
    fn decide(&self, record: &LabelRecord) -> Result<Mask, PixelError> {
        let keep = |class: u8, confidence: u16| {
            self.lowest[usize::from(class)].is_some_and(|lowest| confidence >= lowest)
        };
        Ok(record.filtered(record.need_confidence()?, keep))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::select::pixel::rule::testing::{labels, row, run};
    use proptest::prelude::*;

    fn step(fraction: f64) -> Step {
        Step::Look(Box::new(ClassBalanced::new(fraction)))
    }

    #[test]
    fn a_rare_class_keeps_its_share_whatever_its_confidence() {
        let images = [row("a", &[0, 0, 0, 0], &[9, 8, 7, 6]), row("b", &[1, 1, 0, 1], &[2, 1, 5, 1])];
        let masks = run(step(0.5), &images, &images);
        assert_eq!(masks[0].data, [0, 0, 0, 255]);
        assert_eq!(masks[1].data, [1, 1, 255, 1]);
    }

    proptest! {
        #[test]
        fn every_class_keeps_its_fraction_and_ties(labels in labels(), fraction in 0.001f64..=1.0) {
            let masks = run(step(fraction), &labels, &labels);
            for class in 0..4u8 {
                let pixels: Vec<(u16, bool)> = labels.iter().zip(&masks)
                    .flat_map(|(record, mask)| {
                        let confidence = record.confidence.as_ref().unwrap().iter();
                        record.mask.data.iter().zip(confidence).zip(&mask.data)
                    })
                    .filter(|((old, _), _)| **old == class)
                    .map(|((_, confidence), new)| (*confidence, *new == class))
                    .collect();
                let kept: Vec<u16> = pixels.iter().filter(|p| p.1).map(|p| p.0).collect();
                let dropped = pixels.iter().filter(|p| !p.1).map(|p| p.0);
                let wanted = share::ceil(fraction, pixels.len() as u64) as usize;
                prop_assert!(kept.len() >= wanted);
                if let Some(lowest) = kept.iter().min() {
                    prop_assert!(kept.iter().filter(|c| *c > lowest).count() < wanted);
                    prop_assert!(dropped.max().is_none_or(|highest| highest < *lowest));
                }
            }
        }
    }
}
