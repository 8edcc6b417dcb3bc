//! What the stages of a study took: hours, memory, attempts. Never part of a report, since no two machines agree.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::cli::failure::Failure;
use crate::store::beside::Costs;
use crate::store::{Store, StoredStudy};

/// What the stages of a study took, as their runs measured it.
pub fn costs(store: &Store, stored: &StoredStudy) -> Result<String, Failure> {
    let mut text = String::from("what the stages took, as measured when they ran; 100 % CPU are one core\n");
    let mut seen = BTreeSet::new();
    let mut total = 0.0;
    for step in stored.members.iter().flat_map(|member| &member.chain.steps) {
        if !seen.insert(step.key) {
            continue;
        }
        if let Some(costs) = store.costs(step.kind, step.key)? {
            let used = used(&costs);
            let Costs { seconds, attempts, faults, .. } = costs;
            total += seconds;
            let role = step.role.map_or("", |role| role.word());
            let more = match (attempts, faults.len()) {
                (0 | 1, 0) => String::new(),
                (attempts, 0) => format!("  the last of {attempts} attempts"),
                (attempts, faults) => {
                    format!("  the last of {attempts} attempts, {faults} DETERMINISM FAULTS")
                }
            };
            let line =
                format!("{}  {:<9} {role:<10} {seconds:>9.1} s{used}{more}", step.key.short(), step.kind);
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    let _ = writeln!(text, "in all {total:.1} s");
    Ok(text)
}

/// The most memory of a stage and its CPU share, in columns that are empty where they are not known.
fn used(costs: &Costs) -> String {
    let memory = costs.peak_memory.map(|memory| format!("{memory:.0} MB")).unwrap_or_default();
    let share = |cpu: f64| format!("{:.0} % CPU", 100.0 * cpu / costs.seconds.max(1e-3));
    let share = costs.cpu_seconds.map(share).unwrap_or_default();
    format!("  {memory:>9}  {share:>10}")
}
