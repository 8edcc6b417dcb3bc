//! What happens during a run: one stream, read by screens and trackers.

use serde::Serialize;

use crate::plan::{Kind, Node, Role, StageKey};

/// Which stage an event speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StageName {
    /// Its position among the distinct stages of the run, from 1.
    pub index: usize,
    /// How many distinct stages there are.
    pub of: usize,
    /// Its kind.
    pub kind: Kind,
    /// The model it trains or reads.
    pub role: Option<Role>,
    /// Its key.
    pub key: StageKey,
    /// The experiments it belongs to, as `arm/seed/split`; the first few.
    pub serves: String,
}

impl StageName {
    /// The name of a node.
    pub fn of(node: &Node, index: usize, of: usize, serves: &str) -> Self {
        Self { index, of, kind: node.kind, role: node.role, key: node.key, serves: serves.to_owned() }
    }

    /// `retrain student_1`, `prepare`.
    pub fn words(&self) -> String {
        match self.role {
            Some(role) if role.word() != self.kind.word() => format!("{} {role}", self.kind),
            _ => self.kind.to_string(),
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The plan is known.
    Planned {
        /// Experiments.
        experiments: usize,
        /// Distinct stages.
        stages: usize,
        /// Those that are in the store.
        done: usize,
        /// Optimiser steps to go.
        steps: u64,
    },
    /// A stage begins.
    Started {
        /// The stage.
        stage: StageName,
    },
    /// A stage went on.
    Advanced {
        /// The stage.
        stage: StageName,
        /// Finished units: steps or images.
        done: u64,
        /// All units.
        total: u64,
        /// Images through the network so far, for a rate.
        images: u64,
        /// A short text such as `loss 0.731`.
        note: String,
    },
    /// A value was measured.
    Measured {
        /// The stage.
        stage: StageName,
        /// What: `loss`, `val/miou`.
        metric: String,
        /// At which optimiser step.
        step: u64,
        /// The value.
        value: f64,
    },
    /// A stage is committed.
    Finished {
        /// The stage.
        stage: StageName,
        /// Its headline, such as `val mIoU 51.23`.
        result: String,
        /// How long it took. For the screen only.
        seconds: f64,
    },
    /// A stage that was to run turned out to be done.
    Found {
        /// The stage.
        stage: StageName,
        /// Whether another process was seen to work on it.
        by_another: bool,
    },
    /// Something a person should know.
    Noted {
        /// One line.
        message: String,
    },
}

/// Receives events. A sink must not fail: what can't be shown is not shown.
pub trait Sink: Send {
    /// Takes an event.
    fn take(&mut self, event: &Event);
}
