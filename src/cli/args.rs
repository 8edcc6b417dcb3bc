//! What was typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

use super::mlflow::args::{MlflowCommand, TrackArgs};
use super::store::args::StoreCommand;

/// Reproducible experiments for self-training in semi-supervised semantic segmentation
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run, plan and look at experiments and ablations
    #[command(subcommand)]
    Exp(ExpCommand),
    /// Write the report and the tables of an ablation that was run
    Report(ReportArgs),
    /// Look at data before anything trains
    #[command(subcommand)]
    Data(DataCommand),
    /// Check, clean up and move what is remembered
    #[command(subcommand)]
    Store(StoreCommand),
    /// Show what is in the store on an MLflow server
    #[command(subcommand)]
    Mlflow(MlflowCommand),
    /// Check this machine: device, store, versions, and a golden training trace
    Doctor(DoctorArgs),
}

/// `stpp exp …`
#[derive(Debug, Subcommand)]
pub enum ExpCommand {
    /// Train what is missing, then write tables and report
    Run(RunArgs),
    /// Say what would be computed, what is shared and what is done already
    Plan(PlanArgs),
    /// Say why each stage that is not in the store is to run, and whose work the others are
    Explain(ExplainArgs),
    /// List the ablations in the store
    Ls(LsArgs),
    /// Show a resolved spec, or an ablation or run in the store
    Show(ShowArgs),
    /// Show two experiments of the store side by side: spec, shared stages, results
    Diff(DiffArgs),
    /// Compute stages again, apart from the store, and compare every bit with it
    Verify(VerifyArgs),
    /// Write a trained model as safetensors, with the names of the official PyTorch code
    Weights(WeightsArgs),
}

/// `stpp data …`
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Check lists, images, masks and splits of a spec's data
    Check(CheckArgs),
}

/// A spec and what is laid over it.
#[derive(Debug, ClapArgs)]
pub struct SpecArgs {
    /// A TOML file with one experiment, or with an ablation
    pub spec: PathBuf,
    /// Lay a value over the spec; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

/// Where things are remembered.
#[derive(Debug, ClapArgs)]
pub struct StoreArgs {
    /// The folder that remembers artifacts and results
    #[arg(long, value_name = "DIR", env = "STPP_STORE", default_value = ".stpp")]
    pub store: PathBuf,
}

/// Where things are computed.
#[derive(Debug, ClapArgs)]
pub struct DeviceArgs {
    /// auto, cpu or cuda:N; what the spec says otherwise
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Worker threads, 0 for one per core; results do not depend on it
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// How much is shown.
#[derive(Debug, ClapArgs)]
pub struct ScreenArgs {
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
    /// Write events as lines of JSON to standard output
    #[arg(long, conflicts_with = "quiet")]
    pub json: bool,
}

/// `stpp exp run`
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// What to run.
    #[command(flatten)]
    pub spec: SpecArgs,
    /// Where to remember.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// What to show.
    #[command(flatten)]
    pub screen: ScreenArgs,
    /// Write the report here instead of reports/NAME
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Run so many stages at once, with the threads divided between them; results do not depend on it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// Let a training keep a resume point about every so many seconds; with 0, after every step
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    pub resume_every: f64,
    /// Who else is told.
    #[command(flatten)]
    pub track: TrackArgs,
    /// Write the host's name beside each stage, too
    #[arg(long)]
    pub record_host: bool,
    /// Let this ablation take a name that another one has in the store; finished stages stay
    #[arg(long)]
    pub replace: bool,
}

/// `stpp exp plan`
#[derive(Debug, ClapArgs)]
pub struct PlanArgs {
    /// What to plan.
    #[command(flatten)]
    pub spec: SpecArgs,
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Where it would compute.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// List every distinct stage
    #[arg(long)]
    pub stages: bool,
    /// Write the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// `stpp exp explain`
#[derive(Debug, ClapArgs)]
pub struct ExplainArgs {
    /// What to explain.
    #[command(flatten)]
    pub spec: SpecArgs,
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Where it would compute.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Write every stage as JSON
    #[arg(long)]
    pub json: bool,
}

/// `stpp exp ls`
#[derive(Debug, ClapArgs)]
pub struct LsArgs {
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `stpp exp show`
#[derive(Debug, ClapArgs)]
pub struct ShowArgs {
    /// A spec file, the name of an ablation in the store, or the first digits of a run id
    pub what: String,
    /// Lay a value over the spec; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// `stpp exp verify`
#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    /// A spec file, the name of an ablation in the store, or the first digits of a run id
    pub what: String,
    /// Lay a value over the spec; can be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Only these stages: a kind, a role, or the first digits of a key; can be repeated
    #[arg(long = "stage", value_name = "STAGE")]
    pub stages: Vec<String>,
    /// Only the first steps of every training
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// On another numerics class, how far a loss may be off, as a share of itself
    #[arg(long, value_name = "SHARE", default_value_t = 1e-3)]
    pub tolerance: f64,
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// `stpp exp diff`
#[derive(Debug, ClapArgs)]
pub struct DiffArgs {
    /// The first digits of a run id, or ABLATION/ARM[/SEED[/SPLIT]]
    #[arg(value_name = "A")]
    pub one: String,
    /// The other one
    #[arg(value_name = "B")]
    pub other: String,
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `stpp exp weights`
#[derive(Debug, ClapArgs)]
pub struct WeightsArgs {
    /// The first digits of a run id, as `exp show` lists them
    pub run: String,
    /// Which model of the run: teacher, student_1 or student; the run's result if left out
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// `stpp report`
#[derive(Debug, ClapArgs)]
pub struct ReportArgs {
    /// The name of an ablation in the store, or its spec file; several are compared with each other
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Write here instead of reports/NAME
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write the tables beside the report, too: with them it can be checked, and rendered again, without a store
    #[arg(long)]
    pub tables: bool,
    /// Write nothing; exit 1 when the report that is there differs from its tables, or else from the store
    #[arg(long, conflicts_with = "tables")]
    pub check: bool,
    /// Say what became of the ablation's claims; exit 1 when one is refuted
    #[arg(long)]
    pub check_claims: bool,
    /// Write a page of panels instead: image, truth and what each arm made of it, where the arms differ most; needs a spec file
    /// and its data
    #[arg(long, conflicts_with_all = ["check", "check_claims", "tables", "costs"])]
    pub panels: bool,
    /// Show what the stages took in hours instead
    #[arg(long, conflicts_with_all = ["check", "check_claims", "tables"])]
    pub costs: bool,
}

/// `stpp data check`
#[derive(Debug, ClapArgs)]
pub struct CheckArgs {
    /// Whose data to check.
    #[command(flatten)]
    pub spec: SpecArgs,
    /// Where manifests are cached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `stpp doctor`
#[derive(Debug, ClapArgs)]
pub struct DoctorArgs {
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Where to compute.
    #[command(flatten)]
    pub device: DeviceArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Args::command().debug_assert();
    }
}
