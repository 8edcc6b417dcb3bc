//! Resamples of the evaluated images, and what a run scores on each.
//!
//! A resample draws as many images as there are, with replacement. Which ones depends on the number of images and the
//! replicate alone: every arm, seed and split of every comparison is resampled alike, so that differences are paired,
//! and a run's scores can be computed once and combined with any other's. Counts are integers, so that no order of
//! summation and no number of threads changes a bit.

use rayon::prelude::*;

use super::counts::{ImageCounts, LANES, Lanes};
use crate::base::digest::Digest;
use crate::base::simd::{self, Loops};
use crate::base::stream::Stream;
use crate::metric::mean::nan_mean;

/// Replicates of a report.
pub const REPLICATES: usize = 1000;

/// Which images are drawn, replicate by replicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resamples {
    images: usize,
    /// Positions of images, as many per replicate as there are images.
    draws: Vec<u32>,
}

impl Resamples {
    /// `replicates` resamples of a number of images. More replicates begin with those of fewer.
    ///
    /// # Panics
    /// When there are no images, or 2^32 of them.
    pub fn new(images: usize, replicates: usize) -> Self {
        let count = u32::try_from(images).expect("fewer than 2^32 images are evaluated");
        assert!(count > 0, "a resample of no images was asked for");
        let item = format!("of {count} images");
        let mut draws = vec![0; images * replicates];
        draws.par_chunks_exact_mut(images).enumerate().for_each(|(replicate, draws)| {
            let mut stream = Stream::at(0, "bootstrap over images", "", replicate as u64, &item);
            // Below 2^32, as `count` is.
            draws.fill_with(|| stream.below(u64::from(count)) as u32);
        });
        Self { images, draws }
    }

    /// Number of replicates.
    pub fn replicates(&self) -> usize {
        self.draws.len() / self.images
    }

    /// A run's scores on every resample.
    ///
    /// # Panics
    /// When the run was evaluated on another number of images.
    pub fn scores(&self, counts: &ImageCounts) -> Replicates {
        assert_eq!(counts.images(), self.images, "resamples are of as many images as a run was evaluated on");
        let ious: Vec<Vec<Option<f64>>> =
            self.draws.par_chunks_exact(self.images).map(|draws| ious(counts, draws)).collect();
        Replicates { set: counts.set(), mious: ious.iter().map(|ious| nan_mean(ious)).collect(), ious }
    }
}

/// A run's scores on resamples.
#[derive(Debug, Clone, PartialEq)]
pub struct Replicates {
    set: Digest,
    mious: Vec<Option<f64>>,
    /// By replicate, then class.
    ious: Vec<Vec<Option<f64>>>,
}

/// What is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// The mean over the classes that occur in the resample, as truth or as prediction.
    Miou,
    /// Intersection over union of the class with this id.
    Iou(usize),
}

impl Replicates {
    /// The images that were resampled: [`ImageCounts::set`].
    pub fn set(&self) -> Digest {
        self.set
    }

    /// Number of replicates.
    pub fn len(&self) -> usize {
        self.mious.len()
    }

    /// Whether there is no replicate.
    pub fn is_empty(&self) -> bool {
        self.mious.is_empty()
    }

    /// A score on one resample; none where a class, or every class, occurs neither as truth nor as prediction.
    ///
    /// # Panics
    /// When there is no such replicate or class.
    pub fn at(&self, replicate: usize, score: Score) -> Option<f64> {
        match score {
            Score::Miou => self.mious[replicate],
            Score::Iou(class) => self.ious[replicate][class],
        }
    }
}

/// Intersection over union of every class, of the images drawn.
fn ious(counts: &ImageCounts, draws: &[u32]) -> Vec<Option<f64>> {
    let sums = simd::run(Sums { counts, draws });
    let iou = |sums: &[u64]| (sums[1] > 0).then(|| sums[0] as f64 / sums[1] as f64);
    sums.chunks_exact(2).take(counts.classes()).map(iou).collect()
}

/// Sums of intersections and unions over the images drawn.
struct Sums<'a> {
    counts: &'a ImageCounts,
    draws: &'a [u32],
}

