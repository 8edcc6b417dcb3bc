//! The workers of one run: they take stages from a queue, beside other processes, and commit what they did.
//!
//! A worker takes a stage's lease, looks whether it was done meanwhile, computes it at its [`desk`](super::desk), commits it,
//! and lets go. Damage that it meets is told and mended: the stage goes back to the queue, behind those that make anew what
//! it reads. The first failure asks all others to stop, which keep where they stand.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use candle_core::Device;

use super::cadence::Cadence;
use super::capture::Environment;
use super::commit;
use super::desk::{SharedSink, StageDesk, Stops, send};
use super::event::{Event, StageName};
use super::executor::{RunError, Settings, Summary};
use super::mend::mend;
use super::queue::Queue;
use super::signal::Stop;
use super::study::PlannedStudy;
use super::usage::Sampler;
use crate::base::causes::causes;
use crate::base::clock::{self, Stopwatch};
use crate::base::failpoint;
use crate::plan::work::Work;
use crate::plan::{Kind, Node, StageKey};
use crate::stage::pixels::PreparedPixels;
use crate::stage::{self, Context, Left, StageError, preview};
use crate::store::beside::Costs;
use crate::store::lease::{Lease, Leases, Live, Taken};
use crate::store::{Record, Store, StoreError, layout};

/// How often a process looks whether another one has finished a stage.
const POLL: Duration = Duration::from_millis(200);

/// A file that is damaged again after it was made anew lies on a disk that can't be used.
const PATIENCE: u32 = 2;

/// What workers work with.
pub(super) struct Means<'a> {
    /// Where results go.
    pub store: &'a Store,
    /// Where it computes.
    pub device: &'a Device,
    /// Whether the user asked to stop.
    pub stop: &'a Stop,
    /// How.
    pub settings: Settings,
}

/// The workers of one run, and what they share.
pub(super) struct Crew<'a, 's> {
    means: Means<'a>,
    environment: serde_json::Value,
    study: &'a PlannedStudy,
    sink: &'a SharedSink<'s>,
    leases: &'a Leases,
    /// Asks all workers to stop, since one has failed.
    halt: AtomicBool,
    changed: Condvar,
    shared: Mutex<Shared<'a>>,
}

struct Shared<'a> {
    queue: Queue<'a>,
    pixels: BTreeMap<StageKey, Arc<PreparedPixels>>,
    summary: Summary,
    /// How often a file was found damaged.
    damaged: BTreeMap<PathBuf, u32>,
    trained: bool,
    failure: Option<RunError>,
}

/// What became of a stage that a worker took.
enum Done {
    /// It was run here.
    Here(Box<Record>),
    /// It was done before it could be begun.
    Before(Box<Record>),
    /// Someone works on it.
    Elsewhere(Live),
    /// It can't be run before something else is made anew.
    Later,
}

impl<'a, 's> Crew<'a, 's> {
    /// The workers of a run, by what they work with and on.
    pub fn new(
        means: Means<'a>,
        study: &'a PlannedStudy,
        sink: &'a SharedSink<'s>,
        leases: &'a Leases,
    ) -> Self {
        let environment = Environment::of(means.device);
        let environment = if means.settings.record_host { environment.with_host() } else { environment };
        let summary = Summary { stages: study.graph.nodes().len(), ..Summary::default() };
        let shared = Shared {
            queue: Queue::new(&study.graph, BTreeMap::new()),
            pixels: BTreeMap::new(),
            summary,
            damaged: BTreeMap::new(),
            trained: false,
            failure: None,
        };
        Self {
            means,
            environment: serde_json::to_value(environment).expect("an environment is plain data"),
            study,
            sink,
            leases,
            halt: AtomicBool::new(false),
            changed: Condvar::new(),
            shared: Mutex::new(shared),
        }
    }

