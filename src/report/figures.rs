//! Which pictures a report has, and what each is made of.
//!
//! What is drawn is in the tables, too. Where only some runs fit into a picture they are those of the first seed and split,
//! whatever came out.

use std::collections::{BTreeMap, BTreeSet};

use super::arm::{ArmFacts, Level};
use super::compare::Comparison;
use super::findings::{Findings, references};
use super::grid::line;
use super::number::counted;
use super::picture::arm::Arm;
use super::picture::budget::{Budget, Labels};
use super::picture::calibration::{Bin as Shown, Calibration as Reliable, Model};
use super::picture::classes::{Classes, Row as ClassRow};
use super::picture::confusion::Confusion as Matrix;
use super::picture::curves::{Curves, Line};
use super::picture::forest::{Forest, Row};
use super::picture::graph::{End, Graph, Stage};
use super::picture::reliability::{Cloud, Image, Reliability};
use super::picture::svg::{About, Picture};
use super::quality::{self, LabelQuality};
use super::stats::Interval;
use super::study::{RunFacts, SelectionFacts};
use crate::base::digest::Digest;
use crate::metric::Confusion;
use crate::metric::calibration::{BINS, Bin, Calibration};

/// Classes that a picture shows at most.
const MOST_CLASSES: usize = 30;

/// A picture, and the words below it.
pub struct Figure {
    /// The picture.
    pub picture: Picture,
    /// One or two sentences: what is shown, of which runs.
    pub caption: String,
}

impl Figure {
    /// Its file in a report's folder.
    pub fn path(&self) -> String {
        format!("{}/{}.svg", super::form::FIGURES, self.picture.name)
    }

    /// The link to it in Markdown, with its caption.
    pub fn link(&self) -> String {
        let plain = |text: &str| line(text).replace(['[', ']', '"', '\\', '`', '*', '_', '<', '&'], "");
        format!("![{}]({} \"{}\")", plain(&self.caption), self.path(), plain(&self.picture.title))
    }
}

/// Every picture of a report by its place, in the order of the page. A picture with nothing to show is left out.
pub fn figures(findings: &Findings) -> Vec<(&'static str, Figure)> {
    let mut figures = Vec::new();
    for against in references(findings.study) {
        figures.extend(differences(findings, against).map(|figure| ("differences", figure)));
    }
    figures.extend(curves(findings).map(|figure| ("curves", figure)));
    figures.extend(reliability(findings).map(|figure| ("selection", figure)));
    figures.extend(budget(findings).map(|figure| ("labels", figure)));
    figures.extend(calibration(findings).map(|figure| ("labels", figure)));
    figures.extend(classes(findings).map(|figure| ("classes", figure)));
    figures.extend(confusion(findings).map(|figure| ("classes", figure)));
    figures.extend(graph(findings).map(|figure| ("sharing", figure)));
    figures
}

fn figure(picture: impl FnOnce(About) -> Picture, name: &str, title: &str, caption: String) -> Figure {
    let about = About { name: name.to_owned(), title: title.to_owned(), description: caption.clone() };
    Figure { picture: picture(about), caption }
}

/// An arm with its colour, which is that of its place in the spec.
fn marked(findings: &Findings, name: &str) -> Arm {
    let place = findings.study.arms.iter().position(|arm| arm.name == name).unwrap_or_default();
    Arm::new(name, place)
}

fn points(interval: Interval) -> (f64, f64) {
    (interval.low * 100.0, interval.high * 100.0)
}

