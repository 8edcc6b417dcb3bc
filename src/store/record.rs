//! Records: the committed proof that a stage is done.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, layout};
use crate::base::digest::Digest;
use crate::base::fs;
use crate::plan::graph::Want;
use crate::plan::{Cost, Kind, Node, Role, StageKey};

/// Something a stage left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Digest of its bytes.
    pub digest: Digest,
    /// How many.
    pub bytes: u64,
}

/// The proof that a stage is done. It holds nothing that differs between two runs of the same stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The stage's key.
    pub key: StageKey,
    /// Its kind.
    pub kind: Kind,
    /// The version of its kind.
    pub version: u32,
    /// The model it trained or read.
    pub role: Option<Role>,
    /// What was hashed into its key, for people and for `explain`.
    pub work: serde_json::Value,
    /// The stages it read.
    pub inputs: Vec<StageKey>,
    /// The numerics class.
    pub numerics: String,
    /// What it left, by name: `model@300`, `masks`, `metrics`.
    pub outputs: BTreeMap<String, Artifact>,
    /// Small results by name: `validation@30` and its mIoU.
    pub values: BTreeMap<String, f64>,
    /// Rolling digest over loss and learning rate of every step, for trainings.
    pub trace: Option<Digest>,
    /// What it cost, counted.
    pub cost: Cost,
    /// The version of the program that ran it.
    pub code: String,
}

impl Record {
    /// The output with a name.
    pub fn output(&self, name: &str) -> Option<Digest> {
        self.outputs.get(name).map(|artifact| artifact.digest)
    }

    /// The best of the looks at the validation images after some steps, as step and mIoU; of equal ones the earliest.
    /// Looks that the stage was not asked for are passed over.
    pub fn best_look(&self, steps: &[u64]) -> Option<(u64, f64)> {
        let mut best: Option<(u64, f64)> = None;
        for &step in steps {
            let Some(&miou) = self.values.get(&Want::Validation(step).to_string()) else { continue };
            if best.is_none_or(|(_, so_far)| miou > so_far) {
                best = Some((step, miou));
            }
        }
        best
    }

    /// Whether every wish is among the outputs.
    pub fn fulfils(&self, wants: &BTreeSet<Want>) -> bool {
        wants.iter().all(|want| {
            let name = want.to_string();
            self.outputs.contains_key(&name) || self.values.contains_key(&name)
        })
    }
}

impl Store {
    /// The record of a stage, if the stage is done.
    ///
    /// # Errors
    /// A record that can't be read, or is another stage's.
    pub fn record(&self, kind: Kind, key: StageKey) -> Result<Option<Record>, StoreError> {
        let path = layout::record(self.root(), kind, key);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| StoreError::Unreadable {
            path: path.clone(),
            what: format!("it is no record ({error})"),
        })?;
        if record.key != key || record.kind != kind {
            let what = format!("it is the record of {} {}", record.kind, record.key.short());
            return Err(StoreError::Unreadable { path, what });
        }
        Ok(Some(record))
    }

    /// Every record that can be read, sorted by kind, then by key.
    ///
    /// # Errors
    /// A folder that can't be listed.
    pub fn records(&self) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        for kind in Kind::ALL {
            for path in fs::list(&layout::records(self.root(), kind))? {
                let key = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).map(StageKey);
                let Some(key) = key else { continue };
                records.extend(self.record(kind, key).ok().flatten());
            }
        }
        Ok(records)
    }

    /// The record of a node that is done, has all that is wanted, and whose artifacts are there.
    ///
    /// # Errors
    /// A record that can't be read.
    pub fn done(&self, node: &Node) -> Result<Option<Record>, StoreError> {
        let record = self.record(node.kind, node.key)?;
        Ok(record.filter(|record| {
            record.fulfils(&node.wants)
                && record.outputs.values().all(|artifact| self.object_path(artifact.digest).is_some())
        }))
    }

    /// Makes a stage done: the last thing that is written.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn commit(&self, record: &Record) -> Result<(), StoreError> {
        let path = layout::record(self.root(), record.kind, record.key);
        let mut text = serde_json::to_string_pretty(record).expect("a record is plain data");
        text.push('\n');
        Ok(fs::write_atomically(&path, text.as_bytes())?)
    }

    /// Writes what a stage took in hours beside its record. It is never compared with anything.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn write_costs(&self, record: &Record, costs: &serde_json::Value) -> Result<(), StoreError> {
        let path = layout::costs(self.root(), record.kind, record.key);
        Ok(fs::write_atomically(&path, costs.to_string().as_bytes())?)
    }

    /// How many seconds a stage took when it was run, where that was written down.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn seconds(&self, kind: Kind, key: StageKey) -> Result<Option<f64>, StoreError> {
        match fs::read_text(&layout::costs(self.root(), kind, key)) {
            Ok(text) => {
                let costs: Option<serde_json::Value> = serde_json::from_str(&text).ok();
                Ok(costs.and_then(|costs| costs.get("seconds")?.as_f64()))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
