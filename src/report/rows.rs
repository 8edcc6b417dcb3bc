//! Which rows a study has in each table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::scores::Scores;
use super::study::{Evaluation, ImageCells, ImageFact, RunFacts, SelectionFacts, Study, Subset};
use crate::base::canon;
use crate::base::digest::Digest;
use crate::metric::Confusion;
use crate::track::schema;
use crate::track::table::{LongTable, Part, Value};

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

type Rows = Vec<Vec<Value>>;

/// The tables of a study, in the order of [`schema::ALL`]. Their rows are made when they are asked for; facts of one stage
/// or run that contradict each other are refused then.
pub fn tables<'a>(study: &'a Study, scores: &'a Scores, metrics: &'a [MetricRow]) -> Vec<LongTable<'a>> {
    vec![
        LongTable::whole(&schema::STUDY, || design(study)),
        LongTable::whole(&schema::RUNS, || runs(study, scores)),
        LongTable::whole(&schema::RUN_STAGES, || study.runs.iter().flat_map(run_stages).collect()),
        LongTable::whole(&schema::METRICS, || metric_rows(metrics)),
        LongTable::whole(&schema::LOOKS, || study.runs.iter().flat_map(looks).collect()),
        LongTable::whole(&schema::IMAGES, || selections(study).into_iter().flat_map(selected).collect()),
        LongTable::whole(&schema::PSEUDO_LABELS, || study.runs.iter().flat_map(pseudo_labels).collect()),
        LongTable::whole(&schema::PSEUDO_CONFUSION, || {
            study.runs.iter().flat_map(pseudo_confusion).collect()
        }),
        LongTable::whole(&schema::CALIBRATION, || study.runs.iter().flat_map(calibration).collect()),
        LongTable::of_parts(&schema::EVALUATED, of_evaluations(study, evaluated)),
        LongTable::of_parts(&schema::COUNTS, of_evaluations(study, counts)),
        LongTable::of_parts(&schema::CONFUSION, of_evaluations(study, confusion)),
        LongTable::whole(&schema::CLASSES, || classes(study, scores)),
    ]
}

fn design(study: &Study) -> Rows {
    let value = serde_json::to_value(&study.design).expect("a design is plain data");
    let facts = value.as_object().expect("a struct is an object");
    let text = |value| Value::text(canon::to_json(value).expect("numbers of a design are finite"));
    let format = vec![Value::text(FORMAT_FACT), Value::text(FORMAT)];
    facts.iter().map(|(fact, value)| vec![Value::text(fact), text(value)]).chain([format]).collect()
}

/// The fact that says in which form the tables are.
pub const FORMAT_FACT: &str = "format";
/// The form of the tables that are written here: raised when a reader would take them for something else.
pub const FORMAT: u32 = 1;

fn runs(study: &Study, scores: &Scores) -> Rows {
    let arms: BTreeMap<&str, bool> = study.arms.iter().map(|arm| (arm.name.as_str(), arm.oracle)).collect();
    let mut rows = Vec::new();
    for run in &study.runs {
        let Some(&oracle) = arms.get(run.arm.as_str()) else { continue };
        let scored = scores.run(run);
        let miou = |subset: Subset| Value::real(scored.and_then(|scored| scored.miou(subset)));
        let best = run.best().filter(|_| run.complete);
        let stage =
            |subset| run.evaluations.get(&subset).map(|evaluation: &Arc<Evaluation>| evaluation.stage);
        let key = |stage: Option<Digest>| stage.map_or(Value::Null, Value::text);
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
            best.map_or(Value::Null, |_| Value::count(run.looks.len() as u64)),
            key(run.selection.as_ref().map(|selection| selection.stage)),
            key(stage(Subset::Test)),
            key(stage(Subset::Val)),
        ]);
    }
    rows
}

fn run_stages(run: &RunFacts) -> Rows {
    let row = |(position, stage): (usize, &super::study::StageFact)| {
        vec![
            Value::text(run.run_id),
            Value::count(position as u64),
            Value::text(&stage.kind),
            Value::text(&stage.role),
            Value::text(stage.key),
            Value::text(stage.inputs.iter().map(Digest::to_string).collect::<Vec<_>>().join(" ")),
        ]
    };
    run.stages.iter().enumerate().map(row).collect()
}

