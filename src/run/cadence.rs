//! When a training keeps a resume point: often enough to lose little, seldom enough to cost little.

use std::time::Duration;

use crate::base::clock::Stopwatch;

/// A resume point may cost at most this share of the time: 1 in so many.
const SHARE: u32 = 100;

/// At the end of an epoch a resume point is due after this part of the usual time.
const EPOCH: u32 = 10;

/// When the next resume point is due. Time decides, so no bit of a result may depend on it.
#[derive(Debug)]
pub struct Cadence {
    every: Duration,
    since: Stopwatch,
    cost: Duration,
}

impl Cadence {
    /// A resume point about every so often; with 0, after every step.
    pub fn new(every: Duration) -> Self {
        Self { every, since: Stopwatch::start(), cost: Duration::ZERO }
    }

    /// Whether a resume point is due.
    pub fn is_due(&self, ends_epoch: bool) -> bool {
        self.is_due_after(self.since.elapsed(), ends_epoch)
    }

    fn is_due_after(&self, elapsed: Duration, ends_epoch: bool) -> bool {
        if self.every.is_zero() {
            return true;
        }
        let asked = if ends_epoch { self.every / EPOCH } else { self.every };
        elapsed >= asked.max(self.cost * SHARE)
    }

    /// Notes that a resume point was written, and what that took.
    pub fn written(&mut self, cost: Duration) {
        self.cost = cost;
        self.since = Stopwatch::start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_due_after_a_while_sooner_at_the_end_of_an_epoch_and_never_dearly() {
        let seconds = Duration::from_secs;
        let mut cadence = Cadence::new(seconds(300));
        let due = |cadence: &Cadence, after, ends| cadence.is_due_after(seconds(after), ends);
        assert!(!due(&cadence, 299, false) && due(&cadence, 300, false));
        assert!(!due(&cadence, 29, true) && due(&cadence, 30, true));
        cadence.written(seconds(4));
        assert!(!due(&cadence, 399, false) && due(&cadence, 400, false));
        assert!(!due(&cadence, 399, true) && due(&cadence, 400, true));
        cadence = Cadence::new(Duration::ZERO);
        cadence.written(seconds(4));
        assert!(due(&cadence, 0, false));
    }
}
