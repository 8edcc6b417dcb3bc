//! Ctrl-C: the first asks for a clean end, the second leaves at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of an interrupted, resumable run.
pub const INTERRUPTED: i32 = 5;

/// Whether the user asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens for SIGINT, SIGTERM and SIGHUP. A second signal exits at once with code 5; what is committed stays.
    ///
    /// # Errors
    /// When the process already has a handler.
    pub fn on_signal() -> Result<Self, ctrlc::Error> {
        let stop = Self::default();
        let flag = stop.clone();
        ctrlc::set_handler(move || {
            if flag.0.swap(true, Ordering::SeqCst) {
                std::process::exit(INTERRUPTED);
            }
        })?;
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
