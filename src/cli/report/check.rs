//! `stpp report --check`: is the report what its tables, or else the store, say? Nothing is written.

use std::path::Path;

use super::folder::{TABLES, failure, stale, tables_in};
use crate::base::fs;
use crate::cli::args::ReportArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::output;
use crate::report::claim::ClaimFinding;
use crate::report::findings::Findings;
use crate::report::form::{self, Files};
use crate::report::query::Facts;
use crate::report::scores::Scores;
use crate::report::{restore, rows};
use crate::store::Store;
use crate::track::frame;

/// Renders the report again and compares it byte for byte: from the tables beside it alone where there are some, without any
/// store, and else from the store.
pub fn check(args: &ReportArgs, names: &[String], folder: &Path) -> Result<(), Failure> {
    let tables = folder.join(TABLES);
    let mut beside = Files::new();
    let (facts, source) = if tables.is_dir() {
        let facts = restore::facts(&tables).map_err(|error| Failure::of(FailureKind::Damage, &error))?;
        beside = tables_in(&tables)?;
        (facts, format!("the tables in {} say", tables.display()))
    } else {
        let store = Store::open_to_read(&args.store.store)?;
        (super::facts_of(&store, names)?, "the store says".to_owned())
    };
    let Facts { study, metrics } = &facts;
    let scores = Scores::new(study);
    let cited = frame::cite(&rows::tables(study, &scores, metrics)).map_err(|error| failure(&error))?;
    let files = form::files(&Findings::new(study, &scores, &cited), &beside);
    compare(folder, &files, &source, names)?;
    let count = files.len();
    output::result(&format!("{}: all {count} files are what {source}", folder.display()));
    if args.check_claims { super::claims(&ClaimFinding::all(study, &scores)) } else { Ok(()) }
}

/// The first file that differs.
fn compare(folder: &Path, files: &Files, source: &str, names: &[String]) -> Result<(), Failure> {
    let differs = |place: String| {
        Failure::new(FailureKind::Differs, format!("{place} differs from what {source}"))
            .hint(format!("`stpp report {}` writes it anew from the store", names.join(" ")))
    };
    // The page that people read is told of first.
    let mut order: Vec<&String> = files.keys().collect();
    order.sort_by_key(|name| name.as_str() != form::MARKDOWN);
    for name in order {
        let path = folder.join(name);
        let there = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() && name != form::MARKDOWN => {
                return Err(differs(format!("{} is missing, which", path.display())));
            }
            Err(error) => return Err(error.into()),
        };
        if there != files[name] {
            let lines =
                |bytes: &[u8]| bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
            let (there, here) = (lines(&there), lines(&files[name]));
            let line = there.iter().zip(&here).take_while(|(a, b)| a == b).count() + 1;
            return Err(differs(format!("{}:{line}", path.display())));
        }
    }
    match stale(folder, files)?.first() {
        Some(path) => Err(differs(format!("{} is there, which", path.display()))),
        None => Ok(()),
    }
}
