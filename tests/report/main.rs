//! The report and the tables of hand-made studies.

mod forms;
mod page;
mod studies;
mod tables;
