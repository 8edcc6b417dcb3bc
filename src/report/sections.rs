//! The tables of the page, one function each.

use std::collections::BTreeMap;

use super::arm::ArmFacts;
use super::claim::ClaimFinding;
use super::compare::{Comparison, LEVEL};
use super::contrast::Contrasted;
use super::findings::Findings;
use super::grid::{Align, Grid, code, plain};
use super::number::{
    NONE, correlation, count, interval, level, mean_and_sd, or_none, percent, points, probability, share,
    signed,
};
use super::quality::{LabelQuality, SelectionQuality};
use super::scores::{Missing, Scores};
use super::sheet::SheetFacts;
use super::stats;
use super::study::{Study, Subset};
use crate::track::table::TableDigest;

use Align::{Left, Right};

/// An arm's name with what a reader must not overlook.
fn arm_cell(study: &Study, arm: &ArmFacts) -> String {
    let mut text = code(&arm.name);
    if arm.name == study.baseline {
        text += " (baseline)";
    }
    if arm.oracle {
        text += " *oracle*";
    }
    text
}

/// Arms × mIoU on each subset, last epoch, and the best look beside it.
pub fn miou(study: &Study, scores: &Scores) -> Grid {
    let subsets = scores.subsets();
    let best = looks(scores, study).is_some();
    let mut header = vec![("arm".to_owned(), Left), ("n".to_owned(), Right)];
    header.extend(subsets.iter().map(|subset| (format!("{subset} mIoU"), Right)));
    if best {
        header.push(("best on val (oracle selection)".to_owned(), Right));
    }
    let mut grid = Grid::new(header);
    for arm in &study.arms {
        let cell = |values: &[f64]| mean_and_sd(stats::mean(values), stats::sd(values));
        let on = |subset: Subset| scores.values(&arm.name, |run| run.miou(subset));
        let n = on(study.headline).len();
        let planned = scores.planned_of(&arm.name);
        let n = if n == planned { n.to_string() } else { format!("{n} of {planned}") };
        let mut row = vec![arm_cell(study, arm), n];
        row.extend(subsets.iter().map(|&subset| cell(&on(subset))));
        if best {
            row.push(cell(&scores.values(&arm.name, |run| run.facts.best().map(|best| best.miou))));
        }
        grid.row(row);
    }
    grid
}

/// From how many looks at the validation images the best was chosen, over all runs: the fewest and the most.
pub fn looks(scores: &Scores, study: &Study) -> Option<(u64, u64)> {
    let runs = study.arms.iter().flat_map(|arm| scores.runs(&arm.name));
    let looks: Vec<u64> = runs.map(|run| run.facts.looks.len() as u64).filter(|&looks| looks > 0).collect();
    Some((*looks.iter().min()?, *looks.iter().max()?))
}

/// What each arm is.
pub fn arms(study: &Study) -> Grid {
    let mut grid = Grid::new([("arm", Left), ("recipe", Left), ("about", Left)]);
    for arm in &study.arms {
        grid.row([code(&arm.name), arm.method.clone(), plain(&arm.description)]);
    }
    grid
}

/// Every other arm minus one of them; p also with Holm's correction over the methods among them.
pub fn differences(findings: &Findings, against: &str) -> Grid {
    let study = findings.study;
    let arms: Vec<&ArmFacts> = study.arms.iter().filter(|arm| arm.name != against).collect();
    let compared: Vec<&Comparison> =
        arms.iter().map(|arm| findings.compared.of(&arm.name, against)).collect();
    let adjusted = holm(&arms, &compared);
    let mut header = vec![("arm", Left)];
    header.extend(DIFFERENCE);
    header.extend([("Holm p", Right), ("P(above)", Right), ("reading", Left)]);
    let mut grid = Grid::new(header);
    for (i, comparison) in compared.iter().enumerate() {
        let mut row = vec![arm_cell(study, arms[i])];
        row.extend(difference_cells(comparison));
        row.push(or_none(adjusted[i], probability));
        row.push(or_none(comparison.superiority.map(|found| found.share), share));
        row.push(comparison.reading().words().to_owned());
        grid.row(row);
    }
    grid
}

