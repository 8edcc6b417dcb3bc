//! What MLflow 3.17.2 answered once (`record.py`), as this program reads it.

use serde::de::DeserializeOwned;
use serde_json::Value;
use stpp::mlflow::fault::Answer;
use stpp::mlflow::wire::{CreatedExperiment, FoundRuns, GotExperiment, GotRun, History};

fn recorded() -> Value {
    serde_json::from_str(include_str!("../fixtures/mlflow/3.17.2.json")).unwrap()
}

fn read<T: DeserializeOwned + std::fmt::Debug>(recorded: &Value, call: &str) -> String {
    let answer = &recorded[call];
    assert_eq!(answer["status"], 200, "{call}");
    let read: T =
        serde_json::from_value(answer["body"].clone()).unwrap_or_else(|error| panic!("{call}: {error}"));
    format!("{call}: {read:#?}")
}

#[test]
fn every_answer_is_read() {
    let recorded = recorded();
    let read = [
        read::<CreatedExperiment>(&recorded, "experiments/create"),
        read::<GotExperiment>(&recorded, "experiments/get-by-name"),
        read::<GotExperiment>(&recorded, "experiments/get-by-name of a deleted one"),
        read::<GotRun>(&recorded, "runs/create"),
        read::<GotRun>(&recorded, "runs/get"),
        read::<FoundRuns>(&recorded, "runs/search"),
        read::<FoundRuns>(&recorded, "runs/search for nothing"),
        read::<History>(&recorded, "metrics/get-history"),
    ];
    for call in ["runs/log-batch", "runs/log-inputs", "runs/delete", "experiments/delete"] {
        assert_eq!(recorded[call]["body"], serde_json::json!({}), "{call}");
    }
    insta::assert_snapshot!(read.join("\n"));
}

#[test]
fn every_error_is_understood() {
    let recorded = recorded();
    let mut faults = Vec::new();
    for (call, answer) in recorded.as_object().unwrap() {
        let status = answer["status"].as_u64().unwrap() as u16;
        if status != 200 {
            let (content_type, body) = match &answer["body"] {
                Value::String(text) => ("text/html", text.clone()),
                json => ("application/json", json.to_string()),
            };
            let answer =
                Answer { status, content_type, retry_after: "", location: "", body: body.as_bytes() };
            faults.push(format!("{call}: {:?}", answer.fault("http://lab:5000")));
        }
    }
    insta::assert_snapshot!(faults.join("\n"));
}