fn differences(findings: &Findings, against: &str) -> Option<Figure> {
    let study = findings.study;
    let row = |arm: &ArmFacts| {
        let found: &Comparison = findings.compared.of(&arm.name, against);
        let claimed = findings
            .claims
            .iter()
            .find(|claim| claim.claim.better == arm.name && claim.claim.than == against);
        Row {
            name: arm.name.clone(),
            oracle: arm.oracle,
            estimate: found.mean().map(|mean| mean * 100.0),
            models: found.models.map(|models| points(models.interval)),
            procedure: found.interval().map(points),
            claimed: claimed.map(|claim| claim.claim.by),
        }
    };
    let rows: Vec<Row> = study.arms.iter().filter(|arm| arm.name != against).map(row).collect();
    if !rows.iter().any(|row| row.estimate.is_some()) {
        return None;
    }
    let forest = Forest {
        x: format!("{} mIoU minus that of {against}, points; 95 % intervals", study.headline),
        rows,
    };
    let higher = study.arms.iter().filter(|arm| arm.name != against && !arm.oracle);
    let higher = higher
        .filter(|arm| findings.compared.of(&arm.name, against).reading() == super::compare::Reading::Higher);
    let caption = format!(
        "Paired differences of {} mIoU to {against}: thick intervals speak of these models on other images, thin ones of \
         training anew. {} above the noise, each at 95 %, oracles left out.",
        study.headline,
        match higher.count() {
            0 => "No arm is".to_owned(),
            1 => "1 arm is".to_owned(),
            n => format!("{n} arms are"),
        }
    );
    let name = format!("differences-{against}");
    Some(figure(|about| forest.picture(about), &name, &format!("Differences to {against}"), caption))
}

fn curves(findings: &Findings) -> Option<Figure> {
    let study = findings.study;
    let lines: Vec<Line> = study
        .arms
        .iter()
        .map(|arm| Line {
            arm: marked(findings, &arm.name),
            runs: findings
                .scores
                .runs(&arm.name)
                .map(|run| run.facts.looks.iter().map(|look| (look.step as f64, look.miou * 100.0)).collect())
                .filter(|points: &Vec<(f64, f64)>| points.len() > 1)
                .collect(),
        })
        .filter(|line| !line.runs.is_empty())
        .collect();
    if lines.is_empty() {
        return None;
    }
    let curves = Curves {
        x: "optimiser steps of the last training".to_owned(),
        y: "val mIoU, points".to_owned(),
        lines,
    };
    let caption = "mIoU on the validation images along the last training of each arm: mean over runs, from the lowest to the \
                   highest as a band."
        .to_owned();
    Some(figure(|about| curves.picture(about), "curves", "Learning curves", caption))
}

fn first<'a>(findings: &Findings<'a>, arm: &str) -> Option<&'a RunFacts> {
    let study = findings.study;
    let is_first = |run: &&RunFacts| {
        run.arm == arm && study.seeds.first() == Some(&run.seed) && study.splits.first() == Some(&run.split)
    };
    study.runs.iter().filter(|run| run.complete).find(is_first)
}

fn reliability(findings: &Findings) -> Option<Figure> {
    let study = findings.study;
    let cloud = |arm: &ArmFacts| {
        let selection = arm.selection.as_ref().filter(|selection| selection.level == Level::Image)?;
        let facts: &SelectionFacts = first(findings, &arm.name)?.selection.as_deref()?;
        let mut images: Vec<Image> = facts
            .images
            .iter()
            .filter_map(|image| {
                Some(Image {
                    id: image.id.clone(),
                    score: image.score?,
                    miou: image.truth_miou? * 100.0,
                    selected: image.selected == Some(true),
                })
            })
            .collect();
        images.sort_by(|one, other| one.id.cmp(&other.id));
        let rho = quality::spearman(facts);
        let criterion = selection.criterion.clone();
        (!images.is_empty()).then(|| Cloud { arm: marked(findings, &arm.name), criterion, rho, images })
    };
    let panels: Vec<Cloud> = study.arms.iter().filter_map(cloud).collect();
    if panels.is_empty() {
        return None;
    }
    let picture = Reliability { y: "true mIoU of the pseudo label, points".to_owned(), panels };
    let caption = format!(
        "Score of each unlabeled image by the criterion against the true mIoU of its pseudo label; selected images are \
         filled. Seed {}, split {}.",
        study.seeds.first()?,
        study.splits.first()?
    );
    Some(figure(|about| picture.picture(about), "reliability", "Score and true quality", caption))
}

