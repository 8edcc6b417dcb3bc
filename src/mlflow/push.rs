//! Brings one run to a server: it is known again or made, then parameters, datasets, points and tags, files, and its state
//! last, so that a run that is FINISHED there is all there.
//!
//! Everything but the making can be asked twice without harm, so nothing here is tried again: whoever calls does so, from
//! the beginning, and what was acknowledged is not sent again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::batch::{Item, Outcome, send_all};
use super::client::{ArtifactRoot, Client};
use super::cursor::{Cursor, Cursors, Rejected, has_text, note_text};
use super::fault::Fault;
use super::known::{Uid, in_use};
use super::point::{NONFINITE, Names, by_key, metric, nonfinite, result, sample};
use super::view::series::{Followers, Reached, Series, Source, Unsent};
use super::view::{DUPLICATE, FAILURE, RunView, State};
use super::wire::{Key, Millis, Param, Run, RunStatus, Tag, UpdateRun};
use crate::base::clock::Stopwatch;
use crate::plan::StageKey;
use crate::store::{Store, StoreError};

/// Points that are gathered before they are sent.
const GATHERED: usize = 1000;
/// Points of one metric that are not accepted before it is given up.
const HOPELESS: u32 = 3;
/// Seconds between two notes of what was acknowledged: a lost one costs sending once more.
const BETWEEN_NOTES: f64 = 1.0;

/// Why a run is not all there.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The server.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was done so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Points, parameters, tags, datasets, files and states that were acknowledged; whoever else counts may look.
    pub sent: Arc<AtomicU64>,
    /// What the server did not accept.
    pub rejected: Vec<Rejected>,
    /// How often a metric, a parameter or a tag was not accepted, by name.
    pub refusals: BTreeMap<String, u32>,
    /// What a person should know, each once.
    pub notes: BTreeSet<String>,
}

impl Tally {
    /// How much was acknowledged.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// More was acknowledged.
    pub fn add(&self, more: usize) {
        self.sent.fetch_add(more as u64, Ordering::Relaxed);
    }
}

/// Brings runs of one study to one experiment of a server.
#[derive(Debug)]
pub struct Pusher<'a> {
    /// The server.
    pub client: &'a Client,
    /// Where everything is.
    pub store: &'a Store,
    /// The study's name.
    pub study: &'a str,
    /// What the server has.
    pub cursors: &'a Cursors,
    /// The experiment's id there.
    pub experiment: String,
    /// The runs that it has.
    pub known: &'a mut BTreeMap<Uid, Vec<Run>>,
    /// Whether the server has just said so: else they are as they were when it did.
    pub is_fresh: bool,
    /// Whether runs that someone deleted there are taken back.
    pub restore: bool,
    /// How far journals are read.
    pub followers: &'a mut Followers,
    /// What was done.
    pub tally: &'a mut Tally,
}

