//! Small studies with chosen numbers: each run is given by how many pixels it gets wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stpp::base::digest::Digest;
use stpp::metric::Confusion;
use stpp::metric::calibration::{BINS, Bin, Calibration};
use stpp::report::arm::{ArmFacts, ArmSelection, Level};
use stpp::report::study::{
    Design, Evaluation, ImageCells, ImageFact, LabelFacts, Look, Protocol, Provenance, RunFacts,
    SelectionFacts, Sharing, SplitSize, StageFact, Study, Subset,
};
use stpp::spec::ablation::Regime;

/// Pixels of each class in each image.
const PIXELS: u64 = 1000;

/// An arm under construction: its name, its wrong pixels per run (seed-major), and how it selects.
pub struct Lane {
    pub name: &'static str,
    pub wrong: Vec<u64>,
    pub oracle: bool,
    pub retrainings: u64,
    pub selection: Option<(Level, &'static str)>,
}

/// A supervised arm. `wrong` counts pixels of a class taken for each other class, per image.
pub fn supervised(name: &'static str, wrong: &[u64]) -> Lane {
    Lane { name, wrong: wrong.to_vec(), oracle: false, retrainings: 0, selection: None }
}

/// An arm that re-trains on everything.
pub fn retrained(name: &'static str, wrong: &[u64]) -> Lane {
    Lane { retrainings: 1, ..supervised(name, wrong) }
}

/// An arm that selects.
pub fn selecting(
    name: &'static str,
    retrainings: u64,
    level: Level,
    criterion: &'static str,
    wrong: &[u64],
) -> Lane {
    Lane { retrainings, selection: Some((level, criterion)), ..supervised(name, wrong) }
}

/// A ceiling.
pub fn ceiling(name: &'static str, wrong: &[u64]) -> Lane {
    Lane { oracle: true, ..supervised(name, wrong) }
}

/// The arms of a selection study whose teacher is converged and has room above it.
pub fn sound_lanes() -> Vec<Lane> {
    use Level::{Image, Pixel};
    vec![
        supervised("supervised", &[150, 158, 153]),
        supervised("supervised-matched", &[149, 160, 152]),
        ceiling("fully-supervised", &[80, 84, 79]),
        retrained("st", &[131, 141, 133]),
        selecting("stpp", 2, Image, "stability", &[127, 136, 131]),
        selecting("random-two-stage", 2, Image, "random", &[130, 139, 134]),
        selecting("image-stability", 1, Image, "stability", &[135, 141, 139]),
        selecting("pixel-matched", 1, Pixel, "matched", &[136, 139, 141]),
        selecting("pixel-two-stage", 2, Pixel, "matched", &[133, 142, 136]),
    ]
}

/// A study of three classes on `test` and `val`.
pub fn study(lanes: &[Lane], seeds: &[u64], splits: &[&str]) -> Study {
    let runs = lanes.iter().flat_map(|lane| {
        let pairs = seeds.iter().flat_map(|&seed| splits.iter().map(move |split| (seed, *split)));
        pairs.zip(&lane.wrong).map(move |((seed, split), &wrong)| run(lane, seed, split, wrong))
    });
    let design = Design {
        name: "selection".to_owned(),
        question: "Does image-level selection beat pixel-level selection?".to_owned(),
        description: "Both keep the same number of pixels, and train for the same iterations.".to_owned(),
        baseline: lanes[0].name.to_owned(),
        arms: lanes.iter().map(arm).collect(),
        seeds: seeds.to_vec(),
        splits: splits.iter().map(|split| (*split).to_owned()).collect(),
        regime: None,
        classes: ["ground", "disc", "square"].map(str::to_owned).to_vec(),
        palette: vec![[0, 0, 0], [230, 159, 0], [86, 180, 233]],
        headline: Subset::Test,
        claims: Vec::new(),
        registrations: Vec::new(),
        absent: BTreeSet::new(),
        protocol: Protocol {
            dataset: "scenes".to_owned(),
            splits: splits
                .iter()
                .map(|split| ((*split).to_owned(), SplitSize { labeled: 2, unlabeled: 6 }))
                .collect(),
            geometry: "whole images".to_owned(),
            convention: "one confusion matrix".to_owned(),
            network: "resnet18 deeplabv3plus, output stride 16".to_owned(),
            crop: 64,
        },
        sharing: Sharing {
            experiments: (lanes.len() * seeds.len() * splits.len()) as u64,
            stages_requested: 141,
            stages_distinct: 84,
            steps_requested: 23_400,
            steps_distinct: 18_000,
            forwards_requested: 46_080,
            forwards_distinct: 15_360,
        },
        provenance: Provenance {
            ablation: digest("ablation"),
            data: digest("data"),
            splits: splits.iter().map(|split| ((*split).to_owned(), digest(split))).collect(),
            weights: None,
            numerics: "cpu x86_64 avx2+fma f32 engine 1".to_owned(),
            code: vec!["0.1.0 32899ba".to_owned()],
            stages: BTreeMap::from([("evaluate".to_owned(), 1), ("teacher".to_owned(), 2)]),
        },
    };
    Study { design, runs: runs.collect() }
}

/// As [`study`], with the arms of the budget and headroom lines.
pub fn selection_study(lanes: &[Lane], seeds: &[u64]) -> Study {
    let regime = Regime {
        short: "supervised".to_owned(),
        long: "supervised-matched".to_owned(),
        ceiling: "fully-supervised".to_owned(),
    };
    let mut study = study(lanes, seeds, &["0"]);
    study.regime = Some(regime);
    study
}

pub fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn arm(lane: &Lane) -> ArmFacts {
    ArmFacts {
        name: lane.name.to_owned(),
        description: String::new(),
        oracle: lane.oracle,
        method: format!("{} re-trainings", lane.retrainings),
        retrainings: lane.retrainings,
        selection: lane.selection.map(|(level, criterion)| ArmSelection {
            level,
            criterion: criterion.to_owned(),
            control: criterion == "random",
        }),
    }
}

fn run(lane: &Lane, seed: u64, split: &str, wrong: u64) -> RunFacts {
    let id = |what: &str| digest(&format!("{what} {} {seed} {split}", lane.name));
    let evaluation = |subset: Subset, easier: u64| {
        let images = (0..3).map(|image| ImageCells {
            id: format!("{subset}-{image}").into(),
            cells: confusion(wrong + 5 * image - easier).cells(),
        });
        (subset, Arc::new(Evaluation::new(id("evaluate"), images.collect())))
    };
    RunFacts {
        arm: lane.name.to_owned(),
        seed,
        split: split.to_owned(),
        run_id: id("run"),
        experiment_id: id("experiment"),
        spec_id: id("spec"),
        complete: true,
        stages: vec![
            StageFact {
                kind: "teacher".to_owned(),
                role: "teacher".to_owned(),
                key: digest(&format!("teacher {seed} {split}")),
                inputs: Vec::new(),
            },
            StageFact {
                kind: "evaluate".to_owned(),
                role: String::new(),
                key: id("evaluate"),
                inputs: vec![digest(&format!("teacher {seed} {split}"))],
            },
        ],
        evaluations: [evaluation(Subset::Test, 0), evaluation(Subset::Val, 20)].into(),
        looks: (1..=5).map(|look| Look { step: 50 * look, miou: looked(wrong, look) }).collect(),
        selection: lane.selection.map(|(level, _)| Arc::new(selection(level, id("select"), seed))),
        labels: labels(lane, wrong),
    }
}

/// mIoU at one of five looks: the third is the best.
fn looked(wrong: u64, look: u64) -> f64 {
    confusion(wrong - 18 + 4 * look.abs_diff(3)).miou().unwrap()
}

/// Each class has [`PIXELS`] pixels, of which `wrong`, more or less by class, are taken for each of the other two.
pub fn confusion(wrong: u64) -> Confusion {
    let (mut truth, mut prediction) = (Vec::new(), Vec::new());
    for class in 0..3u8 {
        let wrong = wrong - 30 + 30 * u64::from(class);
        for other in 0..3u8 {
            let pixels = if class == other { PIXELS - 2 * wrong } else { wrong };
            truth.extend((0..pixels).map(|_| class));
            prediction.extend((0..pixels).map(|_| other));
        }
    }
    Confusion::of(3, &truth, &prediction)
}

fn selection(level: Level, stage: Digest, seed: u64) -> SelectionFacts {
    let images = (0..6u64).map(|image| {
        let truth = 0.3 + 0.1 * (7 * (6 - image) * (seed + 1) % 6) as f64 - 0.01 * image as f64;
        let selected = image < 3;
        ImageFact {
            id: format!("unlabeled-{image}"),
            score: (level == Level::Image).then_some(0.9 - 0.1 * image as f64),
            selected: (level == Level::Image).then_some(selected),
            kept_pixels: match level {
                Level::Image => 1200 * u64::from(selected),
                Level::Pixel => 600,
            },
            pixels: 1200,
            truth_miou: Some(truth),
        }
    });
    SelectionFacts { stage, images: images.collect() }
}

/// Nine in ten pixels of a confidence of .9 are right, less some wrong ones.
fn calibration(wrong: u64) -> Calibration {
    let mut bins = [Bin::default(); BINS];
    bins[13] = Bin { pixels: 2000, right: 1800 - wrong, confidence: 2000 * 58_982 };
    bins[9] = Bin { pixels: 1000, right: 600 - wrong, confidence: 1000 * 41_288 };
    Calibration::of_bins(bins)
}

fn labels(lane: &Lane, wrong: u64) -> Vec<LabelFacts> {
    let of_role = |role: &str, kept_pixels, wrong| LabelFacts {
        role: role.to_owned(),
        pixels: 7200,
        kept_pixels,
        confusion: Some(confusion(wrong)),
        calibration: Some(calibration(wrong)),
    };
    match lane.retrainings {
        0 => Vec::new(),
        1 => vec![of_role("student", if lane.selection.is_some() { 3600 } else { 7200 }, wrong + 60)],
        _ => vec![of_role("student_1", 3600, wrong + 40), of_role("student", 7200, wrong + 55)],
    }
}
