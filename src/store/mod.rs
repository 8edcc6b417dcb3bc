//! What is remembered: artifacts by content, one record per finished stage, one file per ablation.
//!
//! ```text
//! <store>/
//!   objects-v1/ab/cdef…          artifacts, named by the digest of their bytes, read-only
//!   records-v1/<kind>/<key>.json the proof that a stage is done, written after its artifacts are synced
//!   studies-v1/<name>/<numerics>.json   what a report is about: the resolved ablation and its chains
//!   labels-v1/<labeller>/*.json  which packs hold pseudo labels of a model, so that overlapping sets share them
//!   cache-v1/                    may be deleted at any time
//!   costs-v1/<kind>/<key>.json   hours and threads; never compared
//!   tables/<name>/*.parquet      written by `exp run` and `report`
//! ```
//!
//! [`layout`] draws the paths, [`object`] keeps bytes, [`pack`] keeps many small things in one artifact,
//! [`record`] says what a stage left, [`study`] what a report is about.

pub mod frames;
pub mod journal;
pub mod labels;
pub mod layout;
pub mod lease;
pub mod object;
pub mod pack;
pub mod record;
pub mod running;
pub mod study;

use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::base::fs::{self, FileError};

pub use record::{Artifact, Record};
pub use study::StoredStudy;

/// A folder that remembers.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It can't be created or written.
    #[error("use the store at {}: it can't be written; choose another folder with --store or STPP_STORE", path.display())]
    NotWritable {
        /// The store's folder.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: FileError,
    },
    /// Its folder holds something else.
    #[error(
        "use {} as a store: it is not empty and has no stpp-store file; choose another folder with --store", path.display()
    )]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// A later version wrote it.
    #[error(
        "use the store at {}: its format is {found:?}, and this stpp reads {expected:?}; use the stpp that wrote it, \
         or another store", path.display()
    )]
    Format {
        /// The folder.
        path: PathBuf,
        /// What its stpp-store file says.
        found: String,
        /// What this program writes.
        expected: &'static str,
    },
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Bytes that are not what was written.
    #[error(
        "read {}: its bytes are not what was written (expected {expected}, found {found}); \
         move it away and run again, and only what depended on it is computed anew", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The digest it is named by.
        expected: Digest,
        /// The digest of its bytes.
        found: Digest,
    },
    /// An artifact that a record names and that is not there.
    #[error(
        "read {}: a record names it, but it is gone; run the ablation again, and only what depended on it is \
         computed anew", path.display()
    )]
    Lost {
        /// Where it was.
        path: PathBuf,
    },
    /// A file of ours that can't be understood.
    #[error("read {}: {what}; move it away and run again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl StoreError {
    /// Whether what was stored is damaged, as opposed to unreachable.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Lost { .. } | Self::Unreadable { .. })
    }
}

impl Store {
    /// Opens a store, or makes one of a folder that is missing or empty.
    ///
    /// # Errors
    /// A folder that can't be written, is no store, or has a later format.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let store = Self { root: root.to_owned() };
        let marker = layout::marker(root);
        let not_writable = |source| StoreError::NotWritable { path: root.to_owned(), source };
        match fs::read_text(&marker) {
            Ok(text) if text.trim() == layout::FORMAT => {}
            Ok(text) => {
                return Err(StoreError::Format {
                    path: root.to_owned(),
                    found: text.trim().to_owned(),
                    expected: layout::FORMAT,
                });
            }
            Err(error) if error.is_not_found() => {
                let found = fs::list(root)?;
                // Another call may be making the same store.
                if found.contains(&marker) {
                    return Self::open(root);
                }
                if !found.is_empty() {
                    return Err(StoreError::NotAStore { path: root.to_owned() });
                }
                fs::write_atomically(&marker, format!("{}\n", layout::FORMAT).as_bytes())
                    .map_err(not_writable)?;
            }
            Err(error) => return Err(not_writable(error)),
        }
        let probe = layout::cache(root).join(".writable");
        fs::write_atomically(&probe, b"").map_err(not_writable)?;
        Ok(store)
    }

    /// The store's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder for things that may be deleted at any time.
    pub fn cache(&self) -> PathBuf {
        layout::cache(&self.root)
    }

    /// The folder of an ablation's tables.
    pub fn tables(&self, name: &str) -> PathBuf {
        layout::tables(&self.root, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_something_else_is_no_store() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.tex"), "").unwrap();
        assert!(matches!(Store::open(folder.path()), Err(StoreError::NotAStore { .. })));
    }

    #[test]
    fn a_later_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Store::open(folder.path()).unwrap();
        std::fs::write(layout::marker(folder.path()), "stpp-store 99\n").unwrap();
        let error = Store::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("stpp-store 99"), "{error}");
    }

    #[test]
    fn a_store_that_another_call_is_making_is_no_stranger() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".tmp-marker"), "stpp").unwrap();
        Store::open(folder.path()).unwrap();
    }

    #[test]
    fn a_store_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new/store");
        Store::open(&root).unwrap();
        Store::open(&root).unwrap();
    }
}
