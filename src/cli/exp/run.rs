//! `stpp exp run`: train what is missing, then write tables and report.

use std::time::Duration;

use crate::cli::args::RunArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::mlflow::follow::{Tracked, patience};
use crate::cli::{output, report, target};
use crate::report::query::{Facts, facts};
use crate::run::mend::mend;
use crate::run::signal::Stop;
use crate::run::study::PlanError;
use crate::run::{Event, Executor, PlannedStudy, Settings, Sink, Summary, numerics};
use crate::screen;
use crate::store::lease::Pace;
use crate::store::quarantine::Quarantined;
use crate::store::{Store, StoreError};

/// Files that one call makes anew beside those that stages find: with more, something is wrong with the disk.
const MENDINGS: usize = 8;

/// Runs the command.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let settings = settings(args)?;
    let patience = patience(&args.track)?;
    let ablation = target::ablation(&args.spec)?;
    let chosen = target::device(&args.device, &ablation)?;
    let store = Store::open(&args.store.store)?;
    let class = numerics::class(&chosen.device);
    let mut study = PlannedStudy::new(ablation, &class, &store.cache())?;
    let mut sink = screen::choose(args.screen.quiet, args.screen.json);
    if let Some(reason) = &chosen.reason {
        let message = format!("training on the CPU ({reason})");
        sink.take(&Event::Noted { message });
    }
    // Before the study is written, so that nobody who clears the store removes it.
    let leases = store.leases(Pace::default());
    let _presence = leases.presence(|live| {
        output::remark(&format!("waiting until {} has cleared the store", live.words()));
    })?;
    let mut damage = Vec::new();
    let replace = args.replace || study.stored.ablation.is_single_experiment();
    while let Err(error) = study.register(&store, replace) {
        match error {
            PlanError::Store(error) if damage.len() < MENDINGS => {
                damage.push(mend_and_tell(&store, error, &mut *sink)?);
            }
            error => return Err(error.into()),
        }
    }
    if let [.., last] = study.stored.registrations.as_slice()
        && study.stored.registrations.len() > 1
        && last.finished > 0
    {
        output::remark(
            "the claims, or the study that they are about, were changed after runs were known: the report says so",
        );
    }
    let stop = Stop::on_signal().map_err(|error| {
        Failure::new(FailureKind::Input, format!("failed to listen for signals: {error}"))
    })?;
    let folder = target::report_folder(args.out.as_deref(), &study.stored.ablation.name);
    let device = chosen.device;
    let mut tracked = Tracked::begin(args, sink, &store, &study.stored);
    let mut executor = Executor { store: &store, device, sink: &mut tracked, stop: stop.clone(), settings };
    let trained = train(&mut executor, &study, &mut damage);
    let written = match &trained {
        Ok((_, facts)) => report::write_facts(Some(&store), facts, &folder, false),
        // An interim report is better than none; it says that it is incomplete.
        Err(_) => report::write(&store, &study.stored, &folder).inspect(|written| {
            output::remark(&format!("interim report, marked incomplete: {}", written.display()));
        }),
    };
    if !tracked.finish(patience, &stop) && !args.screen.quiet && !args.screen.json {
        output::remark(
            "no MLflow server: `stpp mlflow sync` shows this study on one, now or later (MLFLOW_TRACKING_URI names it)",
        );
    }
    let (mut summary, written) = (trained?.0, written?);
    if !args.screen.json {
        let tables = store.tables(&study.stored.ablation.name);
        output::result(&format!(
            "{}\nreport: {}\ntables: {}",
            words(&summary),
            written.display(),
            tables.display()
        ));
    }
    damage.append(&mut summary.damage);
    // Also what a process before this one met that did not come so far.
    let untold = store.untold_damage()?;
    if !untold.is_empty() {
        damage = untold.iter().map(|line| told(&store, line)).collect();
        store.damage_is_told()?;
    }
    complete_but(&damage, &summary.faults)
}

/// Trains what is missing, and reads what a report is about. What is damaged there is made anew, and read again.
fn train(
    executor: &mut Executor<'_>,
    study: &PlannedStudy,
    damage: &mut Vec<String>,
) -> Result<(Summary, Facts), Failure> {
    let mut summary = Summary::default();
    loop {
        summary.add(executor.run(study)?);
        match facts(executor.store, &study.stored) {
            Ok(facts) => return Ok((summary, facts)),
            Err(error) if damage.len() < MENDINGS => {
                damage.push(mend_and_tell(executor.store, error, executor.sink)?);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn told(store: &Store, line: &Quarantined) -> String {
    let place = if line.to == line.from { String::new() } else { format!(" (now in {})", line.to) };
    format!("damage: {}{place}: {}", store.root().join(&line.from).display(), line.why)
}

fn settings(args: &RunArgs) -> Result<Settings, Failure> {
    let wrong = |message: String| Failure::new(FailureKind::Input, message);
    let resume_every = Duration::try_from_secs_f64(args.resume_every)
        .map_err(|error| wrong(format!("failed to use --resume-every {}: {error}", args.resume_every)))?;
    if args.jobs == 0 {
        return Err(wrong("failed to use --jobs 0: at least one stage has to run at a time".to_owned()));
    }
    let record_host = args.record_host;
    Ok(Settings { jobs: args.jobs, resume_every, record_host, ..Settings::default() })
}

/// Sets what is damaged aside and tells it; any other error is the command's.
fn mend_and_tell(store: &Store, error: StoreError, sink: &mut dyn Sink) -> Result<String, Failure> {
    let Some(message) = mend(store, &error)? else { return Err(error.into()) };
    sink.take(&Event::Noted { message: message.clone() });
    Ok(message)
}

fn words(summary: &Summary) -> String {
    let elsewhere = match summary.elsewhere {
        0 => String::new(),
        count => format!(", and another process ran {count}"),
    };
    match summary.ran {
        0 => format!("all {} stages were in the store, nothing was trained{elsewhere}", summary.stages),
        ran => format!(
            "ran {ran} of {} stages{elsewhere}, {} optimiser steps, in {:.1} s",
            summary.stages, summary.cost.steps, summary.seconds
        ),
    }
}

/// A study that came to its end over damage is complete, and yet nobody should overlook it.
fn complete_but(damage: &[String], faults: &[String]) -> Result<(), Failure> {
    if damage.is_empty() && faults.is_empty() {
        return Ok(());
    }
    let mut message = String::from("the study is complete, and yet");
    for line in damage {
        message.push_str(&format!("\n  {line}"));
    }
    for line in faults {
        message.push_str(&format!("\n  determinism fault: {line}"));
    }
    let mut failure = Failure::new(FailureKind::Damage, message);
    if !damage.is_empty() {
        failure = failure
            .hint(
                "check the disk: `stpp store verify` reads every byte; what was damaged is in quarantine-v1",
            )
            .hint("this is said, and exit code 4 given, once: the same command ends with 0 now");
    }
    if !faults.is_empty() {
        failure =
            failure.hint("`stpp doctor` checks this machine; `stpp exp verify` computes the stage again");
    }
    Err(failure)
}
