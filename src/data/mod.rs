//! Images and masks: where they come from, which are labeled, what they are, and how they reach a training step.
//!
//! A [`dataset::Dataset`] is opened from `[data]` and `[split]` of a spec. Opening reads the lists, takes the digest of
//! every file and reports *all* problems at once; the result is a [`manifest::Manifest`], which holds contents and no
//! locations, and the [`split::SplitLists`]. Images are then loaded by id, and each file is held against its digest
//! again when it is read: data that changes under a running experiment is an error, not another result.
//!
//! | source | files |
//! |---|---|
//! | scenes drawn by the program | [`synthetic`] |
//! | files named by lists | [`list_file`], `listed`, [`digests`] |
//!
//! | step | file |
//! |---|---|
//! | what a dataset is | [`subset`], [`manifest`] |
//! | which images are labeled | [`split`], compared with [`official`] lists |
//! | opening, loading, checking pixels | `open`, [`dataset`], [`pixels`], [`shrink`], [`size`] |
//! | what can be wrong, and `stpp data check` | [`problem`], [`check`] |
//! | files to pixels and back | [`decode`], [`image`] |
//! | pixels to batches | [`reader`], [`remember`], [`augment`], [`sampler`], [`loader`] |

pub mod augment;
pub mod check;
pub mod dataset;
pub mod decode;
pub mod digests;
pub mod image;
pub mod list_file;
mod listed;
pub mod loader;
pub mod manifest;
pub mod official;
mod open;
pub mod pixels;
pub mod problem;
pub mod reader;
pub mod remember;
pub mod sampler;
pub mod shrink;
pub mod size;
pub mod split;
pub mod subset;
pub mod synthetic;
#[cfg(test)]
pub(crate) mod testing;
