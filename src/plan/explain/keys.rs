//! An experiment as the keys of its spec: what a stored experiment is compared by.

use serde_json::Value;

use super::flat::{Difference, Flat, differences, flat};
use crate::spec::experiment::Experiment;

/// Where two experiments differ, by the keys of their specs, among some keys and tables.
pub fn changed(old: &Experiment, new: &Experiment, among: &[String]) -> Vec<Difference> {
    let mut found = differences(&keys(old), &keys(new));
    found.retain(|difference| is_among(&difference.path, among));
    // `epochs` in the place of `iterations`: what is written now says it.
    let said: Vec<String> = found.iter().filter(|d| d.new.is_some()).map(|d| table(&d.path)).collect();
    found.retain(|difference| difference.new.is_some() || !said.contains(&table(&difference.path)));
    found
}

fn table(key: &str) -> String {
    key.rsplit_once('.').map_or("", |(table, _)| table).to_owned()
}

/// Whether a key is one of some keys, or in one of some tables.
pub fn is_among(key: &str, tables: &[String]) -> bool {
    tables.iter().any(|table| {
        key.strip_prefix(table.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// The keys of an experiment that can change a bit, each with its value.
pub fn keys(experiment: &Experiment) -> Flat {
    let value = serde_json::to_value(experiment).expect("an experiment is plain data");
    flat(&value).into_iter().filter_map(|(path, value)| Some((key(&path)?, value))).collect::<Flat>()
}

/// The key of a field, by its path; none where it is said to people only, or follows from other keys.
fn key(path: &str) -> Option<String> {
    let spoken = ["about", "run", "data.name", "data.palette", "split.kind"];
    if spoken.iter().any(|name| path == *name || path.starts_with(&format!("{name}."))) {
        return None;
    }
    Some(match path {
        "split.labeled.count" => "split.labeled".to_owned(),
        "split.labeled.fraction" => "split.fraction".to_owned(),
        "split.folder" => "split.lists".to_owned(),
        "evaluate.windows.side" => "evaluate.window".to_owned(),
        "evaluate.windows.stride" => "evaluate.stride".to_owned(),
        path => path.replace(".length.", "."),
    })
}

/// A value as a spec would write it; of a digest the first digits.
pub fn written(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{}…", &text[..12])
        }
        Value::String(text) => format!("\"{text}\""),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Elsewhere, Spec, load, schema};
    use std::path::Path;

    fn experiments() -> Vec<Experiment> {
        let ablations = ["selection", "criteria", "controls"].map(|name| format!("ablations/{name}.toml"));
        let members = ablations.iter().flat_map(|path| {
            match load(Path::new(path), &[], &Elsewhere).expect("a shipped spec is sound").spec {
                Spec::Ablation(ablation) => {
                    ablation.experiments.into_iter().map(|member| member.experiment).collect()
                }
                Spec::Experiment(experiment) => vec![*experiment],
            }
        });
        members.collect()
    }

    #[test]
    fn every_key_of_an_experiment_is_one_of_a_spec() {
        for experiment in experiments() {
            for (key, value) in keys(&experiment) {
                assert!(schema::is_key(&key) || value.is_null(), "{key} = {value}");
            }
        }
    }

    #[test]
    fn what_was_changed_is_named() {
        let all = experiments();
        let mut other = all[0].clone();
        other.train.base_lr *= 2.0;
        other.seed += 1;
        other.about.description = "other words".to_owned();
        let named = |among: &[&str]| -> Vec<String> {
            let among: Vec<String> = among.iter().map(|&key| key.to_owned()).collect();
            changed(&all[0], &other, &among).into_iter().map(|difference| difference.path).collect()
        };
        assert_eq!(named(&["train", "seed"]), ["seed", "train.base_lr"]);
        assert_eq!(named(&["train.base"]), [""; 0]);
    }
}
