//! The parameters of a run: what distinguishes it from its siblings, one number or word each, to sort and group by.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::wire::{Key, ParamValue};
use crate::base::digest::Digest;
use crate::plan::explain::flat::flat;
use crate::spec::ablation::{Ablation, Member};
use crate::spec::identity::identity;

/// Keys of a spec that every run shows, whether or not they differ.
const ALWAYS: [&str; 8] = [
    "model.backbone",
    "model.head",
    "method.retrainings",
    "train.base_lr",
    "train.batch",
    "train.crop",
    "train.epochs",
    "train.iterations",
];

/// Keys that only some recipes have, and that distinguish these from the others.
const TELLING: &str = "method.select.";

/// Keys that have a parameter of their own.
const ELSEWHERE: [&str; 2] = ["seed", "split.seed"];

/// How the identity of a spec calls a key, and how the spec itself does.
const SPELLINGS: [(&str, &str); 5] = [
    ("train.length.", "train."),
    ("retrain.length.", "retrain."),
    ("method.select.by.", TELLING),
    ("strong.", "augment.strong."),
    ("weak.", "augment.weak."),
];

/// Which keys of their specs tell the experiments of an ablation apart.
#[derive(Debug, Clone)]
pub struct Distinctions {
    keys: BTreeSet<String>,
    /// Those among them that every experiment has.
    common: BTreeSet<String>,
}

impl Distinctions {
    /// Those of an ablation.
    pub fn of(ablation: &Ablation) -> Self {
        let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for member in &ablation.experiments {
            for (key, value) in keys(member) {
                *count.entry(key.clone()).or_default() += 1;
                seen.entry(key).or_default().insert(value.to_string());
            }
        }
        // A key that only some recipes have differs by being there; that says little, but of selections.
        seen.retain(|key, values| values.len() > 1 || key.starts_with(TELLING));
        let keys: BTreeSet<String> =
            seen.into_keys().filter(|key| !ELSEWHERE.contains(&key.as_str())).collect();
        let is_common = |key: &&String| count[*key] == ablation.experiments.len();
        Self { common: keys.iter().filter(is_common).cloned().collect(), keys }
    }

    /// The parameters of an experiment, and in full those whose value is too long for one.
    pub fn params(&self, member: &Member) -> (BTreeMap<Key, ParamValue>, BTreeMap<String, String>) {
        let mut params = Params::default();
        params.put("arm", member.arm.clone());
        params.put("seed", member.seed.to_string());
        params.put("split", member.split.clone());
        for (key, value) in keys(member) {
            if self.keys.contains(&key) || ALWAYS.contains(&key.as_str()) {
                params.put(&key, words(&value));
            }
        }
        (params.short, params.long)
    }
}

impl Distinctions {
    /// The keys that tell experiments apart, in the order of the alphabet.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(String::as_str)
    }

    /// Those that every experiment has.
    pub fn common(&self) -> impl Iterator<Item = &str> {
        self.common.iter().map(String::as_str)
    }
}

/// The values of a spec by key, without what can change no result.
fn keys(member: &Member) -> BTreeMap<String, Value> {
    let spelt = |path: String| {
        let known = SPELLINGS.iter().find_map(|(ours, theirs)| Some((theirs, path.strip_prefix(ours)?)));
        known.map_or_else(|| path.clone(), |(head, rest)| format!("{head}{rest}"))
    };
    flat(&identity(&member.experiment)).into_iter().map(|(path, value)| (spelt(path), value)).collect()
}

/// A text as it is, anything else as JSON.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[derive(Default)]
struct Params {
    short: BTreeMap<Key, ParamValue>,
    long: BTreeMap<String, String>,
}

impl Params {
    fn put(&mut self, name: &str, value: String) {
        let value = ParamValue::new(value).unwrap_or_else(|long| {
            let digest = Digest::of(long.as_bytes());
            let reference =
                format!("blake3:{digest}: {} characters, in full in params.json", long.chars().count());
            self.long.insert(name.to_owned(), long);
            ParamValue::new(reference).expect("a reference is short")
        });
        self.short.insert(Key::of(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoredStudy;

    #[test]
    fn what_differs_between_arms_is_a_parameter_and_so_is_what_everyone_asks_for() {
        let study: StoredStudy = super::super::run::tests::study();
        let distinctions = Distinctions::of(&study.ablation);
        let said: Vec<String> = study
            .ablation
            .experiments
            .iter()
            .map(|member| {
                let (params, long) = distinctions.params(member);
                assert!(long.is_empty());
                params
                    .iter()
                    .map(|(key, value)| format!("{}={}", key.as_str(), value.as_str()))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn a_value_that_is_too_long_is_kept_in_full_elsewhere() {
        let mut params = Params::default();
        params.put("method.tta.scales", "x".repeat(7000));
        let value = params.short[&Key::of("method.tta.scales")].as_str();
        assert!(value.contains("7000 characters") && value.starts_with("blake3:"), "{value}");
        assert_eq!(params.long["method.tta.scales"].len(), 7000);
    }
}
