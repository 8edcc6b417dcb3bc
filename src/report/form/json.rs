//! Every number of a report for programs, with the digests that it came from.
//!
//! Values are fractions (0.01 is a point of mIoU) at full precision; `null` stands where there is no value. Keys are sorted.
//! `format` changes when a key changes its meaning or goes.

use serde_json::{Value, json};

use crate::report::claim::ClaimFinding;
use crate::report::compare::Comparison;
use crate::report::findings::{Findings, references};
use crate::report::quality::{LabelQuality, SelectionQuality};
use crate::report::scores::RunScores;
use crate::report::sections::holm;
use crate::report::sensitivity::{Sensitivity, pooled_sd};
use crate::report::stats::{Interval, mean, sd};
use crate::report::study::{RunFacts, Subset};

/// What a reader of these files may rely on.
const FORMAT: &str = "stpp report 1";

/// The report as JSON.
pub fn json(findings: &Findings) -> String {
    let study = findings.study;
    let value = json!({
        "format": FORMAT,
        "name": study.name,
        "question": study.question,
        "description": study.description,
        "baseline": study.baseline,
        "headline": study.headline,
        "seeds": study.seeds,
        "splits": study.splits,
        "classes": study.classes,
        "protocol": study.protocol,
        "complete": findings.scores.missing().is_empty(),
        "missing": cells(&findings.scores.missing()),
        "undefined": cells(&findings.scores.undefined()),
        "arms": arms(findings),
        "runs": study_runs(findings),
        "differences": differences(findings),
        "contrasts": contrasts(findings),
        "regime": regime(findings),
        "claims": findings.claims.iter().map(claim).collect::<Vec<_>>(),
        "registrations": study.registrations,
        "design": design(findings),
        "sharing": study.sharing,
        "provenance": study.provenance,
        "tables": findings.tables,
    });
    serde_json::to_string_pretty(&value).expect("a value is plain data") + "\n"
}

fn cells(cells: &[crate::report::scores::Missing]) -> Value {
    let cell = |cell: &crate::report::scores::Missing| json!({ "arm": cell.arm, "seed": cell.seed, "split": cell.split });
    cells.iter().map(cell).collect()
}

fn arms(findings: &Findings) -> Value {
    let (study, scores) = (findings.study, findings.scores);
    let arm = |(arm, components): (
        &crate::report::arm::ArmFacts,
        &Option<crate::report::stats::Components>,
    )| {
        let spread = |values: &[f64]| json!({ "n": values.len(), "mean": mean(values), "sd": sd(values) });
        let on = |subset: Subset| spread(&scores.values(&arm.name, |run| run.miou(subset)));
        let classes = (0..study.classes.len())
            .map(|class| spread(&scores.values(&arm.name, |run| run.on(study.headline)?.ious[class])));
        let selection = SelectionQuality::new(scores, &arm.name);
        let labels = LabelQuality::of_arm(scores, &arm.name);
        let labels = labels.iter().map(|labels| {
            json!({ "role": labels.role, "kept": labels.kept, "accuracy": labels.accuracy, "miou": labels.miou })
        });
        json!({
            "name": arm.name,
            "description": arm.description,
            "recipe": arm.method,
            "oracle": arm.oracle,
            "retrainings": arm.retrainings,
            "selection": arm.selection,
            "miou": { "test": on(Subset::Test), "val": on(Subset::Val) },
            "miou_best_on_val": spread(&scores.values(&arm.name, |run| run.facts.best().map(|best| best.miou))),
            "class_iou": classes.collect::<Vec<_>>(),
            "components": components.map(|found| json!({
                "split_sd": found.split, "seed_sd": found.seed, "together_sd": found.together,
                "below_zero": found.below_zero,
            })),
            "selection_quality": {
                "kept": selection.kept, "spearman": selection.spearman, "reliable": selection.reliable,
                "unreliable": selection.unreliable, "gap": selection.gap,
            },
            "pseudo_labels": labels.collect::<Vec<_>>(),
        })
    };
    study.arms.iter().zip(&findings.components).map(arm).collect()
}

