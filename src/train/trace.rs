//! The trace of a training: a rolling digest over the bits of loss and learning rate of every step.
//!
//! Two trainings with equal traces took the same path; the first step where they part can be found by comparing
//! prefixes.

use crate::base::digest::{Digest, Hasher};

/// A rolling digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace(Digest);

impl Default for Trace {
    fn default() -> Self {
        Self(Hasher::new("stpp trace v1").finish())
    }
}

impl Trace {
    /// Adds a step.
    pub fn step(&mut self, step: u64, loss: f32, lr: f64) {
        self.0 = Hasher::new("stpp trace v1")
            .field(self.0.as_bytes())
            .number(step)
            .number(u64::from(loss.to_bits()))
            .number(lr.to_bits())
            .finish();
    }

    /// The digest of all steps so far.
    pub fn digest(&self) -> Digest {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_every_step_counts() {
        let run = |losses: &[f32]| {
            let mut trace = Trace::default();
            for (step, loss) in losses.iter().enumerate() {
                trace.step(step as u64 + 1, *loss, 0.01);
            }
            trace.digest()
        };
        assert_eq!(run(&[1.0, 0.5]), run(&[1.0, 0.5]));
        assert_ne!(run(&[1.0, 0.5]), run(&[1.0, f32::from_bits(0.5f32.to_bits() + 1)]));
        assert_ne!(run(&[1.0, 0.5]), run(&[0.5, 1.0]));
    }
}
