//! Where a stage of a run works: its events go to the screen, its points to its journal, and what it would miss after an
//! interruption to its working folder.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::cadence::Cadence;
use super::event::{Event, Sink, StageName};
use super::signal::Stop;
use super::usage::{Sampler, Used};
use crate::base::clock::Stopwatch;
use crate::base::digest::Digest;
use crate::base::progress::Progress;
use crate::plan::Node;
use crate::stage::Desk;
use crate::store::StoreError;
use crate::store::journal::{Fault, Journal, Point};
use crate::store::lease::Lease;
use crate::store::running::{Images, ResumeHead, ResumePoint, Running, is_wanted};
use crate::train::evaluate::{KeepError, Kept};

/// The one stream of events, which several stages may write to at once.
pub type SharedSink<'a> = Mutex<&'a mut dyn Sink>;

/// Sends an event.
pub fn send(sink: &SharedSink<'_>, event: &Event) {
    // A sink must not fail; one that did is not to hide what others say.
    sink.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take(event);
}

/// Why a stage may be asked to stop.
#[derive(Debug, Clone, Copy)]
pub struct Stops<'a> {
    /// The user wants it.
    pub user: &'a Stop,
    /// Another stage failed.
    pub halt: &'a AtomicBool,
    /// Another process took it over; none where no other can.
    pub lease: Option<&'a Lease>,
}

impl Stops<'_> {
    fn requested(&self) -> bool {
        self.user.requested() || self.halt.load(Ordering::SeqCst) || self.is_lost()
    }

    fn is_lost(&self) -> bool {
        self.lease.is_some_and(Lease::is_lost)
    }
}

/// The desk of one stage.
pub struct StageDesk<'a, 's> {
    sink: &'a SharedSink<'s>,
    stops: Stops<'a>,
    name: &'a StageName,
    node: &'a Node,
    running: Running<'a>,
    journal: Option<Journal>,
    cadence: Cadence,
    sampler: Sampler,
    /// Why the journal could not be written: the stage stops, and this is the reason.
    failed: Option<StoreError>,
    damage: Vec<String>,
}

/// What a stage measured, and what went wrong with what an earlier execution had left.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every point, sorted by key and step.
    pub points: Vec<Point>,
    /// Values that did not come back.
    pub faults: Vec<Fault>,
    /// How many processes worked on it.
    pub attempts: u64,
    /// Damaged files, a line each.
    pub damage: Vec<String>,
    /// How much of the machine it used.
    pub usage: Used,
}

impl<'a, 's> StageDesk<'a, 's> {
    /// A desk at a stage's working folder.
    pub fn new(
        sink: &'a SharedSink<'s>,
        stops: Stops<'a>,
        name: &'a StageName,
        node: &'a Node,
        running: Running<'a>,
        cadence: Cadence,
        sampler: Sampler,
    ) -> Self {
        Self {
            sink,
            stops,
            name,
            node,
            running,
            journal: None,
            cadence,
            sampler,
            failed: None,
            damage: Vec::new(),
        }
    }

    /// What came together; or why the journal could not be written, whatever the stage said then.
    pub fn close(self) -> Result<(Outcome, Running<'a>), StoreError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let usage = self.sampler.end();
        let mut outcome = Outcome { damage: self.damage, attempts: 1, usage, ..Outcome::default() };
        if let Some(journal) = self.journal {
            outcome.points = journal.points();
            if self.node.kind.trains() {
                outcome.points.retain(|point| is_wanted(point, &self.node.wants));
            }
            outcome.faults = journal.faults().to_vec();
            outcome.attempts = journal.attempts().max(1);
        }
        Ok((outcome, self.running))
    }

    /// What was damaged in the working folder so far.
    pub fn damage(&self) -> &[String] {
        &self.damage
    }

    fn journal(&mut self) -> Result<&mut Journal, StoreError> {
        if self.journal.is_none() {
            self.journal = Some(self.running.journal()?);
            self.tell_remarks();
        }
        Ok(self.journal.as_mut().expect("it was just opened"))
    }

