//! The facts of a study, read from the store: its members, their records, what the stages left.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use serde::de::DeserializeOwned;

use super::arm::ArmFacts;
use super::rows::MetricRow;
use super::study::{
    Design, Evaluation, ImageCells, ImageFact, LabelFacts, Look, Protocol, Provenance, RunFacts,
    SelectionFacts, Sharing, SplitSize, StageFact, Study, Subset,
};
use crate::base::canon;
use crate::method::record::ImageRecord;
use crate::method::select::image::Selection;
use crate::metric::Confusion;
use crate::metric::calibration::Calibration;
use crate::plan::graph::Want;
use crate::plan::recipe::Lesson;
use crate::plan::work::Work;
use crate::plan::{Kind, StageKey};
use crate::spec::data::{Data, Listed};
use crate::stage::label::Quality;
use crate::stage::metrics;
use crate::store::study::{SplitFacts, StoredMember};
use crate::store::{Record, Store, StoreError, StoredStudy};

/// The facts of a study and the metrics of its stages.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What the report is a function of.
    pub study: Study,
    /// The rows of the metrics table.
    pub metrics: Vec<MetricRow>,
}

/// Reads a study's facts.
///
/// # Errors
/// A record or an artifact that can't be read.
pub fn facts(store: &Store, stored: &StoredStudy) -> Result<Facts, StoreError> {
    let query = Query::new(store, stored)?;
    Ok(Facts { study: query.study(stored)?, metrics: query.metrics()? })
}

/// Reads a study's facts without the metrics of its stages.
///
/// # Errors
/// A record or an artifact that can't be read.
pub fn study(store: &Store, stored: &StoredStudy) -> Result<Study, StoreError> {
    Query::new(store, stored)?.study(stored)
}

struct Query<'a> {
    store: &'a Store,
    records: BTreeMap<StageKey, Record>,
    evaluations: BTreeMap<(StageKey, Subset), Arc<Evaluation>>,
    selections: BTreeMap<StageKey, Arc<SelectionFacts>>,
    labels: BTreeMap<StageKey, Labelled>,
}

/// The pseudo labels that one stage left.
#[derive(Default)]
struct Labelled {
    pixels: u64,
    kept: u64,
    confusion: Option<Confusion>,
    calibration: Option<Calibration>,
}

impl<'a> Query<'a> {
    /// Reads what the stages of a study left, each once.
    fn new(store: &'a Store, stored: &StoredStudy) -> Result<Self, StoreError> {
        let mut records = BTreeMap::new();
        for member in &stored.members {
            for step in &member.chain.steps {
                if let Entry::Vacant(empty) = records.entry(step.key)
                    && let Some(record) = store.record(step.kind, step.key)?
                {
                    empty.insert(record);
                }
            }
        }
        let (evaluations, selections, labels) = Default::default();
        let mut query = Self { store, records, evaluations, selections, labels };
        let classes = stored.data.classes.len();
        let chains = || stored.members.iter().map(|member| &member.chain);
        let wanted: BTreeSet<(StageKey, Subset)> = chains()
            .flat_map(|chain| [(chain.val, Subset::Val), (chain.test, Subset::Test)])
            .filter_map(|(key, subset)| Some((key?, subset)))
            .filter(|(key, _)| query.records.contains_key(key))
            .collect();
        let names = Mutex::default();
        query.evaluations = wanted
            .into_par_iter()
            .map(|key| Ok((key, Arc::new(query.evaluation(key.0, classes, &names)?))))
            .collect::<Result<_, StoreError>>()?;
        for member in &stored.members {
            if let Some(key) = member.chain.select
                && !query.selections.contains_key(&key)
                && let Some(facts) = query.selection(member)?
            {
                query.selections.insert(key, Arc::new(facts));
            }
        }
        let taught: BTreeSet<StageKey> =
            chains().flat_map(|chain| &chain.taught).flat_map(|lesson| &lesson.masks).copied().collect();
        for key in taught {
            if let Some(record) = query.records.get(&key) {
                let labelled = query.labelled(record)?;
                query.labels.insert(key, labelled);
            }
        }
        Ok(query)
    }

