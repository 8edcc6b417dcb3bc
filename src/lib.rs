//! Reproducible experiments for self-training in semi-supervised semantic segmentation.
//!
//! *A [`spec`] becomes a [`plan`], [`stage`]s run it, a [`store`] remembers, a [`report`] compares.*

pub mod base;
pub mod cli;
pub mod data;
pub mod method;
pub mod metric;
pub mod nn;
pub mod plan;
pub mod report;
pub mod run;
pub mod screen;
pub mod spec;
pub mod stage;
pub mod store;
pub mod track;
pub mod train;
