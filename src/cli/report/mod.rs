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
use crate::report::study::Study;
use crate::spec::claim::claims_digest;
use crate::spec::{Elsewhere, Spec, ablation_id, load};
use crate::store::{Store, StoreError};

pub(super) use folder::{write, write_facts};

/// Runs the command.
pub fn report(args: &ReportArgs) -> Result<(), Failure> {
    let names = args.names.iter().map(|name| name_of(name)).collect::<Result<Vec<_>, _>>()?;
    let folder = target::report_folder(args.out.as_deref(), &names.join("+"));
    if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(Failure::new(FailureKind::Input, format!("failed to compare `{}` with itself", twice.1)));
    }
    if names.len() > 1 && args.check_claims {
        let message =
            "failed to check the claims of several ablations at once: each is judged over its own claims";
        return Err(Failure::new(FailureKind::Input, message).hint("name one ablation at a time"));
    }
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
    warn_of_other_specs(args, &store)?;
    let facts = facts_of(&store, &names)?;
    // The tables of an ablation are written into the store.
    let into = match Store::open(&args.store.store) {
        _ if names.len() > 1 => None,
        Ok(store) => Some(store),
        Err(StoreError::NotWritable { .. }) => {
            output::remark("the store can't be written: its tables are left as they are");
            None
        }
        Err(error) => return Err(error.into()),
    };
    let written = write_facts(into.as_ref(), &facts, &folder, args.tables)?;
    let mut told = format!("report: {}", written.display());
    if let Some(store) = &into {
        told += &format!("\ntables: {}", store.tables(&facts.study.name).display());
    }
    output::result(&told);
    if args.check_claims { claims(args, &facts.study) } else { Ok(()) }
}

/// Says so where a spec file is not what was run under its name.
fn warn_of_other_specs(args: &ReportArgs, store: &Store) -> Result<(), Failure> {
    for path in args.names.iter().filter(|name| name.ends_with(".toml")) {
        if let Spec::Ablation(ablation) = load(Path::new(path), &[], &Elsewhere)?.spec {
            let stored = find::study(store, &ablation.name)?;
            if ablation_id(&stored.ablation) != ablation_id(&ablation) {
                output::remark(&format!(
                    "{path} is not what was run as `{}`: the report is of what the store holds",
                    ablation.name
                ));
            }
        }
    }
    Ok(())
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

/// Says what became of every claim, and fails where one is refuted, or where a spec file claims something else.
fn claims(args: &ReportArgs, study: &Study) -> Result<(), Failure> {
    for path in args.names.iter().filter(|name| name.ends_with(".toml")) {
        if let Spec::Ablation(ablation) = load(Path::new(path), &[], &Elsewhere)?.spec
            && claims_digest(&ablation.claims) != claims_digest(&study.claims)
        {
            let message =
                format!("failed to check the claims of {path}: they are not those that were registered");
            return Err(Failure::new(FailureKind::Input, message)
                .hint(format!("`stpp exp run {path}` registers them")));
        }
    }
    let scores = Scores::new(study);
    let found = ClaimFinding::all(study, &scores);
    if study.registrations.len() > 1 {
        output::remark(
            "the claims, or the study that they are about, were changed after they were registered: see the report",
        );
    }
    if found.is_empty() && !study.registrations.is_empty() {
        return Err(Failure::new(FailureKind::Differs, "the claims that were registered were withdrawn"));
    }
    if found.is_empty() {
        output::remark("the ablation claims nothing: [[claim]] says what it sets out to show");
    }
    for claim in &found {
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
