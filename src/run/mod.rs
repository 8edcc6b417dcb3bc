//! Running a plan: bind it to files, run what is missing, stop when asked, go on where it was stopped.
//!
//! | file | what it is |
//! |---|---|
//! | [`bind`] | opens the data of every experiment |
//! | [`study`] | merges their chains into one graph |
//! | [`executor`] | runs what is not in the store: how, what it did, why it ended |
//! | `crew`, `queue` | the workers, and which stage is next |
//! | [`desk`], [`cadence`] | where a stage works: events, journal, resume points; when one is due |
//! | `commit` | the record of a stage that was run |
//! | [`mend`] | what is done about damage |
//! | [`verify`], [`recount`] | computes stages again, and compares every value |
//! | [`event`] | the one stream that screens and trackers read |
//! | [`signal`] | being asked to stop |
//! | [`device`], [`numerics`], [`capture`] | where it computes, what of that may change bits, what else is worth knowing |
//! | [`golden`] | a tiny training whose every bit is known |

pub mod bind;
pub mod cadence;
pub mod capture;
mod commit;
mod crew;
#[cfg(feature = "cuda")]
mod cuda;
pub mod desk;
pub mod device;
pub mod event;
pub mod executor;
pub mod golden;
pub mod mend;
pub mod numerics;
pub mod panels;
mod queue;
pub mod recount;
pub mod signal;
pub mod study;
pub mod usage;
pub mod verify;

pub use event::{Event, Sink};
pub use executor::{Executor, RunError, Settings, Summary};
pub use study::PlannedStudy;
