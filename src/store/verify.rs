//! Whether everything in a store is what was written.
//!
//! Every document is read and held against its seal, every artifact against its digest, every pack against its index. Then
//! what they say of each other: a record's key is the digest of its work, its artifacts are there; an index of labels names
//! packs. Nothing is written, so that a store can be verified where nobody can write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::frames::{End, Frames};
use super::labels::LabelIndex;
use super::layout::{self, Place};
use super::pack::Pack;
use super::running::named_by;
use super::sealed::Found;
use super::{Record, Store, StoreError, StoredStudy};
use crate::base::digest::Digest;
use crate::base::fs;
use crate::base::walk::{Entry, walk};
use crate::plan::work::Work;
use crate::plan::{Kind, StageKey};

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Survey {
    /// What was looked at, in a fixed order.
    pub counts: Vec<Count>,
    /// The studies, and how far each is.
    pub studies: Vec<Progress>,
    /// What is not as it was written, sorted by path.
    pub damage: Vec<Damage>,
    /// Damaged files that were set aside before, and why.
    pub quarantined: Vec<super::quarantine::Quarantined>,
    /// Files that are not ours.
    pub foreign: Vec<String>,
}

/// Files of one sort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Which.
    pub what: &'static str,
    /// How many.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// How far a study is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Its name.
    pub name: String,
    /// Its numerics class.
    pub numerics: String,
    /// Its distinct stages.
    pub stages: usize,
    /// Those that are done and whole.
    pub done: usize,
}

/// A file that is damaged or gone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Damage {
    /// Where, relative to the store.
    pub path: String,
    /// What is wrong, with what was expected and found.
    pub what: String,
    /// The experiments that need it, as `name: arm/seed/split`.
    pub whose: Vec<String>,
    /// What to do.
    pub advice: String,
}

/// Looks at everything in a store.
///
/// # Errors
/// A folder that can't be listed. What can't be read is damage.
pub fn verify(store: &Store) -> Result<Survey, StoreError> {
    let files = Files::of(store)?;
    let studies = store.study_files()?;
    let mut inspection =
        Inspection { store, needs: needs(&studies), kinds: kinds(&studies), damage: Vec::new() };
    let packs = inspection.objects(&files);
    inspection.studies(&studies);
    let whole = inspection.records(&store.record_files()?, &files.objects);
    inspection.labels(&store.label_files()?, &packs);
    inspection.running(&files)?;
    let mut damage = inspection.damage;
    damage.sort();
    Ok(Survey {
        counts: files.counts(),
        studies: progress(&studies, &whole),
        damage,
        quarantined: store.quarantined()?,
        foreign: files.foreign,
    })
}

/// The files of a store by what they are.
#[derive(Default)]
struct Files {
    objects: BTreeMap<Digest, Entry>,
    sorts: BTreeMap<Sort, Vec<Entry>>,
    foreign: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Studies,
    Records,
    Artifacts,
    Labels,
    Beside,
    Tables,
    Outbox,
    Cache,
    Running,
    Leases,
    Unfinished,
    Quarantined,
    Foreign,
}

impl Sort {
    fn words(self) -> &'static str {
        match self {
            Self::Studies => "studies",
            Self::Records => "records",
            Self::Artifacts => "artifacts",
            Self::Labels => "indexes of labels",
            Self::Beside => "costs, environments and previews",
            Self::Tables => "tables",
            Self::Outbox => "about tracking servers",
            Self::Cache => "cache",
            Self::Running => "in working folders",
            Self::Leases => "leases",
            Self::Unfinished => "not finished",
            Self::Quarantined => "set aside",
            Self::Foreign => "not ours",
        }
    }
}

impl Files {
    fn of(store: &Store) -> Result<Self, StoreError> {
        let mut files = Self::default();
        for entry in walk(store.root())? {
            let sort = match Place::of(&entry.path) {
                _ if entry.is_in_the_making() => Sort::Unfinished,
                Place::Marker => continue,
                Place::Object(digest) => {
                    files.objects.insert(digest, entry.clone());
                    Sort::Artifacts
                }
                Place::Record(_) => Sort::Records,
                Place::Study(_) => Sort::Studies,
                Place::Labels => Sort::Labels,
                Place::Beside(_) => Sort::Beside,
                Place::Running(_) => Sort::Running,
                Place::Lease => Sort::Leases,
                Place::Quarantined => Sort::Quarantined,
                Place::Cache => Sort::Cache,
                Place::Table(_) => Sort::Tables,
                Place::Outbox(_) | Place::Rejected => Sort::Outbox,
                Place::Foreign => {
                    files.foreign.push(entry.path.clone());
                    Sort::Foreign
                }
            };
            files.sorts.entry(sort).or_default().push(entry);
        }
        Ok(files)
    }

