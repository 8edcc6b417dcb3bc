//! Whose threads compute.
//!
//! The kernels in [`ops`](super::ops) share rayon's threads. candle has threads of its own for elementwise operations
//! on 65 536 values and more, and those wait for work by spinning: on two busy cores they made a backward pass of a
//! small network three times as long. They start with the first such operation, unless candle is told to use none.
//!
//! The other half of the advice is for whoever runs a training loop: run it on one of rayon's threads
//! (`rayon::ThreadPool::install`, `rayon::scope`), or every kernel pays for a switch of threads.

/// The variable that candle reads, once, before it starts threads of its own.
const VARIABLE: &str = "CANDLE_NUM_THREADS";

/// Tells candle to start no threads of its own, unless the user has set `CANDLE_NUM_THREADS`. Changes no bits.
///
/// # Safety
/// No other thread may be running: this changes the environment of the process. Call it first in `main`.
pub unsafe fn keep_candle_single_threaded() {
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: the caller promised that no other thread reads the environment meanwhile.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}
