//! Why a stage is not in the store: what it would have to be, held against the nearest stage that is there.
//!
//! ```text
//! a missing stage ── has a record? ──▶ which outputs it lacks, and who wants them; which artifacts are gone
//!        │
//!        ├─ its own parameters differ from the nearest record's ──▶ fields ──▶ keys of the spec
//!        │                                                             └ digests and counts: by the experiment
//!        │                                                               that the nearest record belonged to
//!        ├─ an input is missing ──▶ it follows from that one
//!        └─ no record of its kind ──▶ it would be the first
//! ```
//!
//! The nearest record is the one of the same kind with the fewest differing fields, of the same role where there is
//! one. Pure: what the store holds comes as [`Known`] and [`Whose`]. [`mod@flat`] finds differences, [`mod@field`] names them,
//! [`keys`] holds experiments against each other.

pub mod field;
pub mod flat;
pub mod keys;
mod nearest;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::graph::{Graph, Node, Want};
use super::key::StageKey;
use super::kind::{Kind, Role};
use super::work::Work;
use crate::spec::experiment::Experiment;
use crate::spec::method::Select;
use field::{Field, field};
use flat::{Difference, Flat, flat};
use nearest::Candidates;

/// A stage that is in the store, as far as its key depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its key.
    pub key: StageKey,
    /// Its kind.
    pub kind: Kind,
    /// Its role.
    pub role: Option<Role>,
    /// The version of its kind when it was run.
    pub version: u32,
    /// What it did.
    pub work: &'a Value,
    /// What it read.
    pub inputs: &'a [StageKey],
    /// The numerics class it was run on.
    pub numerics: &'a str,
}

/// How a stage that is to run stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// It has no record.
    Unknown,
    /// Its record has not these outputs, which someone wants now.
    Lacks(Vec<Want>),
    /// These outputs of its record are gone.
    Lost(Vec<String>),
}

/// Whose work a stage is.
pub trait Whose {
    /// An experiment of the plan that the stage is of.
    fn meant(&self, node: StageKey) -> Option<&Experiment>;

    /// An experiment of the store that the record was of: the one that a stage of the plan would replace, where there
    /// is such a one.
    fn was(&self, node: StageKey, record: StageKey) -> Option<&Experiment>;

    /// Whether the record was of the same arm, seed and split of the same study as the stage.
    fn is_kin(&self, node: StageKey, record: StageKey) -> bool;
}

/// Why a stage is to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// The stage.
    pub key: StageKey,
    /// Why.
    pub why: Why,
    /// The inputs that are to run themselves.
    pub after: Vec<StageKey>,
}

/// The reasons.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// Nothing of its kind is in the store.
    First,
    /// Outputs are wanted that its record has not.
    Lacks(Vec<Want>),
    /// Outputs that its record names are gone.
    Lost(Vec<String>),
    /// It is not what the nearest stage in the store is.
    Differs {
        /// The nearest stage.
        nearest: StageKey,
        /// In what they differ.
        causes: Vec<Cause>,
    },
    /// It is what it was; what it reads is not.
    Follows,
}

/// One thing in which a stage differs from the nearest one in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// What differs.
    pub what: What,
    /// What the nearest stage has.
    pub old: Option<Value>,
    /// What this one has.
    pub new: Option<Value>,
}

/// What can differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A key of the spec.
    Key(String),
    /// Something that no single key says: what it is, and the keys and tables that it can follow from.
    Derived(&'static str, Vec<String>),
    /// The numerics class.
    Numerics,
    /// The version of the kind of stage.
    Version,
    /// The model that is trained or read.
    Role,
    /// The stages that are read, by kind.
    Inputs,
}

/// Explains every stage of a plan that is to run, in the order of the plan.
pub fn explain(
    graph: &Graph,
    numerics: &str,
    absent: &BTreeMap<StageKey, Absent>,
    known: &[Known<'_>],
    whose: &dyn Whose,
) -> Vec<Missing> {
    let candidates = Candidates::of(known);
    let explained = graph.nodes().iter().filter_map(|node| {
        let after: Vec<StageKey> =
            node.inputs.iter().copied().filter(|input| absent.contains_key(input)).collect();
        let why = match absent.get(&node.key)? {
            Absent::Lacks(wants) => Why::Lacks(wants.clone()),
            Absent::Lost(outputs) => Why::Lost(outputs.clone()),
            Absent::Unknown => {
                Explainer { graph, numerics, candidates: &candidates, whose }.why(node, !after.is_empty())
            }
        };
        Some(Missing { key: node.key, why, after })
    });
    explained.collect()
}

struct Explainer<'a> {
    graph: &'a Graph,
    numerics: &'a str,
    candidates: &'a Candidates<'a>,
    whose: &'a dyn Whose,
}

