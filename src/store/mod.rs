//! What is remembered: artifacts by content, one record per finished stage, one file per ablation.
//!
//! ```text
//! <store>/
//!   stpp-store                   the format: what makes a folder a store
//!   objects-v1/ab/cdef…          artifacts, named by the digest of their bytes, read-only
//!   records-v2/<kind>/<key>.json the proof that a stage is done, written after its artifacts are synced
//!   studies-v2/<name>/<numerics>.json   what a report is about: the resolved ablation and its chains
//!   labels-v2/<labeller>/*.json  which packs hold pseudo labels of a model, so that overlapping sets share them
//!   running-v1/<kind>-<key>/     what a stage that is not done needs to go on
//!   leases-v1/                   who is working on what
//!   quarantine-v1/<n>/…          damaged files, moved out of the way; log.jsonl says why
//!   environments-v1/<kind>/<key>.json   what a stage was executed on; never compared
//!   previews-v1/<kind>/<key>.pack  what some of a stage's pseudo labels look like; never compared
//!   costs-v1/<kind>/<key>.json   hours, memory, threads; never compared
//!   outbox-v1/<server>/<name>/   what a tracking server has acknowledged; may be deleted: all is sent again
//!   cache-v1/                    may be deleted at any time
//!   tables/<name>/*.parquet      written by `exp run` and `report`
//! ```
//!
//! Records, studies and indexes of labels carry the digest of their content ([`sealed`]). Stores of the first format have
//! `records-v1`, `studies-v1` and `labels-v1` without it: they are read, and what is written goes to the later buckets.
//!
//! [`layout`] draws the paths, [`object`] keeps bytes, [`pack`] keeps many small things in one artifact,
//! [`record`] says what a stage left, [`beside`] what it took and on what, [`study`] what a report is about, [`quarantine`] takes what is damaged.
//! [`verify`] looks at everything, [`gc`] plans over an [`inventory`] what may go, and [`archive`] moves a study as one file.

pub mod archive;
pub mod beside;
pub mod frames;
pub mod gc;
pub mod inventory;
pub mod journal;
pub mod labels;
pub mod layout;
pub mod lease;
pub mod object;
pub mod pack;
pub mod quarantine;
pub mod record;
pub mod running;
pub mod sealed;
pub mod study;
pub mod verify;

use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::base::fs::{self, FileError};

pub use record::{Artifact, Mark, Record};
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
    /// There is none to read.
    #[error("open the store at {}: there is none; `stpp exp run` makes one, and --store or STPP_STORE names another", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A store that lost its marker.
    #[error(
        "open the store at {}: it has {bucket} and no stpp-store file, so that a part of it was deleted; if that file is \
         all that is gone, write the line `{format}` into it, and `stpp store verify` looks at the rest",
        path.display()
    )]
    HalfDeleted {
        /// The folder.
        path: PathBuf,
        /// One of the folders that are there.
        bucket: String,
        /// What the marker says.
        format: &'static str,
    },
    /// A marker that is none.
    #[error(
        "open the store at {}: its stpp-store file says {found:?}, which is no format; if that file is all that is \
         damaged, write the line `{format}` into it, and `stpp store verify` looks at the rest", path.display()
    )]
    Marker {
        /// The folder.
        path: PathBuf,
        /// What the marker says.
        found: String,
        /// What it may say.
        format: &'static str,
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
         run the ablation again: it is set aside, and what it held is made anew", path.display()
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
        "read {}: a record names it, but it is gone; run the ablation again, and it is made anew", path.display()
    )]
    Lost {
        /// Where it was.
        path: PathBuf,
        /// The digest it is named by.
        digest: Digest,
    },
    /// A file of ours that can't be understood.
    #[error(
        "read {}: {what}; run the ablation again: it is set aside, and what it held is made anew", path.display()
    )]
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
        self.damaged_path().is_some() || matches!(self, Self::HalfDeleted { .. } | Self::Marker { .. })
    }

    /// The file that is damaged or gone.
    pub fn damaged_path(&self) -> Option<&Path> {
        match self {
            Self::Damaged { path, .. } | Self::Lost { path, .. } | Self::Unreadable { path, .. } => {
                Some(path)
            }
            _ => None,
        }
    }

    /// The artifact that is damaged or gone; none where the file is another one.
    pub fn damaged_object(&self) -> Option<Digest> {
        match self {
            Self::Damaged { expected: digest, .. } | Self::Lost { digest, .. } => Some(*digest),
            _ => None,
        }
    }
}

