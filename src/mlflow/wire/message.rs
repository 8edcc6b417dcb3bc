//! Requests of the REST API, and the answers to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::value::{InputDigest, Key, MetricValue, Millis, NoteValue, ParamValue, RunStatus, Step, TagValue};

/// Metrics of one `log-batch`.
pub const MOST_METRICS: usize = 1000;
/// Parameters of one `log-batch`.
pub const MOST_PARAMS: usize = 100;
/// Tags of one `log-batch`.
pub const MOST_TAGS: usize = 100;
/// Bytes of one request: hosted servers refuse 1 MB.
pub const MOST_BYTES: usize = 900_000;

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

/// The answer to `runs/create`.
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
