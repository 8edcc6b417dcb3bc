//! Which run of a server is which of ours, and what it is known to have.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use super::point::NONFINITE;
use super::view::{ARM, DUPLICATE, NOTE, RunView, SPLIT, UID};
use super::wire::{Input, Key, Run};
use crate::base::digest::Digest;

/// What a run is known again by: its id, and what an ablation calls it. An arm that was renamed is another run there, since
/// parameters never change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uid(pub(super) [String; 3]);

impl Uid {
    /// Of a run that is to be brought.
    pub fn of(view: &RunView) -> Self {
        Self([UID, ARM, SPLIT].map(|key| {
            view.tags.get(&Key::of(key)).map(|value| value.as_str().to_owned()).unwrap_or_default()
        }))
    }

    /// Of a run of a server; none of one that is not ours.
    pub(super) fn of_run(run: &Run) -> Option<Self> {
        run.data.tag(UID)?;
        Some(Self([UID, ARM, SPLIT].map(|key| run.data.tag(key).unwrap_or_default().to_owned())))
    }
}

/// The runs of an experiment by what they are known again by.
pub fn by_uid(runs: Vec<Run>) -> BTreeMap<Uid, Vec<Run>> {
    let mut known: BTreeMap<Uid, Vec<Run>> = BTreeMap::new();
    for run in runs {
        if let Some(uid) = Uid::of_run(&run) {
            known.entry(uid).or_default().push(run);
        }
    }
    known
}

/// The one of several runs with the same uid that is in use: of those that nobody deleted the first.
pub fn in_use(runs: &[Run]) -> Option<&Run> {
    let candidates = || runs.iter().filter(|run| run.data.tag(DUPLICATE).is_none());
    let first = |deleted: bool| {
        let of = candidates().filter(move |run| (run.info.lifecycle_stage == "deleted") == deleted);
        of.min_by(|a, b| (a.info.start_time, &a.info.run_id).cmp(&(b.info.start_time, &b.info.run_id)))
    };
    first(false).or_else(|| first(true))
}

/// What comes with a run in every answer is believed, and not what was acknowledged once.
pub(super) fn compare_said(view: &RunView, run: &Run, cursor: &mut Cursor) {
    let digest = |text: &str| Digest::of(text.as_bytes());
    cursor.status = Some(run.info.status);
    // A parameter that is another there was not accepted, which was told.
    let noted = std::mem::take(&mut cursor.params);
    let params = run.data.params().into_iter();
    cursor.params = params
        .map(|(key, value)| (key.to_owned(), noted.get(key).copied().unwrap_or_else(|| digest(value))))
        .collect();
    let noted = std::mem::take(&mut cursor.tags);
    // Other people's tags are none of ours.
    let is_ours = |key: &str| {
        noted.contains_key(key) || view.tags.contains_key(&Key::of(key)) || key.starts_with(NONFINITE)
    };
    let tags = run.data.tags().into_iter().filter(|(key, _)| is_ours(key));
    cursor.tags = tags.map(|(key, value)| (key.to_owned(), digest(value))).collect();
    // A note that someone has written anew there stays: it counts as the one that is to be brought.
    if let Some(note) = view.tags.get(&Key::of(NOTE))
        && is_edited(noted.get(NOTE), cursor.tags.get(NOTE))
    {
        cursor.tags.insert(NOTE.to_owned(), digest(note.as_str()));
    }
    let is_there = |input: &Input| {
        let there = |there: &Input| {
            (&there.dataset.name, &there.dataset.digest) == (&input.dataset.name, &input.dataset.digest)
        };
        run.inputs.dataset_inputs.iter().any(there)
    };
    // A server that is too old never has them.
    if !run.inputs.dataset_inputs.is_empty() && !view.inputs.iter().all(is_there) {
        cursor.inputs = None;
    }
}

/// Whether a note is there, and another than was brought last.
pub(super) fn is_edited(brought: Option<&Digest>, there: Option<&Digest>) -> bool {
    brought.zip(there).is_some_and(|(brought, there)| brought != there)
}
