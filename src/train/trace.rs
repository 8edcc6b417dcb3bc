//! The trace of a training: a rolling digest over the bits of loss and learning rate of every step.
//!
//! Two trainings with equal traces took the same path. Marks along the way say between which steps two others parted.

use serde::{Deserialize, Serialize};

use crate::base::digest::{Digest, Hasher};

/// At most about this many marks are set in a training.
const MARKS: u64 = 128;

/// A rolling digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    digest: Digest,
    every: u64,
    marks: Vec<(u64, Digest)>,
}

impl Trace {
    /// The trace of a training of this many steps, before the first.
    pub fn new(steps: u64) -> Self {
        let digest = Hasher::new("stpp trace v1").finish();
        Self { digest, every: steps.div_ceil(MARKS).next_power_of_two(), marks: Vec::new() }
    }

    /// Adds a step.
    pub fn step(&mut self, step: u64, loss: f32, lr: f64) {
        self.digest = Hasher::new("stpp trace v1")
            .field(self.digest.as_bytes())
            .number(step)
            .number(u64::from(loss.to_bits()))
            .number(lr.to_bits())
            .finish();
        if step.is_multiple_of(self.every) {
            self.marks.push((step, self.digest));
        }
    }

    /// The digest of all steps so far.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Some steps, evenly spaced, and the digest of all steps up to each.
    pub fn marks(&self) -> &[(u64, Digest)] {
        &self.marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_every_step_counts() {
        let run = |losses: &[f32]| {
            let mut trace = Trace::new(losses.len() as u64);
            for (step, loss) in losses.iter().enumerate() {
                trace.step(step as u64 + 1, *loss, 0.01);
            }
            trace.digest()
        };
        assert_eq!(run(&[1.0, 0.5]), run(&[1.0, 0.5]));
        assert_ne!(run(&[1.0, 0.5]), run(&[1.0, f32::from_bits(0.5f32.to_bits() + 1)]));
        assert_ne!(run(&[1.0, 0.5]), run(&[0.5, 1.0]));
    }

    #[test]
    fn marks_are_few_and_evenly_spaced() {
        for (steps, every, marks) in
            [(1, 1, 1), (100, 1, 100), (128, 1, 128), (950, 8, 118), (105_280, 1024, 102)]
        {
            let mut trace = Trace::new(steps);
            (1..=steps).for_each(|step| trace.step(step, 0.5, 0.1));
            assert_eq!(trace.marks().len(), marks, "{steps} steps");
            assert_eq!(trace.marks()[0].0, every, "{steps} steps");
        }
    }
}