fn budget(findings: &Findings) -> Option<Figure> {
    let of_arm = |arm: &ArmFacts| {
        let labels = LabelQuality::of_arm(findings.scores, &arm.name);
        let mark = |labels: &LabelQuality| {
            Some(Labels {
                arm: marked(findings, &arm.name),
                role: labels.role.to_owned(),
                kept: labels.kept?,
                accuracy: labels.accuracy,
                miou: labels.miou.map(|miou| miou * 100.0),
            })
        };
        labels.iter().filter_map(mark).filter(|mark| mark.accuracy.is_some()).collect::<Vec<_>>()
    };
    let marks: Vec<Labels> = findings.study.arms.iter().flat_map(of_arm).collect();
    if marks.is_empty() {
        return None;
    }
    let caption = "Share of unlabeled pixels whose pseudo label is kept, against how good the kept ones are: pixel accuracy \
                   and mIoU against true masks, means over runs."
        .to_owned();
    let picture = Budget { marks };
    Some(figure(|about| picture.picture(about), "budget", "Kept pixels and their quality", caption))
}

fn calibration(findings: &Findings) -> Option<Figure> {
    let study = findings.study;
    let mut seen: Vec<&Calibration> = Vec::new();
    let mut panels = Vec::new();
    for arm in &study.arms {
        for labels in first(findings, &arm.name).map_or(&[][..], |run| &run.labels) {
            // Arms that share their labels are shown once.
            let Some(found) = labels.calibration.as_ref().filter(|found| !seen.contains(found)) else {
                continue;
            };
            seen.push(found);
            panels.push(calibrated(marked(findings, &arm.name), &labels.role, found));
        }
    }
    if panels.is_empty() {
        return None;
    }
    let caption = format!(
        "Confidence of the pseudo labels against how often they are right, in {BINS} bins; the bars are shares of pixels. \
         Labels that arms share are shown once. Seed {}, split {}.",
        study.seeds.first()?,
        study.splits.first()?
    );
    let picture = Reliable { panels };
    Some(figure(|about| picture.picture(about), "calibration", "Calibration of the pseudo labels", caption))
}

fn calibrated(arm: Arm, role: &str, found: &Calibration) -> Model {
    let pixels: u64 = found.bins().iter().map(|bin| bin.pixels).sum();
    let bin = |(at, bin): (usize, &Bin)| {
        Some(Shown {
            low: at as f64 / BINS as f64,
            high: (at + 1) as f64 / BINS as f64,
            confidence: bin.mean_confidence()?,
            accuracy: bin.accuracy()?,
            share: bin.pixels as f64 / pixels as f64,
        })
    };
    let bins = found.bins().iter().enumerate().filter_map(bin).collect();
    Model { arm, role: role.to_owned(), error: found.error(), bins }
}

fn classes(findings: &Findings) -> Option<Figure> {
    let study = findings.study;
    let of_class = |class: usize| {
        let of_arm = |arm: &ArmFacts| {
            findings.scores.values(&arm.name, |run| Some(run.on(study.headline)?.ious[class]? * 100.0))
        };
        ClassRow { class: study.classes[class].clone(), runs: study.arms.iter().map(of_arm).collect() }
    };
    let rows: Vec<ClassRow> = (0..study.classes.len()).map(of_class).collect();
    if rows.iter().all(|row| row.runs.iter().all(Vec::is_empty)) {
        return None;
    }
    let picture = Classes {
        x: format!("IoU on the {} images, points", study.headline),
        arms: study.arms.iter().map(|arm| marked(findings, &arm.name)).collect(),
        rows,
        most: MOST_CLASSES,
        order: "in the order of the classes".to_owned(),
    };
    let caption = format!(
        "IoU of each class on the {} images: mean over runs, from the lowest to the highest as a line.",
        study.headline
    );
    Some(figure(|about| picture.picture(about), "classes", "IoU per class", caption))
}

