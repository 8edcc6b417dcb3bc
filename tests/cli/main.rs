//! The program as its users meet it: every test runs the real binary in a folder of its own.
//!
//! [`support`] drives it, [`specs`] and [`images`] are what it is given. Trainings are of a few steps on images of
//! 32 × 32 pixels: what is tested is what the program remembers, repeats, refuses and says.

mod bad_data;
mod bad_specs;
mod bad_stores;
mod beside;
mod claims;
mod determinism;
mod explain;
mod folders;
mod formats;
mod frozen;
mod images;
mod interruption;
mod layouts;
mod listing;
mod memory;
mod names;
mod official;
mod paper;
mod python;
mod reports;
mod screens;
mod shipped;
mod specs;
mod store_archive;
mod store_gc;
mod store_verify;
mod support;
mod verify;
mod weights;
