//! What a long computation tells its caller while it runs, and how it is asked to stop.

/// Receives progress and measured values; answers whether to go on.
///
/// Values go into tables, so they must be the same on every run; how far and how fast is for the screen only.
pub trait Progress: Send {
    /// `done` of `total` units (steps, images) are finished; `note` is a short text such as `loss 0.731`.
    fn advance(&mut self, done: u64, total: u64, note: &str);

    /// A measured value, such as `("loss", 12, 0.73)`. Steps are optimiser steps, counted from 1.
    fn metric(&mut self, key: &str, step: u64, value: f64);

    /// Something a person should know, in one line; for the screen only.
    fn note(&mut self, _message: &str) {}

    /// Whether the user asked to stop: finish the unit at hand and return [`Interrupted`].
    fn stop_requested(&self) -> bool;
}

/// The user asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("finish: interrupted by the user")]
pub struct Interrupted;

/// Shows nothing, never stops, keeps every metric: for tests and for computations nobody watches.
#[derive(Debug, Default)]
pub struct Quiet {
    /// Every metric in the order it came: key, step, value.
    pub metrics: Vec<(String, u64, f64)>,
}

impl Progress for Quiet {
    fn advance(&mut self, _: u64, _: u64, _: &str) {}

    fn metric(&mut self, key: &str, step: u64, value: f64) {
        self.metrics.push((key.to_owned(), step, value));
    }

    fn stop_requested(&self) -> bool {
        false
    }
}
