//! What is behind the stages that are to run: each cause once, with its place in the spec and the stages that go back
//! to it.

use std::collections::{BTreeMap, BTreeSet};

use super::owners::Owners;
use crate::plan::explain::keys::{is_among, written};
use crate::plan::explain::{Cause, Missing, What, Why, roots};
use crate::plan::graph::Want;
use crate::plan::work::Work;
use crate::plan::{Node, StageKey};
use crate::run::PlannedStudy;
use crate::spec::ablation::Member;
use crate::spec::method::{PixelSelect, Select, Which};
use crate::spec::tree::Origin;
use crate::spec::{Line, Loaded};

/// A cause, as it is told.
pub(super) struct Told {
    /// What it is.
    pub cause: Named,
    /// Its values, where they are among those of a list: seeds and splits.
    pub listed: Vec<String>,
    /// The values that the nearest stages have instead.
    pub old: BTreeSet<String>,
    /// The outputs that it wants and that records lack.
    pub lacking: BTreeSet<String>,
    /// The stages that differ by it.
    pub stages: Vec<StageKey>,
    /// The stages that are as they were, but read those.
    pub follow: Vec<StageKey>,
}

/// What a cause is, and where it comes from. Two stages with the same have one cause.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    /// The key of the spec, or in words what it is.
    pub what: String,
    /// The value, where it is one.
    pub new: Option<String>,
    /// Where the value comes from: `study.toml:12`, `--set seed=1`, `default`.
    pub from: Vec<String>,
}

/// The causes of a plan's missing stages, in the order of the first stage of each.
pub(super) fn told(
    study: &PlannedStudy,
    loaded: &Loaded,
    owners: &Owners<'_>,
    missing: &[Missing],
) -> Vec<Told> {
    let mut told: Vec<Told> = Vec::new();
    let mut known: BTreeMap<Named, usize> = BTreeMap::new();
    let mut first: BTreeMap<StageKey, usize> = BTreeMap::new();
    let roots = roots(missing);
    for stage in missing {
        let node = study.graph.node(stage.key).expect("a missing stage is one of the plan");
        let root = roots.get(&stage.key).and_then(|roots| roots.first()).and_then(|root| first.get(root));
        match (&stage.why, root) {
            (Why::Follows, Some(&at)) => told[at].follow.push(stage.key),
            _ => {
                let place = Place { study, loaded, owners, node };
                for (cause, value) in place.causes(&stage.why) {
                    let at = *known.entry(cause.clone()).or_insert(told.len());
                    if at == told.len() {
                        told.push(Told::new(cause));
                    }
                    match value {
                        Value::Old(old) => told[at].old.extend(old),
                        Value::Listed(new, old) => {
                            told[at].old.extend(old);
                            if !told[at].listed.contains(&new) {
                                told[at].listed.push(new);
                            }
                        }
                        Value::Lacking(output) => told[at].lacking.extend([output]),
                    }
                    if told[at].stages.last() != Some(&stage.key) {
                        told[at].stages.push(stage.key);
                    }
                    first.entry(stage.key).or_insert(at);
                }
            }
        }
    }
    told
}

impl Told {
    fn new(cause: Named) -> Self {
        let (old, lacking) = (BTreeSet::new(), BTreeSet::new());
        Self { cause, listed: Vec::new(), old, lacking, stages: Vec::new(), follow: Vec::new() }
    }
}

/// What is there instead.
enum Value {
    Old(Option<String>),
    /// The value of a list that is meant, and the other.
    Listed(String, Option<String>),
    Lacking(String),
}

/// A stage, and where its values come from.
struct Place<'a> {
    study: &'a PlannedStudy,
    loaded: &'a Loaded,
    owners: &'a Owners<'a>,
    node: &'a Node,
}

