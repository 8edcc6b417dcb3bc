//! `stpp exp ls`: the ablations in the store.

use crate::cli::args::LsArgs;
use crate::cli::failure::Failure;
use crate::cli::{output, target};
use crate::store::{Store, StoreError, StoredStudy};

/// Runs the command.
pub fn ls(args: &LsArgs) -> Result<(), Failure> {
    let mut rows = Vec::new();
    if let Some(store) = target::store_to_look(&args.store)? {
        for name in store.study_names()? {
            for study in store.studies(&name)? {
                let done = finished(&store, &study)?;
                rows.push((study, done));
            }
        }
    }
    if args.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(study, done)| {
                serde_json::json!({
                    "name": study.ablation.name, "digest": study.digest, "numerics": study.numerics,
                    "experiments": study.members.len(), "done": done, "question": study.ablation.question,
                })
            })
            .collect();
        output::result(&serde_json::Value::from(rows).to_string());
        return Ok(());
    }
    if rows.is_empty() {
        output::remark("the store has no ablation yet; `stpp exp run ablations/selection.toml` makes one");
        return Ok(());
    }
    let rows = rows.iter().map(|(study, done)| {
        [
            study.ablation.name.clone(),
            study.members.len().to_string(),
            done.to_string(),
            study.digest.short(),
            study.ablation.question.clone(),
        ]
    });
    output::result(&output::columns(["name", "experiments", "done", "digest", "question"], rows));
    Ok(())
}

/// How many experiments of a study have all their stages.
fn finished(store: &Store, study: &StoredStudy) -> Result<usize, StoreError> {
    let mut done = 0;
    for member in &study.members {
        let mut whole = true;
        for step in &member.chain.steps {
            whole &= store.record(step.kind, step.key)?.is_some();
        }
        done += usize::from(whole);
    }
    Ok(done)
}
