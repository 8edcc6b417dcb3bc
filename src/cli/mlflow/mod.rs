//! `stpp mlflow`: what a tracking server shows of the store.

pub mod args;
pub mod follow;
mod open;
mod sync;

use std::time::Duration;

use args::MlflowCommand;

use super::failure::{Failure, FailureKind};
use crate::base::suggest::nearest;
use crate::mlflow::server::Server;
use crate::store::{Store, StoredStudy};

/// Runs one of the commands.
pub fn run(command: &MlflowCommand) -> Result<(), Failure> {
    match command {
        MlflowCommand::Sync(args) => sync::sync(args),
        MlflowCommand::Open(args) => open::open(args),
    }
}

/// The server at an address, with what the process's variables say of it.
fn server(uri: &str) -> Result<Server, Failure> {
    Server::at(uri, |name| std::env::var(name).ok()).map_err(|error| Failure::of(FailureKind::Input, &error))
}

fn no_server() -> Failure {
    Failure::new(FailureKind::Input, "failed to find a server: neither --to nor MLFLOW_TRACKING_URI names one").hint(
        "`pip install mlflow` and `mlflow server` start one; then `export MLFLOW_TRACKING_URI=http://127.0.0.1:5000`",
    )
}

/// The studies of some names, on every numerics class; without names, all that there are.
fn studies(store: &Store, names: &[String]) -> Result<Vec<StoredStudy>, Failure> {
    let known = store.study_names()?;
    let names = if names.is_empty() { &known } else { names };
    let mut studies = Vec::new();
    for name in names {
        let found = store.studies(name)?;
        if found.is_empty() {
            let message = format!("failed to find the ablation `{name}` in the store");
            let failure = Failure::new(FailureKind::Input, message);
            return Err(match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`stpp exp ls` lists what is there"),
            });
        }
        studies.extend(found);
    }
    Ok(studies)
}

/// A number of seconds that was typed after a flag.
pub(super) fn seconds(flag: &str, seconds: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        Failure::new(
            FailureKind::Input,
            format!("failed to use {flag} {seconds}: it is a number of seconds, from 0 on"),
        )
    })
}
