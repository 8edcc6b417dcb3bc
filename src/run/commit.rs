//! The record of a stage that was run, with what an earlier run of the same stage left beside it.

use super::crew::Failed;
use super::executor::RunError;
use crate::plan::Node;
use crate::stage::{self, Left, metrics};
use crate::store::journal::Point;
use crate::store::{Record, Store};

/// The version of this program, as records carry it.
pub const CODE: &str = concat!("stpp ", env!("CARGO_PKG_VERSION"));
/// The output of a stage that holds what it measured.
pub const METRICS: &str = "metrics";

/// The record to commit. A stage that was run before, under other wishes, keeps what it had left then; an output that
/// both left must be the same.
pub(super) fn record(
    store: &Store,
    node: &Node,
    numerics: &str,
    left: Left,
    mut points: Vec<Point>,
) -> Result<Record, Failed> {
    let mut outputs = left.outputs;
    let mut values = left.values;
    let earlier = store.record(node.kind, node.key)?;
    if let Some(earlier) = earlier.filter(|earlier| earlier.version == node.kind.version()) {
        for (name, old) in earlier.outputs {
            // What was lost since is left behind: with it, the stage would never be done.
            let is_there = store.object_path(old.digest).is_some();
            if name == METRICS {
                // A stage that is run again was asked to look at other steps: keep what was seen at both.
                if is_there {
                    let bytes = store.get(old.digest)?;
                    metrics::merge(metrics::from_lines(&bytes).unwrap_or_default(), &mut points);
                }
                continue;
            }
            match outputs.get(&name) {
                Some(new) if new.digest != old.digest => {
                    return Err(Failed::Run(Box::new(RunError::Differs {
                        stage: format!("{} {}", node.kind, node.key.short()),
                        output: name,
                        expected: old.digest.short(),
                        found: new.digest.short(),
                    })));
                }
                None if is_there => {
                    outputs.insert(name, old);
                }
                Some(_) | None => {}
            }
        }
        for (name, old) in earlier.values {
            values.entry(name).or_insert(old);
        }
    }
    if !points.is_empty() {
        outputs.insert(METRICS.to_owned(), stage::keep(store, &metrics::to_lines(&points))?);
    }
    Ok(Record {
        key: node.key,
        kind: node.kind,
        version: node.kind.version(),
        role: node.role,
        work: serde_json::to_value(&node.work).expect("work is plain data"),
        inputs: node.inputs.clone(),
        numerics: numerics.to_owned(),
        outputs,
        values,
        trace: left.trace,
        marks: left.marks,
        cost: node.cost,
        code: CODE.to_owned(),
    })
}