    fn counts(&self) -> Vec<Count> {
        let count = |(sort, entries): (&Sort, &Vec<Entry>)| Count {
            what: sort.words(),
            files: entries.len(),
            bytes: entries.iter().map(|entry| entry.bytes).sum(),
        };
        self.sorts.iter().map(count).collect()
    }
}

/// Which experiments have a stage.
type Needs = BTreeMap<StageKey, Vec<String>>;

fn needs(studies: &[Found<StoredStudy>]) -> Needs {
    let mut needs = Needs::new();
    for study in studies.iter().filter_map(|found| found.content.as_ref().ok()) {
        for member in &study.members {
            let name = format!("{}: {}/{}/{}", study.ablation.name, member.arm, member.seed, member.split);
            for step in &member.chain.steps {
                let names = needs.entry(step.key).or_default();
                if !names.contains(&name) {
                    names.push(name.clone());
                }
            }
        }
    }
    needs
}

/// The kinds of the stages that studies have.
fn kinds(studies: &[Found<StoredStudy>]) -> BTreeMap<StageKey, Kind> {
    let readable = studies.iter().filter_map(|found| found.content.as_ref().ok());
    let steps = readable.flat_map(|study| &study.members).flat_map(|member| &member.chain.steps);
    steps.map(|step| (step.key, step.kind)).collect()
}

fn progress(studies: &[Found<StoredStudy>], whole: &BTreeSet<StageKey>) -> Vec<Progress> {
    let readable = studies.iter().filter_map(|found| found.content.as_ref().ok());
    let mut progress: Vec<Progress> = Vec::new();
    for study in readable {
        let steps = study.members.iter().flat_map(|member| &member.chain.steps);
        let stages: BTreeSet<StageKey> = steps.map(|step| step.key).collect();
        let one = Progress {
            name: study.ablation.name.clone(),
            numerics: study.numerics.clone(),
            stages: stages.len(),
            done: stages.intersection(whole).count(),
        };
        // A study of an earlier format that was written anew is listed once.
        if !progress.iter().any(|other| (&other.name, &other.numerics) == (&one.name, &one.numerics)) {
            progress.push(one);
        }
    }
    progress
}

/// A look at everything, and what came of it.
struct Inspection<'a> {
    store: &'a Store,
    needs: Needs,
    kinds: BTreeMap<StageKey, Kind>,
    damage: Vec<Damage>,
}

