//! What a tracking server remembers, and how it answers: as MLflow 3.17 does, also where that is odd.
//!
//! Its oddest habit is kept with care: a number that it can't parse ends its reading of a request. That entry is stored as
//! 0, what follows is dropped, and the answer is 200.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{Kind, Options};

#[derive(Debug, Clone, Default)]
pub struct State {
    pub experiments: BTreeMap<String, Experiment>,
    pub runs: BTreeMap<String, Run>,
    made: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Experiment {
    pub name: String,
    pub deleted: bool,
    pub tags: BTreeMap<String, String>,
}

/// A point: step, timestamp, bits of the value.
pub type Point = (i64, i64, u64);

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    pub experiment: String,
    pub status: String,
    pub start_time: i64,
    pub end_time: Option<i64>,
    pub deleted: bool,
    pub metrics: BTreeMap<String, BTreeSet<Point>>,
    pub params: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub inputs: BTreeMap<(String, String), Value>,
    pub artifacts: BTreeMap<String, Vec<u8>>,
}

fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({ "error_code": code, "message": message }))
}

fn invalid(message: &str) -> Response {
    error(400, "INVALID_PARAMETER_VALUE", message)
}

fn missing(message: &str) -> Response {
    error(404, "RESOURCE_DOES_NOT_EXIST", message)
}