/// p of each comparison, adjusted over the methods among the arms; none of an oracle, and where there is no p.
pub fn holm(arms: &[&ArmFacts], compared: &[&Comparison]) -> Vec<Option<f64>> {
    let tested: Vec<usize> =
        (0..arms.len()).filter(|&i| !arms[i].oracle && compared[i].p().is_some()).collect();
    let p: Vec<f64> = tested.iter().filter_map(|&i| compared[i].p()).collect();
    let mut adjusted = vec![None; arms.len()];
    for (i, p) in tested.into_iter().zip(stats::holm(&p)) {
        adjusted[i] = Some(p);
    }
    adjusted
}

const DIFFERENCE: [(&str, Align); 5] =
    [("difference", Right), ("the procedure", Right), ("these models", Right), ("n", Right), ("p", Right)];

fn difference_cells(comparison: &Comparison) -> [String; 5] {
    let units = comparison.units();
    let n = if comparison.is_whole() || comparison.planned == 0 {
        units.to_string()
    } else {
        format!("{units} ({} of {} pairs)", comparison.pairs, comparison.planned)
    };
    let or_dash = |found: Option<stats::Interval>| found.map_or_else(|| NONE.to_owned(), interval);
    [
        or_none(comparison.mean(), signed),
        or_dash(comparison.interval()),
        or_dash(comparison.models.map(|models| models.interval)),
        n,
        or_none(comparison.p(), probability),
    ]
}

/// Ways of selecting against each other.
pub fn contrasts(contrasts: &[Contrasted]) -> Grid {
    let mut header =
        vec![("arm", Left), ("minus", Left), ("contrast", Left), ("kept", Right), ("budget", Left)];
    header.extend(DIFFERENCE);
    header.push(("reading", Left));
    let mut grid = Grid::new(header);
    for contrasted in contrasts {
        let comparison = &contrasted.comparison;
        let kept = [contrasted.kept, contrasted.kept_against].map(|kept| or_none(kept, percent));
        let budget = match contrasted.same_budget() {
            Some(true) => "same",
            Some(false) => "unequal",
            None => "unknown",
        };
        let mut row = vec![
            code(comparison.arm),
            code(comparison.against),
            contrasted.contrast.words().to_owned(),
            kept.join(" / "),
            budget.to_owned(),
        ];
        row.extend(difference_cells(comparison));
        row.push(comparison.reading().words().to_owned());
        grid.row(row);
    }
    grid
}

/// The selecting arms and how well they choose.
pub fn selection(study: &Study, scores: &Scores) -> Grid {
    let mut grid = Grid::new([
        ("arm", Left),
        ("level", Left),
        ("criterion", Left),
        ("kept", Right),
        ("ρ", Right),
        ("reliable", Right),
        ("unreliable", Right),
        ("gap", Right),
    ]);
    for arm in &study.arms {
        let Some(selection) = &arm.selection else { continue };
        let quality = SelectionQuality::new(scores, &arm.name);
        grid.row([
            arm_cell(study, arm),
            selection.level.word().to_owned(),
            selection.criterion.clone(),
            or_none(quality.kept, percent),
            or_none(quality.spearman, correlation),
            or_none(quality.reliable, points),
            or_none(quality.unreliable, points),
            or_none(quality.gap, signed),
        ]);
    }
    grid
}

/// The pseudo labels that each re-training is given.
pub fn labels(study: &Study, scores: &Scores) -> Grid {
    let header =
        [("arm", Left), ("for", Left), ("kept", Right), ("pixel accuracy", Right), ("mIoU of kept", Right)];
    let mut grid = Grid::new(header);
    for arm in &study.arms {
        for quality in LabelQuality::of_arm(scores, &arm.name) {
            grid.row([
                arm_cell(study, arm),
                quality.role.to_owned(),
                or_none(quality.kept, percent),
                or_none(quality.accuracy, percent),
                or_none(quality.miou, points),
            ]);
        }
    }
    grid
}

