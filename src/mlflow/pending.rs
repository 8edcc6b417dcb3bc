//! How much of a run a server does not have yet: counted, not sent.

use super::cursor::{Cursor, has_text};
use super::point::by_key;
use super::view::series::Followers;
use super::view::{RunView, State};
use crate::store::{Store, StoreError};

/// Points, parameters, tags, datasets, files and the state of a run that its server does not have.
///
/// # Errors
/// What can't be read of the store.
pub fn of(store: &Store, view: &RunView, cursor: &Cursor) -> Result<u64, StoreError> {
    let mut pending = 0;
    pending += count(&view.params, |(key, value)| !has_text(&cursor.params, key, value));
    pending += count(&view.tags, |(key, value)| !has_text(&cursor.tags, key, value));
    if !cursor.has_inputs(&view.inputs) {
        pending += view.inputs.len() as u64;
    }
    for series in &view.series {
        let mark = cursor.series.get(&series.stage).cloned().unwrap_or_default();
        series.unsent(store, view.uid, &mark, &mut Followers::new(), &mut |_| {
            pending += 1;
            Ok::<(), StoreError>(())
        })?;
    }
    pending += count(&view.values, |(key, value)| !cursor.has_value(key, **value));
    for (key, samples) in by_key(&view.system) {
        if !cursor.has_samples(key, &samples) {
            pending += samples.len() as u64;
        }
    }
    if cursor.takes_files() {
        pending += count(&view.artifacts, |(path, bytes)| !cursor.has_file(path, bytes));
    }
    let is_state_new = view.state != State::Waiting && !cursor.is_ahead_of(view) && !cursor.has_state(view);
    Ok(pending + u64::from(is_state_new))
}

fn count<I: IntoIterator>(items: I, is_new: impl FnMut(&I::Item) -> bool) -> u64 {
    items.into_iter().filter(is_new).count() as u64
}
