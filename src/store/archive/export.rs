use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::{FORMAT, Hashing, Listed, MANIFEST, Manifest};
use crate::base::digest::Digest;
use crate::base::draft::Draft;
use crate::base::fs::{self, FileError};
use crate::plan::{Kind, StageKey};
use crate::store::archive::ArchiveError;
use crate::store::{Store, StoreError, layout, sealed};

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Distinct stages of the study.
    pub stages: usize,
    /// Those that are done.
    pub done: usize,
    /// Entries of the archive.
    pub entries: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// Where the bytes of an entry come from.
enum Source {
    Document(Vec<u8>),
    Object(Digest),
}

/// Writes the studies of a name (one per numerics class) with all that they need.
///
/// # Errors
/// Damage in what is exported, or a file that can't be written; nothing is written then.
pub fn export(store: &Store, name: &str, to: &Path) -> Result<Exported, ArchiveError> {
    let mut sources: BTreeMap<String, (u64, Digest, Source)> = BTreeMap::new();
    let mut document = |path: &Path, bytes: Vec<u8>| {
        let entry = (bytes.len() as u64, Digest::of(&bytes), Source::Document(bytes));
        sources.insert(path.to_string_lossy().into_owned(), entry);
    };
    let here = Path::new("");
    let mut stages: BTreeSet<(Kind, StageKey)> = BTreeSet::new();
    for study in store.studies(name)? {
        document(&layout::study(here, name, &study.numerics), sealed::seal(&study));
        let steps = study.members.iter().flat_map(|member| &member.chain.steps);
        stages.extend(steps.map(|step| (step.kind, step.key)));
    }
    let mut outputs = BTreeMap::new();
    let mut done = 0;
    for &(kind, key) in &stages {
        let Some(record) = store.record(kind, key)? else { continue };
        done += 1;
        outputs.extend(record.outputs.values().map(|artifact| (artifact.digest, artifact.bytes)));
        document(&layout::record(here, kind, key), sealed::seal(&record));
        if let Some(bytes) = fs::read_if_there(&layout::environment(store.root(), kind, key))? {
            document(&layout::environment(here, kind, key), bytes);
        }
    }
    for found in store.label_files()? {
        let index = found.content?;
        if index.packs().all(|pack| outputs.contains_key(&pack)) {
            let labeller = found.path.parent().and_then(Path::file_name);
            let name = found.path.file_name();
            let (labeller, name) = labeller.zip(name).expect("an index is in the folder of its labeller");
            document(&layout::all_labels(here).join(labeller).join(name), sealed::seal(&index));
        }
    }
    for (digest, bytes) in outputs {
        let path = layout::object(here, digest).to_string_lossy().into_owned();
        sources.insert(path, (bytes, digest, Source::Object(digest)));
    }
    let list = |(path, (bytes, blake3, _)): (&String, &(u64, Digest, Source))| Listed {
        path: path.clone(),
        bytes: *bytes,
        blake3: *blake3,
    };
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        study: name.to_owned(),
        entries: sources.iter().map(list).collect(),
    };
    let exported = Exported {
        stages: stages.len(),
        done,
        entries: manifest.entries.len(),
        bytes: manifest.entries.iter().map(|listed| listed.bytes).sum(),
    };
    let mut tar = tar::Builder::new(io::BufWriter::new(Draft::new(to)?));
    let not_written = |error| FileError::on("write", to)(error);
    append(&mut tar, MANIFEST, &sealed::seal(&manifest)[..]).map_err(not_written)?;
    for (path, (bytes, _, source)) in &sources {
        match source {
            Source::Document(document) => append(&mut tar, path, &document[..]).map_err(not_written)?,
            Source::Object(digest) => object(store, *digest, *bytes, |header, reader| {
                tar.append_data(header, path, reader).map_err(|error| not_written(error).into())
            })?,
        }
    }
    let written = tar.into_inner().map_err(not_written)?;
    written.into_inner().map_err(|error| not_written(error.into_error()))?.keep()?;
    Ok(exported)
}

/// An entry that is in memory.
fn append<W: io::Write>(tar: &mut tar::Builder<W>, path: &str, bytes: &[u8]) -> io::Result<()> {
    tar.append_data(&mut header(bytes.len() as u64), path, bytes)
}

/// An artifact, which is held against its digest on its way.
fn object(
    store: &Store,
    digest: Digest,
    bytes: u64,
    append: impl FnOnce(&mut tar::Header, &mut dyn io::Read) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let path = layout::object(store.root(), digest);
    let file = match fs::open(&path) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return Err(StoreError::Lost { path, digest }.into()),
        Err(error) => return Err(error.into()),
    };
    let mut reader = Hashing::new(io::BufReader::new(file));
    append(&mut header(bytes), &mut reader)?;
    let found = reader.hasher.finish();
    if found != digest || reader.bytes != bytes {
        return Err(StoreError::Damaged { path, expected: digest, found }.into());
    }
    Ok(())
}

/// The same for every file of a size.
fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