/// Classes × arms: mean IoU, and whether some run lacks a class that another has.
pub fn classes(study: &Study, scores: &Scores) -> (Grid, bool) {
    let mut header = vec![("class".to_owned(), Left)];
    header.extend(study.arms.iter().map(|arm| (code(&arm.name), Right)));
    let mut grid = Grid::new(header);
    let mut partial = false;
    for (class, name) in study.classes.iter().enumerate() {
        let mut row = vec![plain(name)];
        for arm in &study.arms {
            let ious = scores.values(&arm.name, |run| run.on(study.headline)?.ious[class]);
            let evaluated = scores.runs(&arm.name).filter(|run| run.on(study.headline).is_some()).count();
            let mean = or_none(stats::mean(&ious), points);
            let lacks = !ious.is_empty() && ious.len() < evaluated;
            partial |= lacks;
            row.push(if lacks { format!("{mean} ({})", ious.len()) } else { mean });
        }
        grid.row(row);
    }
    (grid, partial)
}

/// What the plan asks for, what there is to do, and the difference.
pub fn sharing(study: &Study) -> Grid {
    let sharing = &study.sharing;
    let mut grid = Grid::new([("", Left), ("asked for", Right), ("run", Right), ("saved", Right)]);
    for (what, asked, run) in [
        ("stages", sharing.stages_requested, sharing.stages_distinct),
        ("optimiser steps", sharing.steps_requested, sharing.steps_distinct),
        ("image-forwards", sharing.forwards_requested, sharing.forwards_distinct),
    ] {
        grid.row([what.to_owned(), count(asked), count(run), count(asked.saturating_sub(run))]);
    }
    grid
}

/// A list of cells of the design, one per arm that has any.
pub fn cells(study: &Study, cells: &[Missing]) -> String {
    let of_arm = |arm: &ArmFacts| {
        let places: Vec<String> = cells
            .iter()
            .filter(|cell| cell.arm == arm.name)
            .map(|cell| format!("seed {} split {}", cell.seed, code(cell.split)))
            .collect();
        (!places.is_empty()).then(|| format!("- {}: {}", code(&arm.name), places.join(", ")))
    };
    study.arms.iter().filter_map(of_arm).collect::<Vec<_>>().join("\n")
}

/// What arms of one ablation have and those of another lack.
pub fn unpaired(study: &Study) -> String {
    let of_arm = |arm: &ArmFacts| {
        let cells = study.absent.iter().filter(|cell| cell.arm == arm.name);
        let places: Vec<String> =
            cells.map(|cell| format!("seed {} split {}", cell.seed, code(&cell.split))).collect();
        (!places.is_empty()).then(|| format!("- {}: {}", code(&arm.name), places.join(", ")))
    };
    study.arms.iter().filter_map(of_arm).collect::<Vec<_>>().join("\n")
}

/// What the reproducibility sheet is made of; `arms` are their complete runs.
pub fn sheet_facts<'a>(findings: &Findings<'a>, arms: &'a [(String, usize)]) -> SheetFacts<'a> {
    let study = findings.study;
    let mut evaluated = BTreeMap::new();
    for (&subset, evaluation) in study.runs.iter().flat_map(|run| &run.evaluations) {
        evaluated.insert(subset, evaluation.images().len());
    }
    SheetFacts {
        name: &study.name,
        provenance: &study.provenance,
        protocol: &study.protocol,
        sharing: &study.sharing,
        seeds: &study.seeds,
        arms,
        classes: study.classes.len(),
        headline: study.headline,
        evaluated,
        looks: looks(findings.scores, study),
        level: LEVEL,
        replicates: stats::REPLICATES,
        claims: study.claims.len(),
        parameters: None,
    }
}

