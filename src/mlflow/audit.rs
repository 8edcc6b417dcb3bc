//! Reads back what a server has of a study and holds it against the store: a server that answers 200 has not always kept
//! what it was sent.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{ArtifactRoot, Client};
use super::known::{Uid, by_uid, in_use};
use super::place;
use super::point::{Names, by_key, metric, result, sample};
use super::push::PushError;
use super::view::run::Runs;
use super::view::series::Source;
use super::view::{AtWork, BROUGHT, Depth, NOTE, RunView, State, report};
use super::wire::{Metric, Millis, Run, RunStatus, Step};
use crate::base::digest::Digest;
use crate::store::{Store, StoredStudy};

/// What was compared, and what differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Points, parameters, tags, datasets, files and states that are as they should be.
    pub equal: u64,
    /// Runs that were compared.
    pub runs: usize,
    /// What differs, a line each.
    pub differences: Vec<String>,
}

/// Compares a server with the store. Runs that someone works on at the moment are passed over.
///
/// # Errors
/// [`PushError`].
pub fn audit(
    client: &Client,
    store: &Store,
    study: &StoredStudy,
    at_work: &AtWork,
) -> Result<Audit, PushError> {
    let mut audit = Audit::default();
    let (name, found) = place::find(client, study)?;
    let Some(found) = found.filter(|found| found.lifecycle_stage != "deleted") else {
        audit.differences.push(format!("the experiment `{name}` is not on the server"));
        return Ok(audit);
    };
    let known = by_uid(client.runs(&found.experiment_id, None)?);
    let runs = Runs::of(store, study);
    for member in &study.members {
        let view = runs.view(member, at_work, Depth::Whole)?;
        audit.compare_known(client, store, &known, &view)?;
    }
    if let Some(report) = report::of(store, study, at_work)? {
        audit.compare_known(client, store, &known, &report.view)?;
    }
    Ok(audit)
}

impl Audit {
    fn compare_known(
        &mut self,
        client: &Client,
        store: &Store,
        known: &BTreeMap<Uid, Vec<Run>>,
        view: &RunView,
    ) -> Result<(), PushError> {
        if matches!(view.state, State::Waiting | State::UnderWay) {
            return Ok(());
        }
        let run = known.get(&Uid::of(view)).and_then(|runs| in_use(runs));
        let Some(run) = run.filter(|run| run.info.lifecycle_stage != "deleted") else {
            self.differences.push(format!("{}: it is not on the server", view.name));
            return Ok(());
        };
        if run.info.status == RunStatus::Finished && view.state != State::Complete {
            // Another copy of the store has come further.
            return Ok(());
        }
        self.runs += 1;
        let mut compared = Compared { client, store, view, run, audit: self };
        compared.said();
        compared.points()?;
        compared.files()
    }
}

/// Which points a metric may have there beside those that it has here.
enum Also {
    None,
    At(BTreeSet<Step>),
    Any,
}

impl Also {
    fn allows(&self, step: Step) -> bool {
        match self {
            Self::None => false,
            Self::At(steps) => steps.contains(&step),
            Self::Any => true,
        }
    }
}

/// One run, here and there.
struct Compared<'a> {
    client: &'a Client,
    store: &'a Store,
    view: &'a RunView,
    run: &'a Run,
    audit: &'a mut Audit,
}

