//! Views of an experiment that are saved with it: charts by arm, a table, the factors, pseudo labels. A server keeps each as a tag
//! whose value is JSON, in the form of its own pages. That form is nowhere promised, so pictures are taken of them
//! (`tests/mlflow/screenshots.py`), and what does not open is only a view. Tried with 3.17.2: titles of charts are not shown,
//! a parallel plot leaves out runs without one of its parameters, and widths count for columns that have a place.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::KIND;
use super::params::Distinctions;
use super::series::prefix;
use super::system::KEYS as SYSTEM;
use crate::plan::{Kind, Role};
use crate::store::StoredStudy;

/// A saved view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// What links name it by.
    pub id: &'static str,
    /// The value of its tag.
    pub json: String,
}

/// Ids and titles of all views.
pub const VIEWS: [(&str, &str); 4] = [
    ("stpp-arm", "Charts by arm"),
    ("stpp-table", "Table"),
    ("stpp-factors", "Factors"),
    ("stpp-labels", "Pseudo labels"),
];

/// The result that views are about.
const RESULT: &str = "eval/miou";

/// Characters of a tag of an experiment.
const LONGEST: usize = 20_000;

/// Runs that a chart shows; more are slow in any browser.
const SHOWN: usize = 100;

/// Factors that are columns.
const MOST_COLUMNS: usize = 8;

/// Factors that are axes, beside arm and result: more can't be read.
const MOST_AXES: usize = 3;

/// Widths of columns in pixels: a result with all its digits, a word, a number.
const WIDE: u32 = 160;
const NARROW: u32 = 70;

