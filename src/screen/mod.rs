//! What a person or a program sees of a run: sinks over the one stream of events.
//!
//! [`bars`] on a terminal, [`lines`] where output goes to a file, [`quiet`] for results only, [`json`] for programs.
//! All of them write to standard error, but for `json`: standard output is for results.

pub mod bars;
pub mod json;
pub mod lines;
pub mod quiet;

use std::io::IsTerminal;

use crate::run::Sink;

/// The sink that fits the flags and the terminal.
pub fn choose(quiet: bool, json: bool) -> Box<dyn Sink> {
    if json {
        Box::new(json::Json)
    } else if quiet {
        Box::new(quiet::Quiet)
    } else if std::io::stderr().is_terminal() {
        Box::new(bars::Bars::default())
    } else {
        Box::new(lines::Lines::default())
    }
}
