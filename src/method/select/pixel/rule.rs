//! What a pixel rule is: looks at all images, then decides on each.

use super::class_balanced::ClassBalanced;
use super::entropy::EntropyQuantile;
use super::label::LabelRecord;
use super::matched::Matched;
use super::oracle::Oracle;
use super::threshold::Threshold;
use crate::data::image::Mask;
use crate::spec::method::PixelSelect;

/// A rule that still has to look at the images.
pub trait Look {
    /// Takes note of one image. Every image is shown once per look, in any order.
    ///
    /// # Errors
    /// [`PixelError`], which names the image.
    fn observe(&mut self, record: &LabelRecord) -> Result<(), PixelError>;

    /// Ends this look.
    ///
    /// # Errors
    /// [`PixelError`] when what was seen allows no cut.
    fn finish(self: Box<Self>) -> Result<Step, PixelError>;
}

/// A rule that knows its cut.
pub trait Cut: Send + Sync {
    /// The pseudo label with its dropped pixels set to 255; from the record alone, so images may come in any order.
    ///
    /// # Errors
    /// [`PixelError`], which names the image.
    fn decide(&self, record: &LabelRecord) -> Result<Mask, PixelError>;
}

/// What a rule needs next.
pub enum Step {
    /// A look at every image.
    Look(Box<dyn Look>),
    /// Nothing: it can decide.
    Ready(Box<dyn Cut>),
}

/// A pseudo label that a rule cannot judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PixelError {
    /// The rule needs the true mask.
    #[error("select pixels of image `{0}` by oracle: it has no true mask; give one, or choose another rule")]
    NoTruth(String),
    /// The record lacks what the rule reads.
    #[error("select pixels of image `{id}`: its label was written without {what}, which this rule reads")]
    Missing {
        /// The image.
        id: String,
        /// What is missing.
        what: &'static str,
    },
    /// A plane of another size.
    #[error("select pixels of image `{id}`: its {what} has {found} pixels and its label {expected}")]
    Size {
        /// The image.
        id: String,
        /// Which plane.
        what: &'static str,
        /// Its pixels.
        found: usize,
        /// The label's pixels.
        expected: usize,
    },
    /// Fewer labeled pixels than are to be kept.
    #[error("keep {budget} pixels: the labels of all images have only {available}")]
    Budget {
        /// Pixels to keep.
        budget: u64,
        /// Pixels there are.
        available: u64,
    },
    /// An image that was not shown when the rule looked.
    #[error("select pixels of image `{0}`: the rule was not shown this label when it learned its cut")]
    Unseen(String),
}

/// The rule that a spec names.
///
/// `budget` is the number of pixels that the image-level selection keeps; the rule `matched` alone reads it.
pub fn rule(select: &PixelSelect, budget: u64) -> Step {
    match select {
        PixelSelect::Threshold { threshold } => Step::Ready(Box::new(Threshold::new(*threshold))),
        PixelSelect::ClassBalanced { fraction } => Step::Look(Box::new(ClassBalanced::new(*fraction))),
        PixelSelect::Entropy { quantile } => Step::Look(Box::new(EntropyQuantile::new(*quantile))),
        PixelSelect::Matched { .. } => Step::Look(Box::new(Matched::new(budget))),
        PixelSelect::Oracle => Step::Ready(Box::new(Oracle)),
    }
}

