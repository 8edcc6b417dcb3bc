//! Runs on resampled images, each resampled once whatever it is compared with.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::compare::LEVEL;
use super::scores::{RunScores, Scores};
use super::stats::{
    ClassCounts, ImageCounts, ImageInterval, REPLICATES, Replicates, Resamples, Score, difference_over_images,
};
use super::study::{Evaluation, Study};
use crate::base::digest::Digest;

/// The scores of runs on resamples of the headline's images.
#[derive(Debug, Default)]
pub struct Resampled {
    /// By number of images: runs on as many images are resampled alike.
    resamples: BTreeMap<usize, Resamples>,
    /// By the stage that evaluated; none of one without images.
    replicates: BTreeMap<Digest, Option<Replicates>>,
}

impl Resampled {
    /// The interval of the difference of two arms over images.
    ///
    /// None without pairs, and where their runs were evaluated on different images.
    pub fn difference(
        &mut self,
        study: &Study,
        scores: &Scores,
        arm: &str,
        against: &str,
    ) -> Option<ImageInterval> {
        let mut stages = Vec::new();
        for (_, arm, against) in scores.both(arm, against) {
            stages.push((self.add(study, against)?, self.add(study, arm)?));
        }
        let pairs: Option<Vec<_>> =
            stages.iter().map(|(against, arm)| Some((self.of(*against)?, self.of(*arm)?))).collect();
        difference_over_images(&pairs?, Score::Miou, LEVEL).ok().flatten()
    }

    fn of(&self, stage: Digest) -> Option<&Replicates> {
        self.replicates.get(&stage)?.as_ref()
    }

    /// Resamples the images of a run's headline, if nobody has.
    fn add(&mut self, study: &Study, run: &RunScores) -> Option<Digest> {
        let evaluation = run.facts.evaluations.get(&study.headline)?;
        if let Entry::Vacant(empty) = self.replicates.entry(evaluation.stage) {
            let images = evaluation.images().len();
            let scored = (images > 0).then(|| {
                let resamples =
                    self.resamples.entry(images).or_insert_with(|| Resamples::new(images, REPLICATES));
                resamples.scores(&counts(evaluation, study.classes.len()))
            });
            empty.insert(scored);
        }
        Some(evaluation.stage)
    }
}

/// Counts per class of every image.
pub fn counts(evaluation: &Evaluation, classes: usize) -> ImageCounts {
    let of_image = |cells: &[crate::metric::confusion::Cell]| {
        let mut counts = vec![ClassCounts::default(); classes];
        for cell in cells {
            let (truth, prediction) = (usize::from(cell.truth), usize::from(cell.prediction));
            if truth == prediction {
                counts[truth].true_positives = counts[truth].true_positives.saturating_add(cell.pixels);
            } else {
                let add = |count: &mut u32| *count = count.saturating_add(cell.pixels);
                add(&mut counts[truth].false_negatives);
                add(&mut counts[prediction].false_positives);
            }
        }
        counts
    };
    let counted: Vec<(&str, Vec<ClassCounts>)> =
        evaluation.images().iter().map(|image| (&*image.id, of_image(&image.cells))).collect();
    let borrowed: Vec<(&str, &[ClassCounts])> =
        counted.iter().map(|(id, counts)| (*id, counts.as_slice())).collect();
    ImageCounts::new(classes, &borrowed)
}
