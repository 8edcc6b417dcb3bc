//! Plain lines: one when a stage is done, and one every so often while a long one runs.

use std::io::Write;

use crate::base::clock::Stopwatch;
use crate::run::{Event, Sink};

/// Seconds between two lines about the same stage.
const EVERY: f64 = 15.0;

/// Writes lines to standard error.
#[derive(Debug, Default)]
pub struct Lines {
    since: Option<Stopwatch>,
}

impl Sink for Lines {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Planned { experiments, stages, done, steps } => write_line(&format!(
                "{experiments} experiments, {stages} distinct stages, {done} done, {steps} optimiser steps to go"
            )),
            Event::Started { .. } => self.since = Some(Stopwatch::start()),
            Event::Advanced { stage, done, total, note, .. } => {
                if self.since.is_some_and(|since| since.seconds() >= EVERY) {
                    self.since = Some(Stopwatch::start());
                    let place = place(stage.index, stage.of);
                    write_line(&format!("{place} {:<18} {done}/{total} {note}", stage.words()));
                }
            }
            Event::Finished { stage, result, seconds } => write_line(&format!(
                "{} {:<18} {seconds:>7.1} s  {result:<34} {}",
                place(stage.index, stage.of),
                stage.words(),
                stage.serves
            )),
            Event::Found { stage, by_another } => write_line(&format!(
                "{} {:<18}            {:<34} {}",
                place(stage.index, stage.of),
                stage.words(),
                if *by_another { "done by another process" } else { "done meanwhile" },
                stage.serves
            )),
            Event::Noted { message } => write_line(message),
            Event::Measured { .. } => {}
        }
    }
}

fn place(index: usize, of: usize) -> String {
    format!("[{index:>3}/{of}]")
}

/// Writes a line to standard error; a reader that went away ends nothing.
pub(super) fn write_line(line: &str) {
    drop(writeln!(std::io::stderr().lock(), "{}", line.trim_end()));
}