impl Pusher<'_> {
    /// Brings a run to the server. `is_whole` says that the view has its files, so that the run can be finished. Whether the
    /// server shows this view then, and not one of another copy of the store that has come further.
    ///
    /// # Errors
    /// [`PushError`]; what was acknowledged until then stays so.
    pub fn bring(&mut self, view: &RunView, is_whole: bool) -> Result<bool, PushError> {
        if view.state == State::Waiting {
            return Ok(false);
        }
        let mut cursor = self.cursors.read(view.uid)?;
        let before = cursor.clone();
        let brought = self.bring_all(view, is_whole, &mut cursor);
        if cursor != before {
            self.cursors.write(view.uid, &cursor)?;
        }
        brought
    }

    /// Closes a run that was made there, and of which nothing is here: it was to be done later, or was cleared away.
    ///
    /// # Errors
    /// [`PushError`].
    pub fn close(&mut self, view: &RunView) -> Result<(), PushError> {
        let known = self.known.get(&Uid::of(view)).and_then(|runs| in_use(runs));
        let is_open =
            |run: &&Run| run.info.status == RunStatus::Running && run.info.lifecycle_stage != "deleted";
        if let Some(run) = known.filter(is_open) {
            let update = UpdateRun { run_id: &run.info.run_id, status: RunStatus::Killed, end_time: None };
            self.client.update_run(&update).map_err(of_run)?;
            self.tally.add(1);
        }
        Ok(())
    }

    fn bring_all(&mut self, view: &RunView, is_whole: bool, cursor: &mut Cursor) -> Result<bool, PushError> {
        if !self.find_or_make(view, cursor)? {
            return Ok(false);
        }
        if cursor.is_ahead_of(view) {
            return Ok(false);
        }
        if view.state == State::UnderWay {
            self.set_state(view, cursor)?;
        }
        self.bring_params(view, cursor)?;
        self.bring_inputs(view, cursor)?;
        self.bring_points(view, cursor)?;
        self.bring_values(view, cursor)?;
        self.bring_tags(view, is_whole, cursor)?;
        if is_whole {
            self.bring_artifacts(view, cursor)?;
            self.set_state(view, cursor)?;
        }
        Ok(true)
    }

    fn bring_params(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        let news = view.params.iter().filter(|(key, value)| !has_text(&cursor.params, key, value));
        let items: Vec<Item> =
            news.map(|(key, value)| Item::Param(Param { key: key.clone(), value: value.clone() })).collect();
        self.send(view, cursor, &items, &mut |cursor, _, item| {
            if let Item::Param(Param { key, value }) = item {
                note_text(&mut cursor.params, key, value);
            }
        })
    }

    fn bring_tags(&mut self, view: &RunView, is_whole: bool, cursor: &mut Cursor) -> Result<(), PushError> {
        // Some tags come with files, which are not looked at while a run is under way.
        let may_go =
            |key: &str| (is_whole || key == FAILURE) && !key.starts_with(NONFINITE) && key != DUPLICATE;
        let gone = cursor.tags.keys().filter(|key| !view.tags.contains_key(&Key::of(key)) && may_go(key));
        for key in gone.cloned().collect::<Vec<_>>() {
            match self.client.delete_tag(&cursor.run, &key) {
                Ok(()) | Err(Fault::Missing { .. } | Fault::Rejected { .. }) => {
                    cursor.tags.remove(&key);
                }
                Err(fault) => return Err(of_run(fault).into()),
            }
        }
        let news = view.tags.iter().filter(|(key, value)| !has_text(&cursor.tags, key, value));
        let items: Vec<Item> =
            news.map(|(key, value)| Item::Tag(Tag { key: key.clone(), value: value.clone() })).collect();
        self.send(view, cursor, &items, &mut note_tag)
    }

    fn bring_inputs(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        if cursor.has_inputs(&view.inputs) {
            return Ok(());
        }
        match self.client.log_inputs(&cursor.run, &view.inputs) {
            Ok(()) => self.tally.add(view.inputs.len()),
            Err(Fault::Unknown { .. }) => {
                self.tally.notes.insert(
                    "the server is too old to know datasets: the column `Dataset` stays empty; MLflow 2.4 or later has it"
                        .to_owned(),
                );
            }
            Err(Fault::Rejected { words }) => self.reject(view, "datasets".to_owned(), words)?,
            Err(fault) => return Err(of_run(fault).into()),
        }
        cursor.note_inputs(&view.inputs);
        Ok(())
    }

    /// Brings the points of all stages, as they come: there may be millions.
    fn bring_points(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        let mut followers = std::mem::take(self.followers);
        let brought = self.bring_series(view, cursor, &mut followers);
        if brought.is_err() {
            // Its journals are read from the beginning again, and what was acknowledged is passed over.
            followers.retain(|(uid, _), _| *uid != view.uid);
        }
        *self.followers = followers;
        brought
    }

    fn bring_series(
        &mut self,
        view: &RunView,
        cursor: &mut Cursor,
        followers: &mut Followers,
    ) -> Result<(), PushError> {
        let mut gathered: Vec<(Item, StageKey, String, Reached)> = Vec::with_capacity(GATHERED);
        let mut noted = Stopwatch::start();
        for series in &view.series {
            let mark = cursor.series.get(&series.stage).cloned().unwrap_or_default();
            let Series { prefix, stage, .. } = series;
            let mut names = Names::default();
            series.unsent(self.store, view.uid, &mark, followers, &mut |unsent: Unsent| {
                if let Some(tag) = nonfinite(prefix, &unsent, cursor) {
                    self.send(view, cursor, &[Item::Tag(tag)], &mut note_tag)?;
                }
                let name = names.of(prefix, &unsent.point);
                let item = Item::Metric(metric(name, &unsent.point, cursor.start));
                gathered.push((item, *stage, unsent.point.key, unsent.reached));
                if gathered.len() == GATHERED {
                    self.send_gathered(view, cursor, &mut gathered)?;
                    if noted.seconds() > BETWEEN_NOTES {
                        self.cursors.write(view.uid, cursor)?;
                        noted = Stopwatch::start();
                    }
                }
                Ok::<(), PushError>(())
            })?;
        }
        self.send_gathered(view, cursor, &mut gathered)?;
        for series in &view.series {
            if let Source::Done(digest, _) = &series.source {
                followers.remove(&(view.uid, series.stage));
                cursor.series.entry(series.stage).or_default().all_of = Some(*digest);
            }
        }
        Ok(())
    }

    fn send_gathered(
        &mut self,
        view: &RunView,
        cursor: &mut Cursor,
        gathered: &mut Vec<(Item, StageKey, String, Reached)>,
    ) -> Result<(), PushError> {
        let mut marks = Vec::with_capacity(gathered.len());
        let items: Vec<Item> = gathered
            .drain(..)
            .map(|(item, stage, key, reached)| {
                marks.push((stage, key, reached));
                item
            })
            .collect();
        self.send(view, cursor, &items, &mut |cursor, at, _| {
            let (stage, key, reached) = &marks[at];
            let keys = &mut cursor.series.entry(*stage).or_default().keys;
            match keys.get_mut(key) {
                Some(mark) => *mark = *reached,
                None => drop(keys.insert(key.clone(), *reached)),
            }
        })
    }

    /// Brings results, and what stages took.
    fn bring_values(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        let news = view.values.iter().filter(|(key, value)| !cursor.has_value(key, **value));
        let items: Vec<Item> =
            news.map(|(key, value)| Item::Metric(result(key, *value, cursor.start))).collect();
        self.send(view, cursor, &items, &mut |cursor, _, item| {
            if let Item::Metric(metric) = item {
                cursor.note_value(&metric.key, metric.value.0);
            }
        })?;
        for (key, samples) in by_key(&view.system) {
            if !cursor.has_samples(key, &samples) {
                let items: Vec<Item> = samples.iter().map(|one| Item::Metric(sample(one))).collect();
                self.send(view, cursor, &items, &mut |_, _, _| {})?;
                cursor.note_samples(key, &samples);
            }
        }
        Ok(())
    }

    fn bring_artifacts(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        let Some(root) = ArtifactRoot::of(&cursor.artifact_uri) else {
            if !view.artifacts.is_empty() {
                self.tally.notes.insert(format!(
                    "files stay in the store: the server keeps them in {}, where it alone writes; start it with \
                     --serve-artifacts",
                    cursor.artifact_uri.split("://").next().unwrap_or_default()
                ));
            }
            return Ok(());
        };
        for (path, bytes) in &view.artifacts {
            if cursor.has_file(path, bytes) {
                continue;
            }
            match self.client.put_artifact(&root, path, bytes.clone()) {
                Ok(()) => self.tally.add(1),
                Err(Fault::Rejected { words } | Fault::Unknown { words }) => {
                    self.reject(view, format!("file {path}"), words)?;
                }
                Err(fault) => return Err(of_run(fault).into()),
            }
            cursor.note_file(path, bytes);
        }
        Ok(())
    }

    fn set_state(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        if cursor.has_state(view) {
            return Ok(());
        }
        let update = UpdateRun {
            run_id: &cursor.run,
            status: view.status(),
            end_time: view.ended_at().map(Millis::of),
        };
        match self.client.update_run(&update).map_err(of_run) {
            Ok(()) => self.tally.add(1),
            Err(Fault::Rejected { words }) => self.reject(view, "its state".to_owned(), words)?,
            Err(fault) => return Err(fault.into()),
        }
        cursor.note_state(view);
        Ok(())
    }

    /// Sends items; `note` hears of each that the server has, or will never have.
    fn send(
        &mut self,
        view: &RunView,
        cursor: &mut Cursor,
        items: &[Item],
        note: &mut dyn FnMut(&mut Cursor, usize, &Item),
    ) -> Result<(), PushError> {
        let client = self.client;
        let run = cursor.run.clone();
        let refusals = RefCell::new(std::mem::take(&mut self.tally.refusals));
        let sent = send_all(
            items,
            &mut |batch| match client.log_batch(&batch.request(&run)) {
                Ok(()) => Ok(Outcome::Accepted),
                Err(fault) => match of_run(fault) {
                    Fault::Rejected { words } => Ok(Outcome::Rejected(words)),
                    fault => Err(PushError::from(fault)),
                },
            },
            &mut |at, item, outcome| {
                match outcome {
                    Ok(()) => self.tally.add(1),
                    Err(words) => {
                        cursor.refused.insert(item.name().to_owned());
                        let mut refusals = refusals.borrow_mut();
                        let times = refusals.entry(item.name().to_owned()).or_default();
                        *times += 1;
                        match *times {
                            times if times < HOPELESS => self.reject(view, item.words(), words.to_owned())?,
                            HOPELESS => {
                                self.reject(
                                    view,
                                    format!("{}, and all after it", item.words()),
                                    words.to_owned(),
                                )?;
                            }
                            _ => {}
                        }
                    }
                }
                note(cursor, at, item);
                Ok(())
            },
            &|item| refusals.borrow().get(item.name()).is_some_and(|times| *times >= HOPELESS),
        );
        self.tally.refusals = refusals.into_inner();
        sent
    }

    fn reject(&mut self, view: &RunView, what: String, words: String) -> Result<(), PushError> {
        let rejected = Rejected { study: self.study.to_owned(), run: view.name.clone(), what, words };
        self.cursors.reject(&rejected)?;
        self.tally.rejected.push(rejected);
        Ok(())
    }
}

fn note_tag(cursor: &mut Cursor, _: usize, item: &Item) {
    if let Item::Tag(Tag { key, value }) = item {
        note_text(&mut cursor.tags, key, value);
    }
}

/// A run that is gone, or was deleted meanwhile: it is looked for again, and what was sent is not to blame.
pub(super) fn of_run(fault: Fault) -> Fault {
    match fault {
        Fault::Missing { words } => Fault::away(format!("the run is gone ({words})")),
        Fault::Rejected { words } if words.contains("in the 'active' state") => {
            Fault::away(format!("the run was deleted meanwhile ({words})"))
        }
        other => other,
    }
}
