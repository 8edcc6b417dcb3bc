//! Computes stages again, apart from the store, and holds every bit against what the store says.
//!
//! On another numerics class the bits are others by right. There the losses of the first steps are held against a
//! tolerance: two sound implementations begin alike, and any two that round differently part exponentially after that.

use std::collections::BTreeMap;
use std::path::PathBuf;

use candle_core::Device;

use super::commit::METRICS;
use super::desk::{SharedSink, send};
use super::event::{Event, StageName};
use super::executor::RunError;
use super::recount::{Recount, Told};
use super::signal::Stop;
use super::study::PlannedStudy;
use crate::base::clock::Stopwatch;
use crate::base::digest::Digest;
use crate::base::fs::{self, Scratch};
use crate::nn::weights::difference::first_difference;
use crate::plan::graph::Want;
use crate::plan::{Kind, Node, StageKey};
use crate::stage::pixels::PreparedPixels;
use crate::stage::{self, Context, Left, StageError, metrics};
use crate::store::pack::Pack;
use crate::store::{Artifact, Record, Store, StoreError, layout};

/// Steps whose losses are compared between numerics classes.
pub const DRIFT_STEPS: u64 = 20;

/// Verifies the stages of a study.
pub struct Verifier<'a> {
    /// What is verified.
    pub store: &'a Store,
    /// Where it is computed again.
    pub device: Device,
    /// The numerics class of that device.
    pub class: String,
    /// Which study.
    pub study: &'a PlannedStudy,
    /// The folder in which what is computed is kept until it was compared.
    pub scratch: PathBuf,
    /// Only so many steps of every training.
    pub steps: Option<u64>,
    /// The largest relative difference of a loss that another numerics class may show.
    pub tolerance: f64,
    /// Whether the user asked to stop.
    pub stop: Stop,
}

/// What a stage turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The same bits; of a training, this many steps of how many.
    Identical {
        /// Steps that were computed again, and all of them; none where nothing is trained.
        steps: Option<(u64, u64)>,
    },
    /// Something differs: what, the first of it first.
    Differs(Vec<String>),
    /// Another numerics class.
    Drift {
        /// What was compared, and how far it is off.
        words: String,
        /// Whether that is within the tolerance.
        within: bool,
    },
    /// It is not in the store.
    NotDone,
}

impl Verdict {
    /// Whether it says that bits are not what they should be.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Differs(_) | Self::Drift { within: false, .. })
    }
}

