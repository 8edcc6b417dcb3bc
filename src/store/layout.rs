//! Where everything lies in a store: the only file that knows a path in it.

use std::path::{Path, PathBuf};

use crate::base::digest::Digest;
use crate::plan::{Kind, StageKey};

/// What the marker file of a store says.
pub const FORMAT: &str = "stpp-store 2";

/// What it said before: such a store is read, and the first writer raises it.
pub const FORMAT_V1: &str = "stpp-store 1";

/// The folders that a store may have; one of them without a marker is a store that lost it.
pub const BUCKETS: [&str; 15] = [
    "objects-v1",
    "records-v2",
    "records-v1",
    "studies-v2",
    "studies-v1",
    "labels-v2",
    "labels-v1",
    "costs-v1",
    "environments-v1",
    "previews-v1",
    "running-v1",
    "leases-v1",
    "quarantine-v1",
    "outbox-v1",
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

/// What the pseudo labels of all stages look like.
pub fn all_previews(root: &Path) -> PathBuf {
    root.join("previews-v1")
}

/// What the pseudo labels of a stage look like.
pub fn previews(root: &Path, kind: Kind, key: StageKey) -> PathBuf {
    all_previews(root).join(kind.word()).join(format!("{key}.pack"))
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

/// An index of labels, by its labeller and its own digest.
pub fn label_index(root: &Path, labeller: Digest, index: Digest) -> PathBuf {
    labels(root, labeller).join(format!("{index}.json"))
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

/// How many of them an exit code has told of.
pub fn quarantine_told(root: &Path) -> PathBuf {
    quarantine(root).join("told")
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

/// What tracking servers have acknowledged.
pub fn all_outboxes(root: &Path) -> PathBuf {
    root.join("outbox-v1")
}

/// What a server, by its fingerprint, has acknowledged of a study.
pub fn outbox(root: &Path, server: &str, study: &str) -> PathBuf {
    all_outboxes(root).join(server).join(study)
}

/// What a server did not accept, a line each.
pub fn rejected(root: &Path, server: &str) -> PathBuf {
    all_outboxes(root).join(server).join("rejected.jsonl")
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

/// What lies at a path of a store: the functions above, read backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// The marker.
    Marker,
    /// An artifact.
    Object(Digest),
    /// A record.
    Record(StageKey),
    /// A study, by its name.
    Study(&'a str),
    /// An index of labels.
    Labels,
    /// What stands beside a record: costs, an environment, previews.
    Beside(StageKey),
    /// A file in the working folder of a stage.
    Running(StageKey),
    /// A lease.
    Lease,
    /// A damaged file that was moved away, or the log of them.
    Quarantined,
    /// What a tracking server acknowledged of a study, by its name.
    Outbox(&'a str),
    /// What tracking servers did not accept.
    Rejected,
    /// A file that may be deleted at any time.
    Cache,
    /// A table, by the name of its study.
    Table(&'a str),
    /// Nothing of ours.
    Foreign,
}

impl<'a> Place<'a> {
    /// What a path is, relative to the store and with `/` between its parts.
    pub fn of(path: &'a str) -> Self {
        Self::known(path).unwrap_or(Self::Foreign)
    }

    fn known(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let json = |name: &'a str| name.strip_suffix(".json");
        let key = |text: &str| text.parse().ok().map(StageKey);
        let of_stage = |kind: &str, key_text: Option<&str>| {
            Kind::ALL.iter().find(|known| known.word() == kind)?;
            key(key_text?)
        };
        let stage = |kind: &str, name: &'a str| of_stage(kind, json(name));
        Some(match parts[..] {
            ["stpp-store"] => Self::Marker,
            ["objects-v1", head, tail] if head.len() == 2 => {
                Self::Object(format!("{head}{tail}").parse().ok()?)
            }
            ["records-v2" | "records-v1", kind, name] => Self::Record(stage(kind, name)?),
            ["studies-v2" | "studies-v1", study, name] => {
                json(name)?;
                Self::Study(study)
            }
            ["labels-v2" | "labels-v1", labeller, name] => {
                labeller.parse::<Digest>().ok()?;
                json(name)?;
                Self::Labels
            }
            ["costs-v1" | "environments-v1", kind, name] => Self::Beside(stage(kind, name)?),
            ["previews-v1", kind, name] => Self::Beside(of_stage(kind, name.strip_suffix(".pack"))?),
            ["running-v1", folder, _, ..] => Self::Running(key(folder.split_once('-')?.1)?),
            ["leases-v1", ..] => Self::Lease,
            ["quarantine-v1", ..] => Self::Quarantined,
            ["outbox-v1", _, "rejected.jsonl"] => Self::Rejected,
            ["outbox-v1", _, study, _] => Self::Outbox(study),
            ["cache-v1", ..] => Self::Cache,
            ["tables", study, _] => Self::Table(study),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_known_again() {
        let root = Path::new("");
        let (digest, key) = (Digest::of(b"x"), StageKey(Digest::of(b"y")));
        let is = |path: PathBuf, place: Place<'_>| {
            let path = path.to_str().unwrap();
            assert_eq!(Place::of(path), place, "{path}");
            let bucket = path.split('/').next().unwrap();
            assert!(["stpp-store", "cache-v1"].contains(&bucket) || BUCKETS.contains(&bucket), "{bucket}");
        };
        is(marker(root), Place::Marker);
        is(object(root, digest), Place::Object(digest));
        for kind in Kind::ALL {
            is(record(root, kind, key), Place::Record(key));
            is(v1::record(root, kind, key), Place::Record(key));
            is(costs(root, kind, key), Place::Beside(key));
            is(environment(root, kind, key), Place::Beside(key));
            is(previews(root, kind, key), Place::Beside(key));
            is(running(root, kind, key).join("journal"), Place::Running(key));
        }
        is(study(root, "tiny", "cpu"), Place::Study("tiny"));
        is(v1::study(root, "tiny", "cpu"), Place::Study("tiny"));
        is(labels(root, digest).join("a.json"), Place::Labels);
        is(v1::labels(root, digest).join("a.json"), Place::Labels);
        is(leases(root).join("gc.0"), Place::Lease);
        is(quarantine_log(root), Place::Quarantined);
        is(outbox(root, "a1", "tiny").join("a.json"), Place::Outbox("tiny"));
        is(rejected(root, "a1"), Place::Rejected);
        is(cache(root).join("digests-v1/a.json"), Place::Cache);
        is(tables(root, "tiny").join("runs.parquet"), Place::Table("tiny"));
    }

    #[test]
    fn what_is_not_ours_is_foreign() {
        for path in [
            "thesis.tex",
            "objects-v1/ab/cd",
            "objects-v9/ab/cd",
            "records-v2/teacher/notes.txt",
            "records-v2/teaching/../../x.json",
            "studies-v2/tiny",
            "tables/tiny",
            "",
        ] {
            assert_eq!(Place::of(path), Place::Foreign, "{path}");
        }
    }
}
