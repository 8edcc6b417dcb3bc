//! Canonical JSON (RFC 8785): the only way to hash a value.

use serde::Serialize;

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
    check_integers(&value)?;
    Ok(serde_json_canonicalizer::to_string(&value)?)
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

fn check_integers(value: &serde_json::Value) -> Result<(), CanonError> {
    use serde_json::Value;
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            match size {
                Some(size) if size > MAX_SAFE_INTEGER => Err(CanonError::TooLarge(number.clone())),
                _ => Ok(()),
            }
        }
        Value::Array(items) => items.iter().try_for_each(check_integers),
        Value::Object(map) => map.values().try_for_each(check_integers),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
