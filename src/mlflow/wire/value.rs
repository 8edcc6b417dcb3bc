//! Values that a server can't misread.

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::base::digest::Digest;

/// Characters of a name.
const LONGEST_KEY: usize = 250;

/// A metric's value. What is not finite is written as text: JSON has no number for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricValue(pub f64);

impl Serialize for MetricValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value if value > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

impl<'de> Deserialize<'de> for MetricValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Said {
            Number(f64),
            Text(String),
        }
        match Said::deserialize(deserializer)? {
            Said::Number(value) => Ok(Self(value)),
            Said::Text(text) => match text.as_str() {
                "NaN" => Ok(Self(f64::NAN)),
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                other => other.parse().map(Self).map_err(D::Error::custom),
            },
        }
    }
}

/// An integer of 64 bits, which servers write as a number or as text.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Number(i64),
        Text(String),
    }
    match Said::deserialize(deserializer)? {
        Said::Number(value) => Ok(value),
        Said::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

/// An optimiser step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Step(pub i64);

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        integer(deserializer).map(Self)
    }
}

impl Step {
    /// A count of steps. One that does not fit 63 bits never happened.
    pub fn of(step: u64) -> Self {
        Self(i64::try_from(step).unwrap_or(i64::MAX))
    }
}

/// Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Millis(i64);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        integer(deserializer).map(Self)
    }
}

impl Millis {
    /// A time that is known in milliseconds.
    pub fn of(millis: u64) -> Self {
        Self(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// This time and so many milliseconds.
    #[must_use]
    pub fn after(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis.max(0)))
    }
}

/// The name of a metric, a parameter or a tag: letters, digits and `_-. :/`, at most 250 of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// A name as the server accepts it. Where that is another text than the one meant, it ends with eight digits of
    /// the meant one's digest, so that two names never become one.
    pub fn of(meant: &str) -> Self {
        let kept = |c: char| if c.is_alphanumeric() || "_-. :/".contains(c) { c } else { '_' };
        let mut name: String = meant.chars().map(kept).collect();
        // The server reads a name as a path, and refuses one that leads elsewhere.
        let parts = || name.split('/');
        if parts().any(|part| part.is_empty() || part == "." || part == "..") {
            name = parts()
                .map(|part| if part.trim_matches('.').is_empty() { "_" } else { part })
                .collect::<Vec<_>>()
                .join("/");
        }
        if name != meant || name.chars().count() > LONGEST_KEY {
            let digest = Digest::of(meant.as_bytes()).to_string();
            name = name.chars().take(LONGEST_KEY - 9).collect();
            name = format!("{name}_{}", &digest[..8]);
        }
        Self(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text of at most `MOST` characters: a server cuts longer ones without a word.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text<const MOST: usize>(String);

/// A parameter's value.
pub type ParamValue = Text<6000>;
/// A run's tag.
pub type TagValue = Text<8000>;
/// An experiment's tag.
pub type NoteValue = Text<20_000>;

impl<const MOST: usize> Text<MOST> {
    /// The text, if it is short enough; else the text itself as the error.
    ///
    /// # Errors
    /// The text.
    pub fn new(text: impl Into<String>) -> Result<Self, String> {
        let text = text.into();
        if text.chars().count() <= MOST { Ok(Self(text)) } else { Err(text) }
    }

    /// The text, cut at the end of a line where it is too long, with a last line that says so.
    pub fn cut(text: impl Into<String>, more: &str) -> Self {
        Self::new(text).unwrap_or_else(|long| {
            let room = MOST.saturating_sub(more.chars().count() + 2);
            let head: String = long.chars().take(room).collect();
            let head = head.rsplit_once('\n').map_or(head.as_str(), |(lines, _)| lines);
            Self(format!("{head}\n\n{more}").chars().take(MOST).collect())
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A dataset's digest: the first 32 hex digits, of the 36 characters that are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InputDigest(String);

impl From<Digest> for InputDigest {
    fn from(digest: Digest) -> Self {
        Self(digest.to_string()[..32].to_owned())
    }
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RunStatus {
    /// Someone works on it.
    Running,
    /// It waits for a machine; never set by this program.
    Scheduled,
    /// All that it was to do is done, and delivered.
    Finished,
    /// A stage failed.
    Failed,
    /// It was interrupted, or its process died.
    Killed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mlflow::wire::Metric;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_finite_is_text_and_every_finite_number_comes_back() {
        for (value, text) in [
            (f64::NAN, "\"NaN\""),
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
            (0.1, "0.1"),
        ] {
            let said = serde_json::to_string(&MetricValue(value)).unwrap();
            assert_eq!(said, text);
            let back: MetricValue = serde_json::from_str(&said).unwrap();
            assert!(back.0.to_bits() == value.to_bits() || back.0.is_nan() && value.is_nan());
        }
    }

    #[test]
    fn integers_are_read_as_numbers_and_as_text() {
        let metric: Metric =
            serde_json::from_str(r#"{"key":"a","value":"NaN","timestamp":"7","step":3}"#).unwrap();
        assert_eq!((metric.timestamp, metric.step), (Millis(7), Step(3)));
        let metric: Metric = serde_json::from_str(r#"{"key":"a","value":1,"timestamp":7}"#).unwrap();
        assert_eq!((metric.value, metric.step), (MetricValue(1.0), Step(0)));
    }

    #[test]
    fn a_name_that_the_server_refuses_becomes_one_that_it_accepts() {
        assert_eq!(Key::of("student_1/val/miou").as_str(), "student_1/val/miou");
        assert_eq!(Key::of("Straße: 1").as_str(), "Straße: 1");
        for meant in ["", "/a", "a//b", "a/../b", "a%b", "a#b", "a/.", &"x".repeat(251)] {
            let key = Key::of(meant);
            assert!(!key.as_str().starts_with('/') && key.as_str() != meant, "{meant}: {key:?}");
            assert!(key.as_str().chars().count() <= 250);
        }
        assert_ne!(Key::of("a#b"), Key::of("a%b"));
    }

    #[test]
    fn a_long_text_is_refused_or_cut_at_a_line() {
        assert!(Text::<3>::new("abc").is_ok());
        assert_eq!(Text::<3>::new("abcd"), Err("abcd".to_owned()));
        let cut = Text::<30>::cut("first line\nsecond line\nthird line", "more: elsewhere");
        assert_eq!(cut.as_str(), "first line\n\nmore: elsewhere");
    }

    proptest! {
        #[test]
        fn a_key_is_what_the_server_accepts(meant in ".{0,300}") {
            let key = Key::of(&meant);
            let text = key.as_str();
            prop_assert!(text.chars().count() <= 250 && !text.is_empty());
            prop_assert!(text.chars().all(|c| c.is_alphanumeric() || "_-. :/".contains(c)));
            prop_assert!(text.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
            prop_assert_eq!(Key::of(&meant), key);
        }

        #[test]
        fn a_value_that_was_sent_is_read_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let said = serde_json::to_string(&MetricValue(value)).unwrap();
            let back: MetricValue = serde_json::from_str(&said).unwrap();
            prop_assert!(back.0.to_bits() == bits || back.0.is_nan() && value.is_nan());
        }
    }
}
