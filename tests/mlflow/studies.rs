//! A finished study in a store of its own, and the server's view of it without what differs from server to server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use stpp::mlflow::client::Client;
use stpp::mlflow::fault::Fault;
use stpp::mlflow::patience::Patience;
use stpp::mlflow::push::{PushError, Tally};
use stpp::mlflow::server::Server;
use stpp::mlflow::sync::{Options, Sync};
use stpp::mlflow::view::AtWork;
use stpp::store::{Store, StoredStudy};
use tempfile::TempDir;

use crate::fake::state::Run;
use crate::fake::{Fake, State};
use crate::specs;
use crate::support::Test;

/// A store in a folder that goes when the test ends.
pub struct Stored {
    _folder: TempDir,
    pub store: Store,
    pub study: StoredStudy,
}

impl Stored {
    /// A copy of a store with a study that is complete.
    pub fn whole() -> Self {
        Self::with(|_| true)
    }

    /// A copy of it in which no stage is done, though what they left is there.
    pub fn before() -> Self {
        Self::with(|path| path.iter().all(|part| part != "records-v2" && part != "costs-v1"))
    }

    fn with(wanted: impl Fn(&Path) -> bool) -> Self {
        static RUN: OnceLock<Test> = OnceLock::new();
        let run = RUN.get_or_init(|| {
            let test = Test::new().spec("tiny.toml", &specs::ablation("tiny", "[0, 1]"));
            test.run(["exp", "run", "tiny.toml", "--quiet"]).success();
            test
        });
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("store");
        copy(&run.path(".stpp"), &root, &wanted);
        let store = Store::open(&root).unwrap();
        let study = store.studies("tiny").unwrap().remove(0);
        Self { _folder: folder, store, study }
    }

    /// Brings all of it, as a process of its own would.
    pub fn bring(&self, client: &Client) -> Tally {
        let mut sync = Sync::new(client, &self.store, &self.study, Options::default());
        bring_all(&mut sync, &AtWork::default());
        sync.tally
    }

    pub fn root(&self) -> PathBuf {
        self.store.root().to_owned()
    }
}

fn copy(from: &Path, to: &Path, wanted: &impl Fn(&Path) -> bool) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target, wanted);
        } else if wanted(&path) {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

pub fn client(fake: &Fake) -> Client {
    Client::new(Server::at(&fake.uri(), |_| None).unwrap()).unwrap()
}

pub fn patience() -> Patience {
    Patience::new(Duration::from_millis(1), Duration::from_millis(4))
}

/// Brings all, as often as it takes.
pub fn bring_all(sync: &mut Sync<'_>, at_work: &AtWork) {
    let mut patience = patience();
    for _ in 0..2000 {
        match sync.all(at_work) {
            Ok(_) => return,
            Err(PushError::Fault(Fault::Away { retry_after, .. })) => {
                std::thread::sleep(patience.next(retry_after))
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it never ends");
}

/// A run, but for what its server chose: ids and times.
#[derive(Debug, Clone, PartialEq)]
pub struct Plain {
    pub status: String,
    pub params: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub inputs: BTreeSet<(String, String)>,
    /// Step, time since the beginning of the run, bits.
    pub metrics: BTreeMap<String, BTreeSet<(i64, i64, u64)>>,
    pub artifacts: BTreeMap<String, Vec<u8>>,
}

/// The runs of a server by uid. No uid is there twice.
pub fn plain(state: &State) -> BTreeMap<String, Plain> {
    let mut runs = BTreeMap::new();
    for run in state.runs.values().filter(|run| !run.deleted) {
        let uid = run.tags["stpp.run_uid"].clone();
        assert!(runs.insert(uid, plain_run(run)).is_none(), "a run was made twice");
    }
    runs
}

fn plain_run(run: &Run) -> Plain {
    let since = |points: &BTreeSet<(i64, i64, u64)>| {
        points.iter().map(|(step, at, bits)| (*step, at - run.start_time, *bits)).collect()
    };
    let of_machine = |key: &str| key.starts_with("system/");
    Plain {
        status: run.status.clone(),
        params: run.params.clone(),
        tags: run.tags.clone(),
        inputs: run.inputs.keys().cloned().collect(),
        metrics: run
            .metrics
            .iter()
            .filter(|(key, _)| !of_machine(key))
            .map(|(key, points)| (key.clone(), since(points)))
            .collect(),
        artifacts: run.artifacts.clone(),
    }
}
