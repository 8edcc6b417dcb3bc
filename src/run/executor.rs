//! Runs what is not in the store, and commits each stage as it is done: several at once, beside other processes.

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
use super::desk::{SharedSink, StageDesk, send};
use super::event::{Event, Sink, StageName};
use super::mend::mend;
use super::queue::Queue;
use super::signal::Stop;
use super::study::PlannedStudy;
use crate::base::clock::Stopwatch;
use crate::base::failpoint;
use crate::plan::work::Work;
use crate::plan::{Cost, Kind, Node, StageKey};
use crate::stage::pixels::PreparedPixels;
use crate::stage::{self, Context, StageError};
use crate::store::lease::{Leases, Live, Pace, Taken};
use crate::store::{Record, Store, StoreError};

/// How often a process looks whether another one has finished a stage.
const POLL: Duration = Duration::from_millis(200);

/// A file that is damaged again after it was made anew lies on a disk that can't be used.
const PATIENCE: u32 = 2;

/// How plans are run. Nothing here changes a bit of any result.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Stages that are run at once; the threads are divided between them.
    pub jobs: usize,
    /// About how often a training keeps a resume point; with 0, after every step.
    pub resume_every: Duration,
    /// How processes that share a store notice each other.
    pub pace: Pace,
    /// Whether the host's name is written beside each stage.
    pub record_host: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { jobs: 1, resume_every: Duration::from_secs(300), pace: Pace::default(), record_host: false }
    }
}

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
    /// How.
    pub settings: Settings,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Distinct stages of the plan.
    pub stages: usize,
    /// Those that were run now, and here.
    pub ran: usize,
    /// Those that other processes ran meanwhile.
    pub elsewhere: usize,
    /// The cost of those that were run here.
    pub cost: Cost,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Files that were damaged or gone, a line each. What they held was computed again.
    pub damage: Vec<String>,
    /// Stages that did not repeat their own bits after an interruption, a line each.
    pub faults: Vec<String>,
}

impl Summary {
    /// Adds what a further run of the same plan did.
    pub fn add(&mut self, more: Self) {
        self.stages = more.stages;
        self.ran += more.ran;
        self.elsewhere += more.elsewhere;
        self.cost += more.cost;
        self.seconds += more.seconds;
        self.damage.extend(more.damage);
        self.faults.extend(more.faults);
    }
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
    /// A file was damaged, made anew, and is damaged again.
    #[error(
        "keep {}: it was damaged, computed again, and is damaged once more; check the disk, or use another --store",
        path.display()
    )]
    DamagedAgain {
        /// The file.
        path: PathBuf,
    },
    /// The user asked to stop between two stages.
    #[error("finish: interrupted by the user")]
    Interrupted,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RunError {
    /// Whether the user asked for it.
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Stage { source, .. } => source.is_interrupted(),
            _ => false,
        }
    }
}

impl Executor<'_> {
    /// Runs every stage of a plan that is not done.
    ///
    /// # Errors
    /// [`RunError`] of the first stage that fails; the ones before it are committed, and those that ran beside it have
    /// kept where they stand.
    pub fn run(&mut self, study: &PlannedStudy) -> Result<Summary, RunError> {
        let watch = Stopwatch::start();
        let leases = self.store.leases(self.settings.pace);
        let sink: SharedSink<'_> = Mutex::new(&mut *self.sink);
        // So that nobody removes what this process has written and not yet committed.
        let _presence = leases.presence(|live| {
            let message = format!("waiting until {} has cleared the store", live.words());
            send(&sink, &Event::Noted { message });
        })?;
        let work = Crew {
            store: self.store,
            device: &self.device,
            stop: &self.stop,
            settings: self.settings,
            environment: environment(&self.device, self.settings.record_host),
            study,
            sink: &sink,
            leases: &leases,
            halt: AtomicBool::new(false),
            changed: Condvar::new(),
            shared: Mutex::new(Shared {
                queue: Queue::new(&study.graph, BTreeMap::new()),
                pixels: BTreeMap::new(),
                summary: Summary { stages: study.graph.nodes().len(), ..Summary::default() },
                damaged: BTreeMap::new(),
                trained: false,
                failure: None,
            }),
        };
        work.look_around()?;
        let mut shared = work.run()?;
        match shared.failure.take() {
            Some(error) => Err(error),
            None if !shared.queue.is_finished() => Err(RunError::Interrupted),
            None => {
                shared.summary.seconds = watch.seconds();
                Ok(shared.summary)
            }
        }
    }
}

