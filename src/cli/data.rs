//! `stpp data check`: everything that is wrong with lists, images, masks and splits, before anything trains.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::args::CheckArgs;
use super::failure::{Failure, FailureKind};
use super::{output, target};
use crate::base::progress::Quiet;
use crate::data::check::{CheckReport, check as check_data};
use crate::run::bind::binding;

/// Runs the command.
pub fn check(args: &CheckArgs) -> Result<(), Failure> {
    let ablation = target::ablation(&args.spec)?;
    let store = target::store_to_plan(&args.store)?;
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    for member in &ablation.experiments {
        let experiment = &member.experiment;
        if !seen.insert(binding(experiment)) {
            continue;
        }
        let report = check_data(&experiment.data, &experiment.split, &store.cache(), &mut Quiet::default());
        if args.json {
            output::result(&serde_json::to_string(&report).expect("a report is plain data"));
        } else {
            output::result(&words(&report, &member.split));
        }
        problems.extend(report.problems.into_iter().map(|problem| problem.message));
    }
    match problems.len() {
        0 => Ok(()),
        n => {
            let noun = if n == 1 { "problem" } else { "problems" };
            Err(Failure::new(FailureKind::Input, format!("{n} {noun}\n{}", problems.join("\n"))))
        }
    }
}

fn words(report: &CheckReport, split: &str) -> String {
    let mut text =
        format!("{}: {} classes, data {}", report.name, report.classes.len(), report.manifest.short());
    if let Some(official) = report.official_val {
        let _ = write!(text, ", val is the official list of {official}");
    }
    let _ = writeln!(text, "\nsplit {split} ({}): {}\n", report.split.short(), report.identity);
    let rows = report.groups.iter().map(|group| {
        [
            group.name.to_owned(),
            group.images.to_string(),
            group.masks.to_string(),
            group.ignored_pixels.to_string(),
        ]
    });
    text.push_str(&output::columns(["images", "number", "with mask", "ignored pixels"], rows));
    text.push_str("\n\nshare of the pixels that count, in %\n");
    let mut header = vec!["class"];
    header.extend(report.groups.iter().map(|group| group.name));
    let rows = report.classes.iter().enumerate().map(|(class, name)| {
        let mut row = vec![name.clone()];
        row.extend(report.groups.iter().map(|group| format!("{:.2}", 100.0 * group.share(class))));
        row
    });
    text.push_str(&output::columns(header, rows));
    text.push('\n');
    text
}
