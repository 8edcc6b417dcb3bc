use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::{ArchiveError, Listed, Reading};
use crate::base::digest::{ByteHasher, Digest};
use crate::base::draft::Draft;
use crate::base::fs::{self, FileError};
use crate::plan::StageKey;
use crate::store::labels::LabelIndex;
use crate::store::layout::{self, Place};
use crate::store::lease::Pace;
use crate::store::{Record, Store, StoreError, StoredStudy, sealed, verify};

/// The output that grows when a stage is run again for another look.
const METRICS: &str = "metrics";

/// What was imported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The study.
    pub study: String,
    /// Its numerics classes.
    pub numerics: Vec<String>,
    /// Its stages that are done.
    pub stages: usize,
    /// Files that were added.
    pub added: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were there.
    pub there: usize,
}

/// What an archive says beside its artifacts.
#[derive(Default)]
struct Documents {
    studies: Vec<StoredStudy>,
    records: Vec<Record>,
    labels: Vec<(Digest, LabelIndex)>,
    environments: Vec<(StageKey, String, Vec<u8>)>,
    objects: BTreeSet<Digest>,
}

/// Takes over a study. Everything is checked before anything is written; what is there already is left as it is, and after
/// an interruption the same call goes on.
///
/// # Errors
/// [`ArchiveError`]; the store is then as it was, but perhaps for artifacts that nothing names.
pub fn import(root: &Path, archive: &Path, replace: bool) -> Result<Imported, ArchiveError> {
    let reading = Reading { archive };
    let mut documents = Documents::default();
    let manifest = reading.each(|listed, reader| documents.take(&reading, listed, reader))?;
    documents.check(&reading, &manifest.study)?;
    // A store is made for a sound archive only.
    let there = match Store::open_to_read(root) {
        Ok(store) => Some(store),
        Err(StoreError::Missing { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    documents.new_records(there.as_ref())?;
    documents.new_studies(there.as_ref(), replace)?;
    let store = Store::open(root)?;
    // So that nobody takes what is not named yet for garbage.
    let leases = store.leases(Pace::default());
    let _presence = leases.presence(|_| ())?;

    let mut imported = Imported {
        study: manifest.study,
        numerics: documents.studies.iter().map(|study| study.numerics.clone()).collect(),
        stages: documents.records.len(),
        ..Imported::default()
    };
    let mut count = |is_new: bool, bytes: u64| {
        if is_new {
            imported.added += 1;
            imported.bytes += bytes;
        } else {
            imported.there += 1;
        }
    };
    reading.each(|listed, reader| {
        if let Place::Object(digest) = Place::of(&listed.path) {
            count(object(&store, &reading, listed, digest, reader)?, listed.bytes);
        }
        Ok(())
    })?;
    for (labeller, index) in &documents.labels {
        let is_new = !store.label_indices(*labeller)?.contains(index);
        if is_new {
            store.note_labels(*labeller, index)?;
        }
        count(is_new, sealed::seal(index).len() as u64);
    }
    for (_, path, bytes) in &documents.environments {
        let path = store.root().join(path);
        let is_new = !fs::is_there(&path);
        if is_new {
            fs::write_atomically(&path, bytes)?;
        }
        count(is_new, bytes.len() as u64);
    }
    // Looked at again: other processes may have worked, or cleared the store, since it was found that all suits.
    let records = documents.new_records(Some(&store))?;
    let studies = documents.new_studies(Some(&store), replace)?;
    for (record, is_new) in documents.records.iter().zip(records) {
        if is_new {
            store.commit(record)?;
        }
        count(is_new, sealed::seal(record).len() as u64);
    }
    for (study, is_new) in documents.studies.iter().zip(studies) {
        if is_new {
            store.write_study(study)?;
        }
        count(is_new, sealed::seal(study).len() as u64);
    }
    Ok(imported)
}

/// Takes over an artifact; whether it was not there, or damaged.
fn object(
    store: &Store,
    reading: &Reading<'_>,
    listed: &Listed,
    digest: Digest,
    reader: &mut dyn Read,
) -> Result<bool, ArchiveError> {
    let path = layout::object(store.root(), digest);
    if fs::is_there(&path) {
        let found = Digest::of_file(&path).map_err(FileError::on("read", &path))?;
        if found == digest {
            return Ok(false);
        }
        let damaged = StoreError::Damaged { path: path.clone(), expected: digest, found };
        store.quarantine(&path, &damaged.to_string())?;
    }
    let mut draft = Draft::new(&path)?;
    let mut hasher = ByteHasher::default();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.write_all(&buffer[..count]).expect("hashing does not fail");
                draft.write_all(&buffer[..count]).map_err(FileError::on("write", &path))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(reading.wrong(&listed.path, format!("can't be read ({error})"))),
        }
    }
    if hasher.finish() != digest {
        return Err(reading.wrong(&listed.path, "changed while it was read".to_owned()));
    }
    draft.keep()?;
    fs::make_read_only(&path);
    Ok(true)
}

impl Documents {
    /// Reads an entry, unless it is an artifact: the manifest's check of its digest is enough for one.
    fn take(
        &mut self,
        reading: &Reading<'_>,
        listed: &Listed,
        reader: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let path = listed.path.as_str();
        let wrong = |what: &str| reading.wrong(path, what.to_owned());
        let here = Path::new("");
        let place = Place::of(path);
        if let Place::Object(digest) = place {
            if digest != listed.blake3 {
                return Err(wrong("is not named by its digest"));
            }
            self.objects.insert(digest);
            return Ok(());
        }
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| wrong(&format!("can't be read ({error})")))?;
        match place {
            Place::Record(_) => {
                let record: Record = parse(reading, path, &bytes, "record")?;
                if layout::record(here, record.kind, record.key) != Path::new(path) {
                    return Err(wrong(&format!("is the record of {} {}", record.kind, record.key)));
                }
                if let Some(what) = verify::other_key(&record) {
                    return Err(wrong(&format!("is no sound record: {what}")));
                }
                self.records.push(record);
            }
            Place::Study(_) => {
                let study: StoredStudy = parse(reading, path, &bytes, "study")?;
                if layout::study(here, &study.ablation.name, &study.numerics) != Path::new(path) {
                    return Err(wrong(&format!("is the study `{}`", study.ablation.name)));
                }
                if StoredStudy::digest_of(&study.ablation, &study.members, &study.data.headline)
                    != study.digest
                {
                    return Err(wrong("is not the study that its digest names"));
                }
                self.studies.push(study);
            }
            Place::Labels => {
                let index: LabelIndex = parse(reading, path, &bytes, "index of labels")?;
                let labeller = path.split('/').nth(1).and_then(|part| part.parse::<Digest>().ok());
                let labeller = labeller.ok_or_else(|| wrong("belongs to no labeller"))?;
                if layout::label_index(here, labeller, index.name()) != Path::new(path) {
                    return Err(wrong("is not named by its digest"));
                }
                self.labels.push((labeller, index));
            }
            Place::Beside(key)
                if path.starts_with("environments-v1/") || path.starts_with("previews-v1/") =>
            {
                self.environments.push((key, path.to_owned(), bytes));
            }
            _ => return Err(wrong("is nothing that a study needs")),
        }
        Ok(())
    }

    /// Whether it is one study, with all that its records name and nothing else.
    fn check(&self, reading: &Reading<'_>, name: &str) -> Result<(), ArchiveError> {
        if self.studies.is_empty() {
            return Err(reading.foreign("it has no study"));
        }
        if let Some(other) = self.studies.iter().find(|study| study.ablation.name != name) {
            let path = layout::study(Path::new(""), &other.ablation.name, &other.numerics);
            return Err(reading.wrong(&path.to_string_lossy(), "is another study".to_owned()));
        }
        let steps = self.studies.iter().flat_map(|study| &study.members).flat_map(|m| &m.chain.steps);
        let stages: BTreeSet<StageKey> = steps.map(|step| step.key).collect();
        let mut named = BTreeSet::new();
        for record in &self.records {
            let path = layout::record(Path::new(""), record.kind, record.key);
            let wrong = |what: String| reading.wrong(&path.to_string_lossy(), what);
            if !stages.contains(&record.key) {
                return Err(wrong("is of no stage of the study".to_owned()));
            }
            for (output, artifact) in &record.outputs {
                if !self.objects.contains(&artifact.digest) {
                    return Err(wrong(format!("names `{output}`, {}, which is not there", artifact.digest)));
                }
                named.insert(artifact.digest);
            }
        }
        let nameless = self.objects.difference(&named).next();
        if let Some(digest) = nameless {
            let path = layout::object(Path::new(""), *digest);
            return Err(reading.wrong(&path.to_string_lossy(), "is named by no record".to_owned()));
        }
        if let Some((labeller, index)) =
            self.labels.iter().find(|(_, index)| index.packs().any(|pack| !named.contains(&pack)))
        {
            let path = layout::label_index(Path::new(""), *labeller, index.name());
            return Err(reading.wrong(&path.to_string_lossy(), "names packs that are not there".to_owned()));
        }
        let done: BTreeSet<StageKey> = self.records.iter().map(|record| record.key).collect();
        match self.environments.iter().find(|(key, _, _)| !done.contains(key)) {
            Some((_, path, _)) => Err(reading.wrong(path, "is of no stage that is done".to_owned())),
            None => Ok(()),
        }
    }

    /// Which records are to be written.
    fn new_records(&self, store: Option<&Store>) -> Result<Vec<bool>, ArchiveError> {
        let Some(store) = store else { return Ok(vec![true; self.records.len()]) };
        let mut is_new = Vec::new();
        for record in &self.records {
            is_new.push(match store.record(record.kind, record.key)? {
                Some(there) => replaces(record, &there)?,
                None => true,
            });
        }
        Ok(is_new)
    }

    /// Which studies are to be written.
    fn new_studies(&self, store: Option<&Store>, replace: bool) -> Result<Vec<bool>, ArchiveError> {
        let Some(store) = store else { return Ok(vec![true; self.studies.len()]) };
        let mut is_new = Vec::new();
        for study in &self.studies {
            let there = store.studies(&study.ablation.name)?;
            let there = there.into_iter().find(|there| there.numerics == study.numerics);
            if let Some(there) = &there
                && there.digest != study.digest
                && !replace
            {
                return Err(ArchiveError::NameTaken {
                    name: study.ablation.name.clone(),
                    there: there.digest.short(),
                    here: study.digest.short(),
                });
            }
            is_new.push(there.as_ref() != Some(study));
        }
        Ok(is_new)
    }
}

