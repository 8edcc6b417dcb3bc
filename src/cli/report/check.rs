//! `stpp report --check`: is the report what its tables, or else the store, say? Nothing is written.

use std::path::Path;

use super::folder::{TABLES, failure, stale, tables_in};
use crate::base::fs;
use crate::cli::args::ReportArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::output;
use crate::report::findings::Findings;
use crate::report::form::{self, Files, ro_crate};
use crate::report::query::Facts;
use crate::report::scores::Scores;
use crate::report::{restore, rows};
use crate::store::Store;
use crate::track::table::TableDigest;
use crate::track::{frame, schema};

/// Renders the report again and compares it byte for byte: from the tables beside it alone where there are some, without any
/// store, and else from the store.
pub fn check(args: &ReportArgs, names: &[String], folder: &Path) -> Result<(), Failure> {
    let tables = folder.join(TABLES);
    let mut beside = Files::new();
    let (facts, source) = if tables.is_dir() {
        beside = whole_tables(folder, &tables)?;
        let facts = restore::facts(&tables).map_err(|error| Failure::of(FailureKind::Damage, &error))?;
        (facts, format!("the tables in {} say", tables.display()))
    } else {
        let store = Store::open_to_read(&args.store.store)?;
        (super::facts_of(&store, names)?, "the store says".to_owned())
    };
    let Facts { study, metrics } = &facts;
    if study.name != names.join("+") {
        let message = format!(
            "failed to check the report of `{}`: {source} something of `{}`",
            names.join("+"),
            study.name
        );
        return Err(Failure::new(FailureKind::Input, message).hint("--out names the folder of a report"));
    }
    let scores = Scores::new(study);
    let cited = frame::cite(&rows::tables(study, &scores, metrics)).map_err(|error| failure(&error))?;
    let files = form::files(&Findings::new(study, &scores, &cited), &beside);
    if !beside.is_empty() {
        same_tables(&tables, &cited)?;
    }
    compare(folder, &files, &source, names)?;
    let count = files.len();
    output::result(&format!("{}: all {count} files are what {source}", folder.display()));
    if args.check_claims { super::claims(args, study) } else { Ok(()) }
}

/// The bytes of the tables beside a report, where they are those that its metadata states: a damaged table need not be read to
/// be known for one.
fn whole_tables(folder: &Path, tables: &Path) -> Result<Files, Failure> {
    let damage = |message: String| {
        Failure::new(FailureKind::Damage, message)
            .hint("`stpp report` with --tables writes them anew from the store; without that folder the store is asked")
    };
    let found = tables_in(tables).map_err(|failure| damage(failure.message().to_owned()))?;
    let metadata = fs::read(&folder.join(ro_crate::RO_CRATE)).unwrap_or_default();
    match ro_crate::altered(&metadata, &found).first() {
        Some(name) => {
            let path = folder.join(name);
            Err(damage(format!(
                "{} is not what the report's metadata states: damaged, or exchanged",
                path.display()
            )))
        }
        None => Ok(found),
    }
}

/// Every table says what follows from the others.
fn same_tables(folder: &Path, cited: &[TableDigest]) -> Result<(), Failure> {
    for (schema, cited) in schema::ALL.iter().zip(cited) {
        let table = frame::read(folder, schema).map_err(|error| failure(&error))?;
        if table.cited() != *cited {
            let path = frame::path_of(folder, schema);
            let message = format!("{} does not say what follows from the other tables", path.display());
            return Err(Failure::new(FailureKind::Damage, message));
        }
    }
    Ok(())
}

/// The first file that differs.
fn compare(folder: &Path, files: &Files, source: &str, names: &[String]) -> Result<(), Failure> {
    let hint = || format!("`stpp report {}` writes it anew from the store", names.join(" "));
    let differs = |place: String| {
        Failure::new(FailureKind::Differs, format!("{place} differs from what {source}")).hint(hint())
    };
    // The page that people read is told of first.
    let mut order: Vec<&String> = files.keys().collect();
    order.sort_by_key(|name| name.as_str() != form::MARKDOWN);
    for name in order {
        let path = folder.join(name);
        let there = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() && name != form::MARKDOWN => {
                let message =
                    format!("{} is missing, and {source} that it is part of the report", path.display());
                return Err(Failure::new(FailureKind::Differs, message).hint(hint()));
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
        Some(path) => {
            let message =
                format!("{} is of an earlier report, and {source} that it is part of none", path.display());
            Err(Failure::new(FailureKind::Differs, message).hint(hint()))
        }
        None => Ok(()),
    }
}
