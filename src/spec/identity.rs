//! What a spec is, apart from how it is written: the digest of everything that can change a result.
//!
//! Left out are locations (the content found there is bound later, as the experiment id), what is said to people,
//! where it runs, and whatever a recipe does not use: two spellings of one computation share an id.

use serde_json::{Value, json};

use crate::base::canon;
use crate::base::digest::Digest;

use super::ablation::Ablation;
use super::augment::{Strong, StrongOn};
use super::data::{Data, Split};
use super::evaluate::EvaluateOn;
use super::experiment::Experiment;
use super::method::{ImageCriterion, ImageSelect, Labels, PixelSelect, Select, Ties, Which};

/// The identity of an experiment, pure: no file is looked at.
pub fn spec_id(experiment: &Experiment) -> Digest {
    canon::digest("stpp spec v1", &identity(experiment))
}

/// The identity of an ablation: its name, arms and experiments, in any order of keys.
pub fn ablation_id(ablation: &Ablation) -> Digest {
    let mut factors = ablation.factors.clone();
    factors.sort();
    let mut arms: Vec<_> = ablation.arms.iter().map(|arm| arm.name.as_str()).collect();
    arms.sort_unstable();
    let mut members: Vec<_> = ablation
        .experiments
        .iter()
        .map(|member| (&member.arm, member.seed, &member.split, spec_id(&member.experiment)))
        .collect();
    members.sort();
    let value = json!({
        "name": ablation.name,
        "baseline": ablation.baseline,
        "factors": factors,
        "arms": arms,
        "regime": ablation.regime,
        "experiments": members,
    });
    canon::digest("stpp ablation v1", &value)
}

/// The value that is hashed.
pub fn identity(experiment: &Experiment) -> Value {
    let mut fields = serde_json::Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("seed", json!(experiment.seed));
    put("data", data(&experiment.data));
    put("split", split(&experiment.split));
    let model = &experiment.model;
    put(
        "model",
        json!({
            "backbone": model.backbone,
            "head": model.head,
            "width": model.width,
            "output_stride": model.output_stride,
            "pretrained": model.weights.is_some(),
        }),
    );
    put("train", json!(experiment.train));
    put("weak", json!(experiment.augment.weak));
    put("strong", strong(experiment));
    put("evaluate", json!(headline(experiment)));
    if let Some(windows) = experiment.evaluate.windows {
        put("windows", json!(windows));
    }
    put("method", method(experiment));
    if experiment.method.retrainings > 0 {
        put("retrain", json!(experiment.retrain));
    }
    Value::Object(fields)
}

fn data(data: &Data) -> Value {
    match data {
        Data::Synthetic(_) => json!(data),
        Data::Listed(listed) => json!({
            "kind": "listed",
            "classes": listed.classes.len(),
            "ignore": listed.ignore,
            "long_side": listed.long_side,
        }),
    }
}

fn split(split: &Split) -> Value {
    match split {
        Split::Drawn { .. } => json!(split),
        Split::Lists { .. } => json!({ "kind": "lists" }),
    }
}

/// Where the headline is measured: `auto` is one of the others.
fn headline(experiment: &Experiment) -> EvaluateOn {
    match experiment.evaluate.on {
        EvaluateOn::Auto if experiment.has_test() => EvaluateOn::Test,
        EvaluateOn::Auto => EvaluateOn::Val,
        on => on,
    }
}

/// Strong augmentation as far as a training of this recipe sees it.
fn strong(experiment: &Experiment) -> Value {
    let Strong { on, jitter, grayscale, blur, cutout } = &experiment.augment.strong;
    let on = match on {
        // Without re-trainings no image takes the part of an unlabeled one, not even with true masks.
        StrongOn::Unlabeled if experiment.method.retrainings == 0 => StrongOn::None,
        StrongOn::Both if experiment.method.retrainings == 0 => StrongOn::Labeled,
        on => *on,
    };
    if on == StrongOn::None {
        return json!({ "on": on });
    }
    let part = |p: f64, value: Value| if p == 0.0 { Value::Null } else { value };
    json!({
        "on": on,
        "jitter": part(jitter.p, json!(jitter)),
        "grayscale": part(grayscale.p, json!(grayscale)),
        "blur": part(blur.p, json!(blur)),
        "cutout": part(cutout.p, json!(cutout)),
    })
}

fn method(experiment: &Experiment) -> Value {
    let method = &experiment.method;
    let mut fields = serde_json::Map::new();
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("retrainings", json!(method.retrainings));
    put("labels", json!(method.labels));
    if method.retrainings > 0 && method.labels == Labels::Pseudo {
        put("teacher", json!(method.teacher));
        put("tta", json!(method.tta));
        put("select", select(&method.select));
        if method.retrainings == 2 {
            put("relabel_reliable", json!(method.relabel_reliable));
        }
        if method.compares_checkpoints() {
            put("checkpoints", json!(method.checkpoints));
        }
        // The best epoch is the best of those that were looked at.
        if method.teacher == Which::Best {
            put("points", json!(experiment.evaluate.points));
        }
    }
    Value::Object(fields)
}

fn select(select: &Select) -> Value {
    match select {
        Select::None => json!({ "level": "none" }),
        Select::Image(image) => json!({ "level": "image", "by": image_select(image) }),
        Select::Pixel(PixelSelect::Matched { to }) => {
            json!({ "level": "pixel", "rule": "matched", "to": image_select(to) })
        }
        Select::Pixel(pixel) => json!({ "level": "pixel", "by": pixel }),
    }
}

fn image_select(select: &ImageSelect) -> Value {
    let ImageSelect { criterion, fraction, ties, background } = *select;
    // Random orders have no ties, and only stability can leave class 0 out.
    let ties = if criterion == ImageCriterion::Random { Ties::Id } else { ties };
    let background = if criterion == ImageCriterion::Stability { background } else { true };
    json!({ "criterion": criterion, "fraction": fraction, "ties": ties, "background": background })
}