/// Where the numbers come from.
pub fn provenance(study: &Study) -> Grid {
    let facts = &study.provenance;
    let mut grid = Grid::new([("what", Left), ("value", Left)]);
    let mut say = |what: &str, value: String| grid.row([what.to_owned(), value]);
    say("ablation", code(facts.ablation.short()));
    say("data", code(facts.data.short()));
    for (split, digest) in &facts.splits {
        say(&format!("split {}", code(split)), code(digest.short()));
    }
    if let Some(weights) = &facts.weights {
        say("pretrained weights", code(weights.short()));
    }
    say("numerics class", facts.numerics.clone());
    let mut code_versions = facts.code.clone();
    code_versions.sort();
    code_versions.dedup();
    say("code version of the records", code_versions.join(", "));
    let stages = facts.stages.iter().map(|(kind, version)| format!("{kind} {version}"));
    say("stage versions", stages.collect::<Vec<_>>().join(", "));
    grid
}

/// The ids of every run that the store knows of, in the order of the spec.
pub fn runs(study: &Study, scores: &Scores) -> Grid {
    let header = [
        ("arm", Left),
        ("seed", Right),
        ("split", Left),
        ("run", Left),
        ("experiment", Left),
        ("spec", Left),
    ];
    let mut grid = Grid::new(header);
    for arm in &study.arms {
        for run in scores.runs(&arm.name) {
            let facts = run.facts;
            let ids = [&facts.run_id, &facts.experiment_id, &facts.spec_id].map(|id| code(id.short()));
            let [run, experiment, spec] = ids;
            grid.row([code(&arm.name), facts.seed.to_string(), code(&facts.split), run, experiment, spec]);
        }
    }
    grid
}

/// The tables that hold every number of the page.
pub fn tables(tables: &[TableDigest]) -> Grid {
    let mut grid = Grid::new([("table", Left), ("rows", Right), ("logical digest", Left)]);
    for table in tables {
        grid.row([code(&table.name), count(table.rows), code(table.digest.short())]);
    }
    grid
}

/// Whether any comparison with the baseline has an interval.
pub fn has_interval(findings: &Findings) -> bool {
    let study = findings.study;
    let mut others = study.arms.iter().filter(|arm| arm.name != study.baseline);
    others.any(|arm| findings.compared.of(&arm.name, &study.baseline).interval().is_some())
}

/// The claims and what became of them.
pub fn claims(findings: &Findings) -> Grid {
    let mut grid = Grid::new([
        ("claim", Left),
        ("difference", Right),
        ("interval", Right),
        ("n", Right),
        ("verdict", Left),
    ]);
    for found in &findings.claims {
        let (mean, n) =
            found.procedure.as_ref().map_or((None, 0), |found| (Some(found.mean), found.units.len()));
        let of_level = |found: stats::Interval| format!("{} at {}", interval(found), level(found.level));
        grid.row([
            found.words(),
            or_none(mean, signed),
            found.interval.map_or_else(|| NONE.to_owned(), of_level),
            n.to_string(),
            verdict_cell(found),
        ]);
    }
    grid
}

/// A verdict; a decision stands out.
fn verdict_cell(found: &ClaimFinding) -> String {
    match found.reason() {
        None => format!("**{}**", found.verdict.word()),
        Some(reason) => format!("{}: {reason}", found.verdict.word()),
    }
}

/// Where the spread of each arm's mIoU comes from.
pub fn components(findings: &Findings) -> Grid {
    let splits = findings.study.splits.len() > 1;
    let mut header = vec![("arm", Left)];
    if splits {
        header.push(("between splits", Right));
    }
    header.push(("between seeds", Right));
    let mut grid = Grid::new(header);
    for (arm, components) in findings.study.arms.iter().zip(&findings.components) {
        let Some(found) = components else { continue };
        let mut row = vec![arm_cell(findings.study, arm)];
        if splits {
            let split = or_none(found.split, points);
            row.push(if found.below_zero { format!("{split} (estimate below 0)") } else { split });
        }
        row.push(match found.together {
            Some(together) => format!("{} (with the split)", points(together)),
            None => or_none(found.seed, points),
        });
        grid.row(row);
    }
    grid
}