impl Verifier<'_> {
    /// Computes a stage again.
    ///
    /// # Errors
    /// What keeps it from being computed: data, device, disk, or the user.
    pub fn verify(&self, node: &Node, name: &StageName, sink: &SharedSink<'_>) -> Result<Verdict, RunError> {
        let Some(record) = self.store.record(node.kind, node.key)? else { return Ok(Verdict::NotDone) };
        let drift = self.study.stored.numerics != self.class;
        let inputs = self.inputs(node)?;
        let scratch = Scratch::new(&self.scratch).map_err(StoreError::from)?;
        let keeps = Store::open(&scratch.path().join("store"))?;
        let limit = if drift { Some(self.steps.unwrap_or(DRIFT_STEPS)) } else { self.steps };
        let mut recount = Recount::new(sink, &self.stop, name, self.told(&record)?, limit, drift);
        send(sink, &Event::Started { stage: name.clone() });
        let watch = Stopwatch::start();
        let outcome = self.execute(node, &record, &inputs, &keeps, &mut recount);
        let end = |result: &str| {
            let (stage, result) = (name.clone(), result.to_owned());
            let event = Event::Finished { stage, result, seconds: watch.seconds() };
            send(sink, &event);
        };
        let (left, whole) = match outcome {
            Ok(left) => (left, true),
            Err(error) if error.is_interrupted() && recount.ended() => (recount.take_left(), false),
            Err(StageError::Store(error)) if error.is_damage() => {
                end("cannot be computed again");
                return Ok(Verdict::Differs(vec![format!("what it reads is damaged: failed to {error}")]));
            }
            Err(source) => {
                let stage = format!("{} {}", name.words(), node.key.short());
                let serves = name.serves.clone();
                return Err(RunError::Stage {
                    stage,
                    serves,
                    before_training: false,
                    source: Box::new(source),
                });
            }
        };
        let verdict = if drift {
            self.drift(&record, &left, &recount)
        } else {
            let mut lines: Vec<String> = recount.difference().into_iter().collect();
            lines.extend(self.differences(&record, &left, whole, &keeps)?);
            match lines.is_empty() {
                true => Verdict::Identical { steps: recount.steps(&record) },
                false => Verdict::Differs(lines),
            }
        };
        end(match &verdict {
            Verdict::Identical { .. } => "identical",
            Verdict::Drift { within: true, .. } => "within the tolerance",
            _ => "DIFFERS",
        });
        Ok(verdict)
    }

    fn inputs(&self, node: &Node) -> Result<Vec<Record>, RunError> {
        let kind_of = |key: StageKey| self.study.graph.node(key).map(|node| node.kind);
        let record = |key: &StageKey| -> Result<Record, RunError> {
            let kind = kind_of(*key).expect("the inputs of a node are in its graph");
            let lost = || StoreError::Unreadable {
                path: layout::record(self.store.root(), kind, *key),
                what: "it is gone, and the stage to be verified reads it".to_owned(),
            };
            Ok(self.store.record(kind, *key)?.ok_or_else(lost)?)
        };
        node.inputs.iter().map(record).collect()
    }

    /// What the store says was measured.
    fn told(&self, record: &Record) -> Result<Told, StoreError> {
        let mut told = Told { marks: record.marks.clone(), ..Told::default() };
        if let Some(digest) = record.output(METRICS) {
            match self.store.get(digest) {
                Ok(bytes) => told.points = metrics::from_lines(&bytes).ok(),
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(told)
    }

    fn execute(
        &self,
        node: &Node,
        record: &Record,
        inputs: &[Record],
        keeps: &Store,
        recount: &mut Recount<'_, '_>,
    ) -> Result<Left, StageError> {
        let dataset = &self.study.data[&node.inputs.first().copied().unwrap_or(node.key)];
        let pixels = match inputs.first().filter(|_| node.kind != Kind::Prepare) {
            Some(prepare) => Some(PreparedPixels::open(self.store, dataset, prepare)?),
            None => None,
        };
        // All that the record has, whoever wanted it.
        let names = record.outputs.keys().chain(record.values.keys());
        let wants = names.filter_map(|name| Want::of_name(name)).collect();
        let context = Context {
            store: self.store,
            keeps,
            key: node.key,
            dataset,
            pixels,
            device: &self.device,
            weights: &self.study.weights,
            role: node.role,
            wants: &wants,
            inputs: inputs.iter().collect(),
        };
        stage::run(&node.work, &context, recount)
    }

    /// What differs between the record and what was left now; of a stage that was not computed to its end, in what was
    /// left until then.
    fn differences(
        &self,
        record: &Record,
        left: &Left,
        whole: bool,
        keeps: &Store,
    ) -> Result<Vec<String>, StoreError> {
        let mut lines = Vec::new();
        for (name, told) in in_order(&record.outputs) {
            match left.outputs.get(name) {
                Some(now) => lines.extend(self.difference(name, *told, *now, keeps)?),
                None if name == METRICS => lines.extend(self.damage(name, *told)?),
                None if whole => lines.push(format!("`{name}` was not left again")),
                None => {}
            }
        }
        for (name, told) in &record.values {
            if let Some(now) = left.values.get(name)
                && now.to_bits() != told.to_bits()
            {
                lines.push(format!("`{name}` is {told:?} in the store, and {now:?} now"));
            }
        }
        if whole && record.trace != left.trace {
            let words = |trace: Option<Digest>| trace.map_or_else(|| "none".to_owned(), |t| t.short());
            let (told, now) = (words(record.trace), words(left.trace));
            lines.push(format!("the trace is {told} in the store, and {now} now"));
        }
        Ok(lines)
    }

    /// Whether an artifact is what it was when it was written.
    fn damage(&self, name: &str, told: Artifact) -> Result<Option<String>, StoreError> {
        match self.store.get(told.digest) {
            Ok(_) => Ok(None),
            Err(error) if error.is_damage() => Ok(Some(format!("`{name}`: failed to {error}"))),
            Err(error) => Err(error),
        }
    }

    fn difference(
        &self,
        name: &str,
        told: Artifact,
        now: Artifact,
        keeps: &Store,
    ) -> Result<Option<String>, StoreError> {
        let Some(path) = self.store.object_path(told.digest) else {
            return Ok(Some(format!("`{name}` is gone from the store")));
        };
        let (stored, computed) = (fs::read(&path)?, keeps.get(now.digest)?);
        if stored == computed {
            let other =
                || format!("`{name}` is the same, but the record names another digest ({})", told.digest);
            return Ok((told.digest != now.digest).then(other));
        }
        let damaged = if now.digest == told.digest { "damaged in the store" } else { "another one" };
        Ok(Some(format!("`{name}` is {damaged}: {}", place(name, &stored, &computed))))
    }

    fn drift(&self, record: &Record, left: &Left, recount: &Recount<'_, '_>) -> Verdict {
        let (there, here) = (&self.study.stored.numerics, &self.class);
        let classes = format!("another numerics class ({there} in the store, {here} here)");
        if let Some((worst, step, steps)) = recount.worst() {
            let words = format!(
                "{classes}: over {steps} steps the loss is off by {worst:.1e} of itself at most, at step {step} \
                 (tolerance {:.1e})",
                self.tolerance
            );
            return Verdict::Drift { words, within: worst <= self.tolerance };
        }
        let off = |(name, told): (&String, &f64)| {
            let now = left.values.get(name)?;
            Some(((now - told).abs() / told.abs().max(f64::MIN_POSITIVE), name.clone()))
        };
        let worst = record.values.iter().filter_map(off).max_by(|a, b| a.0.total_cmp(&b.0));
        match worst {
            Some((worst, name)) => Verdict::Drift {
                words: format!(
                    "{classes}: `{name}` is off by {worst:.1e} of itself (tolerance {:.1e})",
                    self.tolerance
                ),
                within: worst <= self.tolerance,
            },
            None => {
                let differs = |(name, told): &(&String, &Artifact)| left.outputs.get(*name) != Some(*told);
                let other = record.outputs.iter().filter(differs).count();
                let words =
                    format!("{classes}: {other} of {} outputs have other bytes", record.outputs.len());
                Verdict::Drift { words, within: true }
            }
        }
    }
}

/// Outputs by name, checkpoints by step: the first that differs is the one to look at.
fn in_order(outputs: &BTreeMap<String, Artifact>) -> Vec<(&String, &Artifact)> {
    let mut outputs: Vec<_> = outputs.iter().collect();
    outputs.sort_by_key(|(name, _)| match Want::of_name(name) {
        Some(Want::Model(step)) => step,
        _ => u64::MAX,
    });
    outputs
}

/// Where two artifacts differ, in the words of what they hold.
fn place(name: &str, stored: &[u8], computed: &[u8]) -> String {
    if let Some(Want::Model(_)) = Want::of_name(name) {
        return match first_difference(stored, computed) {
            Some(difference) => difference.to_string(),
            None => "its values are the same, its other bytes are not".to_owned(),
        };
    }
    if let (Ok(a), Ok(b)) = (Pack::read(stored.to_vec()), Pack::read(computed.to_vec())) {
        let first = b.ids().find(|id| a.get(id) != b.get(id));
        let count = b.ids().filter(|id| a.get(id) != b.get(id)).count();
        return match first {
            Some(id) => format!("{id} is the first of {count} that differ, of {}", b.len()),
            None => "it holds more than it should".to_owned(),
        };
    }
    let at = stored.iter().zip(computed).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| stored.len().min(computed.len()));
    format!(
        "byte {at} is the first that differs, of {} in the store and {} now",
        stored.len(),
        computed.len()
    )
}
