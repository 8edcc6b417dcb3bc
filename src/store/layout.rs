//! Where everything lies in a store: the only file that knows a path in it.

use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::plan::{Kind, StageKey};

/// What the marker file of a store says.
pub const FORMAT: &str = "stpp-store 1";

/// The file that makes a folder a store.
pub fn marker(root: &Path) -> PathBuf {
    root.join("stpp-store")
}

/// An artifact, by the digest of its bytes.
pub fn object(root: &Path, digest: Digest) -> PathBuf {
    let hex = digest.to_string();
    root.join("objects-v1").join(&hex[..2]).join(&hex[2..])
}

/// The records of a kind of stage.
pub fn records(root: &Path, kind: Kind) -> PathBuf {
    root.join("records-v1").join(kind.word())
}

/// The record of a stage.
pub fn record(root: &Path, kind: Kind, key: StageKey) -> PathBuf {
    records(root, kind).join(format!("{key}.json"))
}

/// The costs of a stage.
pub fn costs(root: &Path, kind: Kind, key: StageKey) -> PathBuf {
    root.join("costs-v1").join(kind.word()).join(format!("{key}.json"))
}

/// The studies of one name, a file per numerics class.
pub fn studies(root: &Path) -> PathBuf {
    root.join("studies-v1")
}

/// The folder that names the packs with pseudo labels of one labeller.
pub fn labels(root: &Path, labeller: Digest) -> PathBuf {
    root.join("labels-v1").join(labeller.to_string())
}

/// What may be deleted at any time.
pub fn cache(root: &Path) -> PathBuf {
    root.join("cache-v1")
}

/// The tables of an ablation.
pub fn tables(root: &Path, name: &str) -> PathBuf {
    root.join("tables").join(name)
}