/// Rows come stage by stage and metric by metric, so that a row mostly shares its texts with the one before it.
fn metric_rows(metrics: &[MetricRow]) -> Rows {
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

fn looks(run: &RunFacts) -> Rows {
    let id = Value::text(run.run_id);
    let row = |look: &super::study::Look| vec![id.clone(), Value::count(look.step), Value::Real(look.miou)];
    run.looks.iter().map(row).collect()
}

fn pseudo_labels(run: &RunFacts) -> Rows {
    let row = |(position, labels): (usize, &super::study::LabelFacts)| {
        vec![
            Value::text(run.run_id),
            Value::count(position as u64),
            Value::text(&labels.role),
            Value::count(labels.pixels),
            Value::count(labels.kept_pixels),
            Value::Flag(labels.confusion.is_some()),
        ]
    };
    run.labels.iter().enumerate().map(row).collect()
}

fn pseudo_confusion(run: &RunFacts) -> Rows {
    let mut rows = Vec::new();
    for (position, labels) in run.labels.iter().enumerate() {
        let Some(confusion) = &labels.confusion else { continue };
        let classes = confusion.classes();
        let counted = confusion.counts().iter().enumerate().filter(|&(_, &pixels)| pixels > 0);
        rows.extend(counted.map(|(i, &pixels)| {
            vec![
                Value::text(run.run_id),
                Value::count(position as u64),
                Value::count((i / classes) as u64),
                Value::count((i % classes) as u64),
                Value::count(pixels),
            ]
        }));
    }
    rows
}

fn calibration(run: &RunFacts) -> Rows {
    let mut rows = Vec::new();
    for (position, labels) in run.labels.iter().enumerate() {
        let bins = labels.calibration.iter().flat_map(|calibration| calibration.bins()).enumerate();
        rows.extend(bins.map(|(at, bin)| {
            vec![
                Value::text(run.run_id),
                Value::count(position as u64),
                Value::count(at as u64),
                Value::count(bin.pixels),
                Value::count(bin.right),
                Value::count(bin.confidence),
            ]
        }));
    }
    rows
}

/// Selections by stage: arms that share a stage report the same facts. Facts that differ are both kept, for the table to
/// refuse.
fn selections(study: &Study) -> Vec<&SelectionFacts> {
    let mut found: BTreeMap<Digest, Vec<&SelectionFacts>> = BTreeMap::new();
    for facts in study.runs.iter().filter_map(|run| run.selection.as_deref()) {
        let known = found.entry(facts.stage).or_default();
        if !known.iter().any(|other| std::ptr::eq(*other, facts)) {
            known.push(facts);
        }
    }
    found.into_values().flatten().collect()
}

fn selected(facts: &SelectionFacts) -> Rows {
    let stage = Value::text(facts.stage);
    let row = |image: &ImageFact| {
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

/// A part for every evaluating stage: together they may be larger than memory. Facts of one stage that differ are in its
/// part, for the table to refuse.
fn of_evaluations<'a>(study: &'a Study, rows: fn(&Key, &ImageCells, usize, &mut Rows)) -> Vec<Part<'a>> {
    let mut found: BTreeMap<(String, Subset), Vec<&'a Evaluation>> = BTreeMap::new();
    for (&subset, evaluation) in study.runs.iter().flat_map(|run| &run.evaluations) {
        let known = found.entry((evaluation.stage.to_string(), subset)).or_default();
        if !known.iter().any(|other| std::ptr::eq(*other, &raw const **evaluation)) {
            known.push(evaluation);
        }
    }
    let classes = study.classes.len();
    let part = |((stage, subset), facts): ((String, Subset), Vec<&'a Evaluation>)| -> Part<'a> {
        let (stage, subset) = (Value::text(stage), Value::text(subset));
        Box::new(move || {
            let mut all = Rows::new();
            for image in facts.iter().flat_map(|evaluation| evaluation.images()) {
                let key = [stage.clone(), subset.clone(), Value::Text(image.id.clone())];
                rows(&key, image, classes, &mut all);
            }
            all
        })
    };
    found.into_iter().map(part).collect()
}

/// Stage, subset and image: whose rows they are.
type Key = [Value; 3];

fn row<const N: usize>(key: &Key, more: [Value; N]) -> Vec<Value> {
    let mut row = Vec::with_capacity(key.len() + N);
    row.extend_from_slice(key);
    row.extend(more);
    row
}

fn evaluated(key: &Key, image: &ImageCells, classes: usize, rows: &mut Rows) {
    let mut confusion = Confusion::new(classes);
    confusion.add_cells(&image.cells);
    let right = (0..classes).map(|class| confusion.true_positives(class)).sum();
    rows.push(row(
        key,
        [Value::count(confusion.total()), Value::count(right), Value::real(confusion.miou())],
    ));
}

fn counts(key: &Key, image: &ImageCells, _: usize, rows: &mut Rows) {
    let present: BTreeSet<u8> = image.cells.iter().flat_map(|cell| [cell.truth, cell.prediction]).collect();
    for class in present {
        let sum = |counts: fn(bool, bool) -> bool| {
            let those =
                image.cells.iter().filter(|cell| counts(cell.truth == class, cell.prediction == class));
            Value::count(those.map(|cell| u64::from(cell.pixels)).sum())
        };
        let (tp, fp, missed) = (sum(|t, p| t && p), sum(|t, p| !t && p), sum(|t, p| t && !p));
        rows.push(row(key, [Value::count(u64::from(class)), tp, fp, missed]));
    }
}

fn confusion(key: &Key, image: &ImageCells, _: usize, rows: &mut Rows) {
    rows.extend(image.cells.iter().map(|cell| {
        let [truth, prediction] = [cell.truth, cell.prediction].map(|class| Value::count(u64::from(class)));
        row(key, [truth, prediction, Value::count(u64::from(cell.pixels))])
    }));
}

fn classes(study: &Study, scores: &Scores) -> Rows {
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