    fn tell_remarks(&mut self) {
        for remark in self.running.take_remarks() {
            let message = format!("{}: {}", self.name.words(), remark.text);
            if remark.is_damage {
                self.damage.push(message.clone());
            }
            send(self.sink, &Event::Noted { message });
        }
    }

    fn write(&mut self, point: Point) -> Result<(), StoreError> {
        if let Some(fault) = self.journal()?.point(point)? {
            let words =
                |value: Option<f64>| value.map_or_else(|| "NaN".to_owned(), |value| format!("{value:?}"));
            self.note(&format!(
                "DETERMINISM FAULT: `{}` of step {} was {} before the interruption and is {} now: this machine does \
                 not repeat its own bits; run `stpp doctor`",
                fault.key,
                fault.step,
                words(fault.before),
                words(fault.now)
            ));
        }
        Ok(())
    }
}

impl Progress for StageDesk<'_, '_> {
    fn advance(&mut self, done: u64, total: u64, note: &str) {
        let images = if total == 0 { 0.0 } else { self.node.cost.forwards * done as f64 / total as f64 };
        let event = Event::Advanced {
            stage: self.name.clone(),
            done,
            total,
            images: images as u64,
            note: note.to_owned(),
        };
        send(self.sink, &event);
        self.sampler.look();
    }

    fn metric(&mut self, key: &str, step: u64, value: f64) {
        let event = Event::Measured { stage: self.name.clone(), metric: key.to_owned(), step, value };
        send(self.sink, &event);
        if self.failed.is_none() {
            let point = Point { key: key.to_owned(), step, value: value.is_finite().then_some(value) };
            self.failed = self.write(point).err();
        }
    }

    fn note(&mut self, message: &str) {
        send(self.sink, &Event::Noted { message: format!("{}: {message}", self.name.words()) });
    }

    fn stop_requested(&self) -> bool {
        self.stops.requested() || self.failed.is_some()
    }
}

impl Desk for StageDesk<'_, '_> {
    fn resume(
        &mut self,
        suits: &mut dyn FnMut(&ResumeHead) -> bool,
    ) -> Result<Option<ResumePoint>, StoreError> {
        let point = self.running.resume(suits)?;
        self.tell_remarks();
        let (step, known) =
            point.as_ref().map_or((0, &[][..]), |point| (point.head.step, &point.head.points[..]));
        self.journal()?.go_on(step, known)?;
        Ok(point)
    }

    fn is_due(&self, ends_epoch: bool) -> bool {
        self.cadence.is_due(ends_epoch)
    }

    fn keep(&mut self, mut point: ResumePoint) -> Result<(), StoreError> {
        // Another process works in this folder now.
        if self.stops.is_lost() {
            return Ok(());
        }
        let watch = Stopwatch::start();
        let journal = self.journal()?;
        journal.sync()?;
        let step = point.head.step;
        point.head.points = journal.points().into_iter().filter(|point| point.step <= step).collect();
        self.running.write_resume(&point)?;
        self.cadence.written(watch.elapsed());
        Ok(())
    }

    fn images(&mut self, identity: Digest) -> Result<Box<dyn Kept>, StoreError> {
        let images = self.running.images(identity)?;
        self.tell_remarks();
        if !images.is_empty() {
            self.note(&format!("goes on after {} images", images.len()));
        }
        Ok(Box::new(KeptImages(images)))
    }
}

/// The file of images, as the pass over them sees it.
struct KeptImages(Images);

impl Kept for KeptImages {
    fn get(&self, id: &str) -> Option<Vec<u8>> {
        self.0.get(id).map(<[u8]>::to_vec)
    }

    fn keep(&mut self, images: &[(&str, Vec<u8>)]) -> Result<(), KeepError> {
        Ok(self.0.keep(images)?)
    }
}
