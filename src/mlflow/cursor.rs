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

use super::client::ArtifactRoot;
use super::point::{of_samples, of_value};
use super::view::series::Mark;
use super::view::{RunView, Sample, State};
use super::wire::{Input, Key, Millis, RunStatus, Text};
use crate::base::canon;
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
    pub params: Texts,
    /// Tags, likewise.
    pub tags: Texts,
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

/// Texts of a server, with what they were acknowledged as.
pub type Texts = BTreeMap<String, Digest>;

/// Whether a server has a text under a name.
pub fn has_text<const MOST: usize>(texts: &Texts, key: &Key, text: &Text<MOST>) -> bool {
    texts.get(key.as_str()) == Some(&Digest::of(text.as_str().as_bytes()))
}

/// Notes that a server has a text under a name.
pub fn note_text<const MOST: usize>(texts: &mut Texts, key: &Key, text: &Text<MOST>) {
    texts.insert(key.as_str().to_owned(), Digest::of(text.as_str().as_bytes()));
}

impl Cursor {
    /// Whether the server has what a run read.
    pub fn has_inputs(&self, inputs: &[Input]) -> bool {
        inputs.is_empty() || self.inputs == Some(of_inputs(inputs))
    }

    /// Notes that the server has what a run read.
    pub fn note_inputs(&mut self, inputs: &[Input]) {
        self.inputs = Some(of_inputs(inputs));
    }

    /// Whether the server has a result.
    pub fn has_value(&self, key: &Key, value: f64) -> bool {
        self.values.get(key.as_str()) == Some(&of_value(value))
    }

    /// Notes that the server has a result.
    pub fn note_value(&mut self, key: &Key, value: f64) {
        self.values.insert(key.as_str().to_owned(), of_value(value));
    }

    /// Whether the server has all samples of a metric under `system/`.
    pub fn has_samples(&self, key: &Key, samples: &[&Sample]) -> bool {
        self.system.get(key.as_str()) == Some(&of_samples(samples))
    }

    /// Notes that the server has all samples of a metric under `system/`.
    pub fn note_samples(&mut self, key: &Key, samples: &[&Sample]) {
        self.system.insert(key.as_str().to_owned(), of_samples(samples));
    }

    /// Whether the server takes files; one that was not asked yet may.
    pub fn takes_files(&self) -> bool {
        self.artifact_uri.is_empty() || ArtifactRoot::of(&self.artifact_uri).is_some()
    }

    /// Whether the server has a file.
    pub fn has_file(&self, path: &str, bytes: &[u8]) -> bool {
        self.artifacts.get(path) == Some(&Digest::of(bytes))
    }

    /// Notes that the server has a file.
    pub fn note_file(&mut self, path: &str, bytes: &[u8]) {
        self.artifacts.insert(path.to_owned(), Digest::of(bytes));
    }

    /// Whether the server shows what another copy of the store brought, which has come further than a view.
    pub fn is_ahead_of(&self, view: &RunView) -> bool {
        self.status == Some(RunStatus::Finished) && view.state != State::Complete
    }

    /// Whether the server has the state of a run, and when it ended.
    pub fn has_state(&self, view: &RunView) -> bool {
        (self.status, self.ended) == (Some(view.status()), view.ended_at())
    }

    /// Notes that the server has the state of a run.
    pub fn note_state(&mut self, view: &RunView) {
        (self.status, self.ended) = (Some(view.status()), view.ended_at());
    }
}

fn of_inputs(inputs: &[Input]) -> Digest {
    canon::digest("stpp inputs v1", inputs)
}

/// What a server has of an experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExperimentCursor {
    /// Its id there.
    pub experiment: String,
    /// Its tags.
    pub tags: Texts,
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
