//! The clock. Costs and progress read it; nothing that is hashed or compared does.

use std::time::{Duration, Instant, SystemTime};

use super::failpoint;

/// A running stopwatch.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The time since the start, in seconds.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

/// Seconds since 1970-01-01 UTC; 0 on a machine whose clock stands before that.
pub fn unix_seconds() -> u64 {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    seconds.saturating_add_signed(failpoint::clock_offset())
}

/// Milliseconds since 1970-01-01 UTC, likewise.
pub fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    millis.saturating_add_signed(failpoint::clock_offset().saturating_mul(1000))
}