impl Explainer<'_> {
    fn why(&self, node: &Node, follows: bool) -> Why {
        let kin = |record| self.whose.is_kin(node.key, record);
        let Some((known, differences)) = self.candidates.nearest(node, self.numerics, &kin) else {
            return if follows { Why::Follows } else { Why::First };
        };
        let causes = self.causes(node, known, differences, follows);
        match causes.is_empty() {
            true if follows => Why::Follows,
            _ => Why::Differs { nearest: known.key, causes },
        }
    }

    fn causes(
        &self,
        node: &Node,
        known: &Known<'_>,
        differences: Vec<Difference>,
        follows: bool,
    ) -> Vec<Cause> {
        let mut causes = Vec::new();
        if known.numerics != self.numerics {
            causes.push(Cause {
                what: What::Numerics,
                old: Some(known.numerics.into()),
                new: Some(self.numerics.into()),
            });
        }
        if known.version != node.kind.version() {
            let (old, new) = (Some(known.version.into()), Some(node.kind.version().into()));
            causes.push(Cause { what: What::Version, old, new });
        }
        let matched = self.is_matched(node);
        let mut derived = Vec::new();
        for Difference { path, old, new } in without_what_follows(differences) {
            match field(node.kind, node.role, &path, matched) {
                Field::Key(key) => add(&mut causes, Cause { what: What::Key(key), old, new }),
                Field::Derived { what, from } => {
                    derived.push(Cause { what: What::Derived(what, from), old, new });
                }
                Field::Said => {}
            }
        }
        if known.role != node.role {
            let word = |role: Option<Role>| role.map(|role| Value::from(role.word()));
            derived.push(Cause { what: What::Role, old: word(known.role), new: word(node.role) });
        }
        if !follows && known.inputs != node.inputs {
            derived.push(self.inputs(node, known));
        }
        let was = self.whose.was(node.key, known.key).zip(self.whose.meant(node.key));
        let mut rest = Vec::new();
        for cause in derived {
            let from = cause.what.keys();
            let keys = was.map(|(was, meant)| keys::changed(was, meant, &from)).unwrap_or_default();
            if keys.is_empty() && !follows {
                rest.push((cause, from));
            }
            for Difference { path, old, new } in keys {
                add(&mut causes, Cause { what: What::Key(path), old, new });
            }
        }
        // What several keys come to is told where none of them was told already.
        let told: Vec<Vec<String>> = causes.iter().map(|cause| cause.what.keys()).collect();
        let is_told = |from: &[String]| told.iter().flatten().any(|key| keys::is_among(key, from));
        causes.extend(rest.into_iter().filter(|(_, from)| !is_told(from)).map(|(cause, _)| cause));
        causes
    }

    /// The stages that are read, told by kind: that one is another stage of the same kind says no more.
    fn inputs(&self, node: &Node, known: &Known<'_>) -> Cause {
        let old = known.inputs.iter().map(|key| self.words(*key));
        let new = node.inputs.iter().map(|key| self.words(*key));
        Cause { what: What::Inputs, old: Some(old.collect()), new: Some(new.collect()) }
    }

    fn words(&self, key: StageKey) -> Value {
        let kind = match self.graph.node(key) {
            Some(node) => Some(node.kind),
            None => self.candidates.kind(key),
        };
        kind.map_or_else(|| key.short(), |kind| format!("{kind} {}", key.short())).into()
    }

    /// Whether the stage is the image selection whose number of pixels is matched.
    fn is_matched(&self, node: &Node) -> bool {
        let of_pixels = |experiment: &Experiment| matches!(experiment.method.select, Select::Pixel(_));
        matches!(node.work, Work::SelectImages(_)) && self.whose.meant(node.key).is_some_and(of_pixels)
    }
}

impl What {
    /// The keys, and tables of keys, that can be behind it.
    pub fn keys(&self) -> Vec<String> {
        match self {
            Self::Key(key) => vec![key.clone()],
            Self::Derived(_, from) => from.clone(),
            Self::Role => vec!["method".to_owned()],
            Self::Inputs => ALL.map(str::to_owned).to_vec(),
            Self::Numerics | Self::Version => Vec::new(),
        }
    }
}

/// Every key and table of an experiment that changes which stages it has.
const ALL: [&str; 8] = ["seed", "data", "split", "model", "train", "retrain", "augment", "method"];

/// Without strong augmentation nothing else of it is looked at.
fn without_what_follows(mut differences: Vec<Difference>) -> Vec<Difference> {
    let off = |value: &Option<Value>| value.as_ref().is_some_and(|value| value == "none");
    let switched = differences.iter().any(|d| d.path == "augment.strong.on" && (off(&d.old) || off(&d.new)));
    differences
        .retain(|d| !switched || !d.path.starts_with("augment.strong.") || d.path == "augment.strong.on");
    differences
}

/// Several parameters can come from one key.
fn add(causes: &mut Vec<Cause>, cause: Cause) {
    if !causes.iter().any(|known| known.what == cause.what) {
        causes.push(cause);
    }
}

/// The missing stage whose causes each missing stage goes back to: itself, unless it only follows.
pub fn roots(missing: &[Missing]) -> BTreeMap<StageKey, BTreeSet<StageKey>> {
    let mut roots: BTreeMap<StageKey, BTreeSet<StageKey>> = BTreeMap::new();
    for stage in missing {
        let of = if stage.why == Why::Follows {
            stage.after.iter().filter_map(|input| roots.get(input)).flatten().copied().collect()
        } else {
            BTreeSet::from([stage.key])
        };
        roots.insert(stage.key, of);
    }
    roots
}

/// The parameters of a stage of a plan.
fn parameters(work: &Work) -> Flat {
    flat(&serde_json::to_value(work).expect("work is plain data"))
}
