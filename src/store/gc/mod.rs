//! What may be removed from a store: policy → plan → result.
//!
//! The plan is a pure function of what is there ([`Inventory`]), of what is to be kept ([`Policy`]) and of who is working
//! ([`Busy`]). Kept is what a kept study reaches: its own files and tables; the records of its stages and of all that those
//! read; their artifacts, costs, environments, previews; the indexes of labels whose every pack is such an artifact; the working
//! folders of its stages that are not done, with the artifacts that their resume points name. What is not reached is
//! garbage, but for files that are not ours.
//!
//! Planning and removing go together under a lease ([`Leases::clearing`](super::lease::Leases::clearing)): who is about to
//! work waits until it is free. Who is at work is asked before the store is looked through: whoever ends in between has
//! named what it wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::inventory::{Inventory, LabelFile, RecordFile, RunningFile};
use super::{Store, StoreError};
use crate::base::digest::Digest;
use crate::base::fs;
use crate::base::walk::Entry;
use crate::plan::StageKey;

/// What is not to be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Names of studies that are given up.
    pub drop: BTreeSet<String>,
    /// Whether damaged files that were moved away are given up.
    pub quarantine: bool,
}

/// Who is working in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Busy {
    /// The stages that running processes hold.
    pub held: BTreeSet<StageKey>,
    /// Whether any process runs; between two stages it holds none.
    pub someone: bool,
}

/// Why a file is garbage, in the order of removal: what names others goes before what is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A study that is given up.
    Dropped,
    /// A later file says it anew.
    Superseded,
    /// Tables of no study, and what tracking servers have of it.
    Tables,
    /// An index of labels that no stage of a kept study wrote.
    Labels,
    /// Costs, the environment or previews of a stage that no kept study has: costs without a record would tell of a lost one.
    Beside,
    /// The record of such a stage.
    Record,
    /// The working folder of a stage that is done, or that no kept study has.
    Running,
    /// An artifact that no kept stage left.
    Object,
    /// What may be deleted at any time.
    Cache,
    /// A file that nobody finished to write.
    Unfinished,
    /// A damaged file that was moved away.
    Quarantined,
}

impl Why {
    /// Whether it may go while someone works: others may be about to be named, or are being written.
    fn is_certain(self) -> bool {
        matches!(self, Self::Superseded | Self::Quarantined)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Dropped => "studies that are dropped",
            Self::Superseded => "documents of an earlier format that were written anew",
            Self::Tables => "tables and cursors of no study",
            Self::Labels => "indexes of labels of no study",
            Self::Record => "records of stages of no study",
            Self::Beside => "costs, environments and previews of such stages",
            Self::Running => "working folders of stages that are done or of no study",
            Self::Object => "artifacts of no study",
            Self::Cache => "the cache",
            Self::Unfinished => "files that nobody finished to write",
            Self::Quarantined => "damaged files that were set aside",
        })
    }
}

/// A file that may go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Garbage {
    /// Why.
    pub why: Why,
    /// Where, relative to the store.
    pub path: String,
    /// How large.
    pub bytes: u64,
}

/// What a study holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// Its name.
    pub study: String,
    /// The bytes that it needs.
    pub bytes: u64,
    /// Those of them that no other study needs.
    pub only: u64,
    /// Whether it is given up.
    pub dropped: bool,
    /// Whether a running process holds a stage of it: then it is kept.
    pub held: bool,
}

/// What is to be removed, and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GcPlan {
    /// What goes, in the order of removal.
    pub remove: Vec<Garbage>,
    /// Garbage that stays while a process works in the store.
    pub waiting: Vec<Garbage>,
    /// What each study holds, by name.
    pub holdings: Vec<Holding>,
    /// Files that stay.
    pub kept_files: usize,
    /// Their bytes.
    pub kept_bytes: u64,
    /// Files that are not ours; they stay.
    pub foreign: Vec<String>,
}