impl Inspection<'_> {
    /// Every artifact; the answer is which of them are sound packs.
    fn objects(&mut self, files: &Files) -> BTreeSet<Digest> {
        let looked: Vec<(Digest, &Entry, Result<bool, String>)> = files
            .objects
            .par_iter()
            .map(|(&digest, entry)| (digest, entry, object(&self.store.root().join(&entry.path), digest)))
            .collect();
        let mut packs = BTreeSet::new();
        let mut bad = Vec::new();
        for (digest, entry, result) in looked {
            match result {
                Ok(true) => drop(packs.insert(digest)),
                Ok(false) => {}
                Err(what) => bad.push((digest, entry.path.clone(), what)),
            }
        }
        if !bad.is_empty() {
            let owners = self.owners();
            for (digest, path, what) in bad {
                let stages = owners.get(&digest).map_or(&[][..], Vec::as_slice);
                self.blame(path, what, stages);
            }
        }
        packs
    }

    /// Which stages left an artifact, by the records that can be read.
    fn owners(&self) -> BTreeMap<Digest, Vec<StageKey>> {
        let mut owners: BTreeMap<Digest, Vec<StageKey>> = BTreeMap::new();
        let records = self.store.record_files().unwrap_or_default();
        for record in records.iter().filter_map(|found| found.content.as_ref().ok()) {
            for artifact in record.outputs.values() {
                owners.entry(artifact.digest).or_default().push(record.key);
            }
        }
        owners
    }

    fn studies(&mut self, studies: &[Found<StoredStudy>]) {
        for found in studies {
            let what = match &found.content {
                Err(error) => words(error),
                Ok(study) => {
                    let expected =
                        StoredStudy::digest_of(&study.ablation, &study.members, &study.data.headline);
                    if expected == study.digest {
                        continue;
                    }
                    differs("it is not the study that its digest names", expected, study.digest)
                }
            };
            let path = self.relative(&found.path);
            let Place::Study(name) = Place::of(&path) else { continue };
            let damage = Damage {
                what,
                whose: vec![name.to_owned()],
                advice: format!("run the ablation `{name}` again; its stages stay"),
                path,
            };
            self.damage.push(damage);
        }
    }

    /// Every record; the answer is which stages are done and whole.
    fn records(
        &mut self,
        records: &[Found<Record>],
        objects: &BTreeMap<Digest, Entry>,
    ) -> BTreeSet<StageKey> {
        let broken: BTreeSet<String> = self.damage.iter().map(|damage| damage.path.clone()).collect();
        let readable = records.iter().filter_map(|found| found.content.as_ref().ok());
        let there: BTreeSet<StageKey> = readable.map(|record| record.key).collect();
        let mut whole = BTreeSet::new();
        for found in records {
            let path = self.relative(&found.path);
            let record = match &found.content {
                Ok(record) => record,
                Err(error) => {
                    let stages: Vec<StageKey> = match Place::of(&path) {
                        Place::Record(key) => vec![key],
                        _ => Vec::new(),
                    };
                    self.blame(path, words(error), &stages);
                    continue;
                }
            };
            let mut sound = true;
            if let Some(what) = other_key(record) {
                self.blame(path, what, &[record.key]);
                sound = false;
            }
            for input in record.inputs.iter().filter(|input| !there.contains(input)) {
                // What is done was read by what is done after it: no plan and no cleaning up leaves it this way.
                let Some(&kind) = self.kinds.get(input) else { continue };
                let home = self.relative(&layout::record(self.store.root(), kind, *input));
                if !fs::is_there(&self.store.root().join(&home)) {
                    let what = format!("it is gone, and {} {} read it", record.kind, record.key.short());
                    self.blame(home, what, &[*input]);
                }
            }
            for (name, artifact) in &record.outputs {
                let stage = format!("`{name}` of {} {}", record.kind, record.key.short());
                match objects.get(&artifact.digest) {
                    None => {
                        let home = layout::object(self.store.root(), artifact.digest);
                        let what = format!("it is gone, and is {stage}");
                        self.blame(self.relative(&home), what, &[record.key]);
                        sound = false;
                    }
                    Some(entry) => sound &= entry.bytes == artifact.bytes && !broken.contains(&entry.path),
                }
            }
            if sound {
                whole.insert(record.key);
            }
        }
        whole
    }

    fn labels(&mut self, indexes: &[Found<LabelIndex>], packs: &BTreeSet<Digest>) {
        for found in indexes {
            let what = match &found.content {
                Err(error) => words(error),
                Ok(index) => {
                    let bad = index
                        .packs()
                        .find(|pack| !packs.contains(pack) && self.store.object_path(*pack).is_some());
                    match bad {
                        Some(pack) => format!("it names {}, which is no sound pack", pack.short()),
                        // Labels whose pack is gone are computed anew when they are asked for.
                        None => continue,
                    }
                }
            };
            let advice = "move it away; labels that are asked for again are made anew".to_owned();
            self.damage.push(Damage { path: self.relative(&found.path), what, whose: Vec::new(), advice });
        }
    }

    /// Resume points, journals and results of single images. The latter two may be torn at their end.
    fn running(&mut self, files: &Files) -> Result<(), StoreError> {
        for entry in files.sorts.get(&Sort::Running).into_iter().flatten() {
            let Place::Running(key) = Place::of(&entry.path) else { continue };
            let path = self.store.root().join(&entry.path);
            if named_by(&path)?.is_none() {
                self.blame(entry.path.clone(), "it is no sound resume point".to_owned(), &[key]);
            }
            let framed = ["journal", "images"].into_iter().any(|name| path.ends_with(name));
            if framed && Frames::of(&fs::read(&path)?).end == End::Damaged {
                self.blame(entry.path.clone(), "its frames are not what was written".to_owned(), &[key]);
            }
        }
        Ok(())
    }

    /// Notes damage to a file of some stages.
    fn blame(&mut self, path: String, what: String, stages: &[StageKey]) {
        let mut whose: Vec<String> = Vec::new();
        for name in stages.iter().filter_map(|key| self.needs.get(key)).flatten() {
            if !whose.contains(name) {
                whose.push(name.clone());
            }
        }
        let advice = match whose.first().and_then(|first| first.split_once(':')) {
            Some((name, _)) => format!("run the ablation `{name}` again: it is set aside and made anew"),
            None => "no study needs it: move it away".to_owned(),
        };
        let damage = Damage { path, what, whose, advice };
        // One line per file, whoever misses it.
        if !self.damage.iter().any(|other| other.path == damage.path) {
            self.damage.push(damage);
        }
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.store.root()).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// Looks at an artifact; whether it is a pack, or what is wrong with it.
fn object(path: &Path, digest: Digest) -> Result<bool, String> {
    let bytes = fs::read(path).map_err(|error| format!("it can't be read ({})", error.source))?;
    let found = Digest::of(&bytes);
    if found != digest {
        return Err(differs("its bytes are not what was written", digest, found));
    }
    if !Pack::is_claimed_by(&bytes) {
        return Ok(false);
    }
    let pack = Pack::read(bytes).map_err(|error| format!("it is no sound pack ({error})"))?;
    match pack.first_damaged() {
        None => Ok(true),
        Some(id) => Err(format!("`{id}` in it is not what its index says")),
    }
}