fn confusion(findings: &Findings) -> Option<Figure> {
    let study = findings.study;
    if study.classes.len() > MOST_CLASSES {
        return None;
    }
    let mut total = Confusion::new(study.classes.len());
    let mut runs = 0;
    for run in findings.scores.runs(&study.baseline) {
        total.merge(&run.on(study.headline)?.confusion);
        runs += 1;
    }
    if total.total() == 0 {
        return None;
    }
    let row = |truth: usize| (0..study.classes.len()).map(|class| total.at(truth, class) as f64).collect();
    let picture =
        Matrix { classes: study.classes.clone(), counts: (0..study.classes.len()).map(row).collect() };
    let caption = format!(
        "Which class the baseline {} predicts for the pixels of each true class of the {} images, over {}.",
        study.baseline,
        study.headline,
        counted(runs, "run")
    );
    Some(figure(|about| picture.picture(about), "confusion", "Confusion of the baseline", caption))
}

fn graph(findings: &Findings) -> Option<Figure> {
    let study = findings.study;
    let (seed, split) = (study.seeds.first()?, study.splits.first()?);
    let of_arm = |arm: &ArmFacts| {
        study.runs.iter().find(|run| run.arm == arm.name && run.seed == *seed && run.split == *split)
    };
    let runs: Vec<&RunFacts> = study.arms.iter().filter_map(of_arm).collect();
    let mut stages: BTreeMap<Digest, Stage> = BTreeMap::new();
    let mut ends = Vec::new();
    for run in &runs {
        let mut read: BTreeSet<Digest> = BTreeSet::new();
        for (column, fact) in run.stages.iter().enumerate() {
            read.extend(&fact.inputs);
            let stage = stages.entry(fact.key).or_insert_with(|| Stage {
                id: fact.key.to_string(),
                column,
                kind: fact.kind.clone(),
                role: Some(fact.role.clone()).filter(|role| !role.is_empty() && *role != fact.kind),
                key: fact.key.short(),
                serves: 0,
                uses: fact.inputs.iter().map(Digest::to_string).collect(),
            });
            stage.column = stage.column.max(column);
            stage.serves += 1;
        }
        let last = run.stages.iter().filter(|fact| !read.contains(&fact.key));
        ends.push(End { arm: run.arm.clone(), uses: last.map(|fact| fact.key.to_string()).collect() });
    }
    let shared = stages.values().filter(|stage| stage.serves > 1).count();
    if stages.is_empty() || !run_order_is_known(&stages) {
        return None;
    }
    let caption = format!(
        "The stages of seed {seed}, split {split}: {} for {}, of which {shared} serve more than one arm.",
        counted(stages.len(), "stage"),
        counted(runs.len(), "arm"),
    );
    let picture = Graph { stages: in_order(stages), ends };
    Some(figure(|about| picture.picture(about), "graph", "What was shared", caption))
}

/// Whether every stage is done: before that it is not known what reads what.
fn run_order_is_known(stages: &BTreeMap<Digest, Stage>) -> bool {
    stages.values().all(|stage| stage.kind == "prepare" || !stage.uses.is_empty())
}

/// Inputs before what reads them, each one column after its last input.
fn in_order(stages: BTreeMap<Digest, Stage>) -> Vec<Stage> {
    let mut stages: Vec<Stage> = stages.into_values().collect();
    let mut columns: BTreeMap<String, usize> = BTreeMap::new();
    // A stage is at most as many columns from the first as there are stages.
    for _ in 0..stages.len() {
        for stage in &mut stages {
            let after =
                stage.uses.iter().filter_map(|id| columns.get(id)).max().map_or(0, |column| column + 1);
            stage.column = after;
            columns.insert(stage.id.clone(), after);
        }
    }
    stages
        .sort_by(|one, other| (one.column, &one.kind, &one.id).cmp(&(other.column, &other.kind, &other.id)));
    stages
}