impl Loops for Sums<'_> {
    type Output = Vec<u64>;

    // An image that is drawn three times is added three times: that takes fewer instructions than to multiply 64 bits,
    // and eight sums fit in a register where the products would take two.
    #[inline(always)]
    fn run(self) -> Vec<u64> {
        let mut sums = Vec::new();
        for block in self.counts.blocks() {
            let mut wide = [0u64; LANES];
            for draws in self.draws.chunks(self.counts.most_summands()) {
                let mut narrow: Lanes = [0; LANES];
                for &image in draws {
                    for (sum, count) in narrow.iter_mut().zip(&block[image as usize]) {
                        // Never wraps: there are no more summands than 32 bits hold.
                        *sum = sum.wrapping_add(*count);
                    }
                }
                for (wide, narrow) in wide.iter_mut().zip(narrow) {
                    *wide += u64::from(narrow);
                }
            }
            sums.extend(wide);
        }
        sums
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::counts::ClassCounts;
    use super::*;
    use crate::metric::Confusion;
    use crate::metric::fixture::{fixture, text_float};
    use proptest::prelude::*;

    fn numbers(value: &serde_json::Value) -> Vec<u32> {
        value.as_array().unwrap().iter().map(|v| u32::try_from(v.as_u64().unwrap()).unwrap()).collect()
    }

    /// Counts by image, then class, then true positives, false positives and false negatives.
    fn image_counts(classes: usize, flat: &[u32]) -> ImageCounts {
        let counts: Vec<ClassCounts> = flat
            .chunks_exact(3)
            .map(|c| ClassCounts { true_positives: c[0], false_positives: c[1], false_negatives: c[2] })
            .collect();
        let ids: Vec<String> = (0..counts.len() / classes).map(|image| format!("{image:05}")).collect();
        let images: Vec<(&str, &[ClassCounts])> =
            ids.iter().map(String::as_str).zip(counts.chunks_exact(classes)).collect();
        ImageCounts::new(classes, &images)
    }

    /// Resamples, runs and what NumPy makes of them, from the fixture.
    pub(in crate::report::stats) fn case(case: &serde_json::Value) -> Vec<Replicates> {
        let number = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
        let resamples = Resamples { images: number("images"), draws: numbers(&case["draws"]) };
        let runs = case["runs"].as_array().unwrap().iter();
        runs.map(|run| resamples.scores(&image_counts(number("classes"), &numbers(&run["counts"])))).collect()
    }

    #[test]
    fn scores_are_those_of_numpy() {
        for of_fixture in fixture("stats/stats.json")["bootstrap"].as_array().unwrap() {
            for (found, run) in case(of_fixture).iter().zip(of_fixture["runs"].as_array().unwrap()) {
                for (replicate, expected) in run["mious"].as_array().unwrap().iter().enumerate() {
                    let (found, expected) = (found.at(replicate, Score::Miou), text_float(expected));
                    assert_eq!(found.is_some(), expected.is_some());
                    assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12);
                }
                for (replicate, expected) in run["first_ious"].as_array().unwrap().iter().enumerate() {
                    let (found, expected) = (found.at(replicate, Score::Iou(0)), text_float(expected));
                    assert_eq!(found, expected, "replicate {replicate}");
                }
            }
        }
    }

    #[test]
    fn which_images_are_drawn_never_changes() {
        let resamples = Resamples::new(10, 3);
        let lines: Vec<String> = resamples.draws.chunks_exact(10).map(|draws| format!("{draws:?}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        [4, 3, 9, 4, 3, 4, 0, 7, 9, 9]
        [6, 2, 2, 9, 5, 7, 9, 7, 1, 0]
        [9, 1, 1, 2, 7, 9, 3, 4, 8, 8]
        ");
        assert_eq!(Resamples::new(10, 2).draws, resamples.draws[..20]);
        assert_eq!(resamples.replicates(), 3);
    }

    #[test]
    fn a_third_of_the_images_is_left_out() {
        let resamples = Resamples::new(500, 200);
        let left_out = |draws: &[u32]| (0..500).filter(|image| !draws.contains(image)).count();
        let all: usize = resamples.draws.chunks_exact(500).map(left_out).sum();
        // e^-1 = .3679 of all, ± some .001.
        let share = all as f64 / (500.0 * 200.0);
        assert!((share - 0.3677).abs() < 0.004, "{share}");
    }

    #[test]
    fn every_image_once_is_the_score_of_all_to_the_last_bit() {
        let masks = [(vec![0, 0, 1, 2, 2], vec![0, 1, 1, 2, 0]), (vec![1, 1, 1, 0, 2], vec![1, 1, 0, 0, 2])];
        let images: Vec<Confusion> = masks.iter().map(|(t, p)| Confusion::of(4, t, p)).collect();
        let mut all = images[0].clone();
        all.merge(&images[1]);
        let counts = ImageCounts::of(&[("a", &images[0]), ("b", &images[1])]);
        let found = Resamples { images: 2, draws: vec![1, 0] }.scores(&counts);
        assert_eq!((found.at(0, Score::Miou), &found.ious[0]), (all.miou(), &all.iou()));
    }

    #[test]
    fn sums_beyond_32_bits_are_right() {
        let counts = image_counts(1, &[3_000_000_000, 0, 1_000_000_000, 0, 0, 4_000_000_000]);
        let draws = vec![0, 0, 1, 0, 0, 0, 0, 0];
        let found = ious(&counts, &draws);
        assert_eq!(found, [Some(21.0 / 32.0)]);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_a_plain_loop(
            classes in 1usize..12, images in 1usize..9, seed in any::<u64>(), large in any::<bool>(),
        ) {
            let mut stream = Stream::at(seed, "test", "", 0, "");
            let most = if large { u64::from(u32::MAX / 3) } else { 50 };
            let flat: Vec<u32> = (0..images * classes * 3).map(|_| stream.below(most) as u32).collect();
            let draws: Vec<u32> = (0..images).map(|_| stream.below(images as u64) as u32).collect();
            let found = ious(&image_counts(classes, &flat), &draws);
            for (class, found) in found.into_iter().enumerate() {
                let (mut inter, mut union) = (0u64, 0u64);
                for &image in &draws {
                    let at = (image as usize * classes + class) * 3;
                    inter += u64::from(flat[at]);
                    union += flat[at..at + 3].iter().copied().map(u64::from).sum::<u64>();
                }
                prop_assert_eq!(found, (union > 0).then(|| inter as f64 / union as f64));
            }
        }
    }
}