/// What is wrong with a record whose key is not the digest of its work. Stages of another version have other keys.
pub(super) fn other_key(record: &Record) -> Option<String> {
    if record.version != Kind::version(record.kind) {
        return None;
    }
    let work: Work = match serde_json::from_value(record.work.clone()) {
        Ok(work) => work,
        Err(error) => return Some(format!("its work can't be understood ({error})")),
    };
    let found = StageKey::of(record.kind, record.role, &work, &record.inputs, &record.numerics);
    (found != record.key).then(|| differs("its work is not that of its key", record.key.0, found.0))
}

fn differs(what: &str, expected: Digest, found: Digest) -> String {
    format!("{what}: expected {expected}, found {found}")
}

/// What is wrong with a file, without its path.
fn words(error: &StoreError) -> String {
    match error {
        StoreError::Unreadable { what, .. } => what.clone(),
        StoreError::File(error) => format!("it can't be read ({})", error.source),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::pack::PackWriter;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        (folder, store)
    }

    #[test]
    fn a_sound_store_is_counted() {
        let (_folder, store) = store();
        store.put(b"weights").unwrap();
        let survey = verify(&store).unwrap();
        assert_eq!(survey.damage, []);
        let count =
            |what: &str| survey.counts.iter().find(|count| count.what == what).map(|count| count.bytes);
        assert_eq!(count("artifacts"), Some(7));
        assert_eq!(count("records"), None);
    }

    #[test]
    fn every_flipped_bit_of_an_artifact_is_named() {
        let (_folder, store) = store();
        let digest = store.put(b"weights").unwrap();
        let path = store.object_path(digest).unwrap();
        for at in 0..7 {
            let mut bytes = *b"weights";
            bytes[at] ^= 4;
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
            let survey = verify(&store).unwrap();
            assert_eq!(survey.damage.len(), 1);
            assert_eq!(store.root().join(&survey.damage[0].path), path);
            assert!(survey.damage[0].what.contains(&Digest::of(&bytes).to_string()), "{survey:?}");
            assert!(survey.damage[0].what.contains(&digest.to_string()), "{survey:?}");
        }
    }

    #[test]
    fn labels_must_be_packs() {
        let (_folder, store) = store();
        let mut pack = PackWriter::default();
        pack.add("image", b"mask");
        let good = LabelIndex {
            masks: store.put(&pack.finish()).unwrap(),
            confidence: None,
            entropy: None,
            quality: None,
        };
        store.note_labels(Digest::of(b"labeller"), &good).unwrap();
        assert_eq!(verify(&store).unwrap().damage, []);
        let bad = LabelIndex { masks: store.put(b"no pack").unwrap(), ..good };
        store.note_labels(Digest::of(b"labeller"), &bad).unwrap();
        let survey = verify(&store).unwrap();
        assert_eq!(survey.damage.len(), 1);
        assert!(survey.damage[0].path.starts_with("labels-v2/"), "{survey:?}");
    }
}
