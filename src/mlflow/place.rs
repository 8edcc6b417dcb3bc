//! The experiment of a study on a server: which one it is, and what is said of it there.

use std::collections::BTreeMap;

use super::client::Client;
use super::cursor::{Cursors, ExperimentCursor, note_text};
use super::fault::Fault;
use super::known::is_edited;
use super::push::{PushError, Tally};
use super::view::{BROUGHT, NOTE, NUMERICS, experiment, of_note};
use super::wire::{Experiment, Key, NoteValue};
use crate::store::StoredStudy;

/// The experiment of a study by its name, and as the server has it, if it has it; also a deleted one. Where the plain name is
/// that of the same ablation on another numerics class, whose report is another, this class has an experiment beside it.
///
/// # Errors
/// [`Fault`].
pub fn find(client: &Client, study: &StoredStudy) -> Result<(String, Option<Experiment>), Fault> {
    let plain = experiment::name(study);
    let found = client.experiment(&plain)?;
    let class = found.iter().flat_map(|found| &found.tags).find(|tag| tag.key == NUMERICS);
    if class.is_none_or(|class| class.value == study.numerics) {
        return Ok((plain, found));
    }
    let name = format!("{plain} on {}", study.numerics);
    let found = client.experiment(&name)?;
    Ok((name, found))
}

/// The id of a study's experiment, which is made where there is none, and taken back where that is asked for.
///
/// # Errors
/// [`Fault`]; [`Fault::Refused`] of one that was deleted.
pub fn open(
    client: &Client,
    study: &StoredStudy,
    restore: bool,
) -> Result<(String, BTreeMap<String, String>), Fault> {
    let (name, found) = find(client, study)?;
    let Some(found) = found else {
        let id = client.create_experiment(&name).map_err(|fault| match fault {
            // Another process was faster.
            Fault::Exists { words } => Fault::away(words),
            other => other,
        })?;
        return Ok((id, BTreeMap::new()));
    };
    if found.lifecycle_stage == "deleted" {
        if !restore {
            return Err(Fault::refused(format!(
                "the experiment `{name}` was deleted on {}: take it back with `stpp mlflow sync --restore`, or remove it \
                 there for good with `mlflow gc`",
                client.server().address()
            )));
        }
        client.restore_experiment(&found.experiment_id)?;
    }
    let tags = found.tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    Ok((found.experiment_id, tags))
}

/// Says of an experiment what is new. A note that people wrote stays, and one that is a report until there is another report.
///
/// # Errors
/// [`PushError`].
pub fn describe(
    client: &Client,
    (id, there): (&str, &mut BTreeMap<String, String>),
    (study, note, images): (&StoredStudy, Option<&NoteValue>, &[String]),
    cursors: &Cursors,
    tally: &mut Tally,
) -> Result<(), PushError> {
    let old_note = there.get(NOTE).cloned();
    let keeps_note = note.is_none() && old_note.is_some()
        || is_edited(there.get(BROUGHT).map(String::as_str), old_note.as_deref());
    let mut cursor = ExperimentCursor { experiment: id.to_owned(), tags: BTreeMap::new() };
    let mut set = |key: &Key, value: &NoteValue| -> Result<(), PushError> {
        match client.set_experiment_tag(id, key, value) {
            Ok(()) => tally.add(1),
            Err(Fault::Rejected { words }) => {
                tally.notes.insert(format!("the server does not take the tag {}: {words}", key.as_str()));
            }
            Err(fault) => return Err(fault.into()),
        }
        Ok(())
    };
    for (key, value) in experiment::tags(study, note, images) {
        note_text(&mut cursor.tags, &key, &value);
        let is_note = key.as_str() == NOTE;
        if there.get(key.as_str()).is_some_and(|there| there == value.as_str()) || is_note && keeps_note {
            continue;
        }
        if is_note {
            // Both may be there from now on.
            let notes = old_note.as_deref().into_iter().chain([value.as_str()]).map(of_note);
            let notes = notes.collect::<Vec<_>>().join(",");
            set(&Key::of(BROUGHT), &NoteValue::cut(notes.clone(), "…"))?;
            there.insert(BROUGHT.to_owned(), notes);
        }
        set(&key, &value)?;
        there.insert(key.as_str().to_owned(), value.as_str().to_owned());
    }
    if cursors.read_experiment()? != cursor {
        cursors.write_experiment(&cursor)?;
    }
    Ok(())
}
