//! The report of a study as a run of its own, beside the runs that it is about.

use std::collections::BTreeMap;

use super::{AtWork, BROUGHT, KIND, NOTE, NUMERICS, RunView, State, UID, of_note};
use crate::base::digest::{Digest, Hasher};
use crate::mlflow::wire::{Key, NoteValue, TagValue};
use crate::report::findings::Findings;
use crate::report::form;
use crate::report::scores::Scores;
use crate::report::{query, rows};
use crate::store::{Store, StoreError, StoredStudy};
use crate::track::frame;

/// What the report's file is called.
pub const FILE: &str = form::HTML;

/// The report of a study.
#[derive(Debug)]
pub struct Report {
    /// As a run.
    pub view: RunView,
    /// As the note of an experiment.
    pub note: NoteValue,
}

/// What the run of a report is known again by. A study with other arms or seeds has another report: what is brought once
/// as the mean of an arm stays.
pub fn uid(study: &StoredStudy) -> Digest {
    Hasher::new("stpp report run v1")
        .field(study.ablation.name.as_bytes())
        .field(study.numerics.as_bytes())
        .field(study.digest.as_bytes())
        .finish()
}

/// The report of a study, as far as it has come; none before its first run is complete.
///
/// # Errors
/// What can't be read of the store.
pub fn of(store: &Store, study: &StoredStudy, at_work: &AtWork) -> Result<Option<Report>, StoreError> {
    let facts = query::facts(store, study)?;
    if !facts.study.runs.iter().any(|run| run.complete) {
        return Ok(None);
    }
    let complete = facts.study.runs.iter().all(|run| run.complete);
    let scores = Scores::new(&facts.study);
    let mut artifacts = BTreeMap::new();
    let mut cited = Vec::new();
    for table in rows::tables(&facts.study, &scores, &facts.metrics) {
        let (bytes, digest) = frame::long_parquet(&table).map_err(|error| StoreError::Unreadable {
            path: crate::store::layout::study(store.root(), &facts.study.name, &study.numerics),
            what: error.to_string(),
        })?;
        artifacts.insert(format!("tables/{}.parquet", table.schema().name), bytes);
        cited.push(digest);
    }
    let findings = Findings::new(&facts.study, &scores, &cited);
    let files = form::files(&findings, &artifacts);
    artifacts.extend(files);
    // The page of an experiment has no files beside its note.
    let text = form::markdown(&findings, &[]);
    let state = match () {
        () if complete => State::Complete,
        () if at_work.on(study) => State::UnderWay,
        () => State::Stopped,
    };
    let more = format!("The whole of it is the artifact `{FILE}`.");
    let note = TagValue::cut(text.clone(), &more);
    let tags = [
        (UID, uid(study).to_string()),
        (KIND, "report".to_owned()),
        ("stpp.study", study.digest.to_string()),
        (NUMERICS, study.numerics.clone()),
        ("mlflow.source.name", format!("stpp report {}", study.ablation.name)),
        ("mlflow.source.type", "LOCAL".to_owned()),
        (BROUGHT, of_note(note.as_str())),
        (NOTE, note.as_str().to_owned()),
    ];
    let mut view = RunView {
        uid: uid(study),
        name: "report".to_owned(),
        order: i64::try_from(study.members.len()).unwrap_or_default(),
        started: None,
        ended: None,
        state,
        params: BTreeMap::new(),
        tags: tags.into_iter().map(|(key, value)| (Key::of(key), TagValue::cut(value, &more))).collect(),
        inputs: Vec::new(),
        series: Vec::new(),
        values: if complete { means(&facts.study) } else { BTreeMap::new() },
        system: Vec::new(),
        artifacts,
    };
    for step in study.members.iter().flat_map(|member| &member.chain.steps) {
        if let Some(costs) = store.costs(step.kind, step.key)? {
            view.ended = view.ended.max(costs.finished);
        }
    }
    // After its runs, so that it stands at the top of a table that begins with the newest.
    view.started = view.ended;
    let note = NoteValue::cut(text, "The whole of it is in the run `report`.");
    Ok(Some(Report { view, note }))
}

/// The mean of each arm on the images of the headline, as the report has it.
fn means(study: &crate::report::Study) -> BTreeMap<Key, f64> {
    let scores = Scores::new(study);
    let mean = |arm: &str| {
        let values = scores.values(arm, |run| run.miou(study.headline));
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let arms = study.arms.iter().filter_map(|arm| Some((arm, mean(&arm.name)?)));
    arms.map(|(arm, mean)| (Key::of(&format!("summary/{}", arm.name)), mean)).collect()
}