    /// What a stage counted. Runs are evaluated on the same images, whose names are kept once.
    fn evaluation(
        &self,
        key: StageKey,
        classes: usize,
        names: &Mutex<BTreeSet<Arc<str>>>,
    ) -> Result<Evaluation, StoreError> {
        let record = &self.records[&key];
        let images: Vec<(String, Confusion)> = self.json(record, "confusion")?;
        if let Some((id, found)) = images.iter().find(|(_, confusion)| confusion.classes() != classes) {
            let what = format!("the image `{id}` has {} classes, the dataset {classes}", found.classes());
            return Err(self.unreadable(record, "confusion", &what));
        }
        let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shared = |id: String| match names.get(id.as_str()) {
            Some(name) => name.clone(),
            None => {
                let name: Arc<str> = id.into();
                names.insert(name.clone());
                name
            }
        };
        let images =
            images.into_iter().map(|(id, found)| ImageCells { id: shared(id), cells: found.cells() });
        Ok(Evaluation::new(key.0, images.collect()))
    }

    fn study(&self, stored: &StoredStudy) -> Result<Study, StoreError> {
        let runs = stored.members.iter().map(|member| self.run(member)).collect();
        let ablation = &stored.ablation;
        let arms = ablation.arms.iter().map(|arm| {
            let member = ablation.experiments.iter().find(|member| member.arm == arm.name);
            let member = member.expect("the reader gives every arm its experiments");
            ArmFacts::new(arm, &member.experiment.method)
        });
        let headline = if stored.data.headline == "test" { Subset::Test } else { Subset::Val };
        let sharing = &stored.sharing;
        let code: BTreeSet<&String> = self.records.values().map(|record| &record.code).collect();
        let design = Design {
            name: ablation.name.clone(),
            question: ablation.question.clone(),
            description: ablation.description.clone(),
            baseline: ablation.baseline.clone(),
            arms: arms.collect(),
            seeds: ablation.seeds.clone(),
            splits: ablation.splits.clone(),
            regime: ablation.regime.clone(),
            classes: stored.data.classes.clone(),
            palette: stored.data.palette.clone(),
            headline,
            claims: ablation.claims.clone(),
            registrations: stored.registrations.clone(),
            absent: BTreeSet::new(),
            protocol: protocol(stored),
            sharing: Sharing {
                experiments: stored.members.len() as u64,
                stages_requested: sharing.requested as u64,
                stages_distinct: sharing.distinct as u64,
                steps_requested: sharing.requested_cost.steps,
                steps_distinct: sharing.distinct_cost.steps,
                forwards_requested: sharing.requested_cost.forwards.round() as u64,
                forwards_distinct: sharing.distinct_cost.forwards.round() as u64,
            },
            provenance: Provenance {
                ablation: stored.digest,
                data: stored.data.manifest,
                splits: stored
                    .data
                    .splits
                    .iter()
                    .map(|(label, split)| {
                        let lists = (split.labeled_digest, split.unlabeled_digest);
                        (label.clone(), canon::digest("stpp split v1", &lists))
                    })
                    .collect(),
                weights: self.records.values().find_map(weights),
                numerics: stored.numerics.clone(),
                code: code.into_iter().cloned().collect(),
                stages: self.versions(),
            },
        };
        Ok(Study { design, runs })
    }

    /// The version of each kind of stage, by the records; the latest where the work spans an upgrade.
    fn versions(&self) -> BTreeMap<String, u32> {
        let mut versions = BTreeMap::new();
        for record in self.records.values() {
            let version: &mut u32 = versions.entry(record.kind.to_string()).or_default();
            *version = record.version.max(*version);
        }
        versions
    }

