//! Which rows a study has in each table.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::scores::Scores;
use super::study::{Evaluation, RunFacts, SelectionFacts, Study, Subset};
use crate::base::digest::Digest;
use crate::track::schema;
use crate::track::table::{Table, TableError, Value};

/// A value that a stage measured along the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// The stage's key.
    pub stage: Digest,
    /// The metric.
    pub key: String,
    /// Optimiser steps, from 1.
    pub step: u64,
    /// The value; never NaN, since a loss that becomes NaN ends its stage.
    pub value: f64,
}

/// What a report cites of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDigest {
    /// The table's name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// blake3 over its canonical rows.
    pub digest: Digest,
}

/// The tables of a study, in the order of [`schema::ALL`].
///
/// # Errors
/// [`TableError`] where a value is NaN, or facts of one stage or run contradict each other.
pub fn tables(study: &Study, metrics: &[MetricRow]) -> Result<Vec<Table>, TableError> {
    let scores = Scores::new(study);
    Ok(vec![
        Table::new(&schema::RUNS, runs(study, &scores))?,
        Table::new(&schema::RUN_STAGES, study.runs.iter().flat_map(run_stages).collect())?,
        Table::new(&schema::METRICS, metric_rows(metrics))?,
        Table::new(&schema::IMAGES, of_stages(selections(study), images))?,
        Table::new(&schema::CONFUSION, of_stages(evaluations(study), confusion))?,
        Table::new(&schema::CLASSES, classes(study, &scores))?,
    ])
}

/// What a report cites of its tables.
pub fn digests(tables: &[Table]) -> Vec<TableDigest> {
    let digest = |table: &Table| TableDigest {
        name: table.schema().name.to_owned(),
        rows: table.rows().len() as u64,
        digest: table.logical_digest(),
    };
    tables.iter().map(digest).collect()
}

fn runs(study: &Study, scores: &Scores) -> Vec<Vec<Value>> {
    let arms: BTreeMap<&str, bool> = study.arms.iter().map(|arm| (arm.name.as_str(), arm.oracle)).collect();
    let mut rows = Vec::new();
    for run in &study.runs {
        let Some(&oracle) = arms.get(run.arm.as_str()) else { continue };
        let scored = scores.runs(&run.arm).find(|scored| scored.facts.run_id == run.run_id);
        let miou = |subset: Subset| Value::real(scored.and_then(|scored| scored.miou(subset)));
        let best = run.best.filter(|_| run.complete);
        rows.push(vec![
            Value::text(&study.name),
            Value::text(&run.arm),
            Value::text(&run.split),
            Value::count(run.seed),
            Value::text(run.run_id),
            Value::text(run.experiment_id),
            Value::text(run.spec_id),
            Value::Flag(oracle),
            Value::Flag(run.complete),
            Value::text(study.headline),
            miou(study.headline),
            miou(Subset::Val),
            Value::real(best.map(|best| best.miou)),
            best.map_or(Value::Null, |best| Value::count(best.step)),
            best.map_or(Value::Null, |best| Value::count(best.looks)),
        ]);
    }
    rows
}

fn run_stages(run: &RunFacts) -> impl Iterator<Item = Vec<Value>> {
    run.stages.iter().enumerate().map(|(position, stage)| {
        vec![
            Value::text(run.run_id),
            Value::count(position as u64),
            Value::text(&stage.kind),
            Value::text(&stage.role),
            Value::text(stage.key),
        ]
    })
}

/// Rows come stage by stage and metric by metric, so that a row mostly shares its texts with the one before it.
fn metric_rows(metrics: &[MetricRow]) -> Vec<Vec<Value>> {
    let mut rows = Vec::with_capacity(metrics.len());
    let mut texts: Option<(&MetricRow, Value, Value)> = None;
    for row in metrics {
        let (stage, key) = match texts {
            Some((last, stage, key)) if (last.stage, &last.key) == (row.stage, &row.key) => (stage, key),
            _ => (Value::text(row.stage), Value::text(&row.key)),
        };
        rows.push(vec![stage.clone(), key.clone(), Value::count(row.step), Value::Real(row.value)]);
        texts = Some((row, stage, key));
    }
    rows
}

