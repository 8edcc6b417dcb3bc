//! Records: the committed proof that a stage is done.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::sealed::{self, Form, Found};
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

/// The trace of a training on its way, so that a difference is located.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// After so many optimiser steps.
    pub step: u64,
    /// The rolling digest up to there.
    pub trace: Digest,
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
    /// The trace at some steps, in order; none of a stage that was run before there were marks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
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
        let places = [
            (layout::record(self.root(), kind, key), Form::Sealed),
            (layout::v1::record(self.root(), kind, key), Form::Bare),
        ];
        for (path, form) in places {
            if let Some(record) = sealed::read::<Record>(&path, form, "record")? {
                return if (record.kind, record.key) == (kind, key) {
                    Ok(Some(record))
                } else {
                    Err(of_another(path, &record))
                };
            }
        }
        Ok(None)
    }

    /// Every record, sorted by kind and key.
    ///
    /// # Errors
    /// A record that can't be read, or is another stage's.
    pub fn records(&self) -> Result<Vec<Record>, StoreError> {
        let mut records = BTreeMap::new();
        for found in self.record_files()? {
            let record = found.content?;
            // The later format is listed first.
            records.entry((record.kind, record.key)).or_insert(record);
        }
        Ok(records.into_values().collect())
    }

    /// Every record of every format, each with its path, in a fixed order; also those that can't be read.
    ///
    /// # Errors
    /// A folder that can't be listed.
    pub fn record_files(&self) -> Result<Vec<Found<Record>>, StoreError> {
        let root = self.root();
        let mut found = Vec::new();
        let buckets = [(layout::records(root), Form::Sealed), (layout::v1::records(root), Form::Bare)];
        for (bucket, form) in buckets {
            for folder in fs::list(&bucket)? {
                found.extend(sealed::read_all::<Record>(&[(folder, form)], "record", true)?);
            }
        }
        for record in &mut found {
            let Ok(content) = &record.content else { continue };
            let home = match record.form {
                Form::Sealed => layout::record(root, content.kind, content.key),
                Form::Bare => layout::v1::record(root, content.kind, content.key),
            };
            if home != record.path {
                record.content = Err(of_another(record.path.clone(), content));
            }
        }
        Ok(found)
    }

    /// The record of a node that is done, has all that is wanted, and whose artifacts are there.
    ///
    /// # Errors
    /// A record that can't be read.
    pub fn done(&self, node: &Node) -> Result<Option<Record>, StoreError> {
        let record = self.record(node.kind, node.key)?;
        Ok(record.filter(|record| record.fulfils(&node.wants) && self.lost(record).is_empty()))
    }

    /// The artifacts that a record names and that are gone.
    pub fn lost(&self, record: &Record) -> Vec<StoreError> {
        let digests = record.outputs.values().map(|artifact| artifact.digest);
        let gone = digests.filter(|digest| self.object_path(*digest).is_none());
        gone.map(|digest| StoreError::Lost { path: layout::object(self.root(), digest), digest }).collect()
    }

    /// Makes a stage done: the last thing that is written.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn commit(&self, record: &Record) -> Result<(), StoreError> {
        let path = layout::record(self.root(), record.kind, record.key);
        Ok(fs::write_atomically(&path, &sealed::seal(record))?)
    }
}

fn of_another(path: std::path::PathBuf, record: &Record) -> StoreError {
    let what = format!("it is the record of {} {}", record.kind, record.key.short());
    StoreError::Unreadable { path, what }
}
