//! The report and the tables of hand-made studies.

mod page;
mod studies;
mod tables;
