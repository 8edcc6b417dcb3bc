//! `stpp exp plan`: what would be computed, what is shared, what is done already.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::args::PlanArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::find;
use crate::cli::{output, target};
use crate::plan::{Cost, Kind, Role, StageKey};
use crate::report::findings::Findings;
use crate::report::number::counted;
use crate::report::query;
use crate::report::scores::Scores;
use crate::report::sensitivity::{Sensitivity, pooled_sd};
use crate::run::{PlannedStudy, numerics};
use crate::spec::claim::Noise;
use crate::store::beside::Costs;
use crate::store::{Store, StoreError};

/// Runs the command.
pub fn plan(args: &PlanArgs) -> Result<(), Failure> {
    let ablation = target::ablation(&args.spec)?;
    let chosen = target::device(&args.device, &ablation)?;
    let store = target::store_to_plan(&args.store)?;
    let study = PlannedStudy::new(ablation, &numerics::class(&chosen.device), &store.cache())?;
    let missing: BTreeSet<StageKey> = study.missing(&store)?.into_iter().collect();
    let counts = Counts::of(&study, &missing);
    let estimate = Pace::of(&store, &study, &missing)?.estimate(&study, &missing);
    let design = Sensitivity::of_ablation(&study.stored.ablation);
    let sd = expected_sd(&store, study.stored.ablation.noise.as_ref(), design)?;
    if args.json {
        let mut plan = counts.to_json(&study, estimate);
        plan["design"] = design.to_json(sd.as_ref().map(|(sd, _)| *sd));
        plan["design"]["sd_source"] = sd.map(|(_, source)| source).into();
        output::result(&plan.to_string());
        return Ok(());
    }
    output::result(&counts.to_text(&study));
    if !study.stored.ablation.is_single_experiment() {
        let sd = sd.as_ref().map(|(sd, source)| (*sd, source.as_str()));
        output::result(&format!("\ndesign: {}\n{}\n{}", design.words(), design.finds(sd), design.reaches()));
    }
    output::result(&match estimate {
        _ if missing.is_empty() => "estimate: nothing to run".to_owned(),
        Some(seconds) => {
            format!("estimate: {} at the pace of this study's finished stages", duration(seconds))
        }
        None => "estimate: unknown until the first training of this study has run here".to_owned(),
    });
    if args.stages {
        output::result(&stages(&study, &missing));
    }
    Ok(())
}

/// The standard deviation of paired differences that is to be reckoned with, in points, and where it is from.
fn expected_sd(
    store: &Store,
    noise: Option<&Noise>,
    design: Sensitivity,
) -> Result<Option<(f64, String)>, Failure> {
    let name = match noise {
        None => return Ok(None),
        Some(Noise::Sd(sd)) => return Ok(Some((*sd, "from [noise]".to_owned()))),
        Some(Noise::Study(name)) => name,
    };
    let stored = find::study(store, name).map_err(|failure| {
        failure.hint("[noise] names an ablation of this store; `sd` says a number instead")
    })?;
    let study = query::study(store, &stored)?;
    let scores = Scores::new(&study);
    let measured = Sensitivity::of_ablation(&stored.ablation);
    if measured.unit != design.unit {
        let message = format!(
            "failed to take the noise from the ablation `{name}`: its differences are between {}, and those of this one \
             between {}",
            measured.unit.word(2),
            design.unit.word(2)
        );
        return Err(
            Failure::new(FailureKind::Input, message).hint("say it in [noise] as `sd`, or leave it out")
        );
    }
    match pooled_sd(&Findings::new(&study, &scores, &[])) {
        Some(sd) => {
            let words = format!(
                "as `{name}` measured it between {} {}",
                measured.units,
                measured.unit.word(measured.units)
            );
            Ok(Some((sd, words)))
        }
        None => Err(Failure::new(
            FailureKind::Input,
            format!(
                "failed to take the noise from the ablation `{name}`: no comparison of it has a spread yet"
            ),
        )
        .hint("say it in [noise] as `sd`, or leave it out")),
    }
}

/// Stages of one kind and role.
#[derive(Default)]
struct Row {
    requested: usize,
    distinct: usize,
    to_run: usize,
    cost: Cost,
}

struct Counts {
    rows: BTreeMap<(Kind, Option<Role>), Row>,
    to_run: Cost,
    missing: usize,
}

impl Counts {
    fn of(study: &PlannedStudy, missing: &BTreeSet<StageKey>) -> Self {
        let mut rows: BTreeMap<(Kind, Option<Role>), Row> = BTreeMap::new();
        for step in study.stored.members.iter().flat_map(|member| &member.chain.steps) {
            rows.entry((step.kind, step.role)).or_default().requested += 1;
        }
        let mut to_run = Cost::default();
        for node in study.graph.nodes() {
            let row = rows.entry((node.kind, node.role)).or_default();
            row.distinct += 1;
            row.cost += node.cost;
            if missing.contains(&node.key) {
                row.to_run += 1;
                to_run += node.cost;
            }
        }
        Self { rows, to_run, missing: missing.len() }
    }

