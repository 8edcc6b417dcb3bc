//! `stpp exp run`: train what is missing, then write tables and report.

use crate::cli::args::RunArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::{output, report, target};
use crate::run::signal::Stop;
use crate::run::{Event, Executor, PlannedStudy, numerics};
use crate::screen;
use crate::store::Store;

/// Runs the command.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let ablation = target::ablation(&args.spec)?;
    let chosen = target::device(&args.device, &ablation)?;
    let store = Store::open(&args.store.store)?;
    let class = numerics::class(&chosen.device);
    let study = PlannedStudy::new(ablation, &class, &store.cache())?;
    let replace = args.replace || study.stored.ablation.is_single_experiment();
    study.register(&store, replace)?;
    let stop = Stop::on_signal()
        .map_err(|error| Failure::new(FailureKind::Input, format!("failed to listen for Ctrl-C: {error}")))?;
    let mut sink = screen::choose(args.screen.quiet, args.screen.json);
    if let Some(reason) = &chosen.reason {
        let message = format!("training on the CPU ({reason})");
        sink.take(&Event::Noted { message });
    }
    let outcome = Executor { store: &store, device: chosen.device, sink: &mut *sink, stop }.run(&study);
    drop(sink);
    let folder = target::report_folder(args.out.as_deref(), &study.stored.ablation.name);
    let summary = match outcome {
        Ok(summary) => summary,
        Err(error) => {
            // An interim report is better than none; it says that it is incomplete.
            if let Ok(written) = report::write(&store, &study.stored, &folder) {
                output::remark(&format!("interim report, marked incomplete: {}", written.display()));
            }
            return Err(error.into());
        }
    };
    let written = report::write(&store, &study.stored, &folder)?;
    let trained = match summary.ran {
        0 => format!("all {} stages were in the store, nothing was trained", summary.stages),
        ran => format!(
            "ran {ran} of {} stages, {} optimiser steps, in {:.1} s",
            summary.stages, summary.cost.steps, summary.seconds
        ),
    };
    if !args.screen.json {
        output::result(&format!(
            "{trained}\nreport: {}\ntables: {}",
            written.display(),
            store.tables(&study.stored.ablation.name).display()
        ));
    }
    Ok(())
}
