//! Brings a study to a server: the experiment, a run per experiment, the report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::cursor::{Cursors, ExperimentCursor};
use super::fault::Fault;
use super::known::{Uid, by_uid, is_edited};
use super::push::{PushError, Pusher, Tally};
use super::server::Server;
use super::view::report;
use super::view::run::Runs;
use super::view::series::Followers;
use super::view::{AtWork, Depth, NOTE, RunView, State, experiment, images};
use super::wire::{NoteValue, Run};
use crate::base::clock::Stopwatch;
use crate::base::digest::Digest;
use crate::store::lease::Leases;
use crate::store::{Store, StoreError, StoredStudy};

/// What is brought again, and what is taken back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Experiments and runs that someone deleted on the server are taken back.
    pub restore: bool,
}

/// Brings one study to one server, as often as it is asked.
#[derive(Debug)]
pub struct Sync<'a> {
    client: &'a Client,
    store: &'a Store,
    study: &'a StoredStudy,
    runs: Arc<Runs<'a>>,
    cursors: Cursors,
    options: Options,
    followers: Followers,
    /// The runs that the server has said it has.
    known: Option<BTreeMap<Uid, Vec<Run>>>,
    /// Whether it has said so in this pass.
    is_fresh: bool,
    /// Runs of which nothing is left to be brought.
    settled: BTreeSet<Digest>,
    /// What was done so far.
    pub tally: Tally,
    /// How long the last look at the store took, without the server.
    pub looked: Duration,
}

impl<'a> Sync<'a> {
    /// Of a study to a server.
    pub fn new(client: &'a Client, store: &'a Store, study: &'a StoredStudy, options: Options) -> Self {
        let cursors = Cursors::of(store, &client.server().fingerprint(), &study.ablation.name);
        Self {
            client,
            store,
            study,
            runs: Arc::new(Runs::of(store, study)),
            cursors,
            options,
            followers: Followers::new(),
            known: None,
            is_fresh: false,
            settled: BTreeSet::new(),
            tally: Tally::default(),
            looked: Duration::ZERO,
        }
    }

    /// Brings all that there is, also files and the report of what is not complete. How many runs the server shows then.
    ///
    /// # Errors
    /// [`PushError`]; the next call goes on from there.
    pub fn all(&mut self, at_work: &AtWork) -> Result<usize, PushError> {
        self.known = None;
        self.again_if_wrong(at_work, true)
    }

    /// Brings what was measured so far, and runs that are complete.
    ///
    /// # Errors
    /// [`PushError`]; the next call goes on from there.
    pub fn so_far(&mut self, at_work: &AtWork) -> Result<usize, PushError> {
        self.again_if_wrong(at_work, false)
    }

    /// Brings what there is; where that fails, nothing is believed the next time.
    fn again_if_wrong(&mut self, at_work: &AtWork, is_last: bool) -> Result<usize, PushError> {
        self.is_fresh = self.known.is_none();
        let brought = self.pass(at_work, is_last);
        if brought.is_err() {
            self.known = None;
        }
        brought
    }

    fn pass(&mut self, at_work: &AtWork, is_last: bool) -> Result<usize, PushError> {
        let (runs, mut settled) = (Arc::clone(&self.runs), std::mem::take(&mut self.settled));
        let watch = Stopwatch::start();
        let mut views = Vec::new();
        for member in &self.study.members {
            if settled.contains(&member.run_id) && !is_last {
                continue;
            }
            let view = runs.view(member, at_work, Depth::Points)?;
            if view.state != State::Waiting {
                views.push((member, view));
            }
        }
        self.looked = watch.elapsed();
        let mut shown = views.len();
        if views.is_empty() {
            self.settled = settled;
            return Ok(shown);
        }
        let experiment = self.experiment(None)?;
        let mut pusher = self.pusher(experiment)?;
        for (member, view) in views {
            let is_whole = is_last || view.state == State::Complete;
            let view = if is_whole { runs.view(member, at_work, Depth::Whole)? } else { view };
            pusher.bring(&view, is_whole)?;
            if view.state == State::Complete {
                settled.insert(member.run_id);
            }
        }
        self.settled = settled;
        // A report holds all points of a study at once, so it comes when they are there.
        if is_last && let Some(report) = report::of(self.store, self.study, at_work)? {
            let experiment = self.experiment(Some(&report.note))?;
            self.pusher(experiment)?.bring(&report.view, true)?;
            shown += 1;
        }
        Ok(shown)
    }

