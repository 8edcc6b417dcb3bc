//! An explanation for programs: every stage, missing or there.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Explained;
use super::causes::Told;
use crate::plan::StageKey;
use crate::plan::explain::{Missing, Why};

/// The JSON of an explanation.
pub(super) fn of(explained: &Explained<'_>) -> Value {
    let missing: BTreeMap<StageKey, &Missing> =
        explained.missing.iter().map(|missing| (missing.key, missing)).collect();
    let stages = explained.study.graph.nodes().iter().map(|node| {
        let mut stage = json!({
            "key": node.key,
            "kind": node.kind,
            "role": node.role,
            "serves": explained.study.serves.get(&node.key),
            "done": !missing.contains_key(&node.key),
            "stored": explained.owners.stored(&[node.key]),
        });
        if let Some(missing) = missing.get(&node.key) {
            stage["why"] = why(missing);
        }
        stage
    });
    let stored = &explained.study.stored;
    json!({
        "name": stored.ablation.name,
        "numerics": stored.numerics,
        "distinct": explained.study.graph.nodes().len(),
        "missing": missing.len(),
        "causes": explained.told.iter().map(cause).collect::<Vec<_>>(),
        "stages": stages.collect::<Vec<_>>(),
    })
}

fn cause(told: &Told) -> Value {
    json!({
        "what": told.cause.what,
        "value": told.cause.new,
        "listed": told.listed,
        "nearest": told.old,
        "lacking": told.lacking,
        "from": told.cause.from,
        "stages": told.stages,
        "follow": told.follow,
    })
}

fn why(missing: &Missing) -> Value {
    match &missing.why {
        Why::First => json!({ "reason": "first", "after": missing.after }),
        Why::Follows => json!({ "reason": "follows", "after": missing.after }),
        Why::Lacks(wants) => {
            let wants: Vec<String> = wants.iter().map(ToString::to_string).collect();
            json!({ "reason": "lacks", "outputs": wants, "after": missing.after })
        }
        Why::Lost(outputs) => json!({ "reason": "lost", "outputs": outputs, "after": missing.after }),
        Why::Differs { nearest, .. } => {
            json!({ "reason": "differs", "nearest": nearest, "after": missing.after })
        }
    }
}
