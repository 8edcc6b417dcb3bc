//! One graph of stages: equal stages are one node, which yields all that anyone wants of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::cost::Cost;
use super::key::StageKey;
use super::kind::{Kind, Role};
use super::work::Work;

/// An output that is made on demand and changes no other bit: which checkpoints are kept, when validation is
/// looked at, whether confidence is written. Not part of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Want {
    /// The model after this many steps.
    Model(u64),
    /// mIoU on the validation images after this many steps.
    Validation(u64),
    /// Quantised confidence of every pixel's label.
    Confidence,
    /// Quantised entropy of every pixel's prediction.
    Entropy,
}

impl fmt::Display for Want {
    /// The output's name in a record: `model@300`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(step) => write!(f, "model@{step}"),
            Self::Validation(step) => write!(f, "validation@{step}"),
            Self::Confidence => f.write_str("confidence"),
            Self::Entropy => f.write_str("entropy"),
        }
    }
}

impl Want {
    /// The wish that has a name in a record; none for an output that every stage of its kind leaves.
    pub fn of_name(name: &str) -> Option<Self> {
        match name.split_once('@') {
            Some(("model", step)) => step.parse().ok().map(Self::Model),
            Some(("validation", step)) => step.parse().ok().map(Self::Validation),
            None if name == "confidence" => Some(Self::Confidence),
            None if name == "entropy" => Some(Self::Entropy),
            _ => None,
        }
    }
}

/// A stage of the graph.
#[derive(Debug, Clone)]
pub struct Node {
    /// What makes it this stage and no other.
    pub key: StageKey,
    /// What kind of step.
    pub kind: Kind,
    /// The model it trains or reads; none for `prepare`.
    pub role: Option<Role>,
    /// What it does.
    pub work: Work,
    /// The stages it reads, in the order its work documents.
    pub inputs: Vec<StageKey>,
    /// The outputs that someone wants of it.
    pub wants: BTreeSet<Want>,
    /// What it costs when it is run.
    pub cost: Cost,
}

/// Nodes in an order in which each comes after its inputs.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    position: BTreeMap<StageKey, usize>,
    requested: usize,
    requested_cost: Cost,
}

impl Graph {
    /// Adds a stage, or what is new in its wishes to the equal stage that is there.
    pub fn add(&mut self, node: Node) -> StageKey {
        let key = node.key;
        self.requested += 1;
        self.requested_cost += node.cost;
        match self.position.get(&key) {
            Some(&at) => self.nodes[at].wants.extend(node.wants),
            None => {
                self.position.insert(key, self.nodes.len());
                self.nodes.push(node);
            }
        }
        key
    }

    /// Adds wishes to a stage that is there.
    ///
    /// # Panics
    /// When there is no such stage.
    pub fn want(&mut self, key: StageKey, wants: impl IntoIterator<Item = Want>) {
        let at = self.position[&key];
        self.nodes[at].wants.extend(wants);
    }

    /// The stages, in order of execution.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The stage with a key.
    pub fn node(&self, key: StageKey) -> Option<&Node> {
        self.position.get(&key).map(|&at| &self.nodes[at])
    }

    /// How many stages were asked for, before equal ones became one.
    pub fn requested(&self) -> usize {
        self.requested
    }

    /// What they would cost if nothing were shared.
    pub fn requested_cost(&self) -> Cost {
        self.requested_cost
    }

    /// What the distinct stages cost.
    pub fn cost(&self) -> Cost {
        self.nodes.iter().map(|node| node.cost).sum()
    }
}
