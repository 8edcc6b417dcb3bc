//! Names that stand for several keys: `method.name` and `data.preset`.
//!
//! A name is written out in the layer (file, `--set`, arm) that says it. Keys that stand beside it there count more;
//! keys of lower layers count less. So an arm with `method.name = "plain"` is plain, whatever its base said.

use super::preset::{self, Preset};
use super::tree::{Node, Origin, Table, Value};

/// The recipes of the paper and its controls: name, and the keys it stands for.
pub const METHODS: &[(&str, &[(&str, Plain)])] = &[
    (
        "supervised",
        &[
            ("method.retrainings", Plain::Whole(0)),
            ("method.labels", Plain::Word("pseudo")),
            ("method.select.level", Plain::Word("none")),
        ],
    ),
    (
        "fully-supervised",
        &[
            ("method.retrainings", Plain::Whole(0)),
            ("method.labels", Plain::Word("truth")),
            ("method.select.level", Plain::Word("none")),
        ],
    ),
    (
        "plain",
        &[
            ("method.retrainings", Plain::Whole(1)),
            ("method.labels", Plain::Word("pseudo")),
            ("method.select.level", Plain::Word("none")),
            ("augment.strong.on", Plain::Word("none")),
        ],
    ),
    (
        "st",
        &[
            ("method.retrainings", Plain::Whole(1)),
            ("method.labels", Plain::Word("pseudo")),
            ("method.select.level", Plain::Word("none")),
            ("augment.strong.on", Plain::Word("unlabeled")),
        ],
    ),
    (
        "stpp",
        &[
            ("method.retrainings", Plain::Whole(2)),
            ("method.labels", Plain::Word("pseudo")),
            ("method.select.level", Plain::Word("image")),
            ("method.select.criterion", Plain::Word("stability")),
            ("augment.strong.on", Plain::Word("unlabeled")),
        ],
    ),
];

/// A value in the table above.
#[derive(Debug, Clone, Copy)]
pub enum Plain {
    /// Text.
    Word(&'static str),
    /// A whole number.
    Whole(i128),
}

/// Writes the presets of one layer out. Unknown names are left to the reader, which explains them.
pub fn expand(layer: &mut Table) {
    if let Some((origin, name)) = named(layer, "method", "name", "method.name")
        && let Some((_, keys)) = METHODS.iter().find(|(known, _)| *known == name)
    {
        let own_level = super::tree::find(layer, "method.select.level").is_some();
        for (key, value) in *keys {
            // A criterion belongs to the preset's level, not to another one that stands beside the name.
            if own_level && key.starts_with("method.select.") {
                continue;
            }
            let value = match *value {
                Plain::Word(word) => Value::Text(word.to_owned()),
                Plain::Whole(number) => Value::Integer(number),
            };
            put(layer, key, &origin, value);
        }
    }
    if let Some((origin, name)) = named(layer, "data", "preset", "data.preset")
        && let Some(preset) = preset::preset(&name)
    {
        expand_data(layer, &origin, preset);
    }
}

fn expand_data(layer: &mut Table, origin: &Origin, preset: &Preset) {
    let text = |text: &str| Value::Text(text.to_owned());
    let whole = |number: usize| Value::Integer(number as i128);
    let list = |items: Vec<Value>| {
        Value::Array(items.into_iter().map(|value| Node::preset(origin, value)).collect())
    };
    let own_classes = super::tree::find(layer, "data.classes").is_some();
    if !own_classes {
        let colour = |rgb: &[u8; 3]| list(rgb.iter().map(|part| Value::Integer(i128::from(*part))).collect());
        put(layer, "data.classes", origin, list(preset.classes.iter().map(|name| text(name)).collect()));
        put(layer, "data.palette", origin, list(preset.palette.iter().map(colour).collect()));
    }
    put(layer, "data.kind", origin, text("listed"));
    put(layer, "data.name", origin, text(preset.name));
    put(layer, "train.base_size", origin, whole(preset.base_size));
    put(layer, "train.crop", origin, whole(preset.crop));
    put(layer, "train.base_lr", origin, Value::Float(preset.base_lr));
    if super::tree::find(layer, "train.iterations").is_none() {
        put(layer, "train.epochs", origin, Value::Integer(i128::from(preset.epochs)));
    }
}

fn named(layer: &Table, table: &str, key: &str, path: &'static str) -> Option<(Origin, String)> {
    let node = layer.get(table)?.table()?.get(key)?;
    let (name, place) = (node.text()?.to_owned(), node.origin.place()?.clone());
    Some((Origin::Preset { key: path, name: name.clone(), place }, name))
}

/// Sets a key, unless the layer says it itself.
fn put(layer: &mut Table, path: &str, origin: &Origin, value: Value) {
    match path.split_once('.') {
        None => {
            layer.entry(path.to_owned()).or_insert_with(|| Node::preset(origin, value));
        }
        Some((first, rest)) => {
            let table = || Node::preset(origin, Value::Table(Table::new()));
            // A table's name that holds something else is the reader's to explain.
            if let Value::Table(inner) = &mut layer.entry(first.to_owned()).or_insert_with(table).value {
                put(inner, rest, origin, value);
            }
        }
    }
}
