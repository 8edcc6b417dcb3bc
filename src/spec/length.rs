//! How long a training is, in optimiser steps (official code: `main.py`, `train`; `dataset/semi.py`, `__init__`).

use super::train::{Length, Train};

/// A teacher's list shorter than this is gone through twice per epoch (official code).
const SHORT_LIST: usize = 200;

/// How often every labeled image stands in a teacher's list.
pub fn teacher_repeats(labeled: usize, oversample: bool) -> usize {
    if oversample && labeled < SHORT_LIST { 2 } else { 1 }
}

/// How often every labeled image stands in a re-training's list: ceil(unlabeled / labeled).
pub fn retrain_repeats(labeled: usize, unlabeled: usize, oversample: bool) -> usize {
    if oversample && labeled > 0 { unlabeled.div_ceil(labeled).max(1) } else { 1 }
}

/// Steps of one pass over `items` training items; 0 when there is none, or when the only batch is dropped.
pub fn steps_per_epoch(items: usize, batch: usize, drop_last: bool) -> u64 {
    let steps = if drop_last { items.checked_div(batch).unwrap_or(0) } else { items.div_ceil(batch.max(1)) };
    steps as u64
}

/// Steps of a whole training; 0 when the list has fewer items than one batch and `drop_last` is on.
pub fn total_steps(items: usize, train: &Train) -> u64 {
    let per_epoch = steps_per_epoch(items, train.batch, train.drop_last);
    match train.length {
        Length::Epochs(epochs) => epochs.saturating_mul(per_epoch),
        Length::Iterations(_) if per_epoch == 0 => 0,
        Length::Iterations(steps) => steps,
    }
}

/// Images of the smallest batch of a training: the last one of an epoch where it is kept.
pub fn smallest_batch(items: usize, train: &Train) -> usize {
    let whole = steps_per_epoch(items, train.batch, true);
    match items % train.batch.max(1) {
        rest if rest > 0 && !train.drop_last && total_steps(items, train) > whole => rest,
        _ => train.batch,
    }
}

/// The steps after which one of `points` looks is due: floor(E·k/points) epochs, or floor(I·k/points) steps.
/// The last is the end of the training.
pub fn marks(points: u64, items: usize, train: &Train) -> Vec<u64> {
    let (whole, unit) = match train.length {
        Length::Epochs(epochs) => (epochs, steps_per_epoch(items, train.batch, train.drop_last)),
        Length::Iterations(steps) => (steps, 1),
    };
    let mut marks: Vec<u64> =
        (1..=points).map(|k| share_of(whole, k, points) * unit).filter(|&step| step > 0).collect();
    marks.dedup();
    marks
}

/// floor(whole · k / of), also where the product is large.
fn share_of(whole: u64, k: u64, of: u64) -> u64 {
    (u128::from(whole) * u128::from(k) / u128::from(of)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(length: Length) -> Train {
        Train {
            length,
            batch: 16,
            base_lr: 0.001,
            head_lr: 10.0,
            momentum: 0.9,
            weight_decay: 1e-4,
            power: 0.9,
            crop: 321,
            base_size: 400,
            drop_last: true,
            oversample: true,
        }
    }

    /// `(labeled, supervised steps, steps of ST's re-training)` of the official Pascal and Cityscapes splits.
    #[test]
    fn official_iteration_counts_come_out() {
        for (labeled, all, epochs, supervised, st) in [
            (92, 10_582, 80, 880, 105_280),
            (732, 10_582, 80, 3_600, 100_480),
            (662, 10_582, 80, 3_280, 99_200),
            (100, 2_975, 240, 2_880, 86_400),
        ] {
            let train = train(Length::Epochs(epochs));
            let unlabeled = all - labeled;
            let teacher = labeled * teacher_repeats(labeled, true);
            let student = labeled * retrain_repeats(labeled, unlabeled, true) + unlabeled;
            assert_eq!(total_steps(teacher, &train), supervised, "{labeled} labeled, supervised");
            assert_eq!(total_steps(student, &train), st, "{labeled} labeled, ST");
        }
    }

    #[test]
    fn repeats_are_those_of_the_official_code() {
        assert_eq!([199, 200].map(|n| teacher_repeats(n, true)), [2, 1]);
        assert_eq!(teacher_repeats(92, false), 1);
        assert_eq!(retrain_repeats(92, 10_490, true), 115);
        assert_eq!(retrain_repeats(372, 2603, true), 7);
        assert_eq!(retrain_repeats(92, 10_490, false), 1);
        assert_eq!([retrain_repeats(5, 0, true), retrain_repeats(0, 5, true)], [1, 1]);
    }

    #[test]
    fn checkpoints_are_those_of_the_paper() {
        // 80 epochs, K = 3: after epochs 26, 53 and 80.
        let train = train(Length::Epochs(80));
        let per_epoch = steps_per_epoch(1464, 16, true);
        assert_eq!(marks(3, 1464, &train), [26 * per_epoch, 53 * per_epoch, 80 * per_epoch]);
    }

    #[test]
    fn the_last_batch_of_an_epoch_may_be_smaller() {
        let train = |length, drop_last| Train { drop_last, ..train(length) };
        let smallest = |items, steps| smallest_batch(items, &train(Length::Iterations(steps), false));
        assert_eq!([smallest(32, 9), smallest(33, 9), smallest(47, 9), smallest(5, 9)], [16, 1, 15, 5]);
        assert_eq!([smallest(33, 2), smallest(33, 3)], [16, 1], "two steps end before it");
        assert_eq!(smallest_batch(33, &train(Length::Epochs(1), false)), 1);
        assert_eq!(smallest_batch(33, &train(Length::Epochs(1), true)), 16);
    }

    #[test]
    fn a_list_shorter_than_a_batch_has_no_steps() {
        assert_eq!(total_steps(15, &train(Length::Iterations(100))), 0);
        assert_eq!(total_steps(15, &train(Length::Epochs(100))), 0);
    }
}
