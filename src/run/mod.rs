//! Running a plan: bind it to files, go through its stages in order, tell the screen, stop when asked.
//!
//! [`bind`] opens the data of every experiment, [`study`] merges their chains into one graph, [`executor`] runs
//! what is not in the store, [`event`] is the one stream that screens and trackers read, [`numerics`] names all
//! that may change bits, [`capture`] what else is worth knowing of a machine, [`signal`] listens for Ctrl-C.

pub mod bind;
pub mod cadence;
pub mod capture;
mod commit;
#[cfg(feature = "cuda")]
mod cuda;
pub mod desk;
pub mod device;
pub mod event;
pub mod executor;
pub mod golden;
pub mod mend;
pub mod numerics;
mod queue;
pub mod recount;
pub mod signal;
pub mod study;
pub mod verify;

pub use event::{Event, Sink};
pub use executor::{Executor, RunError, Settings, Summary};
pub use study::PlannedStudy;
