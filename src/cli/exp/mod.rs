//! `stpp exp`: run, plan and look at experiments.

pub mod ls;
pub mod plan;
pub mod run;
pub mod show;
