//! What a good spec resolves to, and where its values came from.

use std::path::Path;

use super::{Bare, fixture};
use crate::spec::ablation::Ablation;
use crate::spec::data::Data;
use crate::spec::experiment::Experiment;
use crate::spec::method::Select;
use crate::spec::train::Length;
use crate::spec::{Elsewhere, Loaded, Spec, load};

fn experiment(loaded: Loaded) -> Experiment {
    match loaded.spec {
        Spec::Experiment(experiment) => *experiment,
        Spec::Ablation(ablation) => panic!("{} is an ablation", ablation.name),
    }
}

fn shipped(path: &str, sets: &[&str]) -> Loaded {
    let sets: Vec<_> = sets.iter().map(|set| (*set).to_owned()).collect();
    load(Path::new(path), &sets, &Elsewhere).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn ablation(path: &str) -> Ablation {
    match shipped(path, &[]).spec {
        Spec::Ablation(ablation) => *ablation,
        Spec::Experiment(_) => panic!("{path} is an experiment"),
    }
}

#[test]
fn a_resolved_spec_says_where_every_value_came_from() {
    let sets = ["train.batch=4", "run.device=cuda:0", "tags=[quick]"];
    let loaded = shipped("experiments/pascal/stpp.toml", &["train.batch=4", "run.device=cuda:0"]);
    insta::assert_snapshot!(loaded.to_toml());
    assert!(load(Path::new("experiments/pascal/stpp.toml"), &sets.map(str::to_owned), &Elsewhere).is_err());
}

#[test]
fn a_resolved_ablation_shows_the_baseline_and_what_the_arms_change() {
    insta::assert_snapshot!(shipped("ablations/selection.toml", &[]).to_toml());
}

#[test]
fn a_key_is_explained() {
    let loaded = shipped("experiments/pascal/stpp.toml", &["train.batch=4"]);
    let explain = |key| loaded.explain(key).map(|origin| origin.show(loaded.sources())).unwrap_or_default();
    assert_eq!(explain("train.batch"), "--set train.batch=4");
    assert_eq!(explain("retrain.batch"), "as in [train]");
    assert_eq!(explain("train.crop"), "data.preset = \"pascal\" (experiments/pascal/base.toml:6)");
    assert_eq!(explain("method.retrainings"), "method.name = \"stpp\" (experiments/pascal/stpp.toml:5)");
    assert_eq!(explain("method.checkpoints"), "default");
    assert_eq!(explain("no.such.key"), "");
}

#[test]
fn the_paper_is_what_the_pascal_spec_says() {
    let read = experiment(shipped("experiments/pascal/stpp.toml", &[]));
    assert_eq!(read.train.length, Length::Epochs(80));
    assert_eq!((read.train.crop, read.train.base_size, read.train.batch), (321, 400, 16));
    assert_eq!(read.train, read.retrain);
    assert_eq!(read.method.retrainings, 2);
    assert_eq!(read.method.tta.scales, [0.5, 0.75, 1.0, 1.5, 2.0]);
    let Select::Image(select) = read.method.select else { panic!("ST++ selects images") };
    assert_eq!(select.fraction, 0.5);
}

#[test]
fn listed_data_are_found_relative_to_the_file_and_the_root() {
    let read = experiment(fixture("listed.toml", &[]).unwrap());
    let Data::Listed(data) = &read.data else { panic!("the fixture is listed") };
    assert_eq!(data.root, Path::new("tests/fixtures/spec/data"));
    assert_eq!(data.val, Path::new("tests/fixtures/spec/data/val.txt"));
    assert_eq!(data.classes, ["sky", "road", "car"]);
    assert_eq!(data.palette[1], [128, 0, 0]);
    assert_eq!(data.name, "data");
}

#[test]
fn a_variable_is_expanded() {
    struct Home;
    impl crate::spec::Environment for Home {
        fn var(&self, name: &str) -> Option<String> {
            (name == "HERE").then(|| std::env::current_dir().unwrap().display().to_string())
        }
    }
    let sets = ["data.root=${HERE}/tests/fixtures/spec/data".to_owned()];
    let read = experiment(load(Path::new("tests/fixtures/spec/listed.toml"), &sets, &Home).unwrap());
    let Data::Listed(data) = &read.data else { panic!("the fixture is listed") };
    assert!(data.root.is_absolute() && data.root.is_dir());
}

#[test]
fn set_overrides_a_file_and_bare_words_are_text() {
    let read = experiment(fixture("good.toml", &["method.name=plain", "train.epochs=7", "seed=3"]).unwrap());
    assert_eq!((read.method.retrainings, read.train.length, read.seed), (1, Length::Epochs(7), 3));
    let bare = load(Path::new("tests/fixtures/spec/good.toml"), &["run.device = cuda:1".to_owned()], &Bare);
    assert_eq!(experiment(bare.unwrap()).run.device, "cuda:1");
}

#[test]
fn arms_are_paired_seed_by_seed() {
    let ablation = ablation("ablations/selection.toml");
    assert_eq!(ablation.splits, ["0"]);
    let first: Vec<_> = ablation.experiments[..3].iter().map(|member| (&*member.arm, member.seed)).collect();
    assert_eq!(first, [("supervised", 0), ("supervised-matched", 0), ("fully-supervised", 0)]);
    assert_eq!(ablation.experiments.len(), ablation.arms.len() * 3);
    let oracles: Vec<_> = ablation.arms.iter().filter(|arm| arm.oracle).map(|arm| &*arm.name).collect();
    assert_eq!(oracles, ["fully-supervised"]);
    for member in &ablation.experiments {
        assert_eq!(member.seed, member.experiment.seed);
    }
}

#[test]
fn an_arm_with_a_method_is_that_method_whatever_its_base_said() {
    let ablation = ablation("ablations/controls.toml");
    let of = |arm: &str| ablation.experiments.iter().find(|member| member.arm == arm).unwrap();
    let steps = |length: Length| match length {
        Length::Iterations(steps) | Length::Epochs(steps) => steps,
    };
    let st = steps(of("st").experiment.retrain.length);
    assert_eq!(steps(of("st-longer").experiment.retrain.length), 2 * st, "both re-trainings of ST++");
    assert_eq!(steps(of("supervised-matched").experiment.train.length), st);
    assert_eq!(of("supervised").experiment.method.retrainings, 0);
    assert_eq!(of("stpp").experiment.method.retrainings, 2);
}

#[test]
fn list_splits_are_paired_by_their_folder() {
    let ablation = ablation("ablations/pascal/selection.toml");
    assert_eq!(ablation.splits.len(), 3);
    let member = &ablation.experiments[ablation.arms.len()];
    assert_eq!(member.split, "splits/1_8/split_1");
    let crate::spec::data::Split::Lists { folder } = &member.experiment.split else { panic!("lists") };
    assert!(folder.ends_with("splits/1_8/split_1"));
}

#[test]
fn the_schema_lists_every_key_that_is_read_and_no_other() {
    use std::collections::BTreeSet;
    // Read, but resolved into other keys.
    let mut read: BTreeSet<String> = ["extends", "method.name", "data.preset"].map(str::to_owned).into();
    let mut add = |text: &str| {
        let loaded = super::read(text);
        read.extend(loaded.head.iter().chain(&loaded.body).map(|line| line.key.clone()));
        read.extend(loaded.arms.iter().flat_map(|arm| &arm.lines).map(|line| line.key.clone()));
    };
    add("name = 'a'\nbaseline = 'a'\nfactors = ['method.select']\nseeds = [1]\nsplits = [1]\n\
         regime = { short = 'a', long = 'a', ceiling = 'a' }\n\
         data = { kind = 'synthetic' }\nsplit = { labeled = 1 }\nmethod.name = 'stpp'\n\
         train.epochs = 9\nretrain.iterations = 9\nmodel.weights = 'w'\n\
         [arm]\na = {}\nb.method.select = { level = 'pixel', rule = 'matched' }\n\
         c.method.select = { level = 'pixel', rule = 'entropy' }\n\
         d.method.select = { level = 'pixel', rule = 'threshold' }\n\
         [[claim]]\nbetter = 'b'\nthan = 'a'\nby = 1\non = 'val'\nsplit = 1\n[noise]\nsd = 1");
    add("name = 'a'\nbaseline = 'a'\nfactors = ['method.select']\ndata = { kind = 'synthetic' }\n\
         split = { labeled = 1 }\nmethod.name = 'stpp'\ntrain.epochs = 9\n[arm.a]\n[noise]\nstudy = 'b'");
    add(
        "data = { kind = 'listed', root = 'r', train = 't', val = 'v', test = 't', classes = 'c', long_side = 9 }\n\
         split = { lists = 'l' }\nmethod.name = 'st'\ntrain.iterations = 9\nretrain.epochs = 9",
    );
    add(
        "data = { kind = 'synthetic' }\nsplit = { fraction = 0.5 }\nmethod.name = 'st'\ntrain.iterations = 9\n\
         evaluate.window = 64",
    );
    let schema: BTreeSet<String> = crate::spec::schema::KEYS.iter().map(|key| (*key).to_owned()).collect();
    assert_eq!(read, schema);
}

/// A base that says something of everything a preset may touch, and three arms.
const LAYERS: &str = "
name = 'layers'
baseline = 'st'
factors = ['method', 'augment.strong.on']
data.kind = 'synthetic'
split.labeled = 24
train.iterations = 100
augment.strong.on = 'both'

[method]
name = 'stpp'
select.fraction = 0.3
checkpoints = 4

[arm.st]
method.name = 'st'

[arm.half]
method.name = 'stpp'
method.select.fraction = 0.5

[arm.stpp]
method.name = 'stpp'
";

fn member(loaded: &Loaded, arm: &str) -> Experiment {
    let Spec::Ablation(ablation) = &loaded.spec else { panic!("it has arms") };
    ablation.experiments.iter().find(|member| member.arm == arm).unwrap().experiment.clone()
}

#[test]
fn a_preset_counts_more_than_lower_layers_and_less_than_its_own() {
    use crate::spec::augment::StrongOn;
    let loaded = super::read(LAYERS);
    let fraction = |arm: &str| match member(&loaded, arm).method.select {
        Select::Image(select) => Some(select.fraction),
        _ => None,
    };
    assert_eq!((fraction("st"), fraction("half"), fraction("stpp")), (None, Some(0.5), Some(0.3)));
    assert_eq!(member(&loaded, "st").augment.strong.on, StrongOn::Unlabeled);
    assert_eq!(member(&loaded, "st").method.checkpoints, 4);
}

#[test]
fn set_reaches_the_base_and_a_single_arm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("layers.toml");
    std::fs::write(&path, LAYERS).unwrap();
    let sets = ["train.batch=3", "arm.half.method.select.fraction=0.6", "seeds=[5, 6]"].map(str::to_owned);
    let loaded =
        load(&path, &sets, &Elsewhere).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    assert_eq!(member(&loaded, "st").train.batch, 3);
    assert_eq!(member(&loaded, "half").seed, 5);
    let Select::Image(select) = member(&loaded, "half").method.select else { panic!("it selects images") };
    assert_eq!(select.fraction, 0.6);
}

#[test]
fn an_ablation_may_extend_another_and_keeps_the_order_of_its_arms() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("layers.toml"), LAYERS).unwrap();
    let path = folder.path().join("more.toml");
    std::fs::write(&path, "extends = 'layers.toml'\nname = 'more'\n[arm.a-first]\nmethod.name = 'plain'\n")
        .unwrap();
    let loaded = load(&path, &[], &Elsewhere).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    let Spec::Ablation(ablation) = &loaded.spec else { panic!("it has arms") };
    let arms: Vec<_> = ablation.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(arms, ["st", "half", "stpp", "a-first"]);
    assert_eq!(loaded.files().len(), 2);
}
