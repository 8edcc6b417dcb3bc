//! Reads `[[claim]]` and `[noise]`.

use super::ablation::arm_named;
use crate::base::canon::MAX_SAFE_INTEGER;
use crate::spec::claim::{Claim, Images, Measure, Noise};
use crate::spec::convert::{self, Bounds, Choice};
use crate::spec::diagnostic::Problem;
use crate::spec::reader::{Reader, whole_line};
use crate::spec::tree::{Origin, Value};

impl Choice for Measure {
    const WORDS: &'static [(&'static str, Self)] =
        &[("miou", Self::Miou), ("pixel_accuracy", Self::PixelAccuracy)];
}

impl Choice for Images {
    const WORDS: &'static [(&'static str, Self)] = &[("test", Self::Test), ("val", Self::Val)];
}

/// A claim, and where its arms are named.
pub struct ClaimHead {
    /// What is claimed.
    pub claim: Claim,
    /// Where `better` stands.
    pub better: Origin,
    /// Where `than` stands.
    pub than: Origin,
    /// Where `on` stands, or else the claim.
    pub on: Origin,
    /// Where `split` stands, or else the claim.
    pub split: Origin,
}

/// Every `[[claim]]`, in the order of the file. A claim whose arms are unknown is reported and left out.
pub fn claims(reader: &Reader<'_>, arms: &[&str]) -> Vec<ClaimHead> {
    let help = "write [[claim]], and below it better, than and by";
    let mut heads: Vec<ClaimHead> = Vec::new();
    for table in reader.tables("claim", help) {
        let Some(head) = claim(table, arms) else { continue };
        match heads.iter().find(|other| other.claim == head.claim) {
            Some(other) => {
                let problem = Problem::new("the same is claimed twice").at(&head.better).label("again");
                reader.report(problem.context(&other.better, "here").help("keep one of them"));
            }
            None => heads.push(head),
        }
    }
    heads
}

fn claim(reader: Reader<'_>, arms: &[&str]) -> Option<ClaimHead> {
    let better = arm_named(&reader, "better", arms, "name the arm that is claimed to be better");
    let than = arm_named(&reader, "than", arms, "name the arm that it is compared with");
    let claim = Claim {
        metric: reader.choice("metric", Measure::Miou),
        by: reader.number("by", 0.0, Bounds::POINTS),
        on: on(&reader),
        split: split(&reader),
        better,
        than,
    };
    if claim.better == claim.than && arms.contains(&claim.better.as_str()) {
        let problem = Problem::new(format!("arm \"{}\" is claimed to be better than itself", claim.better));
        let problem = problem.at(&reader.origin("better")).label("this arm");
        reader.report(problem.context(&reader.origin("than"), "and this one").help("name two arms"));
    }
    let [better, than, on, split] = ["better", "than", "on", "split"].map(|key| reader.origin(key));
    reader.finish();
    let known = |name: &String| arms.contains(&name.as_str());
    (known(&claim.better) && known(&claim.than)).then_some(ClaimHead { claim, better, than, on, split })
}

fn on(reader: &Reader<'_>) -> Option<Images> {
    let on = reader.read("on", convert::choice::<Images>)?;
    reader.line("on", on.word(), &Origin::Default);
    Some(on)
}

/// The label of a split: a seed, or the name of a folder.
fn split(reader: &Reader<'_>) -> Option<String> {
    let (label, line) = reader.read("split", |path, node| match &node.value {
        Value::Text(text) => Ok((text.clone(), toml::Value::from(text.as_str()))),
        _ => {
            let seed = convert::whole(path, node, &(0..=MAX_SAFE_INTEGER))?;
            Ok((seed.to_string(), whole_line(seed)))
        }
    })?;
    reader.line("split", line, &Origin::Default);
    Some(label)
}

/// `[noise]`, where it is written.
pub fn noise(reader: Reader<'_>) -> Option<Noise> {
    reader.exclusive("sd", "study");
    let noise = match (reader.has("sd"), reader.has("study")) {
        (true, _) => Some(Noise::Sd(reader.number("sd", 1.0, Bounds::up_to(100.0).without_zero()))),
        (_, true) => Some(Noise::Study(reader.text("study", ""))),
        _ => None,
    };
    reader.ignore(&["sd", "study"]);
    reader.finish();
    noise
}
