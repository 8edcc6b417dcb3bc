//! What stands beside a record and is compared with nothing: what a stage took, what it was executed on, and what its
//! pseudo labels look like.

use serde::{Deserialize, Serialize};

use super::journal::Fault;
use super::pack::Pack;
use super::{Store, StoreError, layout};
use crate::base::fs;
use crate::plan::{Kind, StageKey};

/// What a stage took when it was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Seconds of the process that finished it.
    pub seconds: f64,
    /// Threads that it had.
    pub threads: usize,
    /// How many processes worked on it, one after the other.
    #[serde(default = "once")]
    pub attempts: u64,
    /// Values that did not come back after an interruption.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// When its first process began, in milliseconds since 1970; none of a stage that was run before this was noted.
    #[serde(default)]
    pub started: Option<u64>,
    /// When its last process ended it.
    #[serde(default)]
    pub finished: Option<u64>,
    /// Processor time of its last process, in seconds over all cores; with several stages at once, that of all.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
    /// The most memory that this process had so far, in megabytes.
    #[serde(default)]
    pub peak_memory: Option<f64>,
    /// How much of the machine it used, now and then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage: Vec<Usage>,
}

/// How much of the machine a process used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Processor time since the last look, in percent of one core.
    pub cpu: f64,
    /// Memory, in megabytes.
    pub memory: f64,
}

fn once() -> u64 {
    1
}

impl Store {
    /// Writes what a stage took.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn write_costs(&self, kind: Kind, key: StageKey, costs: &Costs) -> Result<(), StoreError> {
        let text = serde_json::to_vec(costs).expect("costs are plain data");
        Ok(fs::write_atomically(&layout::costs(self.root(), kind, key), &text)?)
    }

    /// What a stage took, where that was written down.
    ///
    /// # Errors
    /// A file that can't be read. One that can't be understood counts as none: nothing depends on it.
    pub fn costs(&self, kind: Kind, key: StageKey) -> Result<Option<Costs>, StoreError> {
        Ok(fs::read_if_there(&layout::costs(self.root(), kind, key))?
            .and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Writes what the pseudo labels of a stage look like: blobs `png/<image>` and `webp/<image>`.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn write_previews(&self, kind: Kind, key: StageKey, pack: &[u8]) -> Result<(), StoreError> {
        Ok(fs::write_atomically(&layout::previews(self.root(), kind, key), pack)?)
    }

    /// What the pseudo labels of a stage look like, where that was kept.
    ///
    /// # Errors
    /// A file that can't be read. One that can't be understood counts as none: nothing depends on it.
    pub fn previews(&self, kind: Kind, key: StageKey) -> Result<Option<Pack>, StoreError> {
        let bytes = fs::read_if_there(&layout::previews(self.root(), kind, key))?;
        Ok(bytes.and_then(|bytes| Pack::read(bytes).ok()).filter(|pack| pack.first_damaged().is_none()))
    }

    /// Writes what a stage was executed on.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn write_environment(
        &self,
        kind: Kind,
        key: StageKey,
        environment: &serde_json::Value,
    ) -> Result<(), StoreError> {
        let text = environment.to_string();
        Ok(fs::write_atomically(&layout::environment(self.root(), kind, key), text.as_bytes())?)
    }

    /// What a stage was executed on, where that was written down.
    ///
    /// # Errors
    /// A file that can't be read. One that can't be understood counts as none: nothing depends on it.
    pub fn environment(&self, kind: Kind, key: StageKey) -> Result<Option<serde_json::Value>, StoreError> {
        Ok(fs::read_if_there(&layout::environment(self.root(), kind, key))?
            .and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Digest;

    #[test]
    fn costs_of_the_first_program_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (kind, key) = (Kind::Teacher, StageKey(Digest::of(b"stage")));
        assert_eq!(store.costs(kind, key).unwrap(), None);
        let path = layout::costs(store.root(), kind, key);
        fs::write_atomically(&path, br#"{"seconds":2.5,"threads":2}"#).unwrap();
        let costs = Costs {
            seconds: 2.5,
            threads: 2,
            attempts: 1,
            faults: Vec::new(),
            started: None,
            finished: None,
            cpu_seconds: None,
            peak_memory: None,
            usage: Vec::new(),
        };
        assert_eq!(store.costs(kind, key).unwrap(), Some(costs.clone()));
        store.write_costs(kind, key, &Costs { attempts: 3, ..costs }).unwrap();
        assert_eq!(store.costs(kind, key).unwrap().unwrap().attempts, 3);
        fs::write_atomically(&path, b"nonsense").unwrap();
        assert_eq!(store.costs(kind, key).unwrap(), None);
    }

    #[test]
    fn previews_come_back_and_damaged_ones_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (kind, key) = (Kind::Label, StageKey(Digest::of(b"stage")));
        assert!(store.previews(kind, key).unwrap().is_none());
        let mut pack = crate::store::pack::PackWriter::default();
        pack.add("png/a", b"picture");
        let mut bytes = pack.finish();
        store.write_previews(kind, key, &bytes).unwrap();
        assert_eq!(store.previews(kind, key).unwrap().unwrap().get("png/a"), Some(&b"picture"[..]));
        bytes[0] ^= 1;
        store.write_previews(kind, key, &bytes).unwrap();
        assert!(store.previews(kind, key).unwrap().is_none());
    }
}
