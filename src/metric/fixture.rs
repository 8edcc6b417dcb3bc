//! Reads fixtures that scripts under `tests/fixtures` made. Floats are text there, and rounded once, here.

use serde_json::Value;

/// A fixture by its path under `tests/fixtures`.
pub(crate) fn fixture(path: &str) -> Value {
    let path = format!("{}/tests/fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A float that is written as text, or null.
pub(crate) fn text_float(value: &Value) -> Option<f64> {
    value.as_str().map(|text| text.parse().expect("a float as text"))
}

/// A list of floats or nulls.
pub(crate) fn optional_floats(value: &Value) -> Vec<Option<f64>> {
    value.as_array().expect("a list").iter().map(text_float).collect()
}

/// A list of floats.
pub(crate) fn floats(value: &Value) -> Vec<f64> {
    optional_floats(value).into_iter().map(|value| value.expect("no null")).collect()
}

/// A list of class ids.
pub(crate) fn classes(value: &Value) -> Vec<u8> {
    let ids = value.as_array().expect("a list").iter();
    ids.map(|id| id.as_u64().and_then(|id| u8::try_from(id).ok()).expect("a class id")).collect()
}
