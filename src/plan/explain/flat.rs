//! A JSON value as its leaves by dotted path, and where two of them differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The leaves of a value by their dotted paths. Lists are leaves.
pub type Flat = BTreeMap<String, Value>;

/// One path at which two values differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The dotted path.
    pub path: String,
    /// What the old value has there.
    pub old: Option<Value>,
    /// What the new value has there.
    pub new: Option<Value>,
}

/// The leaves of a value.
pub fn flat(value: &Value) -> Flat {
    let mut leaves = Flat::new();
    add(&mut leaves, String::new(), value);
    leaves
}

fn add(leaves: &mut Flat, path: String, value: &Value) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                add(leaves, path, value);
            }
        }
        leaf => {
            leaves.insert(path, leaf.clone());
        }
    }
}

/// Where two values differ, in the order of the paths. `1` and `1.0` are one number, as they are to a digest.
pub fn differences(old: &Flat, new: &Flat) -> Vec<Difference> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differs = |path: &&String| match (old.get(*path), new.get(*path)) {
        (Some(old), Some(new)) => !same(old, new),
        _ => true,
    };
    let difference = |path: &String| Difference {
        path: path.clone(),
        old: old.get(path).cloned(),
        new: new.get(path).cloned(),
    };
    paths.into_iter().filter(differs).map(difference).collect()
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0u64..5).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from),
            prop::collection::vec(0u64..3, 0..3).prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        })
    }

    proptest! {
        #[test]
        fn a_value_does_not_differ_from_itself(value in value()) {
            prop_assert_eq!(differences(&flat(&value), &flat(&value)), []);
        }

        #[test]
        fn what_differs_leads_from_the_one_to_the_other(old in value(), new in value()) {
            let (old, new) = (flat(&old), flat(&new));
            let mut changed = old.clone();
            for difference in differences(&old, &new) {
                match difference.new {
                    Some(value) => changed.insert(difference.path, value),
                    None => changed.remove(&difference.path),
                };
            }
            prop_assert_eq!(changed, new);
        }

        #[test]
        fn differences_are_the_same_from_both_sides(old in value(), new in value()) {
            let (old, new) = (flat(&old), flat(&new));
            let turned = differences(&new, &old).into_iter();
            let turned = turned.map(|d| Difference { path: d.path, old: d.new, new: d.old }).collect::<Vec<_>>();
            prop_assert_eq!(differences(&old, &new), turned);
        }
    }

    #[test]
    fn paths_are_dotted_and_numbers_are_compared_as_numbers() {
        let one = flat(&json!({"train": {"batch": 4, "length": {"iterations": 9}}, "scales": [1]}));
        let other = flat(&json!({"train": {"batch": 8, "length": {"epochs": 9}}, "scales": [1.0]}));
        let paths: Vec<_> = differences(&one, &other).into_iter().map(|d| d.path).collect();
        assert_eq!(paths, ["train.batch", "train.length.epochs", "train.length.iterations"]);
    }
}
