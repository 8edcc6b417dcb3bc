//! Nothing but what a person has to know.

use crate::run::{Event, Sink};

/// Shows notes only.
#[derive(Debug, Clone, Copy)]
pub struct Quiet;

impl Sink for Quiet {
    fn take(&mut self, event: &Event) {
        if let Event::Noted { message } = event {
            super::lines::write_line(message);
        }
    }
}
