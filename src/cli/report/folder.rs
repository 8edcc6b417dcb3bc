//! The folder of a report, and the tables in the store.

use std::path::{Path, PathBuf};

use crate::base::fs;
use crate::cli::failure::{Failure, FailureKind};
use crate::report::findings::Findings;
use crate::report::form::{self, Files};
use crate::report::query::{Facts, facts};
use crate::report::rows;
use crate::report::scores::Scores;
use crate::store::{Store, StoredStudy};
use crate::track::frame::{self, FrameError};
use crate::track::schema;

/// What every picture of ours has in it.
const MARK: &[u8] = b"class=\"stpp-picture\"";

/// Tables beside a report: with them it can be rendered again without a store.
pub const TABLES: &str = "tables";

/// Writes the tables and the report of a study; the report's path is the answer.
pub fn write(store: &Store, stored: &StoredStudy, folder: &Path) -> Result<PathBuf, Failure> {
    write_facts(Some(store), &facts(store, stored)?, folder, false)
}

/// Writes the report of facts, and their tables into the store, if there is one. Tables beside a report are kept as new as
/// it is, and made where they are asked for.
pub fn write_facts(
    store: Option<&Store>,
    facts: &Facts,
    folder: &Path,
    beside: bool,
) -> Result<PathBuf, Failure> {
    let scores = Scores::new(&facts.study);
    let tables = rows::tables(&facts.study, &scores, &facts.metrics);
    let near = folder.join(TABLES);
    let beside = beside || near.is_dir();
    let from = match store {
        Some(store) => Some(store.tables(&facts.study.name)),
        None if beside => Some(near.clone()),
        None => None,
    };
    let cited = match &from {
        Some(into) => frame::write(into, &tables),
        None => frame::cite(&tables),
    };
    let cited = cited.map_err(|error| failure(&error))?;
    let mut copies = Files::new();
    if let Some(from) = from.filter(|_| beside) {
        copies = tables_in(&from)?;
        put(folder, &copies)?;
    }
    let files = form::files(&Findings::new(&facts.study, &scores, &cited), &copies);
    put(folder, &files)?;
    for path in stale(folder, &files)? {
        fs::remove(&path)?;
    }
    Ok(folder.join(form::MARKDOWN))
}

/// The tables of a folder, by their path in a report's folder.
pub fn tables_in(folder: &Path) -> Result<Files, Failure> {
    let mut found = Files::new();
    for schema in schema::ALL {
        let name = format!("{TABLES}/{}.parquet", schema.name);
        found.insert(name, fs::read(&frame::path_of(folder, schema))?);
    }
    Ok(found)
}

/// Writes files into the folder of a report.
fn put(folder: &Path, files: &Files) -> Result<(), Failure> {
    for (name, bytes) in files {
        fs::write_if_changed(&folder.join(name), bytes)?;
    }
    Ok(())
}

/// Pictures of an earlier report that this one has no more. Other people's pictures are left alone.
pub fn stale(folder: &Path, files: &Files) -> Result<Vec<PathBuf>, Failure> {
    let pictures = folder.join(form::FIGURES);
    let mut stale = Vec::new();
    for path in fs::list(&pictures)? {
        let is_picture = path.extension().is_some_and(|extension| extension == "svg");
        let known = files.keys().any(|name| folder.join(name) == path);
        if is_picture && !known && fs::read(&path)?.windows(MARK.len()).any(|bytes| bytes == MARK) {
            stale.push(path);
        }
    }
    Ok(stale)
}

/// Rows that contradict each other are damage; what can't be written is no fault of the store.
pub fn failure(error: &FrameError) -> Failure {
    let kind = match error {
        FrameError::Rows(_) | FrameError::Decode { .. } => FailureKind::Damage,
        FrameError::Encode { .. } | FrameError::File(_) => FailureKind::Stage,
    };
    Failure::of(kind, error)
}
