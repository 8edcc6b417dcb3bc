//! What a tracking server shows of a study: against a server in this process that fails when it is told to, and, where
//! `STPP_MLFLOW` names what `tests/mlflow/setup.sh` has installed, against a real one.

#[allow(dead_code)]
#[path = "../cli/specs.rs"]
mod specs;
#[allow(dead_code)]
#[path = "../cli/support.rs"]
mod support;

mod bad_input;
mod beside;
mod content;
mod fake;
mod faults;
mod golden;
mod live;
mod server;
mod studies;
mod tls;