    fn to_text(&self, study: &PlannedStudy) -> String {
        let stored = &study.stored;
        let sharing = &stored.sharing;
        let rows = self.rows.iter().map(|((kind, role), row)| {
            let role = role.filter(|role| role.word() != kind.word());
            [
                role.map_or_else(|| kind.to_string(), |role| format!("{kind} {role}")),
                row.requested.to_string(),
                row.distinct.to_string(),
                row.to_run.to_string(),
                row.cost.steps.to_string(),
                format!("{:.0}", row.cost.forwards),
            ]
        });
        let header = ["stage", "asked for", "distinct", "to run", "optimiser steps", "image-forwards"];
        let saved_steps = sharing.requested_cost.steps - sharing.distinct_cost.steps;
        let saved_forwards = sharing.requested_cost.forwards - sharing.distinct_cost.forwards;
        format!(
            "{}: {} × {} × {} = {} on {}\n\n{}\n\n\
             {} stages asked for, {} distinct, {} in the store, {} to run\n\
             to run: {} optimiser steps, {:.0} image-forwards\n\
             sharing saves {saved_steps} of {} optimiser steps and {saved_forwards:.0} of {:.0} image-forwards",
            stored.ablation.name,
            counted(stored.ablation.arms.len(), "arm"),
            counted(stored.ablation.seeds.len(), "seed"),
            counted(stored.ablation.splits.len(), "split"),
            counted(stored.members.len(), "experiment"),
            stored.numerics,
            output::columns(header, rows),
            sharing.requested,
            sharing.distinct,
            sharing.distinct - self.missing,
            self.missing,
            self.to_run.steps,
            self.to_run.forwards,
            sharing.requested_cost.steps,
            sharing.requested_cost.forwards,
        )
    }

    fn to_json(&self, study: &PlannedStudy, estimate: Option<f64>) -> serde_json::Value {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|((kind, role), row)| {
                serde_json::json!({
                    "kind": kind, "role": role, "requested": row.requested, "distinct": row.distinct,
                    "to_run": row.to_run, "cost": row.cost,
                })
            })
            .collect();
        serde_json::json!({
            "name": study.stored.ablation.name,
            "experiments": study.stored.members.len(),
            "numerics": study.stored.numerics,
            "stages": rows,
            "sharing": study.stored.sharing,
            "to_run": self.to_run,
            "missing": self.missing,
            "estimated_seconds": estimate,
        })
    }
}

/// How long steps and image-forwards took in the stages of a study that are done.
#[derive(Default)]
struct Pace {
    training: f64,
    steps: f64,
    inference: f64,
    forwards: f64,
}

impl Pace {
    fn of(store: &Store, study: &PlannedStudy, missing: &BTreeSet<StageKey>) -> Result<Self, StoreError> {
        let mut pace = Self::default();
        for node in study.graph.nodes().iter().filter(|node| !missing.contains(&node.key)) {
            // Of a stage that was interrupted, only the last part was timed.
            let costs = store.costs(node.kind, node.key)?.filter(|costs| costs.attempts == 1);
            let Some(Costs { seconds, .. }) = costs else { continue };
            if node.cost.steps > 0 {
                pace.training += seconds;
                pace.steps += node.cost.steps as f64;
            } else {
                pace.inference += seconds;
                pace.forwards += node.cost.forwards;
            }
        }
        Ok(pace)
    }

    /// Seconds that the missing stages will take; none before something was trained.
    fn estimate(&self, study: &PlannedStudy, missing: &BTreeSet<StageKey>) -> Option<f64> {
        if self.steps == 0.0 {
            return None;
        }
        let per_forward = if self.forwards > 0.0 { self.inference / self.forwards } else { 0.0 };
        let nodes = study.graph.nodes().iter().filter(|node| missing.contains(&node.key));
        Some(
            nodes
                .map(|node| match node.cost.steps {
                    0 => node.cost.forwards * per_forward,
                    steps => steps as f64 * self.training / self.steps,
                })
                .sum(),
        )
    }
}

/// `about 3 h 20 min`
fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).ceil() as u64;
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("about {minutes} min"),
        (hours, minutes) => format!("about {hours} h {minutes} min"),
    }
}

fn stages(study: &PlannedStudy, missing: &BTreeSet<StageKey>) -> String {
    let rows = study.graph.nodes().iter().map(|node| {
        let serves = &study.serves[&node.key];
        let more = if serves.len() > 1 { format!(" and {} more", serves.len() - 1) } else { String::new() };
        [
            node.key.short(),
            node.role.map_or_else(|| node.kind.to_string(), |role| format!("{} {role}", node.kind)),
            if missing.contains(&node.key) { "to run" } else { "done" }.to_owned(),
            format!("{}{more}", serves[0]),
        ]
    });
    format!("\n{}", output::columns(["key", "stage", "state", "serves"], rows))
}