fn study_runs(findings: &Findings) -> Value {
    let of_arm =
        |arm: &crate::report::arm::ArmFacts| findings.scores.runs(&arm.name).map(run).collect::<Vec<_>>();
    findings.study.arms.iter().flat_map(of_arm).collect()
}

fn run(run: &RunScores) -> Value {
    let facts: &RunFacts = run.facts;
    let best = facts.best();
    let stages =
        facts.stages.iter().map(|stage| json!({ "kind": stage.kind, "role": stage.role, "key": stage.key }));
    json!({
        "arm": facts.arm,
        "seed": facts.seed,
        "split": facts.split,
        "run_id": facts.run_id,
        "experiment_id": facts.experiment_id,
        "spec_id": facts.spec_id,
        "stages": stages.collect::<Vec<_>>(),
        "miou": { "test": run.miou(Subset::Test), "val": run.miou(Subset::Val) },
        "best_on_val": best.map(|best| json!({ "step": best.step, "miou": best.miou, "looks": facts.looks.len() })),
    })
}

fn differences(findings: &Findings) -> Value {
    let study = findings.study;
    let against = |against: &str| {
        let arms: Vec<_> = study.arms.iter().filter(|arm| arm.name != against).collect();
        let compared: Vec<&Comparison> =
            arms.iter().map(|arm| findings.compared.of(&arm.name, against)).collect();
        let rows = compared.iter().zip(holm(&arms, &compared)).zip(&arms);
        let rows = rows.map(|((found, holm), arm)| {
            let mut value = comparison(found);
            value["p_holm"] = json!(holm);
            value["oracle"] = json!(arm.oracle);
            value
        });
        json!({ "against": against, "arms": rows.collect::<Vec<_>>() })
    };
    references(study).into_iter().map(against).collect()
}

fn comparison(found: &Comparison) -> Value {
    let procedure = found.procedure.as_ref();
    json!({
        "arm": found.arm,
        "against": found.against,
        "pairs": found.pairs,
        "planned_pairs": found.planned,
        "shared_teachers": found.shared_teachers,
        "mean": found.mean(),
        "sd": procedure.and_then(|found| found.sd),
        "unit": procedure.map(|found| found.unit.word(1)),
        "units": procedure.map(|found| found.units.clone()),
        "procedure": interval(found.interval()),
        "models": found.models.map(|models| {
            let mut value = interval(Some(models.interval));
            value["replicates"] = json!(models.replicates);
            value
        }),
        "p": found.p(),
        "smallest_p": procedure.and_then(|found| found.test).map(|test| test.smallest),
        "superiority": found.superiority.map(|found| json!({
            "share": found.share, "above": found.above, "ties": found.ties, "interval": interval(Some(found.interval)),
        })),
        "reading": found.reading().key(),
    })
}

fn interval(interval: Option<Interval>) -> Value {
    interval
        .map_or(Value::Null, |found| json!({ "low": found.low, "high": found.high, "level": found.level }))
}

fn contrasts(findings: &Findings) -> Value {
    let contrast = |found: &crate::report::contrast::Contrasted| {
        let mut value = comparison(&found.comparison);
        value["contrast"] = json!(found.contrast.words());
        value["kept"] = json!([found.kept, found.kept_against]);
        value["same_budget"] = json!(found.same_budget());
        value
    };
    findings.contrasts.iter().map(contrast).collect()
}

fn regime(findings: &Findings) -> Value {
    let lines = |found: &crate::report::regime::RegimeCheck| {
        json!({
            "budget": comparison(&found.budget),
            "headroom": comparison(&found.headroom),
            "fails": found.names(),
        })
    };
    findings.regime.as_ref().map_or(Value::Null, lines)
}

fn claim(found: &ClaimFinding) -> Value {
    let procedure = found.procedure.as_ref();
    json!({
        "claim": found.claim,
        "on": found.on,
        "mean": procedure.map(|found| found.mean),
        "unit": procedure.map(|found| found.unit.word(1)),
        "units": procedure.map(|found| found.units.clone()),
        "interval": interval(found.interval),
        "verdict": found.verdict.word(),
        "units_needed": found.units_needed,
    })
}

fn design(findings: &Findings) -> Value {
    Sensitivity::of_study(findings.study).to_json(pooled_sd(findings))
}
