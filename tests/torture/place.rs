//! One user's folder: the study, a store, a report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::{Call, Ended};
use crate::reference::{reference, study};

/// What differs between two runs of the same, by design: times, machines, and what may be deleted.
const NOT_COMPARED: [&str; 6] =
    ["cache-v", "costs-v", "environments-v", "leases-v", "previews-v", "quarantine-v"];

/// How the names of half-written files begin; the program does not see them either.
const TEMPORARY: &str = ".tmp-";

/// A folder with a study.
pub struct Place {
    folder: TempDir,
}

impl Place {
    /// With an empty store.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        std::fs::write(folder.path().join("study.toml"), study()).unwrap();
        Self { folder }
    }

    /// With a store that a run left that was killed at an address.
    pub fn killed_at(address: &str) -> Self {
        let place = Self::new();
        place.run().fault(&format!("{address}=kill")).end().killed();
        place
    }

    /// With a store whose run was killed between two stages: some of them are done, others are not.
    pub fn half_way() -> Self {
        let records = reference().stages.len();
        Self::killed_at(&format!("record.renamed#{}", records / 2))
    }

    /// Another such folder with the same content.
    pub fn copy(&self) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        copy(self.folder.path(), folder.path());
        Self { folder }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The call that everything is about: with a resume point after every step, so that there are many to lose.
    pub fn run(&self) -> Call {
        self.run_with_resume_every("0")
    }

    /// The same with resume points as seldom as people have them, which is never within these seconds: an interrupted
    /// training begins anew, and its journal is compared instead of written.
    pub fn run_without_resume_points(&self) -> Call {
        self.run_with_resume_every("300")
    }

    fn run_with_resume_every(&self, seconds: &str) -> Call {
        let args = ["exp", "run", "study.toml", "--store", "store", "--out", "report", "--json"];
        Call::new(self.folder.path(), args).arg("--resume-every").arg(seconds).env("RAYON_NUM_THREADS", "1")
    }

    /// Another call.
    pub fn call<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Call {
        Call::new(self.folder.path(), args)
    }

    /// Every file under a folder, by its path there. Files in the making are none.
    pub fn files(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        gather(&self.path(name), "", &mut found);
        found
    }

    /// Where something lies in the store: paths in this folder that contain a text.
    pub fn stored(&self, part: &str) -> Vec<String> {
        let names = self.files("store").into_keys().filter(|name| name.contains(part));
        names.map(|name| format!("store/{name}")).collect()
    }

    /// All that is compared.
    pub fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        let is_kept = |name: &str| !NOT_COMPARED.iter().any(|bucket| name.starts_with(bucket));
        let store = self.files("store").into_iter().filter(|(name, _)| is_kept(name));
        let report = self.files("report").into_iter();
        let named = |folder: &'static str| move |(name, bytes)| (format!("{folder}/{name}"), bytes);
        store.map(named("store")).chain(report.map(named("report"))).collect()
    }

    /// The stages that are done, by key.
    pub fn committed(&self) -> BTreeSet<String> {
        let records = self.files("store").into_keys().filter(|name| name.starts_with("records-v"));
        let key = |name: String| Some(name.rsplit('/').next()?.strip_suffix(".json")?.to_owned());
        records.filter_map(key).collect()
    }

    /// Store and report are those of the undisturbed run.
    #[track_caller]
    pub fn is_as_it_should_be(&self) {
        self.is_as_it_should_be_but_for(&[]);
    }

    /// Store and report are those of the undisturbed run, but for some files.
    #[track_caller]
    pub fn is_as_it_should_be_but_for(&self, names: &[&str]) {
        let (found, expected) = (self.kept(), &reference().files);
        let all: BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
        let differs =
            |name: &&String| !names.contains(&name.as_str()) && found.get(*name) != expected.get(*name);
        let state = |name: &String| match (found.contains_key(name), expected.contains_key(name)) {
            (true, true) => format!("{name} differs"),
            (true, false) => format!("{name} is new"),
            (false, _) => format!("{name} is missing"),
        };
        let differing: Vec<String> = all.into_iter().filter(differs).map(state).collect();
        assert!(differing.is_empty(), "{differing:#?}");
    }
}

/// The same command completes; what was done is not done again, and everything is as it should be.
#[track_caller]
pub fn completes(place: &Place) -> Ended {
    let before = place.committed();
    let ended = place.run().end().code(0);
    let again: Vec<String> = ended.finished().into_keys().filter(|key| before.contains(key)).collect();
    assert!(again.is_empty(), "these stages were done and run again: {again:?}");
    place.is_as_it_should_be();
    ended
}

fn gather(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let name = format!("{prefix}{file_name}");
        if entry.path().is_dir() {
            gather(&entry.path(), &format!("{name}/"), found);
        } else if !file_name.starts_with(TEMPORARY) {
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), &there).unwrap();
        }
    }
}
