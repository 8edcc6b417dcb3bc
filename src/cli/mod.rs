//! The command line: what was typed ([`args`]), one file per command, what is said ([`output`]) and how it fails
//! ([`failure`]).

pub mod args;
pub mod data;
pub mod doctor;
pub mod exp;
pub mod failure;
mod find;
pub mod mlflow;
pub mod output;
pub mod report;
pub mod store;
mod target;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command, DataCommand, ExpCommand};
use failure::Failure;

/// The exit code of a bug of ours.
const BUG: u8 = 70;

/// Runs the program and returns its exit code.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match catch_unwind(AssertUnwindSafe(|| run(&args))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            output::failure(&failure);
            ExitCode::from(failure.code())
        }
        Err(_) => {
            output::bug();
            ExitCode::from(BUG)
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Exp(command) => match command {
            ExpCommand::Run(run) => exp::run::run(run),
            ExpCommand::Plan(plan) => exp::plan::plan(plan),
            ExpCommand::Explain(explain) => exp::explain::explain(explain),
            ExpCommand::Ls(ls) => exp::ls::ls(ls),
            ExpCommand::Show(show) => exp::show::show(show),
            ExpCommand::Diff(diff) => exp::diff::diff(diff),
            ExpCommand::Verify(verify) => exp::verify::verify(verify),
            ExpCommand::Weights(weights) => exp::weights::weights(weights),
        },
        Command::Report(args) => report::report(args),
        Command::Data(DataCommand::Check(check)) => data::check(check),
        Command::Store(command) => store::run(command),
        Command::Mlflow(command) => mlflow::run(command),
        Command::Doctor(args) => doctor::doctor(args),
    }
}
