//! What a server is to show of a study: a pure function of the store.
//!
//! | here | there |
//! |---|---|
//! | ablation | experiment `stpp/<name>`, its note the report, with [`saved`] views |
//! | arm × seed × split | one run, flat: `arm`, `seed`, `split` and the factors as parameters |
//! | stage | the prefix of a metric, which makes a section of the charts: `teacher/loss`, `student/val/miou` |
//! | the columns of table `runs` | `eval/miou` and its like |
//! | pseudo labels | images with a slider over the re-trainings |
//! | per-class IoU, per-image scores | tables in the page of a run, and Parquet |
//! | the report | one run of kind `report` |
//!
//! Nothing in it depends on who looks, on the machine, or on the hour, but for what stands beside the records: costs (under
//! `system/`), and when stages began and ended.

pub mod experiment;
pub mod images;
pub mod params;
pub mod report;
pub mod run;
pub mod saved;
pub mod series;
pub mod system;
pub mod table;

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{Input, Key, ParamValue, RunStatus, TagValue};
use crate::base::digest::Digest;
use crate::plan::StageKey;
use crate::store::StoredStudy;

pub use series::Series;

/// The tag by which a run is known again.
pub const UID: &str = "stpp.run_uid";
/// The tag that tells runs of experiments (`cell`) from that of the report (`report`).
pub const KIND: &str = "stpp.kind";
/// The tag with the arm's name.
pub const ARM: &str = "stpp.arm";
/// The tag with the split's label.
pub const SPLIT: &str = "stpp.split";
/// The tag with the numerics class.
pub const NUMERICS: &str = "stpp.numerics";
/// The tag that says why a run failed.
pub const FAILURE: &str = "stpp.failure";
/// The tag that people read first, and may write anew.
pub const NOTE: &str = "mlflow.note.content";
/// The tag that tells which notes were brought: another one was written by people, and stays.
pub const BROUGHT: &str = "stpp.note";
/// The tag of a run that was made twice, and of which this is not the one in use.
pub const DUPLICATE: &str = "stpp.duplicate_of";

/// What a run is to show.
#[derive(Debug, Clone)]
pub struct RunView {
    /// What it is known again by here.
    pub uid: Digest,
    /// What people call it.
    pub name: String,
    /// Its place among its siblings.
    pub order: i64,
    /// When it began, in milliseconds since 1970; none where nobody wrote it down.
    pub started: Option<u64>,
    /// When it ended.
    pub ended: Option<u64>,
    /// What became of it.
    pub state: State,
    /// Parameters: they never change.
    pub params: BTreeMap<Key, ParamValue>,
    /// Tags.
    pub tags: BTreeMap<Key, TagValue>,
    /// What it read.
    pub inputs: Vec<Input>,
    /// What its stages measured.
    pub series: Vec<Series>,
    /// Results of the whole run, at step 0. Empty until it is complete.
    pub values: BTreeMap<Key, f64>,
    /// What its stages took.
    pub system: Vec<Sample>,
    /// Files, by path. Empty while it is under way.
    pub artifacts: BTreeMap<String, Vec<u8>>,
}

impl RunView {
    /// Its state in the server's terms.
    pub fn status(&self) -> RunStatus {
        match self.state {
            State::Waiting => RunStatus::Scheduled,
            State::UnderWay => RunStatus::Running,
            State::Complete => RunStatus::Finished,
            State::Failed => RunStatus::Failed,
            State::Stopped => RunStatus::Killed,
        }
    }

    /// When it ended; none while it is under way.
    pub fn ended_at(&self) -> Option<u64> {
        self.ended.filter(|_| self.state != State::UnderWay)
    }
}

/// A measurement of the machine, at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// What.
    pub key: Key,
    /// The how-manieth.
    pub step: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The value.
    pub value: f64,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing of it has begun: there is nothing to show.
    Waiting,
    /// Someone works on it, or on another run of its study before it.
    UnderWay,
    /// All its stages are done.
    Complete,
    /// One of its stages failed.
    Failed,
    /// It was interrupted.
    Stopped,
}

/// Who works on what at the moment.
#[derive(Debug, Clone, Default)]
pub struct AtWork {
    /// This process runs the study.
    pub here: bool,
    /// Stages that someone works on.
    pub stages: BTreeSet<StageKey>,
}

impl AtWork {
    /// Whether someone works on a study.
    pub fn on(&self, study: &StoredStudy) -> bool {
        let mut steps = study.members.iter().flat_map(|member| &member.chain.steps);
        self.here || !self.stages.is_empty() && steps.any(|step| self.stages.contains(&step.key))
    }
}

/// What tells one note from another, in short.
pub fn of_note(note: &str) -> String {
    Digest::of(note.as_bytes()).to_string()[..16].to_owned()
}

/// How much of a run is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What changes while it is under way.
    Points,
    /// Results and files, too.
    Whole,
}
