//! `stpp exp`: run, plan and look at experiments.

mod find;
pub mod ls;
pub mod plan;
pub mod run;
pub mod show;
pub mod verify;
pub mod weights;
