//! A study as an experiment: its name, its note, and the views that are saved with it.

use std::collections::BTreeMap;

use super::{NOTE, NUMERICS, saved};
use crate::mlflow::wire::{Key, NoteValue};
use crate::store::StoredStudy;

/// The experiment's name on the server.
pub fn name(study: &StoredStudy) -> String {
    format!("stpp/{}", study.ablation.name)
}

/// The experiment's tags. The note is the report; before there is one, the question. `images` are the keys of those that
/// its runs show.
pub fn tags(study: &StoredStudy, note: Option<&NoteValue>, images: &[String]) -> BTreeMap<Key, NoteValue> {
    let ablation = &study.ablation;
    let question = format!("# {}\n\n**{}**\n\n{}", ablation.name, ablation.question, ablation.description);
    let note = note.cloned().unwrap_or_else(|| NoteValue::cut(question, "…"));
    let mut tags = vec![
        (NOTE.to_owned(), note),
        ("mlflow.experimentKind".to_owned(), NoteValue::cut("custom_model_development", "…")),
        ("mlflow.experiment.primaryMetric.name".to_owned(), NoteValue::cut("eval/miou", "…")),
        ("mlflow.experiment.primaryMetric.greaterIsBetter".to_owned(), NoteValue::cut("True", "…")),
        (NUMERICS.to_owned(), NoteValue::cut(study.numerics.clone(), "…")),
        ("stpp.study".to_owned(), NoteValue::cut(study.digest.to_string(), "…")),
    ];
    // A view that is too long would be cut, and then be none.
    let views = saved::views(study, images).into_iter();
    tags.extend(views.filter_map(|view| {
        Some((format!("mlflow.sharedViewState.{}", view.id), NoteValue::new(view.json).ok()?))
    }));
    tags.into_iter().map(|(key, value)| (Key::of(&key), value)).collect()
}
