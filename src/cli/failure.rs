//! How a command fails: what happened, what to do, which exit code.

use std::error::Error;
use std::io::{self, ErrorKind};

use crate::base::causes::causes;
use crate::base::fs::FileError;
use crate::data::problem::DataProblems;
use crate::run::device::DeviceError;
use crate::run::study::PlanError;
use crate::run::{RunError, signal};
use crate::spec::SpecProblems;
use crate::store::StoreError;
use crate::store::archive::ArchiveError;

/// The kinds of failure, each with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// A report that was to be checked differs: 1.
    Differs,
    /// Found before the first training step: 2.
    Input,
    /// A stage failed: 3.
    Stage,
    /// Damage in the store: 4.
    Damage,
    /// Ended by the user, resumable: 5.
    Interrupted,
}

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    kind: FailureKind,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    /// A failure of a kind, with a message that is shown as it is.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new() }
    }

    /// A failure of a kind, with the chain of causes of an error.
    pub fn of(kind: FailureKind, error: &(dyn Error + 'static)) -> Self {
        let failure = Self::new(kind, chain(error));
        match disk(error) {
            Some(advice) => failure.hint(advice),
            None => failure,
        }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The process's exit code.
    pub fn code(&self) -> u8 {
        match self.kind {
            FailureKind::Differs => 1,
            FailureKind::Input => 2,
            FailureKind::Stage => 3,
            FailureKind::Damage => 4,
            FailureKind::Interrupted => signal::INTERRUPTED as u8,
        }
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// "failed to run teacher: failed to …", without saying one cause twice.
fn chain(error: &dyn Error) -> String {
    format!("failed to {}", causes(error).join("\n  because: "))
}

/// What to do where the disk is the cause.
fn disk(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        match inner.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                return Some("free some space there, and run the same command again");
            }
            Some(ErrorKind::ReadOnlyFilesystem) => {
                return Some("make the file system writable, or choose another folder");
            }
            _ => cause = inner.source(),
        }
    }
    None
}

impl From<SpecProblems> for Failure {
    fn from(problems: SpecProblems) -> Self {
        // All of them at once, each with its own heading, place and advice.
        Self::new(FailureKind::Input, problems.render(false))
    }
}

impl From<DataProblems> for Failure {
    fn from(problems: DataProblems) -> Self {
        Self::of(FailureKind::Input, &problems)
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::of(FailureKind::Input, &error)
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Store(error) => error.into(),
            error => Self::of(FailureKind::Input, &error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = if error.is_damage() { FailureKind::Damage } else { FailureKind::Input };
        Self::of(kind, &error)
    }
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        let kind = if error.is_damage() { FailureKind::Damage } else { FailureKind::Input };
        Self::of(kind, &error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::of(FailureKind::Input, &error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        if error.is_interrupted() {
            let message = "interrupted: every finished stage is in the store, and where the others stood";
            return Self::new(FailureKind::Interrupted, message)
                .hint("run the same command again to go on from there");
        }
        let kind = match &error {
            RunError::Stage { source, .. } if source.is_damage() => FailureKind::Damage,
            RunError::Stage { before_training: true, .. } => FailureKind::Input,
            RunError::Stage { .. } => FailureKind::Stage,
            RunError::Differs { .. } | RunError::DamagedAgain { .. } => FailureKind::Damage,
            RunError::Interrupted => FailureKind::Interrupted,
            RunError::Store(store) if store.is_damage() => FailureKind::Damage,
            RunError::Store(_) => FailureKind::Stage,
        };
        let failure = Self::of(kind, &error);
        if kind == FailureKind::Stage {
            failure.hint("every stage that was finished before is in the store and will be used again")
        } else {
            failure
        }
    }
}