fn done() -> Response {
    Response::json(200, &json!({}))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

impl State {
    pub fn answer(&mut self, request: &Request, options: &Options) -> Response {
        let path = request.path();
        let json = || request.json().unwrap_or(Value::Null);
        if let Some(call) = path.strip_prefix("api/2.0/mlflow-artifacts/artifacts/") {
            return self.artifact(request, call);
        }
        let Some(call) = path.strip_prefix("api/2.0/mlflow/") else {
            return Response::text(404, "text/html", "<!doctype html><title>404 Not Found</title>");
        };
        if request.method == "POST" && request.header("content-type") != "application/json" {
            return error(400, "BAD_REQUEST", "Content-Type must be application/json");
        }
        match call {
            "experiments/get-by-name" => self.experiment_by_name(request.query("experiment_name")),
            "experiments/create" => self.create_experiment(&text(&json(), "name")),
            "experiments/restore" => self.with_experiment(&json(), |experiment| experiment.deleted = false),
            "experiments/set-experiment-tag" => {
                let json = json();
                let (key, value) = (text(&json, "key"), text(&json, "value"));
                self.with_experiment(&json, |experiment| drop(experiment.tags.insert(key, value)))
            }
            "runs/create" => self.create_run(&json(), options),
            "runs/get" => match self.runs.get(request.query("run_id")) {
                Some(run) => {
                    Response::json(200, &json!({ "run": said(request.query("run_id"), run, options) }))
                }
                None => missing("Run not found"),
            },
            "runs/search" => self.search(&json(), options),
            "runs/update" => {
                let json = json();
                self.with_run(&json, |run| {
                    let status = text(&json, "status");
                    if ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"].contains(&status.as_str()) {
                        run.status = status;
                    }
                    run.end_time = json["end_time"].as_i64().or(run.end_time);
                    done()
                })
            }
            "runs/delete" => self.with_any_run(&json(), |run| run.deleted = true),
            "runs/restore" => self.with_any_run(&json(), |run| run.deleted = false),
            "runs/delete-tag" => {
                let json = json();
                self.with_run(&json, |run| match run.tags.remove(&text(&json, "key")) {
                    Some(_) => done(),
                    None => missing("No tag with that name"),
                })
            }
            "runs/log-batch" => {
                let json = json();
                let reject = options.reject_metric.clone();
                self.with_run(&json, |run| log_batch(run, &json, reject.as_deref()))
            }
            "runs/log-inputs" if options.kind == Kind::Old => {
                error(404, "ENDPOINT_NOT_FOUND", "there is no such endpoint")
            }
            "runs/log-inputs" => {
                let json = json();
                self.with_run(&json, |run| {
                    for input in json["datasets"].as_array().into_iter().flatten() {
                        let dataset = &input["dataset"];
                        let key = (text(dataset, "name"), text(dataset, "digest"));
                        if key.1.chars().count() > 36 {
                            return invalid("Dataset digest exceeds the maximum length of 36");
                        }
                        run.inputs.entry(key).or_insert_with(|| input.clone());
                    }
                    done()
                })
            }
            "metrics/get-history" => self.history(request, options),
            _ => error(404, "ENDPOINT_NOT_FOUND", "there is no such endpoint"),
        }
    }

    fn id(&mut self) -> String {
        self.made += 1;
        format!("{:032x}", self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn experiment_by_name(&self, name: &str) -> Response {
        let Some((id, found)) = self.experiments.iter().find(|(_, experiment)| experiment.name == name)
        else {
            return missing(&format!("Could not find experiment with name '{name}'"));
        };
        let stage = if found.deleted { "deleted" } else { "active" };
        let tags: Vec<_> =
            found.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        let said = json!({ "experiment_id": id, "name": name, "lifecycle_stage": stage, "tags": tags });
        Response::json(200, &json!({ "experiment": said }))
    }

    fn create_experiment(&mut self, name: &str) -> Response {
        if self.experiments.values().any(|experiment| experiment.name == name) {
            return error(400, "RESOURCE_ALREADY_EXISTS", "Experiment(name) already exists.");
        }
        let id = (self.experiments.len() + 1).to_string();
        self.experiments.insert(id.clone(), Experiment { name: name.to_owned(), ..Experiment::default() });
        Response::json(200, &json!({ "experiment_id": id }))
    }

    fn with_experiment(&mut self, json: &Value, change: impl FnOnce(&mut Experiment)) -> Response {
        match self.experiments.get_mut(&text(json, "experiment_id")) {
            Some(experiment) => {
                change(experiment);
                done()
            }
            None => missing("No Experiment with that id exists"),
        }
    }

    fn with_run(&mut self, json: &Value, change: impl FnOnce(&mut Run) -> Response) -> Response {
        match self.runs.get_mut(&text(json, "run_id")) {
            Some(run) if run.deleted => {
                invalid("The run must be in the 'active' state. Current state is deleted.")
            }
            Some(run) => change(run),
            None => missing("Run with that id not found"),
        }
    }

    fn with_any_run(&mut self, json: &Value, change: impl FnOnce(&mut Run)) -> Response {
        match self.runs.get_mut(&text(json, "run_id")) {
            Some(run) => {
                change(run);
                done()
            }
            None => missing("Run with that id not found"),
        }
    }

    fn create_run(&mut self, json: &Value, options: &Options) -> Response {
        let experiment = text(json, "experiment_id");
        match self.experiments.get(&experiment) {
            None => return missing("No Experiment with that id exists"),
            Some(found) if found.deleted => {
                return invalid("The experiment must be in the 'active' state. Current state is deleted.");
            }
            Some(_) => {}
        }
        let id = self.id();
        let tags = json["tags"].as_array().into_iter().flatten();
        let mut run = Run {
            experiment,
            status: "RUNNING".to_owned(),
            start_time: json["start_time"].as_i64().unwrap_or(0),
            tags: tags.map(|tag| (text(tag, "key"), text(tag, "value"))).collect(),
            ..Run::default()
        };
        run.tags.insert("mlflow.runName".to_owned(), text(json, "run_name"));
        let answer = Response::json(200, &json!({ "run": said(&id, &run, options) }));
        self.runs.insert(id, run);
        answer
    }

    /// Filters are `` tags.`name` = 'value' ``, which is all that is asked for.
    fn search(&self, json: &Value, options: &Options) -> Response {
        let experiment = json["experiment_ids"][0].as_str().unwrap_or_default();
        let wanted = json["filter"].as_str().map(|filter| {
            let parts: Vec<&str> = filter.split(['`', '\'']).collect();
            assert!(parts.len() == 5 && parts[0] == "tags." && parts[2].trim() == "=", "{filter}");
            (parts[1].to_owned(), parts[3].to_owned())
        });
        let mut found: Vec<(&String, &Run)> = self
            .runs
            .iter()
            .filter(|(_, run)| run.experiment == experiment)
            .filter(|(_, run)| wanted.as_ref().is_none_or(|(key, value)| run.tags.get(key) == Some(value)))
            .collect();
        found.sort_by_key(|(id, run)| (run.start_time, (*id).clone()));
        let from: usize = json["page_token"].as_str().unwrap_or("0").parse().expect("a token of ours");
        let most = (json["max_results"].as_u64().unwrap_or(1000) as usize).min(options.page);
        let runs: Vec<Value> =
            found.iter().skip(from).take(most).map(|(id, run)| said(id, run, options)).collect();
        let mut answer = json!({});
        if from + runs.len() < found.len() {
            answer["next_page_token"] = json!((from + runs.len()).to_string());
        }
        if !runs.is_empty() {
            answer["runs"] = json!(runs);
        }
        Response::json(200, &answer)
    }

    fn history(&self, request: &Request, options: &Options) -> Response {
        let Some(run) = self.runs.get(request.query("run_id")) else { return missing("Run not found") };
        let key = request.query("metric_key");
        let points: Vec<&Point> = run.metrics.get(key).into_iter().flatten().collect();
        let from: usize = request.query("page_token").parse().unwrap_or(0);
        let most = request.query("max_results").parse().unwrap_or(usize::MAX).min(options.page);
        let page: Vec<Value> =
            points.iter().skip(from).take(most).map(|point| point_said(key, point)).collect();
        let mut answer = json!({});
        if from + page.len() < points.len() {
            answer["next_page_token"] = json!((from + page.len()).to_string());
        }
        if !page.is_empty() {
            answer["metrics"] = json!(page);
        }
        Response::json(200, &answer)
    }

    fn artifact(&mut self, request: &Request, call: &str) -> Response {
        let detail = |status, words: &str| Response::json(status, &json!({ "detail": words }));
        if call.contains('#') || request.path.iter().any(|part| part == "..") {
            return detail(400, "Invalid path");
        }
        let mut parts = call.splitn(4, '/');
        let (Some(_), Some(id), Some("artifacts"), Some(path)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return detail(400, "Invalid path");
        };
        let Some(run) = self.runs.get_mut(id) else { return detail(404, "Run not found") };
        match request.method.as_str() {
            "PUT" => {
                run.artifacts.insert(path.to_owned(), request.body.clone());
                Response::text(200, "application/json", "")
            }
            _ => match run.artifacts.get(path) {
                Some(bytes) => Response {
                    status: 200,
                    content_type: "application/octet-stream",
                    headers: Vec::new(),
                    body: bytes.clone(),
                },
                None => detail(404, "No such artifact"),
            },
        }
    }
}

fn point_said(key: &str, (step, timestamp, bits): &Point) -> Value {
    let value = f64::from_bits(*bits);
    let value = match () {
        () if value.is_nan() => json!("NaN"),
        () if value.is_infinite() => json!(f64::MAX.copysign(value)),
        () => json!(value),
    };
    json!({ "key": key, "value": value, "timestamp": timestamp, "step": step })
}

fn said(id: &str, run: &Run, options: &Options) -> Value {
    let root = if options.kind == Kind::Remote { "s3://bucket" } else { "mlflow-artifacts:" };
    let pairs = |map: &BTreeMap<String, String>| -> Vec<Value> {
        map.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
    };
    let latest =
        |(key, points): (&String, &BTreeSet<Point>)| points.last().map(|point| point_said(key, point));
    let metrics: Vec<Value> = run.metrics.iter().filter_map(latest).collect();
    json!({
        "info": {
            "run_id": id, "run_uuid": id, "experiment_id": run.experiment, "status": run.status,
            "start_time": run.start_time, "lifecycle_stage": if run.deleted { "deleted" } else { "active" },
            "artifact_uri": format!("{root}/{}/{id}/artifacts", run.experiment),
        },
        "data": { "metrics": metrics, "params": pairs(&run.params), "tags": pairs(&run.tags) },
        "inputs": { "dataset_inputs": run.inputs.values().collect::<Vec<_>>() },
    })
}

fn log_batch(run: &mut Run, json: &Value, reject: Option<&str>) -> Response {
    let list = |key: &str| json[key].as_array().cloned().unwrap_or_default();
    let (metrics, params, tags) = (list("metrics"), list("params"), list("tags"));
    if metrics.len() > 1000
        || params.len() > 100
        || tags.len() > 100
        || metrics.len() + params.len() + tags.len() > 1000
    {
        return invalid(
            "A batch logging request can contain at most 1000 metrics, 100 params, 100 tags, 1000 in all.",
        );
    }
    let keys = metrics.iter().chain(&params).chain(&tags).map(|entry| text(entry, "key"));
    for key in keys {
        let is_allowed = |c: char| c.is_alphanumeric() || "_-. :/".contains(c);
        if key.is_empty() || key.chars().count() > 250 || !key.chars().all(is_allowed) || key.starts_with('/')
        {
            return invalid(&format!("Invalid name: '{key}'"));
        }
        if reject == Some(key.as_str()) {
            return invalid(&format!("The metric '{key}' is not wanted here"));
        }
    }
    for param in &params {
        let (key, value) = (text(param, "key"), text(param, "value"));
        if run.params.get(&key).is_some_and(|old| *old != value) {
            return invalid(&format!(
                "Changing param values is not allowed. Param with key='{key}' was already logged"
            ));
        }
    }
    let mut parsed = true;
    for metric in &metrics {
        if metric["value"].is_null() {
            return invalid("Missing value for required parameter 'metrics[0].value'.");
        }
    }
    for metric in &metrics {
        let value = match &metric["value"] {
            Value::String(word) => match word.as_str() {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                word => word.parse().ok(),
            },
            value => value.as_f64(),
        };
        let step = if metric["step"].is_null() { Some(0) } else { metric["step"].as_i64() };
        let point = match (step, metric["timestamp"].as_i64(), value) {
            (Some(step), Some(timestamp), Some(value)) => (step, timestamp, value.to_bits()),
            _ => (0, 0, 0),
        };
        run.metrics.entry(text(metric, "key")).or_default().insert(point);
        if point == (0, 0, 0) {
            parsed = false;
            break;
        }
    }
    let cut = |text: String, most: usize| text.chars().take(most).collect::<String>();
    for param in &params {
        run.params.insert(text(param, "key"), cut(text(param, "value"), 6000));
    }
    for tag in tags.iter().filter(|_| parsed) {
        run.tags.insert(text(tag, "key"), cut(text(tag, "value"), 8000));
    }
    done()
}
