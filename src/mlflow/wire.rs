//! What goes over the wire: messages of MLflow's REST API 2.0, and the values in them.
//!
//! A server of MLflow stops reading a request at the first value that it can't parse, stores that entry as 0, drops what
//! follows, and answers 200. So every value is a type that has no such form: a number that is not finite is a text
//! ([`MetricValue`]), steps and times are integers ([`Step`], [`Millis`]), names hold only what the server accepts
//! ([`Key`]), and texts have the length up to which it keeps them ([`ParamValue`], [`TagValue`], [`NoteValue`]).

use std::collections::BTreeMap;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::base::digest::Digest;

/// Metrics of one `log-batch`.
pub const MOST_METRICS: usize = 1000;
/// Parameters of one `log-batch`.
pub const MOST_PARAMS: usize = 100;
/// Tags of one `log-batch`.
pub const MOST_TAGS: usize = 100;
/// Bytes of one request: hosted servers refuse 1 MB.
pub const MOST_BYTES: usize = 900_000;

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

/// A point of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Which metric.
    pub key: Key,
    /// Its value.
    pub value: MetricValue,
    /// When.
    pub timestamp: Millis,
    /// At which step.
    #[serde(default)]
    pub step: Step,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Param {
    /// Its name.
    pub key: Key,
    /// Its value.
    pub value: ParamValue,
}

/// A tag of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// Its name.
    pub key: Key,
    /// Its value.
    pub value: TagValue,
}

/// Points, parameters and tags of a run, in one request.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct LogBatch<'a> {
    /// The run.
    pub run_id: &'a str,
    /// At most [`MOST_METRICS`].
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub metrics: &'a [Metric],
    /// At most [`MOST_PARAMS`], no key twice.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub params: &'a [Param],
    /// At most [`MOST_TAGS`].
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub tags: &'a [Tag],
}

/// `experiments/create`.
#[derive(Debug, Serialize)]
pub struct CreateExperiment<'a> {
    /// Its name, unique on the server.
    pub name: &'a str,
}

/// `experiments/set-experiment-tag`.
#[derive(Debug, Serialize)]
pub struct SetExperimentTag<'a> {
    /// The experiment.
    pub experiment_id: &'a str,
    /// Which tag.
    pub key: &'a Key,
    /// Its value.
    pub value: &'a NoteValue,
}

/// A request about an experiment, such as `experiments/restore`.
#[derive(Debug, Serialize)]
pub struct OfExperiment<'a> {
    /// The experiment.
    pub experiment_id: &'a str,
}

/// A request about a run, such as `runs/delete`.
#[derive(Debug, Serialize)]
pub struct OfRun<'a> {
    /// The run.
    pub run_id: &'a str,
}

/// `runs/delete-tag`.
#[derive(Debug, Serialize)]
pub struct DeleteTag<'a> {
    /// The run.
    pub run_id: &'a str,
    /// Which tag.
    pub key: &'a str,
}

/// `runs/create`.
#[derive(Debug, Serialize)]
pub struct CreateRun<'a> {
    /// Where.
    pub experiment_id: &'a str,
    /// What people call it.
    pub run_name: &'a str,
    /// When it began.
    pub start_time: Millis,
    /// What it is known again by.
    pub tags: &'a [Tag],
}

/// `runs/update`.
#[derive(Debug, Serialize)]
pub struct UpdateRun<'a> {
    /// The run.
    pub run_id: &'a str,
    /// Its new state.
    pub status: RunStatus,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<Millis>,
}

/// `runs/search`.
#[derive(Debug, Serialize)]
pub struct SearchRuns<'a> {
    /// In these experiments.
    pub experiment_ids: [&'a str; 1],
    /// Which runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<&'a str>,
    /// Deleted ones, too: `ALL`.
    pub run_view_type: &'static str,
    /// On one page.
    pub max_results: usize,
    /// The oldest first.
    pub order_by: [&'static str; 1],
    /// Which page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_token: Option<&'a str>,
}

/// `runs/log-inputs`.
#[derive(Debug, Serialize)]
pub struct LogInputs<'a> {
    /// The run.
    pub run_id: &'a str,
    /// What it read.
    pub datasets: &'a [Input],
}

/// A dataset, and what a run used it for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// What for, under `mlflow.data.context`.
    #[serde(default)]
    pub tags: Vec<Said>,
    /// What.
    pub dataset: Dataset,
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its name, at most 500 characters.
    pub name: String,
    /// Its digest.
    pub digest: InputDigest,
    /// What kind of source it has.
    pub source_type: String,
    /// Where it is from, as JSON.
    pub source: String,
    /// Its classes, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its size, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A key and a value as a server says them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Said {
    /// The key.
    pub key: String,
    /// The value.
    #[serde(default)]
    pub value: String,
}

/// The answer to `experiments/create`.
#[derive(Debug, Clone, Deserialize)]
pub struct CreatedExperiment {
    /// Its id.
    pub experiment_id: String,
}

/// The answer to `experiments/get-by-name`.
#[derive(Debug, Clone, Deserialize)]
pub struct GotExperiment {
    /// The experiment.
    pub experiment: Experiment,
}

/// An experiment, as the server has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Experiment {
    /// Its id.
    pub experiment_id: String,
    /// Its name.
    pub name: String,
    /// `active` or `deleted`.
    #[serde(default)]
    pub lifecycle_stage: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Said>,
}

/// The answer to `runs/create` and `runs/get`.
#[derive(Debug, Clone, Deserialize)]
pub struct GotRun {
    /// The run.
    pub run: Run,
}

/// The answer to `runs/search`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct FoundRuns {
    /// The runs of this page.
    #[serde(default)]
    pub runs: Vec<Run>,
    /// How the next page is asked for; none or empty at the end.
    #[serde(default)]
    pub next_page_token: Option<String>,
}

/// A run, as the server has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    /// What it is.
    pub info: RunInfo,
    /// What was said of it.
    #[serde(default)]
    pub data: RunData,
    /// What it read.
    #[serde(default)]
    pub inputs: RunInputs,
}

/// What a run is.
#[derive(Debug, Clone, Deserialize)]
pub struct RunInfo {
    /// Its id.
    pub run_id: String,
    /// Its state.
    pub status: RunStatus,
    /// When it began.
    #[serde(default)]
    pub start_time: Millis,
    /// Where its artifacts are.
    #[serde(default)]
    pub artifact_uri: String,
    /// `active` or `deleted`.
    #[serde(default)]
    pub lifecycle_stage: String,
}

/// What was said of a run.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RunData {
    /// The last point of every metric.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Its parameters.
    #[serde(default)]
    pub params: Vec<Said>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<Said>,
}

impl RunData {
    /// A tag's value.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
    }

    /// All tags.
    pub fn tags(&self) -> BTreeMap<&str, &str> {
        self.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect()
    }

    /// All parameters.
    pub fn params(&self) -> BTreeMap<&str, &str> {
        self.params.iter().map(|param| (param.key.as_str(), param.value.as_str())).collect()
    }
}

/// What a run read.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct RunInputs {
    /// Datasets.
    #[serde(default)]
    pub dataset_inputs: Vec<Input>,
}

/// The answer to `metrics/get-history`.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct History {
    /// The points of this page.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// How the next page is asked for.
    #[serde(default)]
    pub next_page_token: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
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