/// Whether a record says more than the one that is there. Where they speak of the same thing, they must agree.
fn replaces(new: &Record, there: &Record) -> Result<bool, ArchiveError> {
    let stage = || format!("{} {}", new.kind, new.key.short());
    let differs = |what: String| ArchiveError::Differs { stage: stage(), what };
    let covers = |one: &Record, other: &Record| {
        other.outputs.keys().all(|name| one.outputs.contains_key(name))
            && other.values.keys().all(|name| one.values.contains_key(name))
    };
    let (more, less) = (covers(new, there), covers(there, new));
    let both: BTreeMap<_, _> = new
        .outputs
        .iter()
        .filter_map(|(name, artifact)| Some((name, (artifact, there.outputs.get(name)?))))
        .collect();
    for (name, (one, other)) in both {
        // More looks at a training leave more metrics.
        let may_differ = name == METRICS && !(more && less);
        if one.digest != other.digest && !may_differ {
            return Err(differs(format!("`{name}`")));
        }
    }
    let bits = |value: &f64| value.to_bits();
    let value = new
        .values
        .iter()
        .find(|(name, value)| there.values.get(*name).is_some_and(|other| bits(other) != bits(value)));
    if let Some((name, _)) = value {
        return Err(differs(format!("value `{name}`")));
    }
    if new.trace.zip(there.trace).is_some_and(|(one, other)| one != other) {
        return Err(differs("trace".to_owned()));
    }
    match (more, less) {
        (_, true) => Ok(false),
        (true, false) => Ok(true),
        (false, false) => Err(ArchiveError::Apart { stage: stage() }),
    }
}

fn parse<T: DeserializeOwned>(
    reading: &Reading<'_>,
    path: &str,
    bytes: &[u8],
    noun: &str,
) -> Result<T, ArchiveError> {
    let content =
        sealed::unseal(bytes).map_err(|error| reading.wrong(path, format!("is damaged: {error}")))?;
    serde_json::from_slice(content).map_err(|error| reading.wrong(path, format!("is no {noun} ({error})")))
}