/// Plans what to remove.
pub fn plan(inventory: &Inventory, policy: &Policy, busy: &Busy) -> GcPlan {
    let reach = Reach::new(inventory);
    let mut studies: BTreeMap<&str, BTreeSet<StageKey>> = BTreeMap::new();
    for study in inventory.studies.iter().filter(|study| !study.superseded) {
        studies.entry(&study.name).or_default().extend(&study.stages);
    }
    // Of all that is kept at once: an index of labels may name packs that two studies left.
    let mut stages_kept = busy.held.clone();
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    let working = inventory.running.iter().filter(|file| busy.held.contains(&file.key));
    kept.extend(working.flat_map(|file| reach.of_running(file)));
    let someone = busy.someone || !busy.held.is_empty();
    let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
    let mut holdings = Vec::new();
    for (name, stages) in &studies {
        let files = reach.of_study(name, stages);
        let held = !stages.is_disjoint(&busy.held);
        let dropped = policy.drop.contains(*name) && !held;
        for file in &files {
            *owners.entry(file).or_default() += 1;
        }
        if !dropped {
            stages_kept.extend(stages);
            kept.extend(reach.of_name(name));
        }
        holdings.push((Holding { study: (*name).to_owned(), bytes: 0, only: 0, dropped, held }, files));
    }
    kept.extend(reach.of_stages(&stages_kept));
    let sizes: BTreeMap<&str, u64> =
        inventory.entries().map(|entry| (entry.path.as_str(), entry.bytes)).collect();
    let mut plan = GcPlan::default();
    for (mut holding, files) in holdings {
        for file in files {
            holding.bytes += sizes[file];
            holding.only += if owners[file] == 1 { sizes[file] } else { 0 };
        }
        plan.holdings.push(holding);
    }
    for garbage in candidates(inventory, policy) {
        if kept.contains(garbage.path.as_str()) {
            continue;
        }
        if someone && !garbage.why.is_certain() {
            plan.waiting.push(garbage);
        } else {
            plan.remove.push(garbage);
        }
    }
    plan.remove.sort();
    plan.waiting.sort();
    let gone: BTreeSet<&str> = plan.remove.iter().map(|garbage| garbage.path.as_str()).collect();
    for (path, bytes) in sizes {
        if !gone.contains(path) {
            plan.kept_files += 1;
            plan.kept_bytes += bytes;
        }
    }
    plan.foreign = inventory.foreign.iter().map(|entry| entry.path.clone()).collect();
    plan
}

/// Removes what a plan says, and the folders that are empty then.
///
/// # Errors
/// A file that can't be removed; what was removed before is gone, and the rest can be planned again.
pub fn collect(store: &Store, plan: &GcPlan) -> Result<(), StoreError> {
    for garbage in &plan.remove {
        let path = store.root().join(&garbage.path);
        fs::remove(&path)?;
        let above = path.ancestors().skip(1).take_while(|folder| *folder != store.root());
        for folder in above {
            if !fs::remove_empty(folder) {
                break;
            }
        }
    }
    Ok(())
}

/// Every file that would be garbage if nothing were kept.
fn candidates<'a>(inventory: &'a Inventory, policy: &'a Policy) -> impl Iterator<Item = Garbage> + 'a {
    let garbage = |why: Why, entry: &Entry| Garbage { why, path: entry.path.clone(), bytes: entry.bytes };
    let document = move |superseded: bool, why: Why, entry: &Entry| {
        garbage(if superseded { Why::Superseded } else { why }, entry)
    };
    let studies = inventory.studies.iter().map(move |f| document(f.superseded, Why::Dropped, &f.entry));
    let records = inventory.records.iter().map(move |f| document(f.superseded, Why::Record, &f.entry));
    let labels = inventory.labels.iter().map(move |f| document(f.superseded, Why::Labels, &f.entry));
    let objects = inventory.objects.iter().map(move |(_, entry)| garbage(Why::Object, entry));
    let beside = inventory.beside.iter().map(move |(_, entry)| garbage(Why::Beside, entry));
    let running = inventory.running.iter().map(move |file| garbage(Why::Running, &file.entry));
    let tables = inventory.tables.iter().map(move |(_, entry)| garbage(Why::Tables, entry));
    let cache = inventory.cache.iter().map(move |entry| garbage(Why::Cache, entry));
    let unfinished = inventory.unfinished.iter().map(move |entry| garbage(Why::Unfinished, entry));
    let quarantined = inventory.quarantined.iter().filter(|_| policy.quarantine);
    let quarantined = quarantined.map(move |entry| garbage(Why::Quarantined, entry));
    let documents = studies.chain(records).chain(labels);
    documents
        .chain(objects)
        .chain(beside)
        .chain(running)
        .chain(tables)
        .chain(cache)
        .chain(unfinished)
        .chain(quarantined)
}

