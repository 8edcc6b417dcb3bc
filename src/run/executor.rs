//! Runs what is not in the store, stage after stage, and commits each as it is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Device;

use super::event::{Event, Sink, StageName};
use super::signal::Stop;
use super::study::PlannedStudy;
use crate::base::clock::Stopwatch;
use crate::base::progress::Progress;
use crate::plan::{Cost, Kind, Node, StageKey};
use crate::stage::pixels::PreparedPixels;
use crate::stage::{self, Context, Left, StageError};
use crate::store::{Record, Store, StoreError};

/// The version of this program, as records carry it.
pub const CODE: &str = concat!("stpp ", env!("CARGO_PKG_VERSION"));

/// The output of a stage that holds what it measured.
pub const METRICS: &str = "metrics";

/// Runs plans on one device and one store.
pub struct Executor<'a> {
    /// Where results go.
    pub store: &'a Store,
    /// Where it computes.
    pub device: Device,
    /// Where events go.
    pub sink: &'a mut dyn Sink,
    /// Whether the user asked to stop.
    pub stop: Stop,
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// Distinct stages of the plan.
    pub stages: usize,
    /// Those that were run now.
    pub ran: usize,
    /// Their cost.
    pub cost: Cost,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Why a run ended early. What is committed stays.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A stage failed.
    #[error("run {stage} ({serves})")]
    Stage {
        /// `retrain student_1 3f2a…`
        stage: String,
        /// The experiments it belongs to.
        serves: String,
        /// Whether anything had been trained before.
        before_training: bool,
        /// Why.
        #[source]
        source: Box<StageError>,
    },
    /// The same stage, run again, left other bytes.
    #[error(
        "run {stage} again: its `{output}` differs from the one in the store (expected {expected}, found {found}): \
         a determinism fault; `stpp doctor` checks this machine"
    )]
    Differs {
        /// The stage.
        stage: String,
        /// The output.
        output: String,
        /// Digest in the store.
        expected: String,
        /// Digest now.
        found: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunError {
    /// Whether the user asked for it.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Stage { source, .. } if source.is_interrupted())
    }
}

