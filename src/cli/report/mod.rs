//! `stpp report`: the report and the tables of an ablation, from the store or from its tables alone.

mod check;
mod costs;
mod folder;
mod panels;

use std::path::Path;

use super::args::ReportArgs;
use super::failure::{Failure, FailureKind};
use super::find;
use super::{output, target};
use crate::report::across;
use crate::report::claim::{ClaimFinding, Verdict};
use crate::report::query::{self, Facts};
use crate::report::scores::Scores;
use crate::spec::{Elsewhere, Spec, load};
use crate::store::Store;

pub(super) use folder::{write, write_facts};

/// Runs the command.
pub fn report(args: &ReportArgs) -> Result<(), Failure> {
    let names = args.names.iter().map(|name| name_of(name)).collect::<Result<Vec<_>, _>>()?;
    let folder = target::report_folder(args.out.as_deref(), &names.join("+"));
    if args.check {
        return check::check(args, &names, &folder);
    }
    let store = Store::open_to_read(&args.store.store)?;
    if args.costs {
        for name in &names {
            output::result(&costs::costs(&store, &find::study(&store, name)?)?);
        }
        return Ok(());
    }
    if args.panels {
        output::result(&format!("panels: {}", panels::write(args, &folder)?.display()));
        return Ok(());
    }
    let facts = facts_of(&store, &names)?;
    // The tables of an ablation are written into the store.
    let into = (names.len() == 1).then(|| Store::open(&args.store.store)).transpose()?;
    let written = write_facts(into.as_ref(), &facts, &folder, args.tables)?;
    let mut told = format!("report: {}", written.display());
    if let Some(store) = &into {
        told += &format!("\ntables: {}", store.tables(&facts.study.name).display());
    }
    output::result(&told);
    if args.check_claims {
        claims(&ClaimFinding::all(&facts.study, &Scores::new(&facts.study)))
    } else {
        Ok(())
    }
}

/// The facts of an ablation, or of several as one.
fn facts_of(store: &Store, names: &[String]) -> Result<Facts, Failure> {
    let mut all = Vec::new();
    for name in names {
        all.push(query::facts(store, &find::study(store, name)?)?);
    }
    if all.len() == 1 {
        return Ok(all.remove(0));
    }
    let (mut studies, mut metrics) = (Vec::new(), Vec::new());
    for facts in all {
        studies.push(facts.study);
        metrics.extend(facts.metrics);
    }
    let study = across::merge(studies).map_err(|error| {
        Failure::of(FailureKind::Input, &error)
            .hint("numbers that were measured differently are not put into one table")
    })?;
    Ok(Facts { study, metrics })
}

/// Says what became of every claim, and fails where one is refuted.
fn claims(found: &[ClaimFinding]) -> Result<(), Failure> {
    if found.is_empty() {
        output::remark("the ablation claims nothing: [[claim]] says what it sets out to show");
    }
    for claim in found {
        let reason = claim.reason().map_or_else(String::new, |reason| format!(" ({reason})"));
        output::result(&format!("{}: {}{reason}", claim.verdict.word(), claim.words()));
    }
    let refuted = found.iter().filter(|claim| claim.verdict == Verdict::Refuted).count();
    match refuted {
        0 => Ok(()),
        _ => Err(Failure::new(FailureKind::Differs, format!("{refuted} of {} claims refuted", found.len()))),
    }
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