type Facts<'a, T> = BTreeMap<(Digest, Option<Subset>), Vec<&'a T>>;

/// Selections by stage: arms that share a stage report the same facts.
fn selections(study: &Study) -> Facts<'_, SelectionFacts> {
    let mut found: Facts<SelectionFacts> = BTreeMap::new();
    for facts in study.runs.iter().filter_map(|run| run.selection.as_ref()) {
        add(&mut found, (facts.stage, None), facts);
    }
    found
}

fn evaluations(study: &Study) -> Facts<'_, Evaluation> {
    let mut found: Facts<Evaluation> = BTreeMap::new();
    for (&subset, facts) in study.runs.iter().flat_map(|run| &run.evaluations) {
        add(&mut found, (facts.stage, Some(subset)), facts);
    }
    found
}

/// Equal facts are kept once, so that a shared stage is not expanded for each of its arms; facts that differ are
/// both kept, for [`Table::new`] to refuse.
fn add<'a, T: PartialEq>(found: &mut Facts<'a, T>, key: (Digest, Option<Subset>), facts: &'a T) {
    let known = found.entry(key).or_default();
    if !known.contains(&facts) {
        known.push(facts);
    }
}

fn of_stages<T>(
    facts: Facts<T>,
    rows: impl Fn(&Value, Option<Subset>, &T) -> Vec<Vec<Value>>,
) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for ((stage, subset), known) in facts {
        let stage = Value::text(stage);
        for facts in known {
            all.extend(rows(&stage, subset, facts));
        }
    }
    all
}

fn images(stage: &Value, _: Option<Subset>, facts: &SelectionFacts) -> Vec<Vec<Value>> {
    let row = |image: &super::study::ImageFact| {
        vec![
            stage.clone(),
            Value::text(&image.id),
            Value::real(image.score),
            image.selected.map_or(Value::Null, Value::Flag),
            Value::count(image.kept_pixels),
            Value::count(image.pixels),
            Value::real(image.truth_miou),
        ]
    };
    facts.images.iter().map(row).collect()
}

fn confusion(stage: &Value, subset: Option<Subset>, facts: &Evaluation) -> Vec<Vec<Value>> {
    let subset = subset.map_or(Value::Null, Value::text);
    let mut rows = Vec::new();
    for image in &facts.images {
        let id = Value::Text(Arc::from(image.id.as_str()));
        let classes = image.confusion.classes();
        for (i, &pixels) in image.confusion.counts().iter().enumerate().filter(|&(_, &pixels)| pixels > 0) {
            let class = |class: usize| Value::count(class as u64);
            let (truth, prediction) = (class(i / classes), class(i % classes));
            rows.push(vec![
                stage.clone(),
                subset.clone(),
                id.clone(),
                truth,
                prediction,
                Value::count(pixels),
            ]);
        }
    }
    rows
}

fn classes(study: &Study, scores: &Scores) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for run in study.arms.iter().flat_map(|arm| scores.runs(&arm.name)) {
        let id = Value::text(run.facts.run_id);
        for subset in [Subset::Test, Subset::Val] {
            let Some(scored) = run.on(subset) else { continue };
            for (class, name) in study.classes.iter().enumerate() {
                rows.push(vec![
                    id.clone(),
                    Value::text(subset),
                    Value::count(class as u64),
                    Value::text(name),
                    Value::real(scored.ious[class]),
                    Value::count(scored.confusion.true_positives(class)),
                    Value::count(scored.confusion.false_positives(class)),
                    Value::count(scored.confusion.false_negatives(class)),
                ]);
            }
        }
    }
    rows
}
