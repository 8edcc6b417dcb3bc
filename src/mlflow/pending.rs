//! How much of a run a server does not have yet: counted, not sent.

use super::client::ArtifactRoot;
use super::cursor::Cursor;
use super::point::{by_key, of_samples, of_value};
use super::push::status;
use super::view::series::Followers;
use super::view::{RunView, State};
use super::wire::RunStatus;
use crate::base::canon;
use crate::base::digest::Digest;
use crate::store::{Store, StoreError};

/// Points, parameters, tags, datasets, files and the state of a run that its server does not have.
///
/// # Errors
/// What can't be read of the store.
pub fn of(store: &Store, view: &RunView, cursor: &Cursor) -> Result<u64, StoreError> {
    let is = |known: Option<&Digest>, bytes: &[u8]| known == Some(&Digest::of(bytes));
    let mut pending = 0;
    pending +=
        count(&view.params, |(key, value)| !is(cursor.params.get(key.as_str()), value.as_str().as_bytes()));
    pending +=
        count(&view.tags, |(key, value)| !is(cursor.tags.get(key.as_str()), value.as_str().as_bytes()));
    if cursor.inputs != Some(canon::digest("stpp inputs v1", &view.inputs)) {
        pending += view.inputs.len() as u64;
    }
    for series in &view.series {
        let mark = cursor.series.get(&series.stage).cloned().unwrap_or_default();
        series.unsent(store, view.uid, &mark, &mut Followers::new(), &mut |_| {
            pending += 1;
            Ok::<(), StoreError>(())
        })?;
    }
    pending +=
        count(&view.values, |(key, value)| cursor.values.get(key.as_str()) != Some(&of_value(**value)));
    for (key, samples) in by_key(&view.system) {
        if cursor.system.get(key.as_str()) != Some(&of_samples(&samples)) {
            pending += samples.len() as u64;
        }
    }
    // Where the server takes no files, none is waiting.
    if cursor.artifact_uri.is_empty() || ArtifactRoot::of(&cursor.artifact_uri).is_some() {
        pending += count(&view.artifacts, |(path, bytes)| !is(cursor.artifacts.get(*path), bytes));
    }
    let is_said = cursor.status == Some(status(view.state));
    let is_more = cursor.status == Some(RunStatus::Finished);
    pending += u64::from(view.state != State::Waiting && !is_said && !is_more);
    Ok(pending)
}

fn count<I: IntoIterator>(items: I, is_new: impl FnMut(&I::Item) -> bool) -> u64 {
    items.into_iter().filter(is_new).count() as u64
}
