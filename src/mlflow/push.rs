//! Brings one run to a server: it is known again or made, then parameters, datasets, points and tags, files, and its state
//! last, so that a run that is FINISHED there is all there.
//!
//! Everything but the making can be asked twice without harm, so nothing here is tried again: whoever calls does so, from
//! the beginning, and what was acknowledged is not sent again. A run is made after a search for it, and searched for again
//! after that: an answer that was lost makes no second run, and of two that were made at once both sides choose the same.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::batch::{Item, Outcome, send_all};
use super::client::{ArtifactRoot, Client};
use super::cursor::{Cursor, Cursors, Rejected};
use super::fault::Fault;
use super::known::{Uid, compare_said, in_use};
use super::point::{NONFINITE, Names, by_key, metric, nonfinite, of_samples, of_value, result, sample};
use super::view::series::{Followers, Reached, Series, Source, Unsent};
use super::view::{ARM, DUPLICATE, FAILURE, KIND, RunView, SPLIT, State, UID};
use super::wire::{CreateRun, Key, Millis, Param, Run, RunStatus, Tag, TagValue, UpdateRun};
use crate::base::canon;
use crate::base::clock::{self, Stopwatch};
use crate::base::digest::Digest;
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

/// The state of a run on the server.
pub fn status(state: State) -> RunStatus {
    match state {
        State::Waiting => RunStatus::Scheduled,
        State::UnderWay => RunStatus::Running,
        State::Complete => RunStatus::Finished,
        State::Failed => RunStatus::Failed,
        State::Stopped => RunStatus::Killed,
    }
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
        if cursor.status == Some(RunStatus::Finished) && view.state != State::Complete {
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

    /// Knows the run again, or makes it. False where someone deleted it there.
    fn find_or_make(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<bool, PushError> {
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
            let request =
                super::wire::LogBatch { run_id: &other.info.run_id, metrics: &[], params: &[], tags: &tags };
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

    fn bring_params(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        let news = view.params.iter().filter(|(key, value)| {
            cursor.params.get(key.as_str()) != Some(&Digest::of(value.as_str().as_bytes()))
        });
        let items: Vec<Item> =
            news.map(|(key, value)| Item::Param(Param { key: key.clone(), value: value.clone() })).collect();
        self.send(view, cursor, &items, &mut |cursor, _, item| {
            if let Item::Param(Param { key, value }) = item {
                let digest = Digest::of(value.as_str().as_bytes());
                cursor.params.insert(key.as_str().to_owned(), digest);
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
        let news = view.tags.iter().filter(|(key, value)| {
            cursor.tags.get(key.as_str()) != Some(&Digest::of(value.as_str().as_bytes()))
        });
        let items: Vec<Item> =
            news.map(|(key, value)| Item::Tag(Tag { key: key.clone(), value: value.clone() })).collect();
        self.send(view, cursor, &items, &mut note_tag)
    }

    fn bring_inputs(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        let digest = canon::digest("stpp inputs v1", &view.inputs);
        if view.inputs.is_empty() || cursor.inputs == Some(digest) {
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
        cursor.inputs = Some(digest);
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
        let mut items = Vec::new();
        for (key, value) in &view.values {
            if cursor.values.get(key.as_str()) != Some(&of_value(*value)) {
                items.push(Item::Metric(result(key, *value, cursor.start)));
            }
        }
        self.send(view, cursor, &items, &mut |cursor, _, item| {
            if let Item::Metric(metric) = item {
                cursor.values.insert(metric.key.as_str().to_owned(), of_value(metric.value.0));
            }
        })?;
        for (key, samples) in by_key(&view.system) {
            let items: Vec<Item> = samples.iter().map(|one| Item::Metric(sample(one))).collect();
            let digest = of_samples(&samples);
            if cursor.system.get(key.as_str()) != Some(&digest) {
                self.send(view, cursor, &items, &mut |_, _, _| {})?;
                cursor.system.insert(key.as_str().to_owned(), digest);
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
            let digest = Digest::of(bytes);
            if cursor.artifacts.get(path) == Some(&digest) {
                continue;
            }
            match self.client.put_artifact(&root, path, bytes.clone()) {
                Ok(()) => self.tally.add(1),
                Err(Fault::Rejected { words } | Fault::Unknown { words }) => {
                    self.reject(view, format!("file {path}"), words)?;
                }
                Err(fault) => return Err(of_run(fault).into()),
            }
            cursor.artifacts.insert(path.clone(), digest);
        }
        Ok(())
    }

    fn set_state(&mut self, view: &RunView, cursor: &mut Cursor) -> Result<(), PushError> {
        let status = status(view.state);
        let ended = view.ended.filter(|_| status != RunStatus::Running);
        // Another copy of the store may have come further.
        let is_less = cursor.status == Some(RunStatus::Finished) && status != RunStatus::Finished;
        if is_less || (cursor.status, cursor.ended) == (Some(status), ended) {
            return Ok(());
        }
        let update = UpdateRun { run_id: &cursor.run, status, end_time: ended.map(Millis::of) };
        match self.client.update_run(&update).map_err(of_run) {
            Ok(()) => self.tally.add(1),
            Err(Fault::Rejected { words }) => self.reject(view, "its state".to_owned(), words)?,
            Err(fault) => return Err(fault.into()),
        }
        (cursor.status, cursor.ended) = (Some(status), ended);
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
        let digest = Digest::of(value.as_str().as_bytes());
        cursor.tags.insert(key.as_str().to_owned(), digest);
    }
}

/// A run that is gone, or was deleted meanwhile: it is looked for again, and what was sent is not to blame.
fn of_run(fault: Fault) -> Fault {
    match fault {
        Fault::Missing { words } => Fault::away(format!("the run is gone ({words})")),
        Fault::Rejected { words } if words.contains("in the 'active' state") => {
            Fault::away(format!("the run was deleted meanwhile ({words})"))
        }
        other => other,
    }
}
