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

    /// Whether another process was seen to work on a stage.
    pub fn was_elsewhere(&self, key: StageKey) -> bool {
        self.elsewhere.contains_key(&key)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::digest::Digest;
    use crate::plan::work::{Preparing, Work};
    use crate::plan::{Cost, Kind};

    const NO_TIME: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(3600);

    fn key(at: u8) -> StageKey {
        StageKey(Digest::of(&[at]))
    }

    /// Four stages: 1 and 2 read 0, and 3 reads both.
    fn graph() -> Graph {
        let mut graph = Graph::default();
        for (at, inputs) in [(0, &[][..]), (1, &[0]), (2, &[0]), (3, &[1, 2])] {
            graph.add(Node {
                key: key(at),
                kind: Kind::Prepare,
                role: None,
                work: Work::Prepare(Preparing { manifest: Digest::of(b"") }),
                inputs: inputs.iter().map(|&input| key(input)).collect(),
                wants: BTreeSet::new(),
                cost: Cost::default(),
            });
        }
        graph
    }

    fn record(at: u8) -> Record {
        Record {
            key: key(at),
            kind: Kind::Prepare,
            version: 1,
            role: None,
            work: serde_json::Value::Null,
            inputs: Vec::new(),
            numerics: String::new(),
            outputs: BTreeMap::new(),
            values: BTreeMap::new(),
            trace: None,
            marks: Vec::new(),
            cost: Cost::default(),
            code: String::new(),
        }
    }

    fn taken(queue: &mut Queue<'_>, patience: Duration) -> Option<StageKey> {
        queue.take(patience).map(|node| node.key)
    }

    #[test]
    fn a_stage_is_taken_once_and_after_what_it_reads() {
        let graph = graph();
        let mut queue = Queue::new(&graph, BTreeMap::new());
        assert_eq!(taken(&mut queue, LONG), Some(key(0)));
        assert_eq!(taken(&mut queue, LONG), None, "all others read it");
        queue.done(record(0));
        assert_eq!(taken(&mut queue, LONG), Some(key(1)));
        assert_eq!(taken(&mut queue, LONG), Some(key(2)));
        queue.done(record(2));
        queue.give_back(key(1));
        assert_eq!(taken(&mut queue, LONG), Some(key(1)), "what was given back is the first again");
        queue.done(record(1));
        assert_eq!(taken(&mut queue, LONG), Some(key(3)));
        queue.done(record(3));
        assert!(queue.is_finished());
    }

    #[test]
    fn what_is_done_elsewhere_is_looked_at_again_after_a_while() {
        let graph = graph();
        let mut queue = Queue::new(&graph, [(key(0), record(0))].into());
        assert_eq!(taken(&mut queue, LONG), Some(key(1)));
        assert!(queue.is_elsewhere(key(1)), "it is told once");
        assert_eq!(taken(&mut queue, LONG), Some(key(2)), "meanwhile, something else");
        assert_eq!(taken(&mut queue, NO_TIME), Some(key(1)));
        assert!(!queue.is_elsewhere(key(1)));
    }

    #[test]
    fn what_was_damaged_is_made_anew_before_what_reads_it() {
        let graph = graph();
        let mut queue = Queue::new(&graph, (0..3).map(|at| (key(at), record(at))).collect());
        assert_eq!(taken(&mut queue, LONG), Some(key(3)));
        queue.forget(|record| record.key == key(1));
        queue.give_back(key(3));
        assert_eq!(taken(&mut queue, LONG), Some(key(1)));
        assert_eq!(taken(&mut queue, LONG), None);
    }
}
