//! A stage that is computed again: every value that it measures is held against what the store says, and the first that
//! differs ends it.

use std::collections::BTreeMap;

use super::desk::{SharedSink, send};
use super::event::{Event, StageName};
use super::signal::Stop;
use super::verify::DRIFT_STEPS;
use crate::base::digest::Digest;
use crate::base::progress::Progress;
use crate::plan::work::Work;
use crate::stage::{Desk, Left};
use crate::store::journal::Point;
use crate::store::running::ResumePoint;
use crate::store::{Mark, Record, StoreError};
use crate::train::trace::Trace;

/// What the store says of a stage's course.
#[derive(Debug, Default)]
pub struct Told {
    /// Every point; none where they can't be read.
    pub points: Option<Vec<Point>>,
    /// The trace along the way.
    pub marks: Vec<Mark>,
}

/// The desk of a stage that is computed again.
pub struct Recount<'a, 's> {
    sink: &'a SharedSink<'s>,
    stop: &'a Stop,
    name: &'a StageName,
    points: Option<BTreeMap<(String, u64), Option<f64>>>,
    marks: BTreeMap<u64, Digest>,
    /// Only so many steps.
    limit: Option<u64>,
    /// Whether values may differ.
    drift: bool,
    trace: Trace,
    loss: f64,
    step: u64,
    /// The last mark that was found the same.
    sure: u64,
    difference: Option<String>,
    /// The largest relative difference of a loss, and its step.
    worst: Option<(f64, u64)>,
    left: Left,
}

impl<'a, 's> Recount<'a, 's> {
    /// A desk at which nothing may differ, or, with `drift`, at which it is counted how much does.
    pub fn new(
        sink: &'a SharedSink<'s>,
        stop: &'a Stop,
        name: &'a StageName,
        told: Told,
        limit: Option<u64>,
        drift: bool,
    ) -> Self {
        let points = told
            .points
            .map(|points| points.into_iter().map(|point| ((point.key, point.step), point.value)).collect());
        let marks = told.marks.into_iter().map(|mark| (mark.step, mark.trace)).collect();
        Self {
            sink,
            stop,
            name,
            points,
            marks,
            limit,
            drift,
            // Every step is looked at, so that no spacing of marks is missed.
            trace: Trace::new(1),
            loss: f64::NAN,
            step: 0,
            sure: 0,
            difference: None,
            worst: None,
            left: Left::default(),
        }
    }

    /// Whether it was this desk that ended the stage.
    pub fn ended(&self) -> bool {
        self.difference.is_some() || self.limit.is_some_and(|limit| self.step >= limit)
    }

    /// The first value that differs.
    pub fn difference(&self) -> Option<String> {
        self.difference.clone()
    }

    /// The largest relative difference of a loss, its step, and the number of steps.
    pub fn worst(&self) -> Option<(f64, u64, u64)> {
        self.worst.map(|(worst, step)| (worst, step, self.step.min(DRIFT_STEPS)))
    }

    /// What the stage had left when it was ended.
    pub fn take_left(&mut self) -> Left {
        std::mem::take(&mut self.left)
    }

    /// The steps that were computed again, and all steps of the stage; none where nothing is trained.
    pub fn steps(&self, record: &Record) -> Option<(u64, u64)> {
        match serde_json::from_value(record.work.clone()) {
            Ok(Work::Train(training)) => Some((self.step, training.steps)),
            _ => None,
        }
    }

    fn look(&mut self, key: &str, step: u64, value: f64) {
        let value = value.is_finite().then_some(value);
        let Some(points) = &self.points else { return };
        let told = points.get(&(key.to_owned(), step));
        if self.drift {
            if let (Some(Some(told)), Some(now)) = (told, value)
                && key == "loss"
                && step <= DRIFT_STEPS
            {
                let off = (now - told).abs() / told.abs().max(f64::MIN_POSITIVE);
                if self.worst.is_none_or(|(worst, _)| off > worst) {
                    self.worst = Some((off, step));
                }
            }
            return;
        }
        let same = told.is_some_and(|told| told.map(f64::to_bits) == value.map(f64::to_bits));
        if !same && self.difference.is_none() {
            let words = |value: Option<f64>| value.map_or_else(|| "NaN".to_owned(), |v| format!("{v:?}"));
            let told = told.map_or_else(|| "not there".to_owned(), |told| words(*told));
            self.difference = Some(format!(
                "step {step} is the first that differs: `{key}` is {told} in the store, and {} now",
                words(value)
            ));
        }
    }

    /// Follows the trace: where points are gone, it still says between which marks something differs.
    fn follow(&mut self, key: &str, step: u64, value: f64) {
        match key {
            "loss" => self.loss = value,
            "lr" => {
                self.step = step;
                self.trace.step(step, self.loss as f32, value);
                let Some(told) = self.marks.get(&step) else { return };
                if *told == self.trace.digest() {
                    self.sure = step;
                } else if !self.drift && self.difference.is_none() {
                    let first = self.sure + 1;
                    self.difference = Some(format!(
                        "the first step that differs is one of {first} to {step}: the trace is {} in the store, and {} \
                         now",
                        told.short(),
                        self.trace.digest().short()
                    ));
                }
            }
            _ => {}
        }
    }
}

impl Progress for Recount<'_, '_> {
    fn advance(&mut self, done: u64, total: u64, note: &str) {
        let (stage, note) = (self.name.clone(), note.to_owned());
        send(self.sink, &Event::Advanced { stage, done, total, images: 0, note });
    }

    fn metric(&mut self, key: &str, step: u64, value: f64) {
        self.look(key, step, value);
        self.follow(key, step, value);
    }

    fn stop_requested(&self) -> bool {
        self.stop.requested() || self.ended()
    }
}

impl Desk for Recount<'_, '_> {
    fn keep(&mut self, point: ResumePoint) -> Result<(), StoreError> {
        self.left.outputs = point.head.outputs;
        self.left.values = point.head.values;
        Ok(())
    }
}
