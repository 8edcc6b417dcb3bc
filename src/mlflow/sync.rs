//! Brings a study to a server: the experiment, a run per experiment, the report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::cursor::{Cursors, has_text};
use super::fault::Fault;
use super::known::{Uid, by_uid};
use super::place;
use super::push::{PushError, Pusher, Tally};
use super::server::Server;
use super::view::report;
use super::view::run::{self, Runs};
use super::view::series::{Followers, Source};
use super::view::{AtWork, Depth, RunView, State, experiment, images};
use super::wire::{NoteValue, Run};
use crate::base::clock::Stopwatch;
use crate::base::digest::Digest;
use crate::plan::StageKey;
use crate::store::lease::Leases;
use crate::store::{Store, StoreError, StoredStudy};

/// What is brought again, and what is taken back.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Experiments and runs that someone deleted on the server are taken back.
    pub restore: bool,
}

/// How much is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// What was measured so far, and runs that are complete: while a study is run.
    SoFar,
    /// What a run of the study leaves: also files of what is not complete, and the report.
    Rest,
    /// Everything, whatever was brought before.
    All,
}

/// What a run looked like when it was brought: its state, and its stages with whether they are done.
type Shape = (State, Vec<(StageKey, bool)>);

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
    /// What the server has said, until something goes wrong.
    said: Option<Said>,
    /// Whether it has said so in this pass.
    is_fresh: bool,
    /// Runs of which nothing is left to be brought.
    settled: BTreeSet<Digest>,
    /// What was brought of others.
    shapes: BTreeMap<Digest, Shape>,
    /// Keys of images, once there are some.
    images: Vec<String>,
    /// What was done so far.
    pub tally: Tally,
    /// How long the last look at the store took, without the server.
    pub looked: Duration,
}

