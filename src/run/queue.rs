//! Which stage is next: the first that is not done, whose inputs are, and that nobody works on.
//!
//! Order is that of the plan, seed by seed, so that every interruption leaves a balanced comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::base::clock::Stopwatch;
use crate::plan::{Graph, Node, StageKey};
use crate::store::Record;

/// The stages of a plan, on their way to being done.
pub struct Queue<'a> {
    graph: &'a Graph,
    records: BTreeMap<StageKey, Record>,
    taken: BTreeSet<StageKey>,
    /// Stages that another process works on, and when that was seen.
    elsewhere: BTreeMap<StageKey, Stopwatch>,
}

impl<'a> Queue<'a> {
    /// A queue of all stages of a graph, some of which are done.
    pub fn new(graph: &'a Graph, records: BTreeMap<StageKey, Record>) -> Self {
        Self { graph, records, taken: BTreeSet::new(), elsewhere: BTreeMap::new() }
    }

    /// Takes the next stage. Stages of other processes are looked at again after `patience`.
    pub fn take(&mut self, patience: Duration) -> Option<&'a Node> {
        let is_next = |node: &&Node| {
            !self.records.contains_key(&node.key)
                && !self.taken.contains(&node.key)
                && node.inputs.iter().all(|input| self.records.contains_key(input))
                && self.elsewhere.get(&node.key).is_none_or(|seen| seen.elapsed() >= patience)
        };
        let node = self.graph.nodes().iter().find(is_next)?;
        self.taken.insert(node.key);
        Some(node)
    }

    /// Gives a stage back as done.
    pub fn done(&mut self, record: Record) {
        self.taken.remove(&record.key);
        self.elsewhere.remove(&record.key);
        self.records.insert(record.key, record);
    }

    /// Gives a stage back as it was.
    pub fn give_back(&mut self, key: StageKey) {
        self.taken.remove(&key);
    }

    /// Gives a stage back, since another process works on it. Says whether that is new.
    pub fn is_elsewhere(&mut self, key: StageKey) -> bool {
        self.taken.remove(&key);
        self.elsewhere.insert(key, Stopwatch::start()).is_none()
    }

    /// Forgets that stages were done, whose records are so.
    pub fn forget(&mut self, damaged: impl Fn(&Record) -> bool) {
        self.records.retain(|_, record| !damaged(record));
    }

    /// The record of a stage that is done.
    pub fn record(&self, key: StageKey) -> Option<&Record> {
        self.records.get(&key)
    }

    /// Number of stages that are done.
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Whether all stages are done.
    pub fn is_finished(&self) -> bool {
        self.records.len() == self.graph.nodes().len()
    }
}
