//! How long to wait before a server that is away is asked again: longer each time, never at the same beat as others.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Waits that grow.
#[derive(Debug)]
pub struct Patience {
    builder: ExponentialBuilder,
    waits: ExponentialBackoff,
}

impl Patience {
    /// From `first` to `longest`, with jitter.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let builder = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay(longest)
            .with_jitter()
            .without_max_times();
        Self { builder, waits: builder.build() }
    }

    /// The next wait; at least as long as the server asks for.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        self.waits.next().unwrap_or_default().max(asked.unwrap_or_default())
    }

    /// The server answered: the next wait is short again.
    pub fn reset(&mut self) {
        self.waits = self.builder.build();
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_begin_anew() {
        let mut patience = Patience::default();
        let waits: Vec<f64> = (0..12).map(|_| patience.next(None).as_secs_f64()).collect();
        assert!((0.5..=1.0).contains(&waits[0]), "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= 120.0) && waits[11] >= 60.0, "{waits:?}");
        assert_eq!(patience.next(Some(Duration::from_secs(200))), Duration::from_secs(200));
        patience.reset();
        assert!(patience.next(None) <= Duration::from_secs(1));
    }
}
