//! One JSON object per line on standard output, for programs.

use std::io::Write;

use crate::run::{Event, Sink};

/// Writes every event as a line of JSON.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl Sink for Json {
    fn take(&mut self, event: &Event) {
        let line = serde_json::to_string(event).expect("an event is plain data");
        // A reader that went away ends nothing.
        drop(writeln!(std::io::stdout().lock(), "{line}"));
    }
}