impl Place<'_> {
    fn causes(&self, why: &Why) -> Vec<(Named, Value)> {
        let plain = |what: String| vec![(Named { what, new: None, from: Vec::new() }, Value::Old(None))];
        match why {
            Why::Differs { causes, .. } if !causes.is_empty() => {
                causes.iter().map(|cause| self.differing(cause)).collect()
            }
            Why::Lacks(wants) => {
                wants.iter().map(|want| (self.wanted(want), Value::Lacking(want.to_string()))).collect()
            }
            Why::Lost(outputs) => plain(format!(
                "`{}` of {} is gone, which its record names",
                outputs.join("`, `"),
                self.words()
            )),
            Why::First => plain(format!("no {} is in the store", words(self.node))),
            Why::Differs { .. } | Why::Follows => {
                plain(format!("the record of {} is not where it should be", self.words()))
            }
        }
    }

    fn differing(&self, cause: &Cause) -> (Named, Value) {
        let value = |value: &Option<serde_json::Value>| value.as_ref().map(written);
        let (new, old) = (value(&cause.new), value(&cause.old));
        if let (What::Key(key), Some(new)) = (&cause.what, &new)
            && let Some(line) = self.line(key).filter(|line| ["seeds", "splits"].contains(&line.key.as_str()))
        {
            let from = vec![line.origin.show(self.loaded.sources())];
            return (Named { what: key.clone(), new: None, from }, Value::Listed(new.clone(), old));
        }
        let named = match &cause.what {
            What::Key(key) => self.key(key, new),
            What::Derived(what, from) => {
                let from = self.said(self.owners.first(self.node.key), from);
                Named { what: (*what).to_owned(), new, from }
            }
            What::Numerics => {
                let from = vec!["this device".to_owned()];
                Named { what: "the numerics class".to_owned(), new, from }
            }
            What::Version => {
                let from = vec!["this program".to_owned()];
                Named { what: format!("the version of {}", self.node.kind), new, from }
            }
            What::Role => Named { what: "the model".to_owned(), new, from: vec![] },
            What::Inputs => Named { what: "what it reads".to_owned(), new, from: vec![] },
        };
        (named, Value::Old(old))
    }

    /// The line of a key, as the first experiment that the stage is of has it.
    fn line(&self, key: &str) -> Option<&Line> {
        let arm = self.owners.first(self.node.key).map_or("", |member| member.arm.as_str());
        self.loaded.line(arm, key)
    }

    /// A key with its value, and where that stands.
    fn key(&self, key: &str, new: Option<String>) -> Named {
        let Some(line) = self.line(key) else {
            return Named { what: key.to_owned(), new, from: Vec::new() };
        };
        // `retrain` goes by `train` where it says nothing itself.
        if let (Origin::Follows(_), Some(name)) = (&line.origin, key.strip_prefix("retrain.")) {
            return self.key(&format!("train.{name}"), new);
        }
        Named {
            what: key.to_owned(),
            new: Some(show(line)),
            from: vec![line.origin.show(self.loaded.sources())],
        }
    }

    /// Where something is said that several keys can say: the written ones among them.
    fn said(&self, member: Option<&Member>, keys: &[String]) -> Vec<String> {
        let arm = member.map_or("", |member| member.arm.as_str());
        let lines = self.loaded.lines(arm).filter(|line| is_among(&line.key, keys));
        let written = lines.filter(|line| line.origin.place().is_some());
        let shown = written.map(|line| format!("{} ({})", line.key, line.origin.show(self.loaded.sources())));
        shown.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// An output that is wanted, and the key that wants it.
    fn wanted(&self, want: &Want) -> Named {
        let best = |member: &Member| member.experiment.method.teacher == Which::Best;
        let scored = |member: &Member| {
            let select = &member.experiment.method.select;
            matches!(select, Select::Image(_) | Select::Pixel(PixelSelect::Matched { .. }))
        };
        let of_pixels = |member: &Member| matches!(member.experiment.method.select, Select::Pixel(_));
        let first =
            |is: &dyn Fn(&Member) -> bool| self.owners.members(self.node.key).find(|member| is(member));
        let (key, member) = match want {
            Want::Model(step) if self.is_checkpoint(*step) => ("method.checkpoints", first(&scored)),
            Want::Model(_) => ("method.teacher", first(&best)),
            Want::Validation(_) => ("evaluate.points", first(&|_| true)),
            Want::Confidence | Want::Entropy => ("method.select.rule", first(&of_pixels)),
        };
        let line = self.loaded.line(member.map_or("", |member| member.arm.as_str()), key);
        Named {
            what: key.to_owned(),
            new: line.map(show),
            from: line.map(|line| line.origin.show(self.loaded.sources())).into_iter().collect(),
        }
    }

    /// Whether a stage of the plan compares this one's model after so many steps with others.
    fn is_checkpoint(&self, step: u64) -> bool {
        self.study.graph.nodes().iter().any(|node| match &node.work {
            Work::Score(scoring) => {
                node.inputs.contains(&self.node.key) && scoring.checkpoints.contains(&step)
            }
            _ => false,
        })
    }

    fn words(&self) -> String {
        format!("{} {}", words(self.node), self.node.key.short())
    }
}

fn show(line: &Line) -> String {
    line.value.to_string()
}

/// `retrain student`, `teacher`.
pub(super) fn words(node: &Node) -> String {
    match node.role.filter(|role| role.word() != node.kind.word()) {
        Some(role) => format!("{} {role}", node.kind),
        None => node.kind.to_string(),
    }
}
