//! `stpp report`: the report and the tables of an ablation, from the store alone.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::args::ReportArgs;
use super::failure::{Failure, FailureKind};
use super::{output, target};
use crate::base::fs;
use crate::base::suggest::nearest;
use crate::report::query::{Facts, facts};
use crate::report::{render, rows};
use crate::spec::{Elsewhere, Spec, load};
use crate::store::beside::Costs;
use crate::store::{Store, StoredStudy};
use crate::track::frame;

/// The report's file.
const REPORT: &str = "report.md";

/// Runs the command.
pub fn report(args: &ReportArgs) -> Result<(), Failure> {
    let name = name_of(&args.name)?;
    let store = Store::open_to_read(&args.store.store)?;
    let stored = find(&store, &name)?;
    if args.costs {
        output::result(&costs(&store, &stored)?);
        return Ok(());
    }
    let folder = target::report_folder(args.out.as_deref(), &name);
    if args.check {
        return check(&store, &stored, &folder);
    }
    // Tables are written into the store.
    let store = Store::open(&args.store.store)?;
    let written = write(&store, &stored, &folder)?;
    output::result(&format!("report: {}\ntables: {}", written.display(), store.tables(&name).display()));
    Ok(())
}

/// Writes the tables and the report of a study; the report's path is the answer.
pub(super) fn write(store: &Store, stored: &StoredStudy, folder: &Path) -> Result<PathBuf, Failure> {
    write_facts(store, &facts(store, stored)?, folder)
}

/// Writes the tables and the report of facts.
pub(super) fn write_facts(store: &Store, facts: &Facts, folder: &Path) -> Result<PathBuf, Failure> {
    let (text, tables) = compose(facts)?;
    frame::write(&store.tables(&facts.study.name), &tables)
        .map_err(|error| Failure::of(FailureKind::Stage, &error))?;
    let path = folder.join(REPORT);
    fs::write_if_changed(&path, text.as_bytes())?;
    Ok(path)
}

fn compose(facts: &Facts) -> Result<(String, Vec<crate::track::table::Table>), Failure> {
    let tables = rows::tables(&facts.study, &facts.metrics)
        .map_err(|error| Failure::of(FailureKind::Damage, &error))?;
    let text = render(&facts.study, &rows::digests(&tables));
    Ok((text, tables))
}

fn check(store: &Store, stored: &StoredStudy, folder: &Path) -> Result<(), Failure> {
    let (text, _) = compose(&facts(store, stored)?)?;
    let path = folder.join(REPORT);
    let there = fs::read_text(&path)?;
    if there == text {
        output::result(&format!("{} is what the store says", path.display()));
        return Ok(());
    }
    let line = there.lines().zip(text.lines()).take_while(|(a, b)| a == b).count() + 1;
    Err(Failure::new(
        FailureKind::Differs,
        format!("{}:{line} differs from what the store says", path.display()),
    )
    .hint(format!("`stpp report {}` writes it anew", stored.ablation.name)))
}

/// The name itself, or the name in a spec file.
fn name_of(what: &str) -> Result<String, Failure> {
    if !what.ends_with(".toml") {
        return Ok(what.to_owned());
    }
    match load(Path::new(what), &[], &Elsewhere)?.spec {
        Spec::Ablation(ablation) => Ok(ablation.name),
        Spec::Experiment(_) => Ok(target::name_of(Path::new(what))),
    }
}

fn find(store: &Store, name: &str) -> Result<StoredStudy, Failure> {
    let mut studies = store.studies(name)?;
    match studies.len() {
        1 => Ok(studies.remove(0)),
        0 => {
            let failure = Failure::new(
                FailureKind::Input,
                format!("failed to find the ablation `{name}` in the store"),
            );
            let names = store.study_names()?;
            Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`stpp exp ls` lists what is there"),
            })
        }
        _ => {
            let classes: Vec<&str> = studies.iter().map(|study| study.numerics.as_str()).collect();
            Err(Failure::new(
                FailureKind::Input,
                format!(
                    "failed to report on `{name}`: the store has it on several numerics classes ({}), \
                     and a report covers one",
                    classes.join(", ")
                ),
            )
            .hint("use a store of its own for each device"))
        }
    }
}

/// What the stages of a study took, as their runs measured it.
fn costs(store: &Store, stored: &StoredStudy) -> Result<String, Failure> {
    let mut text = String::from("what the stages took, as measured when they ran; 100 % CPU are one core\n");
    let mut seen = std::collections::BTreeSet::new();
    let mut total = 0.0;
    for step in stored.members.iter().flat_map(|member| &member.chain.steps) {
        if !seen.insert(step.key) {
            continue;
        }
        if let Some(costs) = store.costs(step.kind, step.key)? {
            let used = used(&costs);
            let Costs { seconds, attempts, faults, .. } = costs;
            total += seconds;
            let role = step.role.map_or("", |role| role.word());
            let more = match (attempts, faults.len()) {
                (0 | 1, 0) => String::new(),
                (attempts, 0) => format!("  the last of {attempts} attempts"),
                (attempts, faults) => {
                    format!("  the last of {attempts} attempts, {faults} DETERMINISM FAULTS")
                }
            };
            let line =
                format!("{}  {:<9} {role:<10} {seconds:>9.1} s{used}{more}", step.key.short(), step.kind);
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    let _ = writeln!(text, "in all {total:.1} s");
    Ok(text)
}

/// The most memory of a stage and its CPU share, in columns that are empty where they are not known.
fn used(costs: &Costs) -> String {
    let memory = costs.peak_memory.map(|memory| format!("{memory:.0} MB")).unwrap_or_default();
    let share = |cpu: f64| format!("{:.0} % CPU", 100.0 * cpu / costs.seconds.max(1e-3));
    let share = costs.cpu_seconds.map(share).unwrap_or_default();
    format!("  {memory:>9}  {share:>10}")
}
