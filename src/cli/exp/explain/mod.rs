//! `stpp exp explain`: why each stage that is not in the store is to run, and whose work the others are.
//!
//! `owners` knows which experiments a stage is of, here and in the store; `causes` turns what
//! [`crate::plan::explain`] found into causes with a place in the spec, each with the stages that go back to it;
//! `text` and `json` say it.

mod causes;
mod json;
mod owners;
mod text;

use std::collections::BTreeMap;

use crate::cli::args::ExplainArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::{output, target};
use crate::plan::explain::{Absent, Known, Missing};
use crate::plan::{Node, StageKey};
use crate::run::{PlannedStudy, numerics};
use crate::spec::{Loaded, Process, load};
use crate::store::{Record, Store, StoreError};
use causes::Told;
use owners::Owners;

/// All that is to be said.
struct Explained<'a> {
    study: &'a PlannedStudy,
    owners: &'a Owners<'a>,
    missing: Vec<Missing>,
    told: Vec<Told>,
}

/// Runs the command.
pub fn explain(args: &ExplainArgs) -> Result<(), Failure> {
    let loaded = load(&args.spec.spec, &args.spec.sets, &Process)?;
    let ablation = target::study_of(&args.spec, loaded.spec.clone());
    let chosen = target::device(&args.device, &ablation)?;
    let store = target::store_to_plan(&args.store)?;
    let study = PlannedStudy::new(ablation, &numerics::class(&chosen.device), &store.cache())?;
    let records = store.records()?;
    let absent = absent(&study, &store, &records)?;
    let lost = absent.values().filter(|absent| matches!(absent, Absent::Lost(_))).count();
    let owners = Owners::of(&study, &store)?;
    let explained = explained(&study, &loaded, &records, &absent, &owners);
    if args.json {
        output::result(&json::of(&explained).to_string());
    } else {
        output::result(&text::of(&explained));
    }
    match lost {
        0 => Ok(()),
        lost => Err(Failure::new(
            FailureKind::Damage,
            format!("failed to find what the records of {lost} stages name: the store is damaged"),
        )
        .hint("`stpp exp run` computes them anew")),
    }
}

fn explained<'a>(
    study: &'a PlannedStudy,
    loaded: &Loaded,
    records: &[Record],
    absent: &BTreeMap<StageKey, Absent>,
    owners: &'a Owners<'a>,
) -> Explained<'a> {
    let known: Vec<Known<'_>> = records.iter().map(known).collect();
    let missing = crate::plan::explain::explain(&study.graph, &study.stored.numerics, absent, &known, owners);
    let told = causes::told(study, loaded, owners, &missing);
    Explained { study, owners, missing, told }
}

fn known(record: &Record) -> Known<'_> {
    Known {
        key: record.key,
        kind: record.kind,
        role: record.role,
        version: record.version,
        work: &record.work,
        inputs: &record.inputs,
        numerics: &record.numerics,
    }
}

/// The stages of a plan that are to run, and how they stand in the store.
fn absent(
    study: &PlannedStudy,
    store: &Store,
    records: &[Record],
) -> Result<BTreeMap<StageKey, Absent>, StoreError> {
    let known: BTreeMap<StageKey, &Record> = records.iter().map(|record| (record.key, record)).collect();
    let mut absent = BTreeMap::new();
    for node in study.graph.nodes() {
        let stands = match known.get(&node.key) {
            Some(record) => stands(node, record, store),
            // It is not there; or it is damaged, which is an error.
            None => store.record(node.kind, node.key)?.is_none().then_some(Absent::Unknown),
        };
        if let Some(stands) = stands {
            absent.insert(node.key, stands);
        }
    }
    Ok(absent)
}

fn stands(node: &Node, record: &Record, store: &Store) -> Option<Absent> {
    let has = |name: &str| record.outputs.contains_key(name) || record.values.contains_key(name);
    let lacks: Vec<_> = node.wants.iter().filter(|want| !has(&want.to_string())).cloned().collect();
    if !lacks.is_empty() {
        return Some(Absent::Lacks(lacks));
    }
    let gone = record.outputs.iter().filter(|(_, artifact)| store.object_path(artifact.digest).is_none());
    let lost: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
    (!lost.is_empty()).then_some(Absent::Lost(lost))
}