impl Executor<'_> {
    /// Runs every stage of a plan that is not done.
    ///
    /// # Errors
    /// [`RunError`] of the first stage that fails; the ones before it are committed.
    pub fn run(&mut self, study: &PlannedStudy) -> Result<Summary, RunError> {
        let watch = Stopwatch::start();
        let nodes = study.graph.nodes();
        let mut records: BTreeMap<StageKey, Record> = BTreeMap::new();
        for node in nodes {
            if let Some(record) = self.store.done(node)? {
                records.insert(node.key, record);
            }
        }
        let to_run = || nodes.iter().filter(|node| !records.contains_key(&node.key));
        self.sink.take(&Event::Planned {
            experiments: study.stored.members.len(),
            stages: nodes.len(),
            done: records.len(),
            steps: to_run().map(|node| node.cost.steps).sum(),
        });
        let mut summary = Summary { stages: nodes.len(), ..Summary::default() };
        let mut pixels: BTreeMap<StageKey, Arc<PreparedPixels>> = BTreeMap::new();
        let mut trained = false;
        for (at, node) in nodes.iter().enumerate() {
            if records.contains_key(&node.key) {
                continue;
            }
            let serves = serves(study, node.key);
            let name = StageName::of(node, at + 1, nodes.len(), &serves);
            self.sink.take(&Event::Started { stage: name.clone() });
            let stage_watch = Stopwatch::start();
            let (record, result) =
                self.run_stage(study, node, &name, &records, &mut pixels).map_err(|error| match error {
                    Failed::Stage(source) => RunError::Stage {
                        stage: format!("{} {}", name.words(), node.key.short()),
                        serves,
                        before_training: !trained && (node.kind == Kind::Prepare || source.is_of_input()),
                        source,
                    },
                    Failed::Run(error) => *error,
                })?;
            trained |= node.kind.trains();
            let seconds = stage_watch.seconds();
            let costs = serde_json::json!({ "seconds": seconds, "threads": rayon::current_num_threads() });
            self.store.write_costs(&record, &costs)?;
            summary.ran += 1;
            summary.cost += node.cost;
            records.insert(node.key, record);
            self.sink.take(&Event::Finished { stage: name, result, seconds });
        }
        summary.seconds = watch.seconds();
        Ok(summary)
    }

    fn run_stage(
        &mut self,
        study: &PlannedStudy,
        node: &Node,
        name: &StageName,
        records: &BTreeMap<StageKey, Record>,
        pixels: &mut BTreeMap<StageKey, Arc<PreparedPixels>>,
    ) -> Result<(Record, String), Failed> {
        let prepare = node.inputs.first().copied().unwrap_or(node.key);
        let dataset = &study.data[&prepare];
        let open = match pixels.get(&prepare) {
            Some(open) => Some(Arc::clone(open)),
            None if node.kind == Kind::Prepare => None,
            None => {
                let open = PreparedPixels::open(self.store, dataset, &records[&prepare])?;
                pixels.insert(prepare, Arc::clone(&open));
                Some(open)
            }
        };
        let mut watcher =
            Watcher { sink: &mut *self.sink, stop: &self.stop, name, node, metrics: Vec::new() };
        let context = Context {
            store: self.store,
            dataset,
            pixels: open,
            device: &self.device,
            weights: &study.weights,
            role: node.role,
            wants: &node.wants,
            inputs: node.inputs.iter().map(|key| &records[key]).collect(),
        };
        let left = stage::run(&node.work, &context, &mut watcher)?;
        let metrics = watcher.metrics;
        let result = left.headline.clone();
        let record = self.commit(node, &study.stored.numerics, left, metrics)?;
        Ok((record, result))
    }

    /// Writes the record, with what an earlier run of the same stage left beside it.
    fn commit(
        &self,
        node: &Node,
        numerics: &str,
        left: Left,
        mut metrics: Vec<(String, u64, f64)>,
    ) -> Result<Record, Failed> {
        let mut outputs = left.outputs;
        let mut values = left.values;
        let earlier = self.store.record(node.kind, node.key)?;
        if let Some(earlier) = earlier.filter(|earlier| earlier.version == node.kind.version()) {
            for (name, old) in earlier.outputs {
                // What was lost since is left behind: with it, the stage would never be done.
                let is_there = self.store.object_path(old.digest).is_some();
                if name == METRICS {
                    // A stage that is run again was asked to look at other steps: keep what was seen at both.
                    if is_there {
                        let bytes = self.store.get(old.digest)?;
                        stage::metrics::merge(
                            stage::metrics::from_lines(&bytes).unwrap_or_default(),
                            &mut metrics,
                        );
                    }
                    continue;
                }
                match outputs.get(&name) {
                    Some(new) if new.digest != old.digest => {
                        return Err(Failed::Run(Box::new(RunError::Differs {
                            stage: format!("{} {}", node.kind, node.key.short()),
                            output: name,
                            expected: old.digest.short(),
                            found: new.digest.short(),
                        })));
                    }
                    None if is_there => {
                        outputs.insert(name, old);
                    }
                    Some(_) | None => {}
                }
            }
            for (name, old) in earlier.values {
                values.entry(name).or_insert(old);
            }
        }
        if !metrics.is_empty() {
            let lines = stage::metrics::to_lines(&metrics);
            outputs.insert(METRICS.to_owned(), stage::keep(self.store, &lines)?);
        }
        let record = Record {
            key: node.key,
            kind: node.kind,
            version: node.kind.version(),
            role: node.role,
            work: serde_json::to_value(&node.work).expect("work is plain data"),
            inputs: node.inputs.clone(),
            numerics: numerics.to_owned(),
            outputs,
            values,
            trace: left.trace,
            marks: Vec::new(),
            cost: node.cost,
            code: CODE.to_owned(),
        };
        self.store.commit(&record)?;
        Ok(record)
    }
}

fn serves(study: &PlannedStudy, key: StageKey) -> String {
    match study.serves.get(&key).map(Vec::as_slice) {
        None | Some([]) => String::new(),
        Some([only]) => only.clone(),
        Some([first, rest @ ..]) => format!("{first} and {} more", rest.len()),
    }
}

enum Failed {
    Stage(Box<StageError>),
    Run(Box<RunError>),
}

impl From<StageError> for Failed {
    fn from(error: StageError) -> Self {
        Self::Stage(Box::new(error))
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Run(Box::new(RunError::Store(error)))
    }
}

/// Passes progress on as events, and keeps the metrics for the record.
struct Watcher<'a> {
    sink: &'a mut dyn Sink,
    stop: &'a Stop,
    name: &'a StageName,
    node: &'a Node,
    metrics: Vec<(String, u64, f64)>,
}

impl Progress for Watcher<'_> {
    fn advance(&mut self, done: u64, total: u64, note: &str) {
        let images = if total == 0 { 0.0 } else { self.node.cost.forwards * done as f64 / total as f64 };
        self.sink.take(&Event::Advanced {
            stage: self.name.clone(),
            done,
            total,
            images: images as u64,
            note: note.to_owned(),
        });
    }

    fn metric(&mut self, key: &str, step: u64, value: f64) {
        self.metrics.push((key.to_owned(), step, value));
        self.sink.take(&Event::Measured { stage: self.name.clone(), metric: key.to_owned(), step, value });
    }

    fn note(&mut self, message: &str) {
        self.sink.take(&Event::Noted { message: format!("{}: {message}", self.name.words()) });
    }

    fn stop_requested(&self) -> bool {
        self.stop.requested()
    }
}