impl Compared<'_> {
    fn differs(&mut self, what: String) {
        self.audit.differences.push(format!("{}: {what}", self.view.name));
    }

    fn text(&mut self, what: &str, here: &str, there: Option<&str>) {
        match there {
            Some(there) if there == here => self.audit.equal += 1,
            Some(there) => self.differs(format!("{what} is {there:?} there and {here:?} here")),
            None => self.differs(format!("{what} is not there")),
        }
    }

    /// Parameters, tags, datasets, state.
    fn said(&mut self) {
        let (view, run) = (self.view, self.run);
        let (params, tags) = (run.data.params(), run.data.tags());
        for (key, value) in &view.params {
            self.text(
                &format!("parameter {}", key.as_str()),
                value.as_str(),
                params.get(key.as_str()).copied(),
            );
        }
        // People may write a note anew.
        for (key, value) in view.tags.iter().filter(|(key, _)| ![NOTE, BROUGHT].contains(&key.as_str())) {
            self.text(&format!("tag {}", key.as_str()), value.as_str(), tags.get(key.as_str()).copied());
        }
        for input in &view.inputs {
            let is_there = run.inputs.dataset_inputs.iter().any(|there| {
                (&there.dataset.name, &there.dataset.digest) == (&input.dataset.name, &input.dataset.digest)
            });
            if is_there {
                self.audit.equal += 1;
            } else {
                self.differs(format!("the dataset {} is not there", input.dataset.name));
            }
        }
        let (here, there) = (view.status(), run.info.status);
        if here == there {
            self.audit.equal += 1;
        } else {
            self.differs(format!("its state is {there:?} there and {here:?} here"));
        }
    }

    fn points(&mut self) -> Result<(), PushError> {
        let start = self.run.info.start_time;
        let mut expected: BTreeSet<String> = BTreeSet::new();
        let view = self.view;
        for series in &view.series {
            // What came out otherwise after an interruption may be there as it was before.
            let also = match &series.source {
                Source::Done(_, faults) => Also::At(faults.iter().map(|(_, step)| Step::of(*step)).collect()),
                Source::UnderWay => Also::None,
            };
            let mut names = Names::default();
            // Sorted by metric: one at a time is held in memory.
            let (mut points, mut odd): (Vec<Metric>, Vec<Metric>) = (Vec::new(), Vec::new());
            series.all(self.store, &mut |point| {
                let metric = metric(names.of(&series.prefix, &point), &point, start);
                if point.value.is_none() {
                    odd.push(metric);
                    return Ok(());
                }
                if points.first().is_some_and(|first| first.key != metric.key) {
                    self.history(&points, &also, &mut expected)?;
                    points.clear();
                }
                points.push(metric);
                Ok::<(), PushError>(())
            })?;
            self.history(&points, &also, &mut expected)?;
            odd.sort_by(|one, other| one.key.cmp(&other.key));
            for of_key in odd.chunk_by(|one, other| one.key == other.key) {
                self.history(of_key, &also, &mut expected)?;
            }
        }
        for (key, value) in &view.values {
            self.history(&[result(key, *value, start)], &Also::None, &mut expected)?;
        }
        for samples in by_key(&view.system).into_values() {
            let samples: Vec<Metric> = samples.into_iter().map(sample).collect();
            self.history(&samples, &Also::Any, &mut expected)?;
        }
        let others = self.run.data.metrics.iter().map(|metric| metric.key.as_str().to_owned());
        for key in
            others.filter(|key| !expected.contains(key) && !key.starts_with("system/")).collect::<Vec<_>>()
        {
            self.differs(format!("the metric {key} is there and not here"));
        }
        Ok(())
    }

    /// The points of one metric.
    fn history(
        &mut self,
        here: &[Metric],
        also: &Also,
        expected: &mut BTreeSet<String>,
    ) -> Result<(), PushError> {
        let Some(first) = here.first() else { return Ok(()) };
        let key = first.key.as_str();
        expected.insert(key.to_owned());
        // A database has one zero.
        let said = |metric: &Metric| (metric.step, metric.timestamp, (metric.value.0 + 0.0).to_bits());
        let mut there: BTreeMap<(Step, Millis, u64), u64> = BTreeMap::new();
        self.client.history(&self.run.info.run_id, key, |page| {
            page.iter().for_each(|metric| *there.entry(said(metric)).or_default() += 1);
        })?;
        let mut missing = Vec::new();
        for metric in here {
            match there.get_mut(&said(metric)) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    self.audit.equal += 1;
                }
                _ => missing.push(metric.step.0),
            }
        }
        let extra: u64 =
            there.iter().filter(|((step, ..), _)| !also.allows(*step)).map(|(_, count)| count).sum();
        if let Some(step) = missing.first() {
            self.differs(format!(
                "{key}: {} of {} points are not there, the first at step {step}",
                missing.len(),
                here.len()
            ));
        }
        if extra > 0 {
            self.differs(format!("{key}: {extra} points are there and not here"));
        }
        Ok(())
    }

    fn files(&mut self) -> Result<(), PushError> {
        let Some(root) = ArtifactRoot::of(&self.run.info.artifact_uri) else { return Ok(()) };
        let view = self.view;
        for (path, bytes) in &view.artifacts {
            match self.client.artifact_bytes(&root, path)? {
                Some(there) if Digest::of(&there) == Digest::of(bytes) => self.audit.equal += 1,
                Some(there) => self.differs(format!(
                    "{path}: {} bytes there, others than the {} here",
                    there.len(),
                    bytes.len()
                )),
                None => self.differs(format!("{path} is not there")),
            }
        }
        Ok(())
    }
}
