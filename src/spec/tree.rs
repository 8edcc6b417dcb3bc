//! TOML as a tree in which every key and value knows where it came from.

use std::collections::BTreeMap;

use toml::de::{DeInteger, DeTable, DeValue};

use super::source::{Place, Sources};

/// Where a key or a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is written in a file or after `--set`.
    Written(Place),
    /// It is part of what a preset stands for.
    Preset {
        /// The key that names the preset, such as `method.name`.
        key: &'static str,
        /// The preset's name, such as `stpp`.
        name: String,
        /// Where the preset is named.
        place: Place,
    },
    /// Nobody said it, so it follows from something else; the text says from what.
    Follows(&'static str),
    /// Nobody said it.
    Default,
}

impl Origin {
    /// The place to show for it, if it is written anywhere.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Written(place) | Self::Preset { place, .. } => Some(place),
            Self::Follows(_) | Self::Default => None,
        }
    }

    /// For people: `file:line`, `--set key=value`, `preset pascal (file:line)`, `as in [train]`, `default`.
    pub fn show(&self, sources: &Sources) -> String {
        match self {
            Self::Written(place) => sources.show(place).to_string(),
            Self::Preset { key, name, place } => {
                format!("{key} = \"{name}\" ({})", sources.show(place))
            }
            Self::Follows(what) => (*what).to_owned(),
            Self::Default => "default".to_owned(),
        }
    }
}

/// A key's value, with both origins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where the key stands; for an array's item, where the item stands.
    pub key: Origin,
    /// Where the value stands; for a table, its header.
    pub origin: Origin,
    /// The value.
    pub value: Value,
}

/// A TOML value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number, saturated where it does not fit.
    Integer(i128),
    /// Any other number, also NaN and infinities.
    Float(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A date or time, which no key of ours takes.
    Date,
    /// Several values.
    Array(Vec<Node>),
    /// Keys with values.
    Table(Table),
}

/// Keys with values.
pub type Table = BTreeMap<String, Node>;

impl Node {
    /// A value that a preset stands for.
    pub fn preset(origin: &Origin, value: Value) -> Self {
        Self { key: origin.clone(), origin: origin.clone(), value }
    }

    /// The table, if it is one.
    pub fn table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Value {
    /// What it is, for people.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a decimal number",
            Self::Flag(_) => "true or false",
            Self::Date => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Looks a dotted path up.
pub fn find<'t>(table: &'t Table, path: &str) -> Option<&'t Node> {
    match path.split_once('.') {
        None => table.get(path),
        Some((first, rest)) => find(table.get(first)?.table()?, rest),
    }
}

/// Every value that is no table, with its dotted path, in the order of the paths.
pub fn leaves<'t>(table: &'t Table, path: &str) -> Vec<(String, &'t Node)> {
    let mut found = Vec::new();
    for (key, node) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match &node.value {
            Value::Table(inner) if !inner.is_empty() => found.extend(leaves(inner, &path)),
            _ => found.push((path, node)),
        }
    }
    found
}

/// A parsed document as a tree.
pub fn from_document(table: &DeTable<'_>, source: usize) -> Table {
    let written = |span| Origin::Written(Place { source, span });
    table
        .iter()
        .map(|(key, value)| {
            let node = from_value(value.get_ref(), written(key.span()), written(value.span()), source);
            (key.get_ref().to_string(), node)
        })
        .collect()
}

/// A parsed value as a node.
pub fn from_value(value: &DeValue<'_>, key: Origin, origin: Origin, source: usize) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(integer(number)),
        // The parser has checked the form; what is too large for f64 becomes an infinity, which no key takes.
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| {
                    let origin = Origin::Written(Place { source, span: item.span() });
                    from_value(item.get_ref(), origin.clone(), origin, source)
                })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(from_document(table, source)),
    };
    Node { key, origin, value }
}

fn integer(number: &DeInteger<'_>) -> i128 {
    let text = number.as_str();
    let too_large = if text.starts_with('-') { i128::MIN } else { i128::MAX };
    i128::from_str_radix(text, number.radix()).unwrap_or(too_large)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Table {
        from_document(DeTable::parse(text).unwrap().get_ref(), 0)
    }

    #[test]
    fn every_leaf_points_at_its_key_and_value() {
        let text = "[train]\nbatch = 16\nretrain.crop = [1, 2]\n";
        let tree = tree(text);
        let found: Vec<_> = leaves(&tree, "")
            .into_iter()
            .map(|(path, node)| {
                let at = |origin: &Origin| text[origin.place().unwrap().span.clone()].to_owned();
                format!("{path}: {} = {}", at(&node.key), at(&node.origin))
            })
            .collect();
        assert_eq!(found, ["train.batch: batch = 16", "train.retrain.crop: crop = [1, 2]"]);
        let header = find(&tree, "train").unwrap().origin.place().unwrap();
        assert_eq!(&text[header.span.clone()], "[train]");
    }

    #[test]
    fn numbers_of_every_size_and_form_are_kept() {
        let tree = tree(
            "a = 0xff\nb = 99999999999999999999999999999999999999999999\nc = -1_000\nd = inf\ne = 1e999",
        );
        let values: Vec<_> = tree.values().map(|node| node.value.clone()).collect();
        assert_eq!(
            values,
            [
                Value::Integer(255),
                Value::Integer(i128::MAX),
                Value::Integer(-1000),
                Value::Float(f64::INFINITY),
                Value::Float(f64::INFINITY)
            ]
        );
    }
}
