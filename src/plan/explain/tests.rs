//! One value is changed in a plan whose every stage is known: that value is what is named.

use std::path::Path;

use super::*;
use crate::base::digest::Digest;
use crate::plan::bound::{Bound, Ids};
use crate::plan::recipe;
use crate::spec::method::PixelSelect;
use crate::spec::{Elsewhere, Spec, load};

const CLASS: &str = "cpu-test-engine1";

/// The experiments of the shipped ablation at one seed: every recipe.
fn experiments() -> Vec<Experiment> {
    match load(Path::new("ablations/selection.toml"), &[], &Elsewhere).unwrap().spec {
        Spec::Ablation(ablation) => {
            let members = ablation.experiments.into_iter().filter(|member| member.seed == 0);
            members.map(|member| member.experiment).collect()
        }
        Spec::Experiment(_) => panic!("it is an ablation"),
    }
}

fn bound() -> Bound {
    let ids =
        |name: &str, count: usize| Ids::new((0..count).map(|i| format!("{name}_{i}")).collect::<Vec<_>>());
    Bound {
        manifest: Digest::of(b"manifest"),
        classes: 5,
        labeled: ids("labeled", 24),
        unlabeled: ids("unlabeled", 216),
        val: ids("val", 80),
        test: ids("test", 120),
        weights: None,
    }
}

fn plan(experiments: &[Experiment], bound: &Bound, numerics: &str) -> Graph {
    let mut graph = Graph::default();
    for experiment in experiments {
        recipe::add(&mut graph, experiment, bound, numerics).unwrap();
    }
    graph
}

/// The stages of a plan as a store has them, from a numerics class and with versions that may be others.
struct Stored {
    works: Vec<(Node, Value)>,
    numerics: String,
    raised: u32,
}

impl Stored {
    fn of(graph: &Graph, numerics: &str) -> Self {
        let works = graph.nodes().iter();
        let works = works.map(|node| (node.clone(), serde_json::to_value(&node.work).unwrap())).collect();
        Self { works, numerics: numerics.to_owned(), raised: 0 }
    }

    fn known<'a>(&'a self) -> Vec<Known<'a>> {
        let known = |(node, work): &'a (Node, Value)| Known {
            key: node.key,
            kind: node.kind,
            role: node.role,
            version: node.kind.version() + self.raised,
            work,
            inputs: &node.inputs,
            numerics: &self.numerics,
        };
        self.works.iter().map(known).collect()
    }
}

/// The experiment that was run, and the one that is meant now.
struct Pair<'a>(Option<&'a Experiment>, &'a Experiment);

impl Whose for Pair<'_> {
    fn meant(&self, _: StageKey) -> Option<&Experiment> {
        Some(self.1)
    }

    fn was(&self, _: StageKey, _: StageKey) -> Option<&Experiment> {
        self.0
    }

    fn is_kin(&self, _: StageKey, _: StageKey) -> bool {
        false
    }
}

fn missing(graph: &Graph, stored: &Stored, whose: &dyn Whose) -> Vec<Missing> {
    let known = stored.known();
    let is_there = |node: &&Node| !known.iter().any(|known| known.key == node.key);
    let absent = graph.nodes().iter().filter(is_there).map(|node| (node.key, Absent::Unknown)).collect();
    explain(graph, CLASS, &absent, &known, whose)
}

fn named(missing: &[Missing]) -> BTreeSet<String> {
    let causes = missing.iter().filter_map(|missing| match &missing.why {
        Why::Differs { causes, .. } => Some(causes),
        _ => None,
    });
    causes
        .flatten()
        .map(|cause| match &cause.what {
            What::Key(key) => key.clone(),
            other => format!("{other:?}"),
        })
        .collect()
}

