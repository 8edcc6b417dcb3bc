//! One table over another: tables merge, other values replace.
//!
//! Some keys exclude each other (`epochs` and `iterations`). What the upper layer says then takes away what the
//! lower one said, so that a file can switch from one to the other; both in one layer stay, and are a problem.

use super::tree::{Node, Table, Value};

/// In this table, any of these keys above takes away all of those below.
const EXCLUSIVE: &[(&str, &[&str], &[&str])] = &[
    ("train", &["epochs", "iterations"], &["epochs", "iterations"]),
    ("retrain", &["epochs", "iterations"], &["epochs", "iterations"]),
    ("split", &["labeled", "fraction"], &["labeled", "fraction", "lists"]),
    ("split", &["lists"], &["labeled", "fraction", "seed"]),
    ("data", &["classes"], &["palette"]),
];

/// Keys of `[method.select]` that mean something for a level; another level above keeps only these.
const OF_LEVEL: &[(&str, &[&str])] = &[
    ("image", &["criterion", "fraction", "ties", "background"]),
    ("pixel", &["rule", "threshold", "quantile", "to"]),
];

/// Lays `upper` over `lower`; `path` is the dotted path of the two tables.
pub fn merge(lower: &mut Table, upper: Table, path: &str) {
    make_room(lower, &upper, spec_path(path));
    for (key, node) in upper {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (lower.get_mut(&key), node) {
            (
                Some(Node { value: Value::Table(below), origin, .. }),
                Node { value: Value::Table(above), origin: header, .. },
            ) => {
                *origin = header;
                merge(below, above, &inner);
            }
            (Some(below), node) => *below = node,
            (None, node) => {
                lower.insert(key, node);
            }
        }
    }
}

/// The path inside an experiment: what an arm sets is as good as what the file sets.
fn spec_path(path: &str) -> &str {
    match path.strip_prefix("arm.") {
        Some(arm) => arm.split_once('.').map_or("", |(_, rest)| rest),
        None => path,
    }
}

fn make_room(lower: &mut Table, upper: &Table, path: &str) {
    for (table, above, below) in EXCLUSIVE {
        if *table == path && above.iter().any(|key| upper.contains_key(*key)) {
            lower.retain(|key, _| !below.contains(&key.as_str()));
        }
    }
    match path {
        "data" if changes(lower, upper, "kind") => lower.clear(),
        "method.select" if changes(lower, upper, "level") => {
            let level = upper["level"].text().unwrap_or_default();
            if let Some((_, kept)) = OF_LEVEL.iter().find(|(name, _)| *name == level) {
                let from_none = lower.get("level").is_none_or(|node| node.text() == Some("none"));
                let kept_fraction = level == "image" && from_none;
                lower.retain(|key, _| kept.contains(&key.as_str()) && (key != "fraction" || kept_fraction));
            }
        }
        "method.select" if changes(lower, upper, "rule") => lower.retain(|key, _| key == "level"),
        _ => {}
    }
}

fn changes(lower: &Table, upper: &Table, key: &str) -> bool {
    upper
        .get(key)
        .is_some_and(|node| lower.get(key).and_then(Node::text) != node.text() || node.text().is_none())
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Origin, from_document, leaves};
    use super::*;
    use toml::de::DeTable;

    fn merged(lower: &str, upper: &str) -> Vec<String> {
        let tree = |text: &str, source| from_document(DeTable::parse(text).unwrap().get_ref(), source);
        let mut below = tree(lower, 1);
        merge(&mut below, tree(upper, 0), "");
        leaves(&below, "")
            .into_iter()
            .map(|(path, node)| {
                let Origin::Written(place) = &node.origin else { panic!("all is written") };
                format!("{path} {}", place.source)
            })
            .collect()
    }

    #[test]
    fn tables_merge_and_values_replace() {
        assert_eq!(
            merged("[train]\nbatch = 16\nlr = [1, 2]\n", "seed = 1\n[train]\nlr = [3]\n"),
            ["seed 0", "train.batch 1", "train.lr 0"]
        );
    }

    #[test]
    fn the_upper_length_takes_the_lower_one_away() {
        assert_eq!(merged("[train]\nepochs = 80", "[train]\niterations = 9"), ["train.iterations 0"]);
        assert_eq!(
            merged("[arm.a.train]\nepochs = 80", "[arm.a.train]\niterations = 9"),
            ["arm.a.train.iterations 0"]
        );
        assert_eq!(merged("[split]\nlabeled = 3\nseed = 1", "[split]\nlists = 'x'"), ["split.lists 0"]);
        assert_eq!(
            merged("[split]\nlabeled = 3\nseed = 1", "[split]\nfraction = 1"),
            ["split.fraction 0", "split.seed 1"]
        );
    }

    #[test]
    fn another_kind_of_data_starts_anew() {
        assert_eq!(
            merged("[data]\nkind = 'synthetic'\nwidth = 3", "[data]\nkind = 'listed'\nroot = 'x'"),
            ["data.kind 0", "data.root 0"]
        );
        assert_eq!(
            merged("[data]\nkind = 'listed'\nroot = 'x'", "[data]\nroot = 'y'"),
            ["data.kind 1", "data.root 0"]
        );
    }

    #[test]
    fn a_selection_keeps_what_its_level_knows() {
        let image = "method.select = { level = 'image', fraction = 0.3 }";
        let pixel = "method.select = { level = 'pixel', rule = 'threshold', threshold = 0.9 }";
        assert_eq!(
            merged(image, pixel),
            ["method.select.level 0", "method.select.rule 0", "method.select.threshold 0"]
        );
        assert_eq!(
            merged(pixel, "method.select = { rule = 'oracle' }"),
            ["method.select.level 1", "method.select.rule 0"]
        );
        let none = "method.select = { level = 'none', fraction = 0.3 }";
        assert_eq!(
            merged(none, "method.select = { level = 'image' }"),
            ["method.select.fraction 1", "method.select.level 0"]
        );
        assert_eq!(
            merged(image, "method.select = { level = 'none' }"),
            ["method.select.fraction 1", "method.select.level 0"]
        );
    }
}