    fn run(&self, member: &StoredMember) -> RunFacts {
        let chain = &member.chain;
        let evaluated = [(Subset::Val, chain.val), (Subset::Test, chain.test)]
            .into_iter()
            .filter_map(|(subset, key)| Some((subset, self.evaluations.get(&(key?, subset))?.clone())));
        RunFacts {
            arm: member.arm.clone(),
            seed: member.seed,
            split: member.split.clone(),
            run_id: member.run_id,
            experiment_id: member.experiment_id,
            spec_id: member.spec_id,
            complete: chain.steps.iter().all(|step| self.records.contains_key(&step.key)),
            stages: chain
                .steps
                .iter()
                .map(|step| StageFact {
                    kind: step.kind.to_string(),
                    role: step.role.map_or_else(String::new, |role| role.to_string()),
                    key: step.key.0,
                    inputs: self
                        .records
                        .get(&step.key)
                        .map_or_else(Vec::new, |record| record.inputs.iter().map(|key| key.0).collect()),
                })
                .collect(),
            evaluations: evaluated.collect(),
            looks: self.looks(member),
            selection: chain.select.and_then(|key| self.selections.get(&key).cloned()),
            labels: self.labels(member),
        }
    }

    /// The looks that this ablation asked for; others may have asked for more.
    fn looks(&self, member: &StoredMember) -> Vec<Look> {
        let Some(record) = member.chain.result.and_then(|key| self.records.get(&key)) else {
            return Vec::new();
        };
        let seen =
            |&step: &u64| Some(Look { step, miou: *record.values.get(&Want::Validation(step).to_string())? });
        member.chain.looks.iter().filter_map(seen).collect()
    }

    /// What the recipe's own selection chose. True mIoU is that of the teacher's prediction for the image.
    fn selection(&self, member: &StoredMember) -> Result<Option<SelectionFacts>, StoreError> {
        let Some(record) = member.chain.select.and_then(|key| self.records.get(&key)) else {
            return Ok(None);
        };
        let images = if record.outputs.contains_key("selection") {
            self.selected_images(record, member)?
        } else {
            self.selected_pixels(record, member)?
        };
        Ok(Some(SelectionFacts { stage: record.key.0, images }))
    }

    fn selected_images(&self, record: &Record, member: &StoredMember) -> Result<Vec<ImageFact>, StoreError> {
        let selection: Selection = self.json(record, "selection")?;
        let reliable: BTreeSet<&String> = selection.reliable.iter().collect();
        let scored: Vec<ImageRecord> = match member.chain.score.and_then(|key| self.records.get(&key)) {
            Some(score) => self.json(score, "scores")?,
            None => Vec::new(),
        };
        let truth: BTreeMap<&str, (u64, Option<f64>)> =
            scored.iter().map(|image| (image.id.as_str(), (image.pixels, image.truth_miou))).collect();
        let facts = selection.scores.iter().map(|(id, score)| {
            let (pixels, truth_miou) = truth.get(id.as_str()).copied().unwrap_or_default();
            let selected = reliable.contains(id);
            ImageFact {
                id: id.clone(),
                score: Some(*score),
                selected: Some(selected),
                kept_pixels: if selected { pixels } else { 0 },
                pixels,
                truth_miou,
            }
        });
        Ok(facts.collect())
    }

    fn selected_pixels(&self, record: &Record, member: &StoredMember) -> Result<Vec<ImageFact>, StoreError> {
        let kept: Vec<Quality> = self.json(record, "quality")?;
        let labels = member.chain.steps.iter().find(|step| step.kind == Kind::Label);
        let whole: Vec<Quality> = match labels.and_then(|step| self.records.get(&step.key)) {
            Some(labels) => self.json(labels, "quality")?,
            None => Vec::new(),
        };
        let truth: BTreeMap<&str, Option<f64>> = whole
            .iter()
            .map(|image| (image.id.as_str(), image.confusion.as_ref().and_then(Confusion::miou)))
            .collect();
        let facts = kept.iter().map(|image| ImageFact {
            id: image.id.clone(),
            score: None,
            selected: None,
            kept_pixels: image.kept,
            pixels: image.pixels,
            truth_miou: truth.get(image.id.as_str()).copied().flatten(),
        });
        Ok(facts.collect())
    }

    /// The pseudo labels of each re-training; `pixels` are those of all unlabeled images.
    fn labels(&self, member: &StoredMember) -> Vec<LabelFacts> {
        let all = member.chain.select.and_then(|key| self.records.get(&key)?.values.get("pixels").copied());
        let mut facts = Vec::new();
        for Lesson { role, masks } in &member.chain.taught {
            let Some(labelled) = masks.iter().map(|key| self.labels.get(key)).collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            let mut total = Labelled::default();
            labelled.into_iter().for_each(|part| total.add(part));
            facts.push(LabelFacts {
                role: role.to_string(),
                pixels: all.map_or(total.pixels, |all| all as u64),
                kept_pixels: total.kept,
                confusion: total.confusion,
                calibration: total.calibration,
            });
        }
        facts
    }

