//! A study as one file: what its report and its next run need, to be moved to another machine.
//!
//! ```text
//! manifest.json                       sealed: the study's name; path, bytes and digest of every entry below
//! environments-v1/…  labels-v2/…  objects-v1/…  records-v2/…  studies-v2/…     sorted, as in a store
//! ```
//!
//! It is a tar file of plain entries without times and owners, so that the same study gives the same bytes. What was measured
//! in hours stays behind, and so do previews: they show images, which may not be ours to give away. [`export`] writes one, and [`import`] reads it twice: once to hold everything against the manifest,
//! and once to take it over, what names others after what is named. Neither holds an artifact in memory as a whole.

mod export;
mod import;

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::sealed::{self, SealError};
use crate::base::digest::{ByteHasher, Digest};
use crate::base::fs::{self, FileError};

pub use export::{Exported, export};
pub use import::{Imported, import};

/// What the manifest of an archive says.
const FORMAT: &str = "stpp-archive 1";

/// The first entry.
const MANIFEST: &str = "manifest.json";

/// What is in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    format: String,
    study: String,
    entries: Vec<Listed>,
}

/// An entry, as the manifest has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    path: String,
    bytes: u64,
    blake3: Digest,
}

/// Why a study can't be moved.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is something else, or an archive whose beginning is damaged.
    #[error("import {}: it is no archive of a study ({what}); nothing was imported", archive.display())]
    Foreign {
        /// The file.
        archive: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A later program wrote it.
    #[error("import {}: its format is {found:?}, and this stpp reads {FORMAT:?}; use the stpp that wrote it", archive.display())]
    Format {
        /// The file.
        archive: PathBuf,
        /// What its manifest says.
        found: String,
    },
    /// An entry is not what the manifest says, or what a study needs.
    #[error(
        "import {}: its entry {entry} {what}; nothing was imported: get the file again from where it was exported",
        archive.display()
    )]
    Entry {
        /// The file.
        archive: PathBuf,
        /// The entry's path in it.
        entry: String,
        /// What is wrong with it.
        what: String,
    },
    /// The store has another study of that name.
    #[error(
        "import the study `{name}`: the store has another one of that name ({there}, this one is {here}); import it into \
         another --store, or let it take the name with --replace (finished stages stay)"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The stored study's digest.
        there: String,
        /// The digest of the one in the archive.
        here: String,
    },
    /// One stage, two results.
    #[error(
        "import {stage}: its {what} differs from the one in the store, which is a determinism fault on one of the two \
         machines: `stpp doctor` checks a machine, and `stpp exp verify` a stage; nothing was imported"
    )]
    Differs {
        /// The stage.
        stage: String,
        /// The output or value.
        what: String,
    },
    /// Each side has something that the other lacks.
    #[error(
        "import {stage}: the store has outputs of it that the archive lacks, and the other way round; import into \
         another --store; nothing was imported"
    )]
    Apart {
        /// The stage.
        stage: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file operation failed.
    #[error(transparent)]
    File(#[from] FileError),
}

impl ArchiveError {
    /// Whether something that was written is damaged.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Foreign { .. } | Self::Entry { .. } | Self::Differs { .. } => true,
            Self::Store(error) => error.is_damage(),
            Self::Format { .. } | Self::NameTaken { .. } | Self::Apart { .. } | Self::File(_) => false,
        }
    }
}

/// Hashes and counts what is read.
struct Hashing<R> {
    inner: R,
    hasher: ByteHasher,
    bytes: u64,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, hasher: ByteHasher::default(), bytes: 0 }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        std::io::Write::write_all(&mut self.hasher, &buffer[..count])?;
        self.bytes += count as u64;
        Ok(count)
    }
}

/// An archive that is read from its beginning to its end.
struct Reading<'a> {
    archive: &'a Path,
}

impl Reading<'_> {
    /// Shows every entry to `take`, in order, and holds it against the manifest once it was read.
    fn each(
        &self,
        mut take: impl FnMut(&Listed, &mut dyn Read) -> Result<(), ArchiveError>,
    ) -> Result<Manifest, ArchiveError> {
        let mut tar = tar::Archive::new(BufReader::new(fs::open(self.archive)?));
        let mut entries = tar.entries().map_err(|error| self.foreign(&error.to_string()))?;
        let manifest = match entries.next() {
            Some(Ok(entry)) if entry.path_bytes() == MANIFEST.as_bytes() => self.manifest(entry)?,
            Some(Ok(_)) => return Err(self.foreign("it has no manifest")),
            Some(Err(error)) => return Err(self.foreign(&error.to_string())),
            None => return Err(self.foreign("it is empty")),
        };
        for listed in &manifest.entries {
            let wrong = |what: String| self.wrong(&listed.path, what);
            let entry = match entries.next() {
                Some(Ok(entry)) => entry,
                Some(Err(error)) => return Err(wrong(format!("can't be read ({error})"))),
                None => return Err(wrong("is not there: the file was cut short".to_owned())),
            };
            if entry.path_bytes() != listed.path.as_bytes() || !entry.header().entry_type().is_file() {
                let found = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                return Err(wrong(format!("is not where the manifest has it: {found} is there")));
            }
            let mut entry = Hashing::new(entry.take(listed.bytes.saturating_add(1)));
            take(listed, &mut entry)?;
            std::io::copy(&mut entry, &mut std::io::sink())
                .map_err(|error| wrong(format!("can't be read ({error})")))?;
            if entry.bytes != listed.bytes {
                let (found, expected) = (entry.bytes, listed.bytes);
                return Err(wrong(format!("has {found} bytes or more, and the manifest says {expected}")));
            }
            let (found, expected) = (entry.hasher.finish(), listed.blake3);
            if found != expected {
                return Err(wrong(format!("is not what was exported (expected {expected}, found {found})")));
            }
        }
        match entries.next() {
            None => Ok(manifest),
            Some(Ok(entry)) => {
                let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
                Err(self.wrong(&path, "is not in its manifest".to_owned()))
            }
            Some(Err(error)) => Err(self.foreign(&format!("after its last entry: {error}"))),
        }
    }

    fn manifest(&self, mut entry: impl Read) -> Result<Manifest, ArchiveError> {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| self.foreign(&error.to_string()))?;
        let wrong = |what: String| self.wrong(MANIFEST, what);
        let content =
            sealed::unseal(&bytes).map_err(|error: SealError| wrong(format!("is damaged: {error}")))?;
        // The format is looked at first: a later manifest may have other fields.
        let format: serde_json::Value =
            serde_json::from_slice(content).map_err(|error| wrong(format!("is no manifest ({error})")))?;
        match format.get("format").and_then(serde_json::Value::as_str) {
            Some(FORMAT) => {}
            Some(found) => {
                let (archive, found) = (self.archive.to_owned(), found.to_owned());
                return Err(ArchiveError::Format { archive, found });
            }
            None => return Err(wrong("is no manifest".to_owned())),
        }
        let manifest: Manifest =
            serde_json::from_slice(content).map_err(|error| wrong(format!("is no manifest ({error})")))?;
        if !manifest.entries.is_sorted_by(|one, other| one.path < other.path) {
            return Err(wrong("lists its entries in another order than stpp does".to_owned()));
        }
        Ok(manifest)
    }

    fn foreign(&self, what: &str) -> ArchiveError {
        ArchiveError::Foreign { archive: self.archive.to_owned(), what: what.to_owned() }
    }

    fn wrong(&self, entry: &str, what: String) -> ArchiveError {
        ArchiveError::Entry { archive: self.archive.to_owned(), entry: entry.to_owned(), what }
    }
}