    /// Runs every stage that is not done.
    ///
    /// # Errors
    /// [`RunError`] of the first stage that fails.
    pub fn run(self) -> Result<Summary, RunError> {
        self.look_around()?;
        let shared = self.work_together();
        match shared.failure {
            Some(error) => Err(error),
            None if !shared.queue.is_finished() => Err(RunError::Interrupted),
            None => Ok(shared.summary),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared<'a>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds what is done already, and clears away what an earlier process left of it.
    fn look_around(&self) -> Result<(), RunError> {
        let nodes = self.study.graph.nodes();
        let mut steps = 0;
        for node in nodes {
            match self.find(node)? {
                Some(record) => self.shared().queue.done(record),
                None => steps += node.cost.steps,
            }
        }
        self.miss_records()?;
        self.note_labels_again()?;
        let done = self.shared().queue.count();
        let experiments = self.study.stored.members.len();
        send(self.sink, &Event::Planned { experiments, stages: nodes.len(), done, steps });
        for (kind, key) in self.means.store.running_stages()? {
            let Some(record) = self.shared().queue.record(key).cloned() else { continue };
            // What another study wants of the same stage may not be done yet. And only under the lease: the owner may be
            // about to remove it.
            if self.means.store.running(kind, key).is_over(&record)?
                && let Taken::Ours(_lease) = self.leases.take(&lease_of(key))?
            {
                self.means.store.running(kind, key).remove()?;
            }
        }
        Ok(())
    }

    /// What a stage took is written after its record: where that is there and no record, the record was lost.
    fn miss_records(&self) -> Result<(), RunError> {
        let store = self.means.store;
        for node in self.study.graph.nodes() {
            let path = layout::record(store.root(), node.kind, node.key);
            let is_known =
                self.shared().queue.record(node.key).is_some() || self.shared().damaged.contains_key(&path);
            if is_known
                || store.costs(node.kind, node.key)?.is_none()
                || store.record(node.kind, node.key)?.is_some()
            {
                continue;
            }
            let how = "the stage was done, but its record is gone";
            store.note_lost(&path, how)?;
            let message = format!("damage: {}: {how}; it is run again", path.display());
            self.shared().summary.damage.push(message.clone());
            send(self.sink, &Event::Noted { message });
        }
        Ok(())
    }

    /// Labels are shared through indexes. One that was damaged and set aside is written anew from the records.
    fn note_labels_again(&self) -> Result<(), RunError> {
        for node in self.study.graph.nodes() {
            let (Work::Label(work), [prepare, model, ..]) = (&node.work, &node.inputs[..]) else { continue };
            loop {
                let shared = self.shared();
                let (record, model) = (shared.queue.record(node.key), shared.queue.record(*model));
                let (Some(record), Some(model)) = (record.cloned(), model.cloned()) else { break };
                drop(shared);
                match stage::label::note_again(self.means.store, work, (*prepare, &model), &record) {
                    Ok(()) => break,
                    Err(StageError::Store(error)) => {
                        if !self.mend(&error)? {
                            return Err(error.into());
                        }
                    }
                    // Its model lacks something that is made anew.
                    Err(_) => break,
                }
            }
        }
        Ok(())
    }

    /// The record of a stage that is done. One that is damaged, or whose artifacts are gone, is told and set aside.
    fn find(&self, node: &Node) -> Result<Option<Record>, RunError> {
        let record = loop {
            match self.means.store.record(node.kind, node.key) {
                Ok(record) => break record,
                Err(error) if self.mend(&error)? => {}
                Err(error) => return Err(error.into()),
            }
        };
        let Some(record) = record else { return Ok(None) };
        let lost = self.means.store.lost(&record);
        for lost in &lost {
            self.mend(lost)?;
        }
        Ok(Some(record).filter(|record| lost.is_empty() && record.fulfils(&node.wants)))
    }

    /// Works with as many workers as there are jobs, until all is done or one has failed.
    fn work_together(self) -> Shared<'a> {
        // More than one for each thread, or for each stage, would only get into each other's way.
        let all = self.study.graph.nodes().len();
        let jobs = self.means.settings.jobs.min(rayon::current_num_threads()).min(all).max(1);
        let outcomes: Vec<std::thread::Result<()>> = if jobs == 1 {
            vec![catch_unwind(AssertUnwindSafe(|| self.work()))]
        } else {
            let threads = (rayon::current_num_threads() / jobs).max(1);
            std::thread::scope(|scope| {
                let worker = || {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                    let pool = pool.expect("the system has threads to spare");
                    let outcome = catch_unwind(AssertUnwindSafe(|| pool.install(|| self.work())));
                    if outcome.is_err() {
                        self.halt.store(true, Ordering::SeqCst);
                        self.changed.notify_all();
                    }
                    outcome
                };
                let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
                workers.into_iter().map(|worker| worker.join().and_then(|outcome| outcome)).collect()
            })
        };
        for outcome in outcomes {
            if let Err(panic) = outcome {
                resume_unwind(panic);
            }
        }
        self.shared.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// One worker: takes the next stage until there is none.
    fn work(&self) {
        while let Some(node) = self.next() {
            let outcome = self.attempt(node);
            let mut shared = self.shared();
            match outcome {
                Ok(Done::Here(record)) => {
                    shared.summary.ran += 1;
                    shared.summary.cost += node.cost;
                    shared.trained |= node.kind.trains();
                    shared.queue.done(*record);
                }
                Ok(Done::Before(record)) => {
                    let by_another = shared.queue.was_elsewhere(node.key);
                    shared.summary.elsewhere += usize::from(by_another);
                    shared.queue.done(*record);
                    drop(shared);
                    send(self.sink, &Event::Found { stage: self.name(node), by_another });
                }
                Ok(Done::Elsewhere(live)) => {
                    let is_new = shared.queue.is_elsewhere(node.key);
                    drop(shared);
                    if is_new {
                        let words = self.name(node).words();
                        let message = format!("{words} {}: {} works on it", node.key.short(), live.words());
                        send(self.sink, &Event::Noted { message });
                    }
                }
                Ok(Done::Later) => shared.queue.give_back(node.key),
                Err(error) => {
                    shared.queue.give_back(node.key);
                    // Those that stop because of the first failure say so, too: it is the first that counts.
                    shared.failure.get_or_insert(error);
                    self.halt.store(true, Ordering::SeqCst);
                }
            }
            self.changed.notify_all();
        }
    }

    /// Waits for a stage that can be run; none when all are done, or nothing is to be begun any more.
    fn next(&self) -> Option<&'a Node> {
        let mut shared = self.shared();
        loop {
            if self.means.stop.requested() || self.halt.load(Ordering::SeqCst) || shared.queue.is_finished() {
                return None;
            }
            if let Some(node) = shared.queue.take(POLL) {
                return Some(node);
            }
            shared = self.changed.wait_timeout(shared, POLL).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Runs a stage, if nobody else does or did.
    fn attempt(&self, node: &'a Node) -> Result<Done, RunError> {
        let lease = match self.leases.take(&lease_of(node.key))? {
            Taken::Ours(lease) => lease,
            Taken::Theirs(live) => {
                return Ok(match self.find(node)? {
                    Some(record) => Done::Before(Box::new(record)),
                    None => Done::Elsewhere(live),
                });
            }
        };
        if let Some(record) = self.find(node)? {
            return Ok(Done::Before(Box::new(record)));
        }
        // An input that was found damaged since this stage was taken is made anew first.
        let Some(inputs) = self.inputs(node) else { return Ok(Done::Later) };
        let name = self.name(node);
        let outcome = self.execute(node, &inputs, &name, &lease);
        let done = self.settle(node, name, outcome, lease.is_lost());
        if let Err(error) = &done
            && !error.is_interrupted()
            && !lease.is_lost()
        {
            // For whoever looks at the store. A disk that can't take these words is what they are about.
            let words = format!("failed to {}", causes(error).join("; because: ").replace('\n', " "));
            drop(self.means.store.running(node.kind, node.key).note_failure(&words));
        }
        done
    }

    /// What is to be done about a stage that was run.
    fn settle(
        &self,
        node: &Node,
        name: StageName,
        outcome: Result<Record, Failed>,
        is_lost: bool,
    ) -> Result<Done, RunError> {
        match outcome {
            Ok(record) => Ok(Done::Here(Box::new(record))),
            Err(Failed::Run(error)) => Err(*error),
            // It was stopped because another process took it over: that one goes on.
            Err(Failed::Stage(source)) if source.is_interrupted() && is_lost => Ok(Done::Later),
            Err(Failed::Stage(source)) => {
                if let StageError::Store(error) = &*source
                    && self.mend(error)?
                {
                    return Ok(Done::Later);
                }
                let trained = self.shared().trained;
                Err(RunError::Stage {
                    stage: format!("{} {}", name.words(), node.key.short()),
                    serves: name.serves,
                    before_training: !trained && (node.kind == Kind::Prepare || source.is_of_input()),
                    source,
                })
            }
        }
    }

    /// Runs a stage and commits it.
    fn execute(
        &self,
        node: &'a Node,
        inputs: &[Record],
        name: &StageName,
        lease: &Lease,
    ) -> Result<Record, Failed> {
        send(self.sink, &Event::Started { stage: name.clone() });
        failpoint::hit(format_args!("stage.begin.{}", node.kind));
        let watch = Stopwatch::start();
        let sampler = Sampler::begin();
        let open = self.pixels(node, inputs)?;
        let context = Context {
            store: self.means.store,
            keeps: self.means.store,
            key: node.key,
            dataset: &self.study.data[&prepare_of(node)],
            pixels: open,
            device: self.means.device,
            weights: &self.study.weights,
            role: node.role,
            wants: &node.wants,
            inputs: inputs.iter().collect(),
        };
        let running = self.means.store.running(node.kind, node.key);
        running.begin(&node.wants)?;
        let started = running.began(clock::unix_millis())?;
        let stops = Stops { user: self.means.stop, halt: &self.halt, lease: Some(lease) };
        let cadence = Cadence::new(self.means.settings.resume_every);
        let mut desk = StageDesk::new(self.sink, stops, name, node, running, cadence, sampler);
        let left = stage::run(&node.work, &context, &mut desk);
        self.shared().summary.damage.extend_from_slice(desk.damage());
        let (outcome, running) = desk.close().map_err(StageError::from)?;
        let left = left?;
        self.keep_previews(node, &context, &left);
        let result = left.headline.clone();
        let seconds = watch.seconds();
        let faults = outcome.faults.len();
        let costs = Costs {
            seconds,
            threads: rayon::current_num_threads(),
            attempts: outcome.attempts,
            faults: outcome.faults,
            started: Some(started),
            finished: Some(clock::unix_millis().max(started)),
            cpu_seconds: outcome.usage.cpu_seconds,
            peak_memory: outcome.usage.peak_memory,
            usage: outcome.usage.samples,
        };
        let numerics = &self.study.stored.numerics;
        let record = commit::record(self.means.store, node, numerics, left, outcome.points)?;
        self.means.store.write_environment(node.kind, node.key, &self.environment)?;
        failpoint::hit(format_args!("stage.commit.{}", node.kind));
        self.means.store.commit(&record)?;
        failpoint::hit(format_args!("stage.committed.{}", node.kind));
        self.means.store.write_costs(node.kind, node.key, &costs)?;
        if !lease.is_lost() {
            running.remove()?;
        }
        failpoint::hit(format_args!("stage.end.{}", node.kind));
        if faults > 0 {
            let fault = format!("{} {}: {faults} values did not come back", name.words(), node.key.short());
            self.shared().summary.faults.push(fault);
        }
        send(self.sink, &Event::Finished { stage: name.clone(), result, seconds });
        Ok(record)
    }

    /// Keeps what the pseudo labels of a stage look like: before its record, so that whoever finds that finds these, too.
    /// They are for the eye: a stage does not fail for them.
    fn keep_previews(&self, node: &Node, context: &Context<'_>, left: &Left) {
        let Some(masks) = preview::masks(&node.work, left) else { return };
        let kept = preview::pack(context, masks)
            .and_then(|pack| Ok(self.means.store.write_previews(node.kind, node.key, &pack)?));
        if let Err(error) = kept {
            let message = format!("{} {}: no previews: {error}", node.kind, node.key.short());
            send(self.sink, &Event::Noted { message });
        }
    }

    /// The records of a stage's inputs; none if one of them is not done any more.
    fn inputs(&self, node: &Node) -> Option<Vec<Record>> {
        let shared = self.shared();
        node.inputs.iter().map(|key| shared.queue.record(*key).cloned()).collect()
    }

    /// The pixels that a stage reads; none for `prepare`.
    fn pixels(&self, node: &Node, inputs: &[Record]) -> Result<Option<Arc<PreparedPixels>>, Failed> {
        let Some(record) = inputs.first().filter(|_| node.kind != Kind::Prepare) else { return Ok(None) };
        let prepare = prepare_of(node);
        let mut shared = self.shared();
        if let Some(open) = shared.pixels.get(&prepare) {
            return Ok(Some(Arc::clone(open)));
        }
        let open = PreparedPixels::open(self.means.store, &self.study.data[&prepare], record)?;
        shared.pixels.insert(prepare, Arc::clone(&open));
        Ok(Some(open))
    }

    /// Tells damage, sets the file aside, and has what it held made anew. Says whether it could.
    fn mend(&self, error: &StoreError) -> Result<bool, RunError> {
        let Some(path) = error.damaged_path() else { return Ok(false) };
        let mut shared = self.shared();
        let times = shared.damaged.entry(path.to_owned()).or_default();
        *times += 1;
        match error {
            // Told already: it is gone until it is made anew.
            StoreError::Lost { .. } if *times > 1 => {
                forget(&mut shared.queue, error);
                return Ok(true);
            }
            StoreError::Lost { .. } => {}
            _ if *times > PATIENCE => return Err(RunError::DamagedAgain { path: path.to_owned() }),
            _ => {}
        }
        let Some(message) = mend(self.means.store, error)? else { return Ok(false) };
        shared.summary.damage.push(message.clone());
        forget(&mut shared.queue, error);
        drop(shared);
        send(self.sink, &Event::Noted { message });
        Ok(true)
    }

    fn name(&self, node: &Node) -> StageName {
        let nodes = self.study.graph.nodes();
        let index = nodes.iter().position(|other| other.key == node.key).expect("it is of this graph");
        StageName::of(node, index + 1, nodes.len(), &serves(self.study, node.key))
    }
}

/// Forgets that the stages were done that left a damaged artifact.
fn forget(queue: &mut Queue<'_>, error: &StoreError) {
    if let Some(digest) = error.damaged_object() {
        queue.forget(|record| record.outputs.values().any(|output| output.digest == digest));
    }
}

fn prepare_of(node: &Node) -> StageKey {
    node.inputs.first().copied().unwrap_or(node.key)
}

/// What the lease of a stage is called.
fn lease_of(key: StageKey) -> String {
    key.to_string()
}

fn serves(study: &PlannedStudy, key: StageKey) -> String {
    match study.serves.get(&key).map(Vec::as_slice) {
        None | Some([]) => String::new(),
        Some([only]) => only.clone(),
        Some([first, rest @ ..]) => format!("{first} and {} more", rest.len()),
    }
}

/// Why a stage was not done.
pub(super) enum Failed {
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
        Self::Stage(Box::new(error.into()))
    }
}
