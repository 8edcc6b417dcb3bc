//! Finds the run of a server that is one of ours, or makes it.
//!
//! A run is made after a search for it, and searched for again after that: an answer that was lost makes no second run, and of
//! two that were made at once both sides choose the same.

use super::cursor::Cursor;
use super::known::{Uid, compare_said, in_use};
use super::push::{PushError, Pusher, of_run};
use super::view::{ARM, DUPLICATE, KIND, RunView, SPLIT, UID};
use super::wire::{CreateRun, Key, LogBatch, Millis, Run, Tag, TagValue};
use crate::base::clock;

impl Pusher<'_> {
    /// Knows the run again, or makes it. False where someone deleted it there.
    pub(super) fn find_or_make(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<bool, PushError> {
        let uid = Uid::of(view);
        let known = self.known.get(&uid).filter(|runs| runs.len() == 1).map(|runs| runs[0].clone());
        let is_fresh = self.is_fresh || known.is_none();
        let run = match known {
            Some(run) => run,
            None => match self.search(&uid)? {
                Some(run) => run,
                None => self.make(view, &uid)?,
            },
        };
        if run.info.lifecycle_stage == "deleted" {
            if !self.restore {
                self.tally.notes.insert(format!(
                    "the run `{}` was deleted on the server and is left out; restore it there, or with \
                     `stpp mlflow sync --restore`",
                    view.name
                ));
                return Ok(false);
            }
            self.client.restore_run(&run.info.run_id)?;
            self.known.remove(&uid);
            self.search(&uid)?;
        }
        let is_another = cursor.run != run.info.run_id || cursor.experiment != self.experiment;
        if is_another {
            *cursor = Cursor {
                experiment: self.experiment.clone(),
                run: run.info.run_id.clone(),
                start: run.info.start_time,
                artifact_uri: run.info.artifact_uri.clone(),
                ..Cursor::default()
            };
            // What was read for the other one is not there.
            self.followers.retain(|(uid, _), _| *uid != view.uid);
        }
        if is_fresh || is_another {
            compare_said(view, &run, cursor);
        }
        Ok(true)
    }

    /// Asks the server for the run, and clears away what was made twice.
    fn search(&mut self, uid: &Uid) -> Result<Option<Run>, PushError> {
        let mut found =
            self.client.runs(&self.experiment, Some(&format!("tags.`{UID}` = '{}'", uid.0[0])))?;
        found.retain(|run| Uid::of_run(run).as_ref() == Some(uid));
        let chosen = in_use(&found).cloned();
        if let Some(chosen) = &chosen {
            self.clear_duplicates(&found, chosen)?;
            self.known.insert(uid.clone(), vec![chosen.clone()]);
        }
        Ok(chosen)
    }

    fn clear_duplicates(&mut self, found: &[Run], chosen: &Run) -> Result<(), PushError> {
        let is_other = |run: &&Run| {
            run.info.run_id != chosen.info.run_id
                && run.info.lifecycle_stage != "deleted"
                && run.data.tag(DUPLICATE).is_none()
        };
        for other in found.iter().filter(is_other) {
            let tag = Tag { key: Key::of(DUPLICATE), value: TagValue::cut(&*chosen.info.run_id, "…") };
            let tags = [tag];
            let request = LogBatch { run_id: &other.info.run_id, metrics: &[], params: &[], tags: &tags };
            self.client.log_batch(&request).map_err(of_run)?;
            // One that has points may be somebody's copy.
            let is_empty = other.data.metrics.is_empty();
            if is_empty {
                self.client.delete_run(&other.info.run_id).map_err(of_run)?;
            }
            self.tally.notes.insert(format!(
                "a run is there twice: {} is in use, and {} was {}",
                chosen.info.run_id,
                other.info.run_id,
                if is_empty { "deleted" } else { "tagged as its duplicate" }
            ));
        }
        Ok(())
    }

    fn make(&mut self, view: &RunView, uid: &Uid) -> Result<Run, PushError> {
        // What it is known again by. The other tags come with the rest: one that is not accepted must not stand in its way.
        let known_by = [UID, KIND, ARM, SPLIT].map(Key::of);
        let tags = view.tags.iter().filter(|(key, _)| known_by.contains(key));
        let tags: Vec<Tag> =
            tags.map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
        let start = Millis::of(view.started.unwrap_or_else(clock::unix_millis)).after(view.order);
        let request = CreateRun {
            experiment_id: &self.experiment,
            run_name: &view.name,
            start_time: start,
            tags: &tags,
        };
        let made = self.client.create_run(&request).map_err(of_run)?;
        self.tally.add(tags.len());
        Ok(self.search(uid)?.unwrap_or(made))
    }
}
