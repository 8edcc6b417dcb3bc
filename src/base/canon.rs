//! Canonical JSON (RFC 8785): the only way to hash a value.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::{Number, Value};

use super::digest::{Digest, Hasher};

/// The largest integer that canonical JSON keeps exactly: 2^53 - 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A value that has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonError {
    /// NaN, an infinity, or a map whose keys are not text.
    #[error("write a value as canonical JSON")]
    Json(#[from] serde_json::Error),
    /// An integer that JSON readers would round.
    #[error("write {0} as canonical JSON: integers above 2^53-1 would be rounded")]
    TooLarge(serde_json::Number),
}

/// The canonical JSON text of a value: sorted keys, no spaces, `1.0` written as `1`.
///
/// # Errors
/// [`CanonError`] for NaN, infinities and integers beyond ±(2^53 - 1).
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, CanonError> {
    let value = serde_json::to_value(value)?;
    let mut text = String::new();
    write(&mut text, &value)?;
    Ok(text)
}

/// The digest of a value's canonical JSON in a domain.
///
/// # Panics
/// When the value has no canonical form. Hashed types are ours and hold checked numbers only:
/// the spec reader refuses NaN, infinities and large seeds.
pub fn digest<T: Serialize + ?Sized>(domain: &str, value: &T) -> Digest {
    let json = to_json(value).expect("hashed values hold checked numbers");
    Hasher::new(domain).field(json.as_bytes()).finish()
}

/// Writes a value that is in memory already, which needs no buffer per object as a stream of them does. Scalars other
/// than plain texts and integers are the library's.
fn write(text: &mut String, value: &Value) -> Result<(), CanonError> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write_number(text, number)?,
        Value::String(string) => write_string(text, string)?,
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(text, item)?;
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut fields: Vec<(&String, &Value)> = map.iter().collect();
            fields.sort_unstable_by(|(one, _), (other, _)| order(one, other));
            text.push('{');
            for (at, (key, value)) in fields.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_string(text, key)?;
                text.push(':');
                write(text, value)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

/// The order of keys: by UTF-16 code units, which for ASCII is that of the bytes.
fn order(one: &str, other: &str) -> Ordering {
    if one.is_ascii() && other.is_ascii() {
        one.cmp(other)
    } else {
        one.encode_utf16().cmp(other.encode_utf16())
    }
}

fn write_number(text: &mut String, number: &Number) -> Result<(), CanonError> {
    let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    match size {
        Some(size) if size > MAX_SAFE_INTEGER => return Err(CanonError::TooLarge(number.clone())),
        Some(_) => text.push_str(&number.to_string()),
        None => text.push_str(&serde_json_canonicalizer::to_string(number)?),
    }
    Ok(())
}

fn write_string(text: &mut String, string: &str) -> Result<(), CanonError> {
    if string.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        text.push_str(&serde_json_canonicalizer::to_string(&string)?);
    } else {
        text.push('"');
        text.push_str(string);
        text.push('"');
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn value() -> impl Strategy<Value = Value> {
        let safe = MAX_SAFE_INTEGER as i64;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-safe..=safe).prop_map(Value::from),
            (0u64..100).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-1e6f64..1e6).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a-z\"\\\\\n\u{1}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map("[a-c\u{e000}\u{1f600}]{0,4}", inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_is_written_as_the_library_writes_it(value in value()) {
            let theirs = serde_json_canonicalizer::to_string(&value).unwrap();
            prop_assert_eq!(to_json(&value).unwrap(), theirs);
        }
    }

    #[test]
    fn key_order_and_number_form_do_not_matter() {
        let a: serde_json::Value = serde_json::from_str(r#"{"b": 1.0, "a": [2]}"#).unwrap();
        let b: serde_json::Value = serde_json::from_str(r#"{"a":[2.0],"b":1}"#).unwrap();
        assert_eq!(to_json(&a).unwrap(), r#"{"a":[2],"b":1}"#);
        assert_eq!(digest("t", &a), digest("t", &b));
        assert_ne!(digest("t", &a), digest("u", &a));
    }

    #[test]
    fn integers_that_would_be_rounded_are_refused() {
        assert!(to_json(&json!({ "seed": MAX_SAFE_INTEGER })).is_ok());
        assert!(matches!(to_json(&json!({ "seed": MAX_SAFE_INTEGER + 1 })), Err(CanonError::TooLarge(_))));
    }
}