fn environment(device: &Device, record_host: bool) -> serde_json::Value {
    let environment = Environment::of(device);
    let environment = if record_host { environment.with_host() } else { environment };
    serde_json::to_value(environment).expect("an environment is plain data")
}

/// The workers of one run, and what they share.
struct Crew<'a, 's> {
    store: &'a Store,
    device: &'a Device,
    stop: &'a Stop,
    settings: Settings,
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

impl<'a> Crew<'a, '_> {
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
        self.note_labels_again()?;
        let done = self.shared().queue.count();
        let experiments = self.study.stored.members.len();
        send(self.sink, &Event::Planned { experiments, stages: nodes.len(), done, steps });
        for (kind, key) in self.store.running_stages()? {
            let is_done = self.shared().queue.record(key).is_some();
            // Only under the lease: the owner may be about to remove it.
            if is_done && let Taken::Ours(_lease) = self.leases.take(&lease_of(key))? {
                self.store.running(kind, key).remove()?;
            }
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
                match stage::label::note_again(self.store, work, (*prepare, &model), &record) {
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
        loop {
            let error = match self.store.done(node) {
                Ok(None) => match self.store.lost(node) {
                    Ok(lost) => {
                        for lost in &lost {
                            self.mend(lost)?;
                        }
                        return Ok(None);
                    }
                    Err(error) => error,
                },
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if !self.mend(&error)? {
                return Err(error.into());
            }
        }
    }

    /// Works with as many workers as there are jobs, until all is done or one has failed.
    fn run(self) -> Result<Shared<'a>, RunError> {
        let jobs = self.settings.jobs.max(1);
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
        Ok(self.shared.into_inner().unwrap_or_else(PoisonError::into_inner))
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
                    shared.summary.elsewhere += 1;
                    shared.queue.done(*record);
                    drop(shared);
                    send(self.sink, &Event::Found { stage: self.name(node) });
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
            if self.stop.requested() || self.halt.load(Ordering::SeqCst) || shared.queue.is_finished() {
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
        let outcome = self.execute(node, &inputs, &name);
        drop(lease);
        match outcome {
            Ok(record) => Ok(Done::Here(Box::new(record))),
            Err(Failed::Run(error)) => Err(*error),
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
    fn execute(&self, node: &'a Node, inputs: &[Record], name: &StageName) -> Result<Record, Failed> {
        send(self.sink, &Event::Started { stage: name.clone() });
        failpoint::hit(format_args!("stage.begin.{}", node.kind));
        let watch = Stopwatch::start();
        let open = self.pixels(node, inputs)?;
        let context = Context {
            store: self.store,
            keeps: self.store,
            key: node.key,
            dataset: &self.study.data[&prepare_of(node)],
            pixels: open,
            device: self.device,
            weights: &self.study.weights,
            role: node.role,
            wants: &node.wants,
            inputs: inputs.iter().collect(),
        };
        let running = self.store.running(node.kind, node.key);
        let cadence = Cadence::new(self.settings.resume_every);
        let mut desk = StageDesk::new(self.sink, (self.stop, &self.halt), name, node, running, cadence);
        let left = stage::run(&node.work, &context, &mut desk);
        self.shared().summary.damage.extend_from_slice(desk.damage());
        let (outcome, running) = desk.close().map_err(StageError::from)?;
        let left = left?;
        let result = left.headline.clone();
        let seconds = watch.seconds();
        let costs = serde_json::json!({
            "seconds": seconds, "threads": rayon::current_num_threads(), "attempts": outcome.attempts,
            "faults": outcome.faults,
        });
        let faults = outcome.faults.len();
        let numerics = &self.study.stored.numerics;
        let record = commit::record(self.store, node, numerics, left, outcome.points)?;
        self.store.write_environment(node.kind, node.key, &self.environment)?;
        self.store.write_costs(&record, &costs)?;
        failpoint::hit(format_args!("stage.commit.{}", node.kind));
        self.store.commit(&record)?;
        failpoint::hit(format_args!("stage.committed.{}", node.kind));
        running.remove()?;
        failpoint::hit(format_args!("stage.end.{}", node.kind));
        if faults > 0 {
            let fault = format!("{} {}: {faults} values did not come back", name.words(), node.key.short());
            self.shared().summary.faults.push(fault);
        }
        send(self.sink, &Event::Finished { stage: name.clone(), result, seconds });
        Ok(record)
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
        let open = PreparedPixels::open(self.store, &self.study.data[&prepare], record)?;
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
        let Some(message) = mend(self.store, error)? else { return Ok(false) };
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
