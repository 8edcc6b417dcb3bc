//! The paired bootstrap over evaluated images: what these very models would do on other images of the same kind.
//!
//! The models are taken as they are; only the images are drawn anew. So the interval says nothing of other seeds or
//! splits (for that see [`procedure`](super::procedure)), and one alone, however narrow, is no ground to call a method
//! better. It is of use beside the other: an interval over images that is as wide as the one over the procedure says
//! that more images are needed, and not more seeds.
//!
//! Intervals are percentiles of the replicates. On 200 images they cover 93.5 to 95 % where they say 95 (bench
//! `coverage`), and so does the mIoU of 60 images, nearly. A class needs more than a handful of images: of one that is
//! on 9 the IoU is covered in some 91 % only, so that the number of its images
//! ([`ImageCounts::images_with`](super::counts::ImageCounts::images_with)) belongs beside the interval. Images that
//! depend on each other, such as frames of one sequence, make every interval here too narrow.

use super::interval::Interval;
use super::resamples::{Replicates, Score};
use super::summary::quantile;

/// An interval over images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImageInterval {
    /// Percentiles of the replicates.
    pub interval: Interval,
    /// Replicates that they are made of: those in which the score is defined for every run. Fewer than all where a
    /// class is so rare that a resample may lack it, and then the interval is one given that the class occurs.
    pub replicates: usize,
}

/// Why runs can't be resampled together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BootstrapError {
    /// What is resampled must be the same for all.
    #[error("the runs were evaluated on different images")]
    OtherImages,
    /// Replicates are combined one by one.
    #[error("the runs were resampled {0} and {1} times")]
    OtherReplicates(usize, usize),
}

/// The interval of the mean score of some runs, at `level`.
///
/// None without runs, and where no replicate has a score.
///
/// # Errors
/// When the runs were evaluated on different images, or resampled another number of times.
///
/// # Panics
/// When `level` is not in [0, 1], or there is no such class.
pub fn mean_over_images(
    runs: &[&Replicates],
    score: Score,
    level: f64,
) -> Result<Option<ImageInterval>, BootstrapError> {
    let alike = same_images(runs)?;
    let mean = |replicate| mean(runs.iter().map(|run| run.at(replicate, score)));
    Ok(percentiles(&(0..alike).filter_map(mean).collect::<Vec<_>>(), level))
}

/// The interval of the mean difference of `(baseline, arm)` runs, at `level`: arm minus baseline, pair by pair.
///
/// None without pairs, and where no replicate has a score.
///
/// # Errors
/// See [`mean_over_images`].
///
/// # Panics
/// See [`mean_over_images`].
pub fn difference_over_images(
    pairs: &[(&Replicates, &Replicates)],
    score: Score,
    level: f64,
) -> Result<Option<ImageInterval>, BootstrapError> {
    let runs: Vec<&Replicates> = pairs.iter().flat_map(|(baseline, arm)| [*baseline, *arm]).collect();
    let alike = same_images(&runs)?;
    let mean = |replicate| {
        mean(
            pairs
                .iter()
                .map(|(baseline, arm)| Some(arm.at(replicate, score)? - baseline.at(replicate, score)?)),
        )
    };
    Ok(percentiles(&(0..alike).filter_map(mean).collect::<Vec<_>>(), level))
}

/// The replicates that all runs have.
fn same_images(runs: &[&Replicates]) -> Result<usize, BootstrapError> {
    let Some(first) = runs.first() else { return Ok(0) };
    for run in runs {
        if run.set() != first.set() {
            return Err(BootstrapError::OtherImages);
        }
        if run.len() != first.len() {
            return Err(BootstrapError::OtherReplicates(first.len(), run.len()));
        }
    }
    Ok(first.len())
}

/// The mean of values that are all there, in their order.
fn mean(values: impl ExactSizeIterator<Item = Option<f64>>) -> Option<f64> {
    let count = values.len() as f64;
    let mut sum = 0.0;
    for value in values {
        sum += value?;
    }
    Some(sum / count)
}

fn percentiles(replicates: &[f64], level: f64) -> Option<ImageInterval> {
    assert!((0.0..=1.0).contains(&level), "an interval at level {level}");
    let tail = (1.0 - level) / 2.0;
    let (low, high) = (quantile(replicates, tail)?, quantile(replicates, 1.0 - tail)?);
    Some(ImageInterval { interval: Interval { low, high, level }, replicates: replicates.len() })
}

#[cfg(test)]
mod tests {
    use super::super::counts::{ClassCounts, ImageCounts};
    use super::super::resamples::{Resamples, tests::case};
    use super::*;
    use crate::metric::fixture::{fixture, floats};

    fn close(found: Option<ImageInterval>, expected: &serde_json::Value) {
        let Some(found) = found else { return assert!(expected.is_null()) };
        let ends = floats(&expected["interval"]);
        assert!((found.interval.low - ends[0]).abs() < 1e-12, "{expected}: {found:?}");
        assert!((found.interval.high - ends[1]).abs() < 1e-12, "{expected}: {found:?}");
        assert_eq!(found.replicates as u64, expected["replicates"].as_u64().unwrap());
    }

    #[test]
    fn intervals_are_those_of_numpy() {
        for of_fixture in fixture("stats/stats.json")["bootstrap"].as_array().unwrap() {
            let runs = case(of_fixture);
            // The first half are the baseline's.
            let (baseline, arm) = runs.split_at(runs.len() / 2);
            let pairs: Vec<(&Replicates, &Replicates)> = baseline.iter().zip(arm).collect();
            let arm: Vec<&Replicates> = arm.iter().collect();
            for (score, key) in [(Score::Miou, "miou"), (Score::Iou(0), "first_iou")] {
                close(difference_over_images(&pairs, score, 0.95).unwrap(), &of_fixture["difference"][key]);
                close(mean_over_images(&arm, score, 0.95).unwrap(), &of_fixture["arm"][key]);
            }
        }
    }

    fn run(ids: [&str; 2], first: u32, replicates: usize) -> Replicates {
        let count = |tp| [ClassCounts { true_positives: tp, false_positives: 10 - tp, false_negatives: 0 }];
        let counts = ImageCounts::new(1, &[(ids[0], &count(first)), (ids[1], &count(3))]);
        Resamples::new(2, replicates).scores(&counts)
    }

    #[test]
    fn runs_on_other_images_are_not_compared() {
        let (here, there) = (run(["a", "b"], 5, 9), run(["a", "c"], 5, 9));
        let found = difference_over_images(&[(&here, &there)], Score::Miou, 0.95);
        assert_eq!(found, Err(BootstrapError::OtherImages));
        assert_eq!(found.unwrap_err().to_string(), "the runs were evaluated on different images");
        let fewer = run(["a", "b"], 5, 8);
        let found = mean_over_images(&[&here, &fewer], Score::Miou, 0.95);
        assert_eq!(found, Err(BootstrapError::OtherReplicates(9, 8)));
    }

    #[test]
    fn a_run_does_not_differ_from_itself() {
        let one = run(["a", "b"], 7, 50);
        let found = difference_over_images(&[(&one, &one)], Score::Miou, 0.95).unwrap().unwrap();
        assert_eq!((found.interval.low, found.interval.high, found.replicates), (0.0, 0.0, 50));
        assert_eq!(difference_over_images(&[], Score::Miou, 0.95), Ok(None));
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let of_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(["a", "b"], 4, 101))
        };
        assert_eq!(of_threads(1), of_threads(3));
    }
}