/// What a server has said of a study.
#[derive(Debug)]
struct Said {
    experiment: String,
    tags: BTreeMap<String, String>,
    runs: BTreeMap<Uid, Vec<Run>>,
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
            said: None,
            is_fresh: false,
            settled: BTreeSet::new(),
            shapes: BTreeMap::new(),
            images: Vec::new(),
            tally: Tally::default(),
            looked: Duration::ZERO,
        }
    }

    /// Brings all that there is, whatever was brought before. How many runs the server shows then.
    ///
    /// # Errors
    /// [`PushError`]; the next call goes on from there.
    pub fn all(&mut self, at_work: &AtWork) -> Result<usize, PushError> {
        self.said = None;
        self.bring(at_work, Scope::All)
    }

    /// Brings what was measured so far, and runs that are complete.
    ///
    /// # Errors
    /// [`PushError`]; the next call goes on from there.
    pub fn so_far(&mut self, at_work: &AtWork) -> Result<usize, PushError> {
        self.bring(at_work, Scope::SoFar)
    }

    /// Brings what is left when a study was run: also files of what is not complete, and the report. How many runs the
    /// server shows then.
    ///
    /// # Errors
    /// [`PushError`]; the next call goes on from there.
    pub fn rest(&mut self, at_work: &AtWork) -> Result<usize, PushError> {
        self.said = None;
        self.bring(at_work, Scope::Rest)
    }

    /// Whether the server has answered, and nothing went wrong since.
    pub fn is_open(&self) -> bool {
        self.said.is_some()
    }

    /// Brings what there is; where that fails, nothing is believed the next time.
    fn bring(&mut self, at_work: &AtWork, scope: Scope) -> Result<usize, PushError> {
        self.is_fresh = self.said.is_none();
        let brought = self.pass(at_work, scope);
        if brought.is_err() {
            self.said = None;
            self.shapes.clear();
        }
        brought
    }

    fn pass(&mut self, at_work: &AtWork, scope: Scope) -> Result<usize, PushError> {
        let runs = Arc::clone(&self.runs);
        let watch = Stopwatch::start();
        let (mut views, mut waiting, mut shown) = (Vec::new(), Vec::new(), 0);
        for member in &self.study.members {
            if scope != Scope::All && self.settled.contains(&run::uid(member)) {
                shown += 1;
                continue;
            }
            let view = runs.view(member, at_work, Depth::Points)?;
            if view.state == State::Waiting && scope != Scope::SoFar {
                waiting.push(view);
                continue;
            }
            let shape = shape_of(&view);
            let is_under_way = shape.1.iter().any(|(_, is_done)| !is_done);
            let is_old = scope == Scope::SoFar && !is_under_way && self.shapes.get(&view.uid) == Some(&shape);
            shown += usize::from(view.state != State::Waiting);
            if view.state != State::Waiting && !is_old {
                views.push((member, view));
            }
        }
        if self.images.is_empty() && !views.is_empty() {
            self.images = images::keys(self.store, self.study)?;
        }
        self.looked = watch.elapsed();
        if shown == 0 || scope == Scope::SoFar && views.is_empty() {
            return Ok(shown);
        }
        self.open(None)?;
        for (member, view) in views {
            let is_whole = scope != Scope::SoFar || view.state == State::Complete;
            let view = if is_whole { runs.view(member, at_work, Depth::Whole)? } else { view };
            self.pusher()?.bring(&view, is_whole)?;
            if view.state == State::Complete {
                self.settled.insert(view.uid);
            } else {
                self.shapes.insert(view.uid, shape_of(&view));
            }
        }
        for view in waiting {
            self.pusher()?.close(&view)?;
        }
        // A report holds all points of a study at once, so it comes when they are there.
        if scope != Scope::SoFar
            && let Some(report) = report::of(self.store, self.study, at_work)?
        {
            shown += 1;
            if self.pusher()?.bring(&report.view, true)? {
                self.describe(Some(&report.note))?;
            }
        }
        Ok(shown)
    }

    /// Asks what the server has, and says what the experiment is about.
    fn open(&mut self, note: Option<&NoteValue>) -> Result<(), PushError> {
        if self.said.is_none() {
            let (experiment, tags) = place::open(self.client, self.study, self.options.restore)?;
            let runs = by_uid(self.client.runs(&experiment, None)?);
            self.said = Some(Said { experiment, tags, runs });
            self.describe(note)?;
        }
        Ok(())
    }

    fn describe(&mut self, note: Option<&NoteValue>) -> Result<(), PushError> {
        let Some(Said { experiment, tags, .. }) = &mut self.said else { return Ok(()) };
        let about = (self.study, note, &*self.images);
        place::describe(self.client, (experiment, tags), about, &self.cursors, &mut self.tally)
    }

    /// Who brings runs to the experiment, and knows which are there.
    fn pusher(&mut self) -> Result<Pusher<'_>, PushError> {
        let Some(said) = &mut self.said else {
            return Err(Fault::away("the experiment is not open").into());
        };
        Ok(Pusher {
            client: self.client,
            store: self.store,
            study: &self.study.ablation.name,
            cursors: &self.cursors,
            experiment: said.experiment.clone(),
            known: &mut said.runs,
            is_fresh: self.is_fresh,
            restore: self.options.restore,
            followers: &mut self.followers,
            tally: &mut self.tally,
        })
    }

    /// Forgets what the server acknowledged.
    ///
    /// # Errors
    /// Whatever removing reports.
    pub fn forget(&mut self) -> Result<(), StoreError> {
        self.settled.clear();
        self.shapes.clear();
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
            pending += tags.iter().filter(|(key, value)| !has_text(&cursor.tags, key, value)).count() as u64;
        }
        Ok((pending, shown))
    }
}

fn shape_of(view: &RunView) -> Shape {
    let stages = view.series.iter().map(|series| (series.stage, matches!(series.source, Source::Done(..))));
    (view.state, stages.collect())
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
    let stages = live.iter().filter_map(|live| Some(StageKey(live.name.parse().ok()?)));
    Ok(AtWork { here, stages: stages.collect() })
}
