//! Which run of a server is which of ours, and what it is known to have.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use super::point::NOT_FINITE;
use super::view::series::{Reached, Series};
use super::view::{ARM, BROUGHT, DUPLICATE, NOTE, RunView, SPLIT, UID, of_note};
use super::wire::{Input, Key, Run, Step};
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
    // Other people's tags are none of ours.
    let is_ours = |key: &str| view.tags.contains_key(&Key::of(key)) || key.starts_with("stpp.");
    let tags = run.data.tags();
    let ours = tags.iter().filter(|(key, _)| is_ours(key));
    cursor.tags = ours.map(|(key, value)| ((*key).to_owned(), digest(value))).collect();
    if is_edited(tags.get(BROUGHT).copied(), tags.get(NOTE).copied()) {
        // It counts as the one that is to be brought.
        for key in [NOTE, BROUGHT] {
            let ours = view.tags.get(&Key::of(key)).map(|value| digest(value.as_str()));
            cursor.tags.extend(ours.map(|ours| (key.to_owned(), ours)));
        }
    }
    forget_what_is_not_there(view, run, cursor);
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

/// A server that went back to an earlier state has not all that it acknowledged: where a metric does not reach as far as it
/// was brought, its stage is brought again.
fn forget_what_is_not_there(view: &RunView, run: &Run, cursor: &mut Cursor) {
    let latest: BTreeMap<&str, Step> =
        run.data.metrics.iter().map(|metric| (metric.key.as_str(), metric.step)).collect();
    for Series { stage, prefix, .. } in &view.series {
        let is_short = |(key, reached): (&String, &Reached)| {
            let names = [format!("{prefix}/{key}"), format!("{NOT_FINITE}{prefix}/{key}")];
            if names.iter().any(|name| cursor.refused.contains(Key::of(name).as_str())) {
                return false;
            }
            let there = names.iter().filter_map(|name| latest.get(Key::of(name).as_str())).max();
            there.is_none_or(|there| *there < Step::of(reached.step))
        };
        if cursor.series.get(stage).is_some_and(|mark| mark.keys.iter().any(is_short)) {
            cursor.series.remove(stage);
        }
    }
}

/// Whether a note is another than those that were brought: people wrote it.
pub(super) fn is_edited(brought: Option<&str>, note: Option<&str>) -> bool {
    let (Some(brought), Some(note)) = (brought, note) else { return false };
    let note = of_note(note);
    brought.split(',').all(|brought| brought != note)
}
