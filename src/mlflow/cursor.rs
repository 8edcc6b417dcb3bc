//! What a server has acknowledged, run by run.
//!
//! A cursor saves work and decides nothing: with all of them gone, everything is sent again, and the server has it once.
//! So it is written after the acknowledgement, and not waited for. Nothing in it is secret.
//!
//! ```text
//! outbox-v1/<server>/<study>/<uid>.json     of a run
//! outbox-v1/<server>/<study>/experiment.json
//! outbox-v1/<server>/rejected.jsonl         what the server did not accept, with its words
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::view::series::Mark;
use super::wire::{Millis, RunStatus};
use crate::base::digest::Digest;
use crate::base::fs;
use crate::plan::StageKey;
use crate::store::{Store, StoreError, layout};

/// What a server has of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cursor {
    /// The experiment's id there.
    pub experiment: String,
    /// The run's id there.
    pub run: String,
    /// When the server says that it began: times of points count from there.
    pub start: Millis,
    /// Where the server says that its artifacts are.
    pub artifact_uri: String,
    /// Parameters, with what they were acknowledged as.
    pub params: BTreeMap<String, Digest>,
    /// Tags, likewise.
    pub tags: BTreeMap<String, Digest>,
    /// Datasets.
    pub inputs: Option<Digest>,
    /// Points of stages.
    pub series: BTreeMap<StageKey, Mark>,
    /// Metrics of which something was not accepted: that they are not there says nothing.
    pub refused: BTreeSet<String>,
    /// Results.
    pub values: BTreeMap<String, Digest>,
    /// Points under `system/`: how many of each, and the digest of them.
    pub system: BTreeMap<String, Digest>,
    /// Artifacts by path.
    pub artifacts: BTreeMap<String, Digest>,
    /// The state that was set last.
    pub status: Option<RunStatus>,
    /// With that end.
    pub ended: Option<u64>,
}

/// What a server has of an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExperimentCursor {
    /// Its id there.
    pub experiment: String,
    /// Its tags.
    pub tags: BTreeMap<String, Digest>,
}

/// Something that a server did not accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Of which study.
    pub study: String,
    /// Of which run.
    pub run: String,
    /// What it was: `metric teacher/loss at step 7`.
    pub what: String,
    /// The server's words.
    pub words: String,
}

/// The cursors of a study on a server.
#[derive(Debug, Clone)]
pub struct Cursors {
    store: Store,
    server: String,
    study: String,
}

impl Cursors {
    /// Those of a study on the server with a fingerprint.
    pub fn of(store: &Store, server: &str, study: &str) -> Self {
        Self { store: store.clone(), server: server.to_owned(), study: study.to_owned() }
    }

    /// Of a run; one that is not there or can't be understood says nothing.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read(&self, uid: Digest) -> Result<Cursor, StoreError> {
        self.parse(&self.path(&uid.to_string()))
    }

    /// Notes what a server has of a run.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn write(&self, uid: Digest, cursor: &Cursor) -> Result<(), StoreError> {
        self.put(&self.path(&uid.to_string()), cursor)
    }

    /// Of the experiment.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn read_experiment(&self) -> Result<ExperimentCursor, StoreError> {
        self.parse(&self.path("experiment"))
    }

    /// Notes what a server has of the experiment.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn write_experiment(&self, cursor: &ExperimentCursor) -> Result<(), StoreError> {
        self.put(&self.path("experiment"), cursor)
    }

    /// Notes what a server did not accept.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn reject(&self, rejected: &Rejected) -> Result<(), StoreError> {
        let path = layout::rejected(self.store.root(), &self.server);
        if let Some(folder) = path.parent() {
            fs::create_folder(folder)?;
        }
        let line = serde_json::to_string(rejected).expect("texts are plain data");
        Ok(fs::append_line(&path, &line)?)
    }

    /// Forgets what the server has: all is sent again.
    ///
    /// # Errors
    /// Whatever removing reports.
    pub fn forget(&self) -> Result<(), StoreError> {
        Ok(fs::remove_folder(&layout::outbox(self.store.root(), &self.server, &self.study))?)
    }

    fn path(&self, name: &str) -> PathBuf {
        layout::outbox(self.store.root(), &self.server, &self.study).join(format!("{name}.json"))
    }

    fn parse<T: DeserializeOwned + Default>(&self, path: &std::path::Path) -> Result<T, StoreError> {
        let bytes = fs::read_if_there(path)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    fn put(&self, path: &std::path::Path, cursor: &impl Serialize) -> Result<(), StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_folder(folder)?;
        }
        let text = serde_json::to_vec(cursor).expect("a cursor is plain data");
        Ok(fs::overwrite(path, &text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_a_damaged_one_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let cursors = Cursors::of(&store, "0123456789abcdef", "tiny");
        let uid = Digest::of(b"run");
        assert_eq!(cursors.read(uid).unwrap(), Cursor::default());
        let cursor = Cursor { run: "abc".to_owned(), status: Some(RunStatus::Running), ..Cursor::default() };
        cursors.write(uid, &cursor).unwrap();
        assert_eq!(cursors.read(uid).unwrap(), cursor);
        assert_eq!(Cursors::of(&store, "fedcba9876543210", "tiny").read(uid).unwrap(), Cursor::default());
        std::fs::write(cursors.path(&uid.to_string()), b"{").unwrap();
        assert_eq!(cursors.read(uid).unwrap(), Cursor::default());
        cursors.forget().unwrap();
        cursors.forget().unwrap();
    }
}
