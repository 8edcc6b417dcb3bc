//! What is in a store, file by file, with what each names: all that a plan of removal depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::layout::Place;
use super::running::named_by;
use super::sealed::Found;
use super::{Store, StoreError};
use crate::base::digest::Digest;
use crate::base::walk::{Entry, walk};
use crate::plan::StageKey;

/// A snapshot of a store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// Studies.
    pub studies: Vec<StudyFile>,
    /// Records.
    pub records: Vec<RecordFile>,
    /// Indexes of labels.
    pub labels: Vec<LabelFile>,
    /// Artifacts.
    pub objects: Vec<(Digest, Entry)>,
    /// Costs, environments and previews.
    pub beside: Vec<(StageKey, Entry)>,
    /// Files of the working folders.
    pub running: Vec<RunningFile>,
    /// Tables, and what tracking servers acknowledged, by the name of their study.
    pub tables: Vec<(String, Entry)>,
    /// What may be deleted at any time.
    pub cache: Vec<Entry>,
    /// Files that nobody finished to write.
    pub unfinished: Vec<Entry>,
    /// Damaged files that were moved away.
    pub quarantined: Vec<Entry>,
    /// What stays whatever happens: the marker, leases, what tracking servers did not accept.
    pub fixed: Vec<Entry>,
    /// Files that are not ours.
    pub foreign: Vec<Entry>,
}

/// A study's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyFile {
    /// The file.
    pub entry: Entry,
    /// The study's name.
    pub name: String,
    /// The stages of its chains.
    pub stages: BTreeSet<StageKey>,
    /// Whether a file of a later format says it anew.
    pub superseded: bool,
}

/// A record's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFile {
    /// The file.
    pub entry: Entry,
    /// The stage.
    pub key: StageKey,
    /// The stages that it read.
    pub inputs: Vec<StageKey>,
    /// What it left.
    pub outputs: BTreeSet<Digest>,
    /// Whether a file of a later format says it anew.
    pub superseded: bool,
}

/// A file of a working folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningFile {
    /// The file.
    pub entry: Entry,
    /// The stage.
    pub key: StageKey,
    /// What the stage has left so far.
    pub outputs: BTreeSet<Digest>,
    /// Whether the stage is done as it was wanted there.
    pub is_over: bool,
}

/// An index of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelFile {
    /// The file.
    pub entry: Entry,
    /// The packs that it names.
    pub packs: BTreeSet<Digest>,
    /// Whether a file of a later format says it anew.
    pub superseded: bool,
}

impl Inventory {
    /// What is in a store.
    ///
    /// # Errors
    /// A folder that can't be listed; a study, a record or an index of labels that can't be read, since what it needs
    /// is not known then.
    pub fn of(store: &Store) -> Result<Self, StoreError> {
        let mut inventory = Self::default();
        let mut documents: BTreeMap<String, Entry> = BTreeMap::new();
        for entry in walk(store.root())? {
            let place = if entry.is_in_the_making() { None } else { Some(Place::of(&entry.path)) };
            match place {
                None => inventory.unfinished.push(entry),
                Some(Place::Marker | Place::Lease | Place::Rejected) => inventory.fixed.push(entry),
                Some(Place::Object(digest)) => inventory.objects.push((digest, entry)),
                Some(Place::Record(_) | Place::Study(_) | Place::Labels) => {
                    documents.insert(entry.path.clone(), entry);
                }
                Some(Place::Beside(key)) => inventory.beside.push((key, entry)),
                Some(Place::Running(key)) => {
                    let named = named_by(&store.root().join(&entry.path))?;
                    let outputs = named.into_iter().flatten().collect();
                    inventory.running.push(RunningFile { entry, key, outputs, is_over: false });
                }
                Some(Place::Quarantined) => inventory.quarantined.push(entry),
                Some(Place::Cache) => inventory.cache.push(entry),
                Some(Place::Table(name) | Place::Outbox(name)) => {
                    let name = name.to_owned();
                    inventory.tables.push((name, entry));
                }
                Some(Place::Foreign) => inventory.foreign.push(entry),
            }
        }
        // Documents are read after the files were counted. A record that came since is the affair of whoever wrote it,
        // but a study that came since may need what was there before.
        let relative = |path: &Path| -> Option<String> {
            Some(path.strip_prefix(store.root()).ok()?.to_string_lossy().into_owned())
        };
        let mut read = |path: &Path| documents.remove(&relative(path)?);
        let mut seen = BTreeSet::new();
        for Found { path, content, .. } in store.study_files()? {
            let study = content?;
            let entry = read(&path).or_else(|| Some(Entry { path: relative(&path)?, bytes: 0 }));
            let entry = entry.expect("a store lists its own files");
            let name = study.ablation.name;
            // The later format is listed first, here and below.
            let superseded = !seen.insert((name.clone(), study.numerics));
            let steps = study.members.iter().flat_map(|member| &member.chain.steps);
            let stages = steps.map(|step| step.key).collect();
            inventory.studies.push(StudyFile { entry, name, stages, superseded });
        }
        let mut seen = BTreeSet::new();
        for Found { path, content, .. } in store.record_files()? {
            let (record, Some(entry)) = (content?, read(&path)) else { continue };
            let is_over = store.running(record.kind, record.key).is_over(&record)?;
            for file in inventory.running.iter_mut().filter(|file| file.key == record.key) {
                file.is_over = is_over;
            }
            let outputs = record.outputs.values().map(|artifact| artifact.digest).collect();
            let superseded = !seen.insert(record.key);
            inventory.records.push(RecordFile {
                entry,
                key: record.key,
                inputs: record.inputs,
                outputs,
                superseded,
            });
        }
        let mut seen = BTreeSet::new();
        for Found { path, content, .. } in store.label_files()? {
            let (index, Some(entry)) = (content?, read(&path)) else { continue };
            let home: Vec<_> = entry.path.split('/').skip(1).map(str::to_owned).collect();
            let superseded = !seen.insert(home);
            inventory.labels.push(LabelFile { entry, packs: index.packs().collect(), superseded });
        }
        // Whatever has a document's name and is none, such as a file of another program.
        inventory.foreign.extend(documents.into_values());
        Ok(inventory)
    }

