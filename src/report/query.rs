//! The facts of a study, read from the store: its members, their records, what the stages left.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;

use super::arm::ArmFacts;
use super::rows::MetricRow;
use super::study::{
    Best, Evaluation, ImageConfusion, ImageFact, LabelFacts, Provenance, RunFacts, SelectionFacts, Sharing,
    StageFact, Study, Subset,
};
use crate::base::canon;
use crate::method::record::ImageRecord;
use crate::method::select::image::Selection;
use crate::metric::Confusion;
use crate::plan::graph::Want;
use crate::plan::recipe::Lesson;
use crate::plan::work::Work;
use crate::plan::{Kind, StageKey};
use crate::stage::label::Quality;
use crate::stage::metrics;
use crate::store::study::StoredMember;
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
}

impl<'a> Query<'a> {
    fn new(store: &'a Store, stored: &StoredStudy) -> Result<Self, StoreError> {
        let mut query = Self { store, records: BTreeMap::new() };
        for member in &stored.members {
            for step in &member.chain.steps {
                if let Entry::Vacant(empty) = query.records.entry(step.key)
                    && let Some(record) = store.record(step.kind, step.key)?
                {
                    empty.insert(record);
                }
            }
        }
        Ok(query)
    }

    fn study(&self, stored: &StoredStudy) -> Result<Study, StoreError> {
        let runs = stored.members.iter().map(|member| self.run(member)).collect::<Result<Vec<_>, _>>()?;
        let ablation = &stored.ablation;
        let arms = ablation.arms.iter().map(|arm| {
            let member = ablation.experiments.iter().find(|member| member.arm == arm.name);
            let member = member.expect("the reader gives every arm its experiments");
            ArmFacts::new(arm, &member.experiment.method)
        });
        let headline = if stored.data.headline == "test" { Subset::Test } else { Subset::Val };
        let sharing = &stored.sharing;
        let code: BTreeSet<&String> = self.records.values().map(|record| &record.code).collect();
        Ok(Study {
            name: ablation.name.clone(),
            question: ablation.question.clone(),
            description: ablation.description.clone(),
            baseline: ablation.baseline.clone(),
            arms: arms.collect(),
            seeds: ablation.seeds.clone(),
            splits: ablation.splits.clone(),
            regime: ablation.regime.clone(),
            classes: stored.data.classes.clone(),
            headline,
            runs,
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
                stages: Kind::ALL.iter().map(|kind| (kind.to_string(), kind.version())).collect(),
            },
        })
    }

    fn run(&self, member: &StoredMember) -> Result<RunFacts, StoreError> {
        let chain = &member.chain;
        let mut evaluations = BTreeMap::new();
        for (subset, key) in [(Subset::Val, chain.val), (Subset::Test, chain.test)] {
            if let Some(record) = key.and_then(|key| self.records.get(&key)) {
                let images: Vec<(String, Confusion)> = self.json(record, "confusion")?;
                let images =
                    images.into_iter().map(|(id, confusion)| ImageConfusion { id, confusion }).collect();
                evaluations.insert(subset, Evaluation { stage: record.key.0, images });
            }
        }
        Ok(RunFacts {
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
                })
                .collect(),
            evaluations,
            best: self.best(member),
            selection: self.selection(member)?,
            labels: self.labels(member)?,
        })
    }

    fn best(&self, member: &StoredMember) -> Option<Best> {
        let record = self.records.get(&member.chain.result?)?;
        let seen = |step: &&u64| record.values.contains_key(&Want::Validation(**step).to_string());
        let looks = member.chain.looks.iter().filter(seen).count() as u64;
        record.best_look(&member.chain.looks).map(|(step, miou)| Best { step, miou, looks })
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
    fn labels(&self, member: &StoredMember) -> Result<Vec<LabelFacts>, StoreError> {
        let all = member.chain.select.and_then(|key| self.records.get(&key)?.values.get("pixels").copied());
        let mut facts = Vec::new();
        for Lesson { role, masks } in &member.chain.taught {
            let Some(records) = masks.iter().map(|key| self.records.get(key)).collect::<Option<Vec<_>>>()
            else {
                continue;
            };
            let mut fact = LabelFacts { role: role.to_string(), pixels: 0, kept_pixels: 0, confusion: None };
            for record in records {
                let images: Vec<Quality> = self.json(record, "quality")?;
                for image in images {
                    fact.pixels += image.pixels;
                    fact.kept_pixels += image.kept;
                    if let Some(confusion) = image.confusion {
                        match &mut fact.confusion {
                            Some(total) => total.merge(&confusion),
                            empty => *empty = Some(confusion),
                        }
                    }
                }
            }
            if let Some(all) = all {
                fact.pixels = all as u64;
            }
            facts.push(fact);
        }
        Ok(facts)
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

fn weights(record: &Record) -> Option<crate::base::digest::Digest> {
    match serde_json::from_value(record.work.clone()) {
        Ok(Work::Train(training)) => training.net.weights,
        _ => None,
    }
}
