//! Where everything lies in a store: the only file that knows a path in it.

use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::plan::{Kind, StageKey};

/// What the marker file of a store says.
pub const FORMAT: &str = "stpp-store 2";

/// What it said before: such a store is read, and the first writer raises it.
pub const FORMAT_V1: &str = "stpp-store 1";

/// The folders that a store may have; one of them without a marker is a store that lost it.
pub const BUCKETS: [&str; 13] = [
    "objects-v1",
    "records-v2",
    "records-v1",
    "studies-v2",
    "studies-v1",
    "labels-v2",
    "labels-v1",
    "costs-v1",
    "environments-v1",
    "running-v1",
    "leases-v1",
    "quarantine-v1",
    "tables",
];

/// The file that makes a folder a store.
pub fn marker(root: &Path) -> PathBuf {
    root.join("stpp-store")
}

/// All artifacts.
pub fn objects(root: &Path) -> PathBuf {
    root.join("objects-v1")
}

/// An artifact, by the digest of its bytes.
pub fn object(root: &Path, digest: Digest) -> PathBuf {
    let hex = digest.to_string();
    objects(root).join(&hex[..2]).join(&hex[2..])
}

/// All records.
pub fn records(root: &Path) -> PathBuf {
    root.join("records-v2")
}

/// The record of a stage.
pub fn record(root: &Path, kind: Kind, key: StageKey) -> PathBuf {
    of_stage(&records(root), kind, key)
}

/// The costs of all stages.
pub fn all_costs(root: &Path) -> PathBuf {
    root.join("costs-v1")
}

/// The costs of a stage.
pub fn costs(root: &Path, kind: Kind, key: StageKey) -> PathBuf {
    of_stage(&all_costs(root), kind, key)
}

/// What all stages were executed on.
pub fn environments(root: &Path) -> PathBuf {
    root.join("environments-v1")
}

/// What a stage was executed on.
pub fn environment(root: &Path, kind: Kind, key: StageKey) -> PathBuf {
    of_stage(&environments(root), kind, key)
}

/// The studies of one name, a file per numerics class, are in a folder of that name here.
pub fn studies(root: &Path) -> PathBuf {
    root.join("studies-v2")
}

/// A study.
pub fn study(root: &Path, name: &str, numerics: &str) -> PathBuf {
    studies(root).join(name).join(format!("{numerics}.json"))
}

/// The indexes of all labellers.
pub fn all_labels(root: &Path) -> PathBuf {
    root.join("labels-v2")
}

/// The folder that names the packs with pseudo labels of one labeller.
pub fn labels(root: &Path, labeller: Digest) -> PathBuf {
    all_labels(root).join(labeller.to_string())
}

/// The working folders of stages that are not done.
pub fn all_running(root: &Path) -> PathBuf {
    root.join("running-v1")
}

/// The working folder of a stage that is not done.
pub fn running(root: &Path, kind: Kind, key: StageKey) -> PathBuf {
    all_running(root).join(format!("{kind}-{key}"))
}

/// The stage of a working folder; none for anything else.
pub fn stage_of_running(folder: &Path) -> Option<(Kind, StageKey)> {
    let (kind, key) = folder.file_name()?.to_str()?.split_once('-')?;
    let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
    Some((kind, StageKey(key.parse().ok()?)))
}

/// Who is working on what.
pub fn leases(root: &Path) -> PathBuf {
    root.join("leases-v1")
}

/// Damaged files that were moved out of the way.
pub fn quarantine(root: &Path) -> PathBuf {
    root.join("quarantine-v1")
}

/// Which they are, a line each.
pub fn quarantine_log(root: &Path) -> PathBuf {
    quarantine(root).join("log.jsonl")
}

/// A generation of a lease.
pub fn lease(root: &Path, name: &str, generation: u64) -> PathBuf {
    leases(root).join(format!("{name}.{generation}"))
}

/// What may be deleted at any time.
pub fn cache(root: &Path) -> PathBuf {
    root.join("cache-v1")
}

/// The tables of all ablations.
pub fn all_tables(root: &Path) -> PathBuf {
    root.join("tables")
}

/// The tables of an ablation.
pub fn tables(root: &Path, name: &str) -> PathBuf {
    all_tables(root).join(name)
}

fn of_stage(bucket: &Path, kind: Kind, key: StageKey) -> PathBuf {
    bucket.join(kind.word()).join(format!("{key}.json"))
}

/// The first format: the same documents without a seal.
pub mod v1 {
    use std::path::{Path, PathBuf};

    use crate::base::digest::Digest;
    use crate::plan::{Kind, StageKey};

    /// All records.
    pub fn records(root: &Path) -> PathBuf {
        root.join("records-v1")
    }

    /// The record of a stage.
    pub fn record(root: &Path, kind: Kind, key: StageKey) -> PathBuf {
        super::of_stage(&records(root), kind, key)
    }

    /// The studies, in a folder per name.
    pub fn studies(root: &Path) -> PathBuf {
        root.join("studies-v1")
    }

    /// A study.
    pub fn study(root: &Path, name: &str, numerics: &str) -> PathBuf {
        studies(root).join(name).join(format!("{numerics}.json"))
    }

    /// The indexes of all labellers.
    pub fn all_labels(root: &Path) -> PathBuf {
        root.join("labels-v1")
    }

    /// The folder that names the packs with pseudo labels of one labeller.
    pub fn labels(root: &Path, labeller: Digest) -> PathBuf {
        all_labels(root).join(labeller.to_string())
    }
}
