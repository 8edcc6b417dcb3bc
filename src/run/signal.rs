//! Being asked to stop: by Ctrl-C, by the system, by a scheduler whose time is up.
//!
//! SIGINT, SIGTERM, SIGHUP and SIGUSR1 ask for a clean end: the step at hand is finished and a resume point written. A
//! further Ctrl-C leaves at once, which loses no more than what came after the last resume point. The other signals
//! may come as often as they like: a scheduler warns, and then terminates.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit code of an interrupted, resumable run.
pub const INTERRUPTED: i32 = 5;

/// Signals that ask for a clean end.
#[cfg(unix)]
const ASKING: [i32; 4] = [SIGINT, SIGTERM, signal_hook::consts::SIGHUP, signal_hook::consts::SIGUSR1];
#[cfg(not(unix))]
const ASKING: [i32; 2] = [SIGINT, SIGTERM];

/// Whether the user asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for signals.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn on_signal() -> io::Result<Self> {
        let stop = Self::default();
        // Before the flag is set by the first: the order of registration is that of execution.
        flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&stop.0))?;
        for signal in ASKING {
            flag::register(signal, Arc::clone(&stop.0))?;
        }
        Ok(stop)
    }

    /// Asks to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether that was asked.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