    /// Every file.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let studies = self.studies.iter().map(|study| &study.entry);
        let records = self.records.iter().map(|record| &record.entry);
        let labels = self.labels.iter().map(|labels| &labels.entry);
        let objects = self.objects.iter().map(|(_, entry)| entry);
        let running = self.running.iter().map(|running| &running.entry);
        let stages = self.beside.iter().map(|(_, entry)| entry).chain(running);
        let tables = self.tables.iter().map(|(_, entry)| entry);
        let others = [&self.cache, &self.unfinished, &self.quarantined, &self.fixed, &self.foreign];
        let others = others.into_iter().flatten();
        studies.chain(records).chain(labels).chain(objects).chain(stages).chain(tables).chain(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Kind;
    use crate::store::Artifact;
    use crate::store::running::{ResumeHead, ResumePoint};

    #[test]
    fn what_only_a_resume_point_names_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = StageKey(Digest::of(b"stage"));
        let model = Artifact { digest: store.put(b"model").unwrap(), bytes: 5 };
        let outputs = [("model@3".to_owned(), model)].into();
        let head = ResumeHead { step: 3, outputs, ..ResumeHead::default() };
        let point = ResumePoint { head, ..ResumePoint::default() };
        store.running(Kind::Teacher, key).write_resume(&point).unwrap();
        let named = || {
            let running = Inventory::of(&store).unwrap().running;
            assert_eq!(running.len(), 1);
            assert_eq!(running[0].key, key);
            (running[0].entry.path.clone(), running[0].outputs.iter().copied().collect::<Vec<_>>())
        };
        let (path, outputs) = named();
        assert_eq!(outputs, [model.digest]);
        std::fs::write(folder.path().join(path), "damaged").unwrap();
        assert_eq!(named().1, []);
        let survey = crate::store::verify::verify(&store).unwrap();
        assert_eq!(survey.damage.len(), 1, "{survey:?}");
    }

    #[test]
    fn every_file_is_somewhere() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.put(b"model").unwrap();
        let paths = [
            "notes.txt",
            "objects-v1/ab/.tmp-1",
            "tables/a/b.parquet",
            "costs-v1/teacher/x",
            "leases-v1/gc.0",
        ];
        for path in paths {
            crate::base::fs::write_atomically(&folder.path().join(path), b"").unwrap();
        }
        let inventory = Inventory::of(&store).unwrap();
        let mut listed: Vec<&Entry> = inventory.entries().collect();
        listed.sort();
        assert_eq!(listed, walk(folder.path()).unwrap().iter().collect::<Vec<_>>());
        let foreign: Vec<_> = inventory.foreign.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(foreign, ["costs-v1/teacher/x", "notes.txt"]);
    }
}
