//! What was typed after `stpp mlflow`.

use std::ffi::OsString;

use clap::{Args as ClapArgs, Subcommand};

use crate::cli::args::StoreArgs;

/// `stpp mlflow …`
#[derive(Debug, Subcommand)]
pub enum MlflowCommand {
    /// Send what a server does not have yet, any number of times, from any copy of the store
    Sync(SyncArgs),
    /// Print the links of an ablation on a server: charts, table, factors, report
    Open(OpenArgs),
}

/// `stpp mlflow sync`
#[derive(Debug, ClapArgs)]
pub struct SyncArgs {
    /// Names of ablations in the store; all of them if left out
    pub names: Vec<String>,
    /// The server's address; can be repeated
    #[arg(long = "to", value_name = "URI", env = "MLFLOW_TRACKING_URI", hide_env_values = true)]
    pub to: Vec<String>,
    /// Read everything back, and compare it with the store
    #[arg(long)]
    pub verify: bool,
    /// Send everything again; the server has it once
    #[arg(long)]
    pub again: bool,
    /// Take back that experiments and runs were deleted on the server
    #[arg(long)]
    pub restore: bool,
    /// Give up when the server was away for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub wait: f64,
    /// Where everything is remembered.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// `stpp mlflow open`
#[derive(Debug, ClapArgs)]
pub struct OpenArgs {
    /// The name of an ablation in the store; all of them if left out
    pub names: Vec<String>,
    /// The server's address
    #[arg(long = "to", value_name = "URI", env = "MLFLOW_TRACKING_URI", hide_env_values = true)]
    pub to: Option<String>,
    /// Where everything is remembered.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// What a run says of a server.
#[derive(Debug, ClapArgs)]
pub struct TrackArgs {
    /// Send what is measured to this MLflow server as well; "" for none
    #[arg(long, value_name = "URI", env = "MLFLOW_TRACKING_URI", hide_env_values = true)]
    pub mlflow: Option<OsString>,
    /// Wait at most so many seconds at the end for the server to have everything
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub mlflow_wait: f64,
}
