//! Which key of a spec a parameter of a stage comes from.

use crate::plan::kind::{Kind, Role};

/// Where a parameter of a stage comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A key of the spec says it.
    Key(String),
    /// Several keys, and maybe files, come to it.
    Derived {
        /// What it is, for people.
        what: &'static str,
        /// The keys, and tables of keys, that it can follow from.
        from: Vec<String>,
    },
    /// Another parameter says the same.
    Said,
}

/// The field of a parameter, by its path in the stage's work. `matched` says that the stage is the image selection
/// whose number of pixels is matched: it stands in a table of its own.
pub fn field(kind: Kind, role: Option<Role>, path: &str, matched: bool) -> Field {
    let table = if role.is_none_or(|role| role == Role::Teacher) { "train" } else { "retrain" };
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    match (first, rest) {
        ("seed", _) => key("seed"),
        ("net", "weights") => derived("the pretrained weights", &["model.weights"]),
        ("net", "classes") | ("classes", _) => derived("the number of classes", &["data"]),
        ("net", name) => key(format!("model.{name}")),
        ("train", rest) if rest.starts_with("length") => Field::Said,
        ("train", name) => key(format!("{table}.{name}")),
        ("augment", _) => key(path),
        ("tta", name) => key(format!("method.tta.{name}")),
        ("windows", "side") => key("evaluate.window"),
        ("windows", "stride") => key("evaluate.stride"),
        ("rule", name) if matched => key(format!("method.select.to.{name}")),
        ("rule", name) => key(format!("method.select.{name}")),
        ("manifest", _) => derived("the images and masks", &["data"]),
        ("labeled", _) => derived("the labeled images", &["split", "data"]),
        ("images", _) if kind == Kind::Evaluate => derived("the images to measure on", &["data"]),
        ("images", _) => derived("the unlabeled images", &["split", "data"]),
        ("order", _) => {
            derived("the order of the unlabeled images", &["method.select.ties", "split", "data"])
        }
        ("unlabeled", _) => derived("the unlabeled images", &["method", "split", "data"]),
        ("repeats", _) => with_length("how often labeled images are repeated", &[table]),
        ("steps", _) => with_length("optimiser steps", &[table]),
        ("checkpoints", _) => with_length("the checkpoints", &["train"]).or("method.checkpoints"),
        ("step", _) => with_length("the model's optimiser steps", &[table]),
        ("model", "bestof") => {
            with_length("the model's state", &[table]).or("method.teacher").or("evaluate.points")
        }
        ("model", _) => with_length("the model's state", &[table]).or("method.teacher"),
        ("part", _) => derived("which images are labelled", &["method"]),
        _ => derived("what it does", &["method", "evaluate", "data", "split"]),
    }
}

/// The keys that a training's length in steps follows from.
fn with_length(what: &'static str, tables: &[&str]) -> Field {
    let names = ["iterations", "epochs", "batch", "drop_last", "oversample"];
    let of_tables = tables.iter().flat_map(|table| names.map(|name| format!("{table}.{name}")));
    let counts = ["method.select.fraction", "method.select.to.fraction", "split", "data"].map(str::to_owned);
    Field::Derived { what, from: of_tables.chain(counts).collect() }
}

impl Field {
    fn or(self, key: &str) -> Self {
        match self {
            Self::Derived { what, mut from } => {
                from.push(key.to_owned());
                Self::Derived { what, from }
            }
            other => other,
        }
    }
}

fn key(name: impl Into<String>) -> Field {
    Field::Key(name.into())
}

fn derived(what: &'static str, from: &[&str]) -> Field {
    Field::Derived { what, from: from.iter().map(|&key| key.to_owned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::schema;

    #[test]
    fn parameters_have_the_names_of_the_spec() {
        let of = |kind, role, path| match field(kind, role, path, false) {
            Field::Key(key) => key,
            other => format!("{other:?}"),
        };
        assert_eq!(of(Kind::Teacher, Some(Role::Teacher), "train.base_lr"), "train.base_lr");
        assert_eq!(of(Kind::Retrain, Some(Role::Student), "train.base_lr"), "retrain.base_lr");
        assert_eq!(of(Kind::Teacher, Some(Role::Teacher), "net.width"), "model.width");
        assert_eq!(of(Kind::Select, Some(Role::Teacher), "rule.threshold"), "method.select.threshold");
        assert_eq!(of(Kind::Select, Some(Role::Teacher), "rule.to.fraction"), "method.select.to.fraction");
        assert_eq!(of(Kind::Evaluate, Some(Role::Student), "windows.side"), "evaluate.window");
        assert_eq!(field(Kind::Teacher, Some(Role::Teacher), "train.length.iterations", false), Field::Said);
    }

    #[test]
    fn every_key_that_is_named_is_one_of_a_spec() {
        for path in
            ["steps", "labeled", "checkpoints", "model.at", "order", "part", "manifest", "net.weights"]
        {
            let Field::Derived { from, .. } = field(Kind::Label, Some(Role::Teacher), path, false) else {
                panic!("{path} is derived");
            };
            assert!(from.iter().all(|key| schema::is_key(key)), "{path}: {from:?}");
        }
    }
}