impl Store {
    /// Opens a store to read and write, or makes one of a folder that is missing or empty. A store of an earlier format
    /// becomes one of this format: what is in it stays where it is.
    ///
    /// # Errors
    /// A folder that can't be written, is no store, or has a later format.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let not_writable = |source| StoreError::NotWritable { path: root.to_owned(), source };
        let format = format(root).map_err(|error| match error {
            StoreError::File(source) => not_writable(source),
            other => other,
        })?;
        if format != Some(layout::FORMAT) {
            let text = format!("{}\n", layout::FORMAT);
            fs::write_atomically(&layout::marker(root), text.as_bytes()).map_err(not_writable)?;
        }
        let probe = layout::cache(root).join(".writable");
        fs::write_atomically(&probe, b"").map_err(not_writable)?;
        Ok(Self { root: root.to_owned() })
    }

    /// Opens a store to read: nothing is written, so that it may lie where nobody can write.
    ///
    /// # Errors
    /// A folder that is missing, is no store, or has a later format.
    pub fn open_to_read(root: &Path) -> Result<Self, StoreError> {
        match format(root)? {
            Some(_) => Ok(Self { root: root.to_owned() }),
            None => Err(StoreError::Missing { path: root.to_owned() }),
        }
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

/// The format of the store in a folder; none of a folder that is missing or empty.
fn format(root: &Path) -> Result<Option<&'static str>, StoreError> {
    let marker = layout::marker(root);
    let path = || root.to_owned();
    match fs::read(&marker) {
        Ok(text) => {
            let text = String::from_utf8_lossy(&text);
            let found = text.trim();
            if let Some(known) = [layout::FORMAT, layout::FORMAT_V1].into_iter().find(|known| *known == found)
            {
                return Ok(Some(known));
            }
            let version = found.strip_prefix("stpp-store ").map(str::parse::<u64>);
            if !matches!(version, Some(Ok(_))) {
                let found = found.chars().take(80).collect();
                return Err(StoreError::Marker { path: path(), found, format: layout::FORMAT });
            }
            Err(StoreError::Format { path: path(), found: found.to_owned(), expected: layout::FORMAT })
        }
        Err(error) if error.is_not_found() => {
            let found = fs::list(root)?;
            // Another call may be making the same store.
            if found.contains(&marker) {
                return format(root);
            }
            let names: Vec<_> = found.iter().filter_map(|path| path.file_name()?.to_str()).collect();
            let bucket = layout::BUCKETS.into_iter().find(|bucket| names.contains(bucket));
            match bucket.map(str::to_owned) {
                Some(bucket) => Err(StoreError::HalfDeleted { path: path(), bucket, format: layout::FORMAT }),
                None if found.is_empty() => Ok(None),
                None => Err(StoreError::NotAStore { path: path() }),
            }
        }
        Err(error) => Err(error.into()),
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
    fn a_store_is_raised_by_a_writer_and_not_by_a_reader() {
        let folder = tempfile::tempdir().unwrap();
        let marker = layout::marker(folder.path());
        std::fs::write(&marker, "stpp-store 1\n").unwrap();
        Store::open_to_read(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&marker).unwrap(), "stpp-store 1\n");
        assert_eq!(fs::list(folder.path()).unwrap(), [&*marker]);
        Store::open(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(&marker).unwrap(), "stpp-store 2\n");
    }

    #[test]
    fn reading_makes_no_store() {
        let folder = tempfile::tempdir().unwrap();
        for root in [folder.path().to_owned(), folder.path().join("none")] {
            let error = Store::open_to_read(&root).unwrap_err();
            assert!(matches!(error, StoreError::Missing { .. }) && !error.is_damage(), "{error}");
        }
        assert!(fs::list(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn a_store_without_its_marker_and_a_marker_without_sense_are_damage() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.put(b"weights").unwrap();
        std::fs::remove_file(layout::marker(folder.path())).unwrap();
        for open in [Store::open, Store::open_to_read] {
            let error = open(folder.path()).unwrap_err();
            assert!(error.is_damage() && error.to_string().contains("objects-v1"), "{error}");
        }
        std::fs::write(layout::marker(folder.path()), "stpp-stgre 2\n").unwrap();
        for open in [Store::open, Store::open_to_read] {
            let error = open(folder.path()).unwrap_err();
            assert!(error.is_damage() && error.to_string().contains("stpp-stgre 2"), "{error}");
            assert_eq!(error.damaged_path(), None, "nobody sets a marker aside");
        }
    }

    #[test]
    fn a_store_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new/store");
        Store::open(&root).unwrap();
        Store::open(&root).unwrap();
    }
}