/// What can be reached from stages.
struct Reach<'a> {
    inventory: &'a Inventory,
    records: BTreeMap<StageKey, &'a RecordFile>,
    objects: BTreeMap<Digest, &'a str>,
    labels: Vec<&'a LabelFile>,
    beside: BTreeMap<StageKey, Vec<&'a str>>,
    running: BTreeMap<StageKey, Vec<&'a RunningFile>>,
}

impl<'a> Reach<'a> {
    fn new(inventory: &'a Inventory) -> Self {
        let records: BTreeMap<_, _> =
            inventory.records.iter().filter(|file| !file.superseded).map(|file| (file.key, file)).collect();
        let mut beside: BTreeMap<StageKey, Vec<&str>> = BTreeMap::new();
        for (key, entry) in &inventory.beside {
            beside.entry(*key).or_default().push(&entry.path);
        }
        // What a stage needs to go on is of use until it is done.
        let mut running: BTreeMap<StageKey, Vec<&RunningFile>> = BTreeMap::new();
        for file in inventory.running.iter().filter(|file| !file.is_over) {
            running.entry(file.key).or_default().push(file);
        }
        Self {
            inventory,
            records,
            objects: inventory.objects.iter().map(|(digest, entry)| (*digest, entry.path.as_str())).collect(),
            labels: inventory.labels.iter().filter(|file| !file.superseded).collect(),
            beside,
            running,
        }
    }

    /// A file of a working folder, with what the stage has left so far.
    fn of_running(&self, file: &'a RunningFile) -> impl Iterator<Item = &'a str> {
        let outputs = file.outputs.iter().filter_map(|digest| self.objects.get(digest).copied());
        outputs.chain(std::iter::once(file.entry.path.as_str()))
    }

    /// The files of stages and of all that they read.
    fn of_stages(&self, stages: &BTreeSet<StageKey>) -> BTreeSet<&'a str> {
        let mut files = BTreeSet::new();
        let mut outputs: BTreeSet<Digest> = BTreeSet::new();
        let mut seen = stages.clone();
        let mut open: Vec<StageKey> = stages.iter().copied().collect();
        while let Some(key) = open.pop() {
            files.extend(self.beside.get(&key).into_iter().flatten());
            let running = self.running.get(&key).into_iter().flatten();
            files.extend(running.flat_map(|file| self.of_running(file)));
            let Some(record) = self.records.get(&key) else { continue };
            files.insert(record.entry.path.as_str());
            outputs.extend(&record.outputs);
            open.extend(record.inputs.iter().filter(|&&input| seen.insert(input)));
        }
        files.extend(outputs.iter().filter_map(|digest| self.objects.get(digest)));
        let labels = self.labels.iter().filter(|labels| labels.packs.is_subset(&outputs));
        files.extend(labels.map(|labels| labels.entry.path.as_str()));
        files
    }

    /// The files of a study.
    fn of_study(&self, name: &str, stages: &BTreeSet<StageKey>) -> BTreeSet<&'a str> {
        let mut files = self.of_stages(stages);
        files.extend(self.of_name(name));
        files
    }

    /// The files that go by a study's name: its own, and its tables.
    fn of_name(&self, name: &str) -> Vec<&'a str> {
        let studies = self.inventory.studies.iter().filter(|file| file.name == name && !file.superseded);
        let tables = self.inventory.tables.iter().filter(|(study, _)| study == name);
        let tables = tables.map(|(_, entry)| entry.path.as_str());
        studies.map(|file| file.entry.path.as_str()).chain(tables).collect()
    }
}

#[cfg(test)]
mod tests;
