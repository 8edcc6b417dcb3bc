//! `stpp exp`: run, plan, explain and look at experiments.

pub mod diff;
pub mod explain;
pub mod ls;
pub mod plan;
pub mod run;
pub mod show;
pub mod verify;
pub mod weights;