/// The views of a study, with images of these keys.
pub fn views(study: &StoredStudy, images: &[String]) -> Vec<View> {
    let distinctions = Distinctions::of(&study.ablation);
    let factors: Vec<&str> = distinctions.keys().take(MOST_COLUMNS).collect();
    // A run without one of the axes would not be shown.
    let axes: Vec<&str> = distinctions.common().take(MOST_AXES).collect();
    let states = [by_arm(study), table(study, &factors), parallel(study, &axes), labels(study, images)];
    let view = |((id, name), mut state): ((&'static str, &str), Value)| {
        // When it was made is of no interest, and would make a new one of it each time.
        let saved = |state: &Value| {
            json!({ "name": name, "createdAt": 0, "updatedAt": 0, "state": state.to_string() }).to_string()
        };
        let mut json = saved(&state);
        if json.chars().count() > LONGEST
            && let Some(charts) = state["compareRunCharts"].as_array_mut()
        {
            charts.retain(|chart| chart["deleted"] == false);
            json = saved(&state);
        }
        View { id, json }
    };
    VIEWS.into_iter().zip(states).map(view).collect()
}

/// Curves and bars, each the mean over the seeds and splits of an arm.
fn by_arm(study: &StoredStudy) -> Value {
    let mut sections = vec![section("result", "Result")];
    let mut charts =
        vec![bar("result", RESULT, "mIoU, last epoch"), bar("result", "eval/miou_best", "mIoU, best look")];
    for role in [Role::Student, Role::Student1, Role::Teacher] {
        let kind = if role == Role::Teacher { Kind::Teacher } else { Kind::Retrain };
        let is_trained = study
            .members
            .iter()
            .flat_map(|member| &member.chain.steps)
            .any(|step| (step.kind, step.role) == (kind, Some(role)));
        if is_trained {
            let name = prefix(kind, Some(role));
            sections.push(section(&name, &name));
            for metric in ["val/miou", "loss"] {
                charts.push(line(&name, &format!("{name}/{metric}")));
            }
        }
    }
    charts.extend(hidden(study, "result", &charts));
    let mut state = state(study, &[], &sections, &charts);
    state["groupBy"] = json!({
        "aggregateFunction": "average",
        "groupByKeys": [{ "mode": "param", "groupByData": "arm" }],
    });
    state
}

/// A row per run: arm, seed, results, factors.
fn table(study: &StoredStudy, factors: &[&str]) -> Value {
    let mut columns: Vec<String> = ["arm", "seed", "split"].map(|param| format!("params.`{param}`")).into();
    columns.extend([RESULT, "eval/miou_val", "eval/miou_best"].map(|metric| format!("metrics.`{metric}`")));
    columns.extend(factors.iter().map(|factor| format!("params.`{factor}`")));
    columns.push("attributes.`Dataset`".to_owned());
    let mut state = state(study, &columns, &[], &[]);
    let width = |column: &String| match column.as_str() {
        "params.`seed`" | "params.`split`" => NARROW,
        _ => WIDE,
    };
    state["columnWidths"] = columns.iter().map(|column| (column.clone(), json!(width(column)))).collect();
    columns.push("duration".to_owned());
    state["columnOrder"] = json!(columns);
    state
}

/// Each run as a line over the factors and its result.
fn parallel(study: &StoredStudy, factors: &[&str]) -> Value {
    let axes = [&["arm"], factors].concat();
    let mut chart = chart("factors", "PARALLEL", "factors", "Factors and mIoU");
    chart["selectedParams"] = json!(axes);
    chart["selectedMetrics"] = json!([RESULT]);
    chart["showAllRuns"] = json!(true);
    let mut charts = vec![chart];
    charts.extend(hidden(study, "factors", &charts));
    state(study, &[], &[section("factors", "Factors")], &charts)
}

/// The same images of each arm at one seed, as a matrix with a slider over the re-trainings.
fn labels(study: &StoredStudy, images: &[String]) -> Value {
    let mut matrix = chart("labels", "IMAGE", "labels", "Pseudo labels");
    matrix["imageKeys"] = json!(images);
    matrix["step"] = json!(0);
    matrix["showRunParams"] = json!(false);
    let alone = |image: &String| {
        let mut chart = unseen("labels", "IMAGE", image);
        chart["imageKeys"] = json!([image]);
        chart
    };
    let mut charts = vec![matrix];
    charts.extend(images.iter().map(alone));
    charts.extend(hidden(study, "labels", &charts));
    let section = section("labels", "Pseudo labels: image, label, both, truth");
    let mut state = state(study, &[], &[section], &charts);
    // Such a chart shows ten runs at most: those of one seed, in the order of the arms.
    if let (Some(filter), Some(seed)) = (state["searchFilter"].as_str(), study.ablation.seeds.first()) {
        state["searchFilter"] = json!(format!("{filter} and params.`seed` = '{seed}'"));
    }
    state["orderByKey"] = json!("attributes.start_time");
    state["orderByAsc"] = json!(true);
    state
}

/// What keeps metrics out of a view: each one without a chart would be given one.
fn hidden(study: &StoredStudy, section: &str, charts: &[Value]) -> Vec<Value> {
    let mut keys: BTreeSet<String> =
        ["miou", "miou_val", "miou_best", "best_step", "looks", "test/miou", "val/miou"]
            .map(|key| format!("eval/{key}"))
            .into();
    for step in study.members.iter().flat_map(|member| &member.chain.steps) {
        let stage = prefix(step.kind, step.role);
        let names: &[&str] = if step.kind == Kind::Evaluate { &["eval_val", "eval_test"] } else { &[&stage] };
        keys.extend(names.iter().flat_map(|name| SYSTEM.map(|key| format!("system/{name}/{key}"))));
        if step.kind.trains() {
            keys.extend(["loss", "lr", "val/miou"].map(|key| format!("{stage}/{key}")));
        }
    }
    for chart in charts {
        keys.remove(chart["metricKey"].as_str().unwrap_or_default());
    }
    let chart = |key: &String| {
        let mut chart = unseen(section, "BAR", key);
        chart["metricKey"] = json!(key);
        chart
    };
    keys.iter().map(chart).collect()
}

fn unseen(section: &str, kind: &str, id: &str) -> Value {
    json!({
        "uuid": format!("stpp-no-{id}"), "type": kind, "metricSectionId": format!("stpp-{section}"), "deleted": true,
        "isGenerated": false,
    })
}

fn state(study: &StoredStudy, columns: &[String], sections: &[Value], charts: &[Value]) -> Value {
    json!({
        "searchFilter": format!("tags.`{KIND}` = 'cell' and tags.`stpp.study` = '{}'", study.digest),
        "orderByKey": format!("metrics.`{RESULT}`"),
        "orderByAsc": false,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": [],
        "columnWidths": {},
        "runsHiddenMode": "SHOWALL",
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "viewMaximized": false,
        "runListHidden": false,
        "groupBy": null,
        "compareRunSections": sections,
        "compareRunCharts": charts,
        // Sections stay in this order.
        "isAccordionReordered": true,
        "hideEmptyCharts": false,
        "useGroupedValuesInCharts": true,
        "autoRefreshEnabled": true,
    })
}

fn section(id: &str, name: &str) -> Value {
    json!({
        "uuid": format!("stpp-{id}"), "name": name, "display": true, "isReordered": true, "deleted": false,
        "isGenerated": false,
    })
}

fn chart(section: &str, kind: &str, id: &str, title: &str) -> Value {
    json!({
        "uuid": format!("stpp-chart-{id}"), "type": kind, "runsCountToCompare": SHOWN,
        "metricSectionId": format!("stpp-{section}"), "deleted": false, "isGenerated": false, "displayName": title,
    })
}

fn bar(section: &str, metric: &str, title: &str) -> Value {
    let mut chart = chart(section, "BAR", metric, title);
    chart["metricKey"] = json!(metric);
    chart
}

fn line(section: &str, metric: &str) -> Value {
    let mut chart = chart(section, "LINE", metric, metric);
    let more = json!({
        "metricKey": metric, "selectedMetricKeys": [metric], "lineSmoothness": 0, "scaleType": "linear",
        "xAxisScaleType": "linear", "range": {}, "xAxisKey": "step", "selectedXAxisMetricKey": "", "yAxisKey": "metric",
        "yAxisExpressions": [], "ignoreOutliers": false, "useGlobalXaxisKey": true, "useGlobalLineSmoothing": true,
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        chart[key] = value.clone();
    }
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_fits_into_a_tag_and_shows_the_study_alone() {
        let study = super::super::run::tests::study();
        let images = ["pseudo/a".to_owned()];
        for view in views(&study, &images) {
            assert!(view.json.chars().count() < 20_000, "{}", view.id);
            let saved: Value = serde_json::from_str(&view.json).unwrap();
            let state: Value = serde_json::from_str(saved["state"].as_str().unwrap()).unwrap();
            let filter = state["searchFilter"].as_str().unwrap();
            assert!(filter.contains(&study.digest.to_string()), "{filter}");
            for chart in state["compareRunCharts"].as_array().unwrap() {
                let of = |section: &Value| section["uuid"] == chart["metricSectionId"];
                assert!(state["compareRunSections"].as_array().unwrap().iter().any(of), "{chart}");
            }
        }
    }
}