/// Shows a rule all images as often as it asks for, and returns its cut.
///
/// `show` runs once per look and passes every record to the function it is given.
///
/// # Errors
/// What `show` reports, or a [`PixelError`] of the rule.
pub fn learn<E: From<PixelError>>(
    mut step: Step,
    mut show: impl FnMut(&mut dyn FnMut(&LabelRecord) -> Result<(), PixelError>) -> Result<(), E>,
) -> Result<Box<dyn Cut>, E> {
    loop {
        match step {
            Step::Ready(cut) => return Ok(cut),
            Step::Look(mut look) => {
                show(&mut |record| look.observe(record))?;
                step = look.finish()?;
            }
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! Small random datasets of pseudo labels, and a rule run over them.

    use super::*;
    use proptest::prelude::*;

    /// Learns from `shown`, decides on `images`, in their order.
    pub(crate) fn run(step: Step, shown: &[LabelRecord], images: &[LabelRecord]) -> Vec<Mask> {
        try_run(step, shown, images).expect("a rule that can judge these labels")
    }

    pub(crate) fn try_run(
        step: Step,
        shown: &[LabelRecord],
        images: &[LabelRecord],
    ) -> Result<Vec<Mask>, PixelError> {
        let cut = learn(step, |observe| shown.iter().try_for_each(observe))?;
        images.iter().map(|record| cut.decide(record)).collect()
    }

    /// Labels of 4 classes with few distinct values, so that ties are common.
    pub(crate) fn labels() -> impl Strategy<Value = Vec<LabelRecord>> {
        let value = || prop_oneof![0u16..3, Just(65535), any::<u16>()];
        let pixel = (prop_oneof![8 => 0u8..4, 1 => Just(255)], value(), value(), 0u8..4);
        let image = prop::collection::vec(pixel, 1..12);
        prop::collection::vec(image, 1..6)
            .prop_map(|images| images.into_iter().enumerate().map(|(i, pixels)| record(i, &pixels)).collect())
    }

    fn record(number: usize, pixels: &[(u8, u16, u16, u8)]) -> LabelRecord {
        let mask = |data: Vec<u8>| Mask::new(data.len(), 1, data);
        LabelRecord {
            // Not in the order of the list.
            id: format!("image {}", (number * 5 + 3) % 7),
            mask: mask(pixels.iter().map(|p| p.0).collect()),
            confidence: Some(pixels.iter().map(|p| p.1).collect()),
            entropy: Some(pixels.iter().map(|p| p.2).collect()),
            truth: Some(mask(pixels.iter().map(|p| p.3).collect())),
        }
    }

    /// A record of one row.
    pub(crate) fn row(id: &str, classes: &[u8], confidence: &[u16]) -> LabelRecord {
        LabelRecord {
            id: id.to_owned(),
            mask: Mask::new(classes.len(), 1, classes.to_vec()),
            confidence: Some(confidence.to_vec()),
            entropy: None,
            truth: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{labels, row, run, try_run};
    use super::*;
    use crate::data::image::IGNORE;
    use crate::method::select::pixel::kept;
    use proptest::prelude::*;

    fn rules() -> impl Strategy<Value = PixelSelect> {
        prop_oneof![
            (0.0f64..=1.0).prop_map(|threshold| PixelSelect::Threshold { threshold }),
            (0.001f64..=1.0).prop_map(|fraction| PixelSelect::ClassBalanced { fraction }),
            (0.0f64..1.0).prop_map(|quantile| PixelSelect::Entropy { quantile }),
            Just(PixelSelect::Oracle),
        ]
    }

    proptest! {
        #[test]
        fn no_rule_depends_on_the_order_of_images(labels in labels(), select in rules()) {
            let mut reversed = labels.clone();
            reversed.reverse();
            prop_assert_eq!(
                run(rule(&select, 0), &labels, &labels),
                run(rule(&select, 0), &reversed, &labels)
            );
        }

        #[test]
        fn a_rule_drops_and_never_invents(labels in labels(), select in rules()) {
            for (record, mask) in labels.iter().zip(run(rule(&select, 0), &labels, &labels)) {
                let unchanged = |(&new, &old): (&u8, &u8)| new == old || new == IGNORE;
                prop_assert!(mask.data.iter().zip(&record.mask.data).all(unchanged));
                prop_assert!(kept(&mask) <= kept(&record.mask));
            }
        }
    }

    #[test]
    fn what_a_rule_reads_and_does_not_find_is_named() {
        let blind = [LabelRecord { confidence: None, ..row("city 3", &[0], &[1]) }];
        let mut texts = Vec::new();
        for select in [
            PixelSelect::Threshold { threshold: 0.9 },
            PixelSelect::ClassBalanced { fraction: 0.5 },
            PixelSelect::Entropy { quantile: 0.2 },
            PixelSelect::Oracle,
        ] {
            texts.push(try_run(rule(&select, 0), &blind, &blind).unwrap_err().to_string());
        }
        let short = [row("city 4", &[0, 1], &[1])];
        let select = PixelSelect::Threshold { threshold: 0.9 };
        texts.push(try_run(rule(&select, 0), &short, &short).unwrap_err().to_string());
        insta::assert_snapshot!(texts.join("\n"), @r"
        select pixels of image `city 3`: its label was written without confidence, which this rule reads
        select pixels of image `city 3`: its label was written without confidence, which this rule reads
        select pixels of image `city 3`: its label was written without entropy, which this rule reads
        select pixels of image `city 3` by oracle: it has no true mask; give one, or choose another rule
        select pixels of image `city 4`: its confidence has 1 pixels and its label 2
        ");
    }
}