    fn labelled(&self, record: &Record) -> Result<Labelled, StoreError> {
        let images: Vec<Quality> = self.json(record, "quality")?;
        let mut total = Labelled::default();
        for image in images {
            let Quality { pixels, kept, confusion, calibration, .. } = image;
            total.add(&Labelled { pixels, kept, confusion, calibration });
        }
        Ok(total)
    }

    fn metrics(&self) -> Result<Vec<MetricRow>, StoreError> {
        let mut rows = Vec::new();
        for record in self.records.values() {
            let Some(digest) = record.output("metrics") else { continue };
            let points = metrics::from_lines(&self.store.get(digest)?)
                .map_err(|error| self.unreadable(record, "metrics", &error))?;
            rows.extend(points.into_iter().filter_map(|point| {
                let value = point.value?;
                Some(MetricRow { stage: record.key.0, key: point.key, step: point.step, value })
            }));
        }
        Ok(rows)
    }

    fn json<T: DeserializeOwned>(&self, record: &Record, output: &str) -> Result<T, StoreError> {
        let missing = || self.unreadable(record, output, &"the record does not name it");
        let bytes = self.store.get(record.output(output).ok_or_else(missing)?)?;
        serde_json::from_slice(&bytes).map_err(|error| self.unreadable(record, output, &error))
    }

    fn unreadable(&self, record: &Record, output: &str, what: &dyn std::fmt::Display) -> StoreError {
        StoreError::Unreadable {
            path: crate::store::layout::record(self.store.root(), record.kind, record.key),
            what: format!("`{output}` can't be understood ({what})"),
        }
    }
}

impl Labelled {
    fn add(&mut self, other: &Self) {
        self.pixels += other.pixels;
        self.kept += other.kept;
        match (&mut self.confusion, &other.confusion) {
            (Some(total), Some(more)) => total.merge(more),
            (empty @ None, Some(more)) => *empty = Some(more.clone()),
            (_, None) => {}
        }
        match (&mut self.calibration, &other.calibration) {
            (Some(total), Some(more)) => total.merge(more),
            (empty @ None, Some(more)) => *empty = Some(more.clone()),
            (_, None) => {}
        }
    }
}

/// What the numbers of a study have in common with those that they may stand beside.
fn protocol(stored: &StoredStudy) -> Protocol {
    let ablation = &stored.ablation;
    let baseline = ablation.experiments.iter().find(|member| member.arm == ablation.baseline);
    // A study of one run alone may lack the baseline.
    let member = baseline
        .or(ablation.experiments.first())
        .expect("the reader refuses an ablation without experiments");
    let experiment = &member.experiment;
    let mut geometry = match experiment.evaluate.windows {
        None => "whole images".to_owned(),
        Some(windows) => format!("windows of {}, every {} pixels", windows.side, windows.stride),
    };
    if let Data::Listed(Listed { long_side: Some(side), .. }) = &experiment.data {
        geometry += &format!(", shrunk to a longer side of {side}");
    }
    let size =
        |split: &SplitFacts| SplitSize { labeled: split.labeled as u64, unlabeled: split.unlabeled as u64 };
    Protocol {
        dataset: stored.data.name.clone(),
        splits: stored.data.splits.iter().map(|(label, split)| (label.clone(), size(split))).collect(),
        geometry,
        convention: CONVENTION.to_owned(),
        network: experiment.model.words(),
        crop: experiment.train.crop as u64,
    }
}

/// How mIoU is computed here (`utils.py`, `meanIOU`).
pub const CONVENTION: &str =
    "one confusion matrix over the images, mean over the classes that occur, ignored pixels left out";

fn weights(record: &Record) -> Option<crate::base::digest::Digest> {
    match serde_json::from_value(record.work.clone()) {
        Ok(Work::Train(training)) => training.net.weights,
        _ => None,
    }
}