    /// Who brings runs to an experiment, and knows which are there.
    fn pusher(&mut self, experiment: String) -> Result<Pusher<'_>, PushError> {
        if self.known.is_none() {
            self.known = Some(by_uid(self.client.runs(&experiment, None)?));
        }
        Ok(Pusher {
            client: self.client,
            store: self.store,
            study: &self.study.ablation.name,
            cursors: &self.cursors,
            experiment,
            known: self.known.get_or_insert_default(),
            is_fresh: self.is_fresh,
            restore: self.options.restore,
            followers: &mut self.followers,
            tally: &mut self.tally,
        })
    }

    /// Finds the experiment, or makes it, and says what it is about.
    fn experiment(&mut self, note: Option<&NoteValue>) -> Result<String, PushError> {
        let name = experiment::name(self.study);
        let found = self.client.experiment(&name)?;
        let mut there: BTreeMap<String, Digest> = found
            .iter()
            .flat_map(|found| &found.tags)
            .map(|tag| (tag.key.clone(), Digest::of(tag.value.as_bytes())))
            .collect();
        let id = match found {
            None => self.client.create_experiment(&name).map_err(|fault| match fault {
                // Another process was faster.
                Fault::Exists { words } => Fault::away(words),
                other => other,
            })?,
            Some(found) if found.lifecycle_stage != "deleted" => found.experiment_id,
            Some(found) if self.options.restore => {
                self.client.restore_experiment(&found.experiment_id)?;
                found.experiment_id
            }
            Some(_) => {
                return Err(Fault::refused(format!(
                    "the experiment `{name}` was deleted on {}: restore it with `stpp mlflow sync --restore`, or on the \
                     server with `mlflow gc` remove it for good",
                    self.client.server().address()
                ))
                .into());
            }
        };
        // A note that someone has written anew there stays, and one that is a report until there is a later report.
        let noted = self.cursors.read_experiment()?;
        let brought = noted.tags.get(NOTE).filter(|_| noted.experiment == id).copied();
        let keeps_note =
            is_edited(brought.as_ref(), there.get(NOTE)) || note.is_none() && there.contains_key(NOTE);
        if let Some(brought) = brought.filter(|_| keeps_note) {
            there.insert(NOTE.to_owned(), brought);
        }
        let mut cursor = ExperimentCursor { experiment: id.clone(), tags: there };
        let images = images::keys(self.store, self.study)?;
        for (key, value) in experiment::tags(self.study, note, &images) {
            let digest = Digest::of(value.as_str().as_bytes());
            let is_known = cursor.tags.get(key.as_str()) == Some(&digest);
            if is_known || keeps_note && key.as_str() == NOTE {
                continue;
            }
            match self.client.set_experiment_tag(&id, &key, &value) {
                Ok(()) => self.tally.add(1),
                Err(Fault::Rejected { words }) => {
                    self.tally
                        .notes
                        .insert(format!("the server does not take the tag {}: {words}", key.as_str()));
                }
                Err(fault) => return Err(fault.into()),
            }
            cursor.tags.insert(key.as_str().to_owned(), digest);
        }
        if noted != cursor {
            self.cursors.write_experiment(&cursor)?;
        }
        Ok(id)
    }

    /// Forgets what the server acknowledged.
    ///
    /// # Errors
    /// Whatever removing reports.
    pub fn forget(&mut self) -> Result<(), StoreError> {
        self.settled.clear();
        self.followers.clear();
        self.cursors.forget()
    }

    /// How many points, parameters, tags, datasets, files and states the server does not have, and how many runs there
    /// are to show.
    ///
    /// # Errors
    /// What can't be read of the store.
    pub fn pending(&self, at_work: &AtWork) -> Result<(u64, usize), StoreError> {
        let (mut pending, mut shown) = (0, 0);
        let mut count = |view: &RunView| -> Result<(), StoreError> {
            if view.state != State::Waiting {
                shown += 1;
                pending += super::pending::of(self.store, view, &self.cursors.read(view.uid)?)?;
            }
            Ok(())
        };
        for member in &self.study.members {
            count(&self.runs.view(member, at_work, Depth::Whole)?)?;
        }
        let report = report::of(self.store, self.study, at_work)?;
        if let Some(report) = &report {
            count(&report.view)?;
        }
        if shown > 0 {
            let cursor = self.cursors.read_experiment()?;
            let note = report.as_ref().map(|report| &report.note);
            let tags = experiment::tags(self.study, note, &images::keys(self.store, self.study)?);
            let is_new = |value: &NoteValue, key: &str| {
                cursor.tags.get(key) != Some(&Digest::of(value.as_str().as_bytes()))
            };
            pending += tags.iter().filter(|(key, value)| is_new(value, key.as_str())).count() as u64;
        }
        Ok((pending, shown))
    }
}

/// The lease of whoever sends a study to a server.
pub fn sender(server: &Server, study: &StoredStudy) -> String {
    format!("mlflow-{}-{}", server.fingerprint(), study.ablation.name)
}

/// Who works on the stages of a store at the moment.
///
/// # Errors
/// Whatever the file system reports.
pub fn at_work(leases: &Leases, here: bool) -> Result<AtWork, StoreError> {
    let live = leases.live()?;
    let stages = live.iter().filter_map(|live| Some(crate::plan::StageKey(live.name.parse().ok()?)));
    Ok(AtWork { here, stages: stages.collect() })
}
