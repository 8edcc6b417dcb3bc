//! What stages took, as system metrics: they have a tab of their own, with the time as its axis.

use super::Sample;
use crate::mlflow::wire::Key;
use crate::store::beside::Costs;

/// What is known of a stage, by name.
pub const KEYS: [&str; 6] = [
    "cpu_percent_of_one_core",
    "memory_megabytes",
    "seconds",
    "attempts",
    "cpu_seconds",
    "peak_memory_megabytes",
];

/// What a stage took. `stage` is the prefix of its other metrics.
pub fn samples(stage: &str, costs: &Costs) -> Vec<Sample> {
    let mut samples = Vec::new();
    let key = |name: &str| Key::of(&format!("system/{stage}/{name}"));
    for (step, usage) in (0..).zip(&costs.usage) {
        samples.push(Sample { key: key("cpu_percent_of_one_core"), step, at: usage.at, value: usage.cpu });
        samples.push(Sample { key: key("memory_megabytes"), step, at: usage.at, value: usage.memory });
    }
    if let Some(at) = costs.finished {
        let whole = [
            ("seconds", Some(costs.seconds)),
            ("attempts", (costs.attempts > 1).then_some(costs.attempts as f64)),
            ("cpu_seconds", costs.cpu_seconds),
            ("peak_memory_megabytes", costs.peak_memory),
        ];
        let known = whole.into_iter().filter_map(|(name, value)| Some((name, value?)));
        samples.extend(known.map(|(name, value)| Sample { key: key(name), step: 0, at, value }));
    }
    samples
}