type Change = (&'static str, fn(&mut Experiment));

const CHANGES: &[Change] = &[
    ("seed", |e| e.seed += 7),
    ("model.width", |e| e.model.width *= 2.0),
    ("train.base_lr", |e| e.train.base_lr *= 2.0),
    ("train.momentum", |e| e.train.momentum = 0.5),
    ("train.oversample", |e| e.train.oversample = !e.train.oversample),
    ("train.iterations", |e| e.train.length = crate::spec::train::Length::Iterations(300)),
    ("retrain.batch", |e| e.retrain.batch += 4),
    ("retrain.weight_decay", |e| e.retrain.weight_decay = 0.0),
    ("augment.weak.flip", |e| e.augment.weak.flip = 0.25),
    ("augment.strong.cutout.p", |e| e.augment.strong.cutout.p = 0.75),
    ("method.tta.flip", |e| e.method.tta.flip = !e.method.tta.flip),
    ("evaluate.window", |e| {
        e.evaluate.windows =
            e.evaluate.windows.or(Some(crate::spec::evaluate::Windows { side: 32, stride: 16 }));
    }),
];

#[test]
fn the_one_value_that_was_changed_is_what_is_named() {
    for was in experiments() {
        let stored = Stored::of(&plan(std::slice::from_ref(&was), &bound(), CLASS), CLASS);
        for (key, change) in CHANGES {
            let mut meant = was.clone();
            change(&mut meant);
            let graph = plan(std::slice::from_ref(&meant), &bound(), CLASS);
            let missing = missing(&graph, &stored, &Pair(Some(&was), &meant));
            let mut named = named(&missing);
            // Windows have two keys.
            named.remove("evaluate.stride");
            let is_of_retraining = key.starts_with("retrain.")
                || key.starts_with("augment.strong")
                || key.starts_with("method.");
            if missing.is_empty() && (is_of_retraining || was.method.retrainings == 0) {
                continue;
            }
            assert_eq!(named, BTreeSet::from([(*key).to_owned()]), "{key} of {:?}", was.about);
            let lost = missing.iter().filter(|stage| stage.why == Why::Follows && stage.after.is_empty());
            assert_eq!(lost.count(), 0, "{key}: what follows follows from something");
        }
    }
}

#[test]
fn every_missing_stage_goes_back_to_one_with_a_cause() {
    let all = experiments();
    let stored = Stored::of(&plan(&all, &bound(), CLASS), CLASS);
    let mut other = all.clone();
    other.iter_mut().for_each(|experiment| experiment.train.base_lr *= 3.0);
    let graph = plan(&other, &bound(), CLASS);
    let missing = missing(&graph, &stored, &Pair(None, &other[0]));
    assert_eq!(named(&missing), BTreeSet::from(["train.base_lr".to_owned()]));
    let roots = roots(&missing);
    let causes: BTreeSet<StageKey> =
        missing.iter().filter(|stage| stage.why != Why::Follows).map(|stage| stage.key).collect();
    for stage in &missing {
        let of = &roots[&stage.key];
        assert!(!of.is_empty() && of.is_subset(&causes), "{stage:?}");
    }
}

#[test]
fn another_class_and_another_version_are_named() {
    let experiment = &experiments()[0];
    let graph = plan(std::slice::from_ref(experiment), &bound(), CLASS);
    let stored = Stored::of(&plan(std::slice::from_ref(experiment), &bound(), "cuda"), "cuda");
    let whose = Pair(Some(experiment), experiment);
    assert_eq!(named(&missing(&graph, &stored, &whose)), BTreeSet::from(["Numerics".to_owned()]));

    let mut stored = stored;
    CLASS.clone_into(&mut stored.numerics);
    stored.raised = 1;
    assert_eq!(named(&missing(&graph, &stored, &whose)), BTreeSet::from(["Version".to_owned()]));
}

#[test]
fn other_images_are_named_by_the_keys_that_chose_them_or_in_words() {
    let was = &experiments()[4];
    let stored = Stored::of(&plan(std::slice::from_ref(was), &bound(), CLASS), CLASS);
    let other = Bound { labeled: Ids::new(vec!["other".to_owned(); 24]), ..bound() };
    let graph = plan(std::slice::from_ref(was), &other, CLASS);
    let words = named(&missing(&graph, &stored, &Pair(Some(was), was)));
    assert!(words.iter().all(|words| words.contains("the labeled images")), "{words:?}");

    let mut meant = was.clone();
    meant.split = crate::spec::data::Split::Drawn { labeled: crate::spec::data::Amount::Count(24), seed: 9 };
    let words = named(&missing(&graph, &stored, &Pair(Some(was), &meant)));
    assert_eq!(words, BTreeSet::from(["split.seed".to_owned()]));
}

#[test]
fn a_rule_is_named_where_the_spec_has_it() {
    let is_matched = |e: &Experiment| matches!(e.method.select, Select::Pixel(PixelSelect::Matched { .. }));
    let was = experiments().into_iter().find(is_matched).unwrap();
    let mut meant = was.clone();
    let Select::Pixel(PixelSelect::Matched { to }) = &mut meant.method.select else {
        panic!("it is matched")
    };
    to.fraction = 0.25;
    let stored = Stored::of(&plan(std::slice::from_ref(&was), &bound(), CLASS), CLASS);
    let graph = plan(std::slice::from_ref(&meant), &bound(), CLASS);
    let words = named(&missing(&graph, &stored, &Pair(Some(&was), &meant)));
    assert_eq!(words, BTreeSet::from(["method.select.to.fraction".to_owned()]));
}

#[test]
fn nothing_is_near_in_an_empty_store() {
    let experiment = &experiments()[0];
    let graph = plan(std::slice::from_ref(experiment), &bound(), CLASS);
    let stored = Stored { works: Vec::new(), numerics: CLASS.to_owned(), raised: 0 };
    let missing = missing(&graph, &stored, &Pair(None, experiment));
    assert_eq!(missing[0].why, Why::First);
    assert!(missing[1..].iter().all(|stage| stage.why == Why::Follows));
}
