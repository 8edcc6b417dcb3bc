//! Runs what is not in the store, and commits each stage as it is done.
//!
//! What is to be said of a run is here: how it is run, what it did, why it ended. The work is done in `crew.rs`.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use candle_core::Device;

use super::crew::{Crew, Means};
use super::desk::{SharedSink, send};
use super::event::{Event, Sink};
use super::signal::Stop;
use super::study::PlannedStudy;
use crate::base::clock::Stopwatch;
use crate::plan::Cost;
use crate::stage::StageError;
use crate::store::lease::Pace;
use crate::store::{Store, StoreError};

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
        let means =
            Means { store: self.store, device: &self.device, stop: &self.stop, settings: self.settings };
        let mut summary = Crew::new(means, study, &sink, &leases).run()?;
        summary.seconds = watch.seconds();
        Ok(summary)
    }
}
