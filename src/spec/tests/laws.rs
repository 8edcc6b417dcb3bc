//! Law 1: what changes an id, and what does not.

use proptest::prelude::*;

use super::read;
use crate::base::digest::Digest;

const BASE: &str = r#"
seed = 1
description = "one"
data = { kind = "synthetic", seed = 2, width = 32, height = 40, train = 50, val = 10, test = 0, classes = 4, difficulty = 0.25 }
split = { labeled = 10, seed = 3 }
model = { backbone = "resnet18", width = 0.5, output_stride = 16 }
train = { iterations = 100, batch = 4, base_lr = 0.01, head_lr = 5.0, momentum = 0.8, weight_decay = 0.001, power = 1.0, crop = 24, base_size = 32, drop_last = false, oversample = false }
retrain = { iterations = 200, crop = 28 }
method = { name = "stpp", checkpoints = 4 }
"#;

fn id(text: &str) -> Digest {
    read(text).spec.id()
}

/// The base with values replaced, written by `toml` itself: another text, another order of keys.
fn with(changes: &[(&str, &str)]) -> String {
    let mut table: toml::Table = BASE.parse().unwrap();
    for (path, value) in changes {
        let value: toml::Table = format!("v = {value}").parse().unwrap();
        let mut at = &mut table;
        let (tables, key) = path.rsplit_once('.').unwrap_or(("", path));
        for name in tables.split('.').filter(|name| !name.is_empty()) {
            at = at
                .entry(name)
                .or_insert_with(|| toml::Value::Table(toml::Table::new()))
                .as_table_mut()
                .unwrap();
        }
        at.insert(key.to_owned(), value["v"].clone());
    }
    table.to_string()
}

fn same(a: &[(&str, &str)], b: &[(&str, &str)]) -> bool {
    id(&with(a)) == id(&with(b))
}

#[test]
fn every_field_that_can_change_a_result_changes_the_id() {
    let changes = [
        ("seed", "2"),
        ("data.seed", "3"),
        ("data.width", "33"),
        ("data.height", "41"),
        ("data.train", "51"),
        ("data.val", "11"),
        ("data.test", "1"),
        ("data.classes", "5"),
        ("data.difficulty", "0.5"),
        ("split.labeled", "11"),
        ("split.seed", "4"),
        ("model.backbone", "'resnet50'"),
        ("model.width", "0.25"),
        ("model.output_stride", "8"),
        ("model.weights", "'w.safetensors'"),
        ("train.iterations", "101"),
        ("train.batch", "5"),
        ("train.base_lr", "0.02"),
        ("train.head_lr", "6"),
        ("train.momentum", "0.7"),
        ("train.weight_decay", "0.01"),
        ("train.power", "0.9"),
        ("train.crop", "25"),
        ("train.base_size", "33"),
        ("train.drop_last", "true"),
        ("train.oversample", "true"),
        ("retrain.iterations", "201"),
        ("retrain.batch", "5"),
        ("retrain.base_lr", "0.02"),
        ("retrain.head_lr", "6"),
        ("retrain.momentum", "0.7"),
        ("retrain.weight_decay", "0.01"),
        ("retrain.power", "0.9"),
        ("retrain.crop", "25"),
        ("retrain.base_size", "33"),
        ("retrain.drop_last", "true"),
        ("retrain.oversample", "true"),
        ("augment.weak.scale", "[0.6, 2.0]"),
        ("augment.weak.flip", "0.4"),
        ("augment.strong.on", "'both'"),
        ("augment.strong.on", "'labeled'"),
        ("augment.strong.on", "'none'"),
        ("augment.strong.jitter.p", "0.1"),
        ("augment.strong.jitter.brightness", "0.1"),
        ("augment.strong.jitter.contrast", "0.1"),
        ("augment.strong.jitter.saturation", "0.1"),
        ("augment.strong.jitter.hue", "0.1"),
        ("augment.strong.grayscale.p", "0.1"),
        ("augment.strong.blur.p", "0.1"),
        ("augment.strong.blur.sigma", "[0.1, 1.0]"),
        ("augment.strong.cutout.p", "0.1"),
        ("augment.strong.cutout.area", "[0.1, 0.4]"),
        ("augment.strong.cutout.aspect", "[0.5, 2.0]"),
        ("method.retrainings", "1"),
        ("method.teacher", "'best'"),
        ("method.checkpoints", "3"),
        ("method.relabel_reliable", "true"),
        ("method.tta.scales", "[1.0]"),
        ("method.tta.flip", "false"),
        ("method.select.criterion", "'random'"),
        ("method.select.criterion", "'confidence'"),
        ("method.select.fraction", "0.4"),
        ("method.select.ties", "'list'"),
        ("method.select.background", "false"),
        ("evaluate.on", "'test'"),
    ];
    let base = id(BASE);
    let mut seen = vec![("nothing", base)];
    for (key, value) in changes {
        // Test images must be there to be looked at.
        let extra =
            if key == "evaluate.on" { vec![("data.test", "7"), (key, "'val'")] } else { vec![(key, value)] };
        let changed = id(&with(&extra));
        if let Some((other, _)) = seen.iter().find(|(_, id)| *id == changed) {
            panic!("{key} = {value} has the id of {other}");
        }
        seen.push((key, changed));
    }
    assert!(!same(&[("data.test", "7")], &[("data.test", "7"), ("evaluate.on", "'val'")]));
}

#[test]
fn a_pixel_rule_and_its_number_change_the_id() {
    let of = |rule: &str| id(&with(&[("method.select", rule)]));
    let ids = [
        "{ level = 'image' }",
        "{ level = 'pixel', rule = 'threshold' }",
        "{ level = 'pixel', rule = 'threshold', threshold = 0.9 }",
        "{ level = 'pixel', rule = 'class-balanced' }",
        "{ level = 'pixel', rule = 'class-balanced', fraction = 0.3 }",
        "{ level = 'pixel', rule = 'entropy' }",
        "{ level = 'pixel', rule = 'entropy', quantile = 0.1 }",
        "{ level = 'pixel', rule = 'matched' }",
        "{ level = 'pixel', rule = 'matched', to = { fraction = 0.3 } }",
        "{ level = 'pixel', rule = 'matched', to = { criterion = 'entropy' } }",
        "{ level = 'pixel', rule = 'oracle' }",
    ]
    .map(of);
    for (i, id) in ids.iter().enumerate() {
        assert!(!ids[..i].contains(id), "rule {i} is like an earlier one");
    }
}

#[test]
fn presentation_and_place_do_not_change_the_id() {
    let base = id(BASE);
    for change in [
        ("description", "'two'"),
        ("tags", "['a', 'b']"),
        ("run.device", "'cuda:3'"),
        ("run.threads", "7"),
        ("evaluate.points", "3"),
        ("evaluate.on", "'val'"),
    ] {
        assert_eq!(id(&with(&[change])), base, "{change:?}");
    }
    let listed = [
        ("data", "{ kind = 'listed', root = 'x', val = 'v', classes = ['a', 'b'], test = 't' }"),
        ("split", "{ lists = 's' }"),
        ("model.weights", "'w'"),
    ];
    let base = id(&with(&listed));
    for change in [
        ("data.root", "'elsewhere'"),
        ("data.val", "'other'"),
        ("data.test", "'other'"),
        ("data.name", "'other'"),
        ("data.classes", "['c', 'd']"),
        ("data.palette", "[[1, 2, 3], [4, 5, 6]]"),
        ("split.lists", "'other'"),
        ("model.weights", "'other'"),
    ] {
        assert_eq!(id(&with(&[listed.as_slice(), &[change]].concat())), base, "{change:?}");
    }
    for change in [("data.ignore", "9"), ("data.long_side", "90"), ("data.classes", "['a', 'b', 'c']")] {
        assert_ne!(id(&with(&[listed.as_slice(), &[change]].concat())), base, "{change:?}");
    }
}

#[test]
fn what_a_recipe_does_not_use_does_not_change_its_id() {
    let unused: [(&str, &[(&str, &str)]); 5] = [
        (
            "supervised",
            &[
                ("retrain.batch", "9"),
                ("retrain.iterations", "7"),
                ("method.checkpoints", "9"),
                ("method.teacher", "'best'"),
                ("method.tta.scales", "[1.0]"),
                ("method.relabel_reliable", "true"),
                ("method.select", "{ level = 'pixel', rule = 'threshold', threshold = 0.1 }"),
                ("augment.strong.on", "'none'"),
                ("augment.strong.jitter.p", "0.3"),
            ],
        ),
        ("fully-supervised", &[("retrain.batch", "9"), ("method.tta.flip", "false")]),
        (
            "plain",
            &[
                ("augment.strong.blur.p", "0.3"),
                ("method.checkpoints", "9"),
                ("method.relabel_reliable", "true"),
            ],
        ),
        (
            "st",
            &[
                ("method.checkpoints", "9"),
                ("method.select.fraction", "0.3"),
                ("method.relabel_reliable", "true"),
            ],
        ),
        ("stpp", &[("evaluate.points", "4")]),
    ];
    for (name, changes) in unused {
        let quoted = format!("'{name}'");
        let base = [("method.name", quoted.as_str())];
        for change in changes {
            assert!(same(&base, &[base[0], *change]), "{name}: {change:?}");
        }
    }
    let off = [("augment.strong.jitter.p", "0")];
    assert!(same(&off, &[off[0], ("augment.strong.jitter.hue", "0.1")]));
    let random = [("method.select.criterion", "'random'")];
    assert!(same(&random, &[random[0], ("method.select.background", "false")]));
    assert!(same(&random, &[random[0], ("method.checkpoints", "9")]));
    let best = [("method.teacher", "'best'")];
    assert!(!same(&best, &[best[0], ("evaluate.points", "4")]), "the best of other epochs is another epoch");
    let labeled = [("method.name", "'supervised'"), ("augment.strong.on", "'labeled'")];
    assert!(!same(&labeled, &[labeled[0], labeled[1], ("augment.strong.jitter.p", "0.3")]));
}

#[test]
fn a_field_at_its_default_is_the_same_as_left_out() {
    let base = id(BASE);
    for change in [
        ("method.teacher", "'last'"),
        ("method.select.fraction", "0.5"),
        ("method.select.ties", "'id'"),
        ("method.tta.flip", "true"),
        ("augment.strong.jitter.hue", "0.25"),
        ("retrain.batch", "4"),
        ("model.head", "'deeplabv3plus'"),
        ("evaluate.on", "'auto'"),
    ] {
        assert_eq!(id(&with(&[change])), base, "{change:?}");
    }
    let spelled_out = BASE.replace(
        "name = \"stpp\"",
        "retrainings = 2, labels = \"pseudo\", select = { level = \"image\", criterion = \"stability\" }",
    );
    assert_eq!(id(&spelled_out), base, "a preset is its fields");
}

/// A change here orphans every stored result: it is a decision, never an accident.
#[test]
fn ids_never_change() {
    let path = std::path::Path::new("tests/fixtures/spec/golden.toml");
    let ablation = crate::spec::load(path, &[], &crate::spec::Elsewhere).unwrap();
    insta::assert_snapshot!("ids", format!("experiment {}\nablation   {}", id(BASE), ablation.spec.id()));
}

/// A number written as TOML lets one write it.
fn spelling(value: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("{value}")),
        Just(format!("{value}.0")),
        Just(format!("{value}.00")),
        Just(format!("{value}e0")),
        Just(format!("+{value}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Order of keys and tables, comments, whitespace and the form of numbers are the writer's taste.
    #[test]
    fn taste_does_not_change_the_id(
        order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle(),
        keys in Just((0..4usize).collect::<Vec<_>>()).prop_shuffle(),
        head_lr in spelling(5),
        comment in "[ a-z\"=\\[]{0,12}",
        gap in "[ \t]{0,3}",
    ) {
        let train = [
            format!("batch{gap}={gap}4"),
            format!("head_lr{gap}={gap}{head_lr} #{comment}"),
            "crop=24".to_owned(),
            "iterations = 1_00".to_owned(),
        ];
        let train: Vec<_> = keys.iter().map(|key| train[*key].as_str()).collect();
        let tables = [
            "[data]\nkind='synthetic'\n".to_owned(),
            format!("[split] #{comment}\nlabeled=1_0\n"),
            format!("{gap}[train]\n{}\n", train.join("\n")),
            "[retrain]\niterations=0xc8\n".to_owned(),
            "[method]\nname=\"\"\"stpp\"\"\"\n".to_owned(),
            format!("[model]\nwidth{gap}= 1\n"),
        ];
        let text: String = order.iter().map(|table| format!("#{comment}\n\n{}", tables[*table])).collect();
        let plain = "data.kind = 'synthetic'\nsplit.labeled = 10\nretrain.iterations = 200\nmethod.name = 'stpp'\n\
                     [train]\niterations = 100\nbatch = 4\nhead_lr = 5\ncrop = 24\n";
        prop_assert_eq!(id(&text), id(plain));
    }

    /// Any two seeds are two experiments.
    #[test]
    fn seeds_are_told_apart(a in 0..=crate::base::canon::MAX_SAFE_INTEGER, b in 0..=crate::base::canon::MAX_SAFE_INTEGER) {
        let of = |seed: u64| id(&with(&[("seed", &seed.to_string())]));
        prop_assert_eq!(a == b, of(a) == of(b));
    }

    /// No text makes the reader panic.
    #[test]
    fn any_text_is_read_or_explained(
        lines in prop::collection::vec(
            prop_oneof![
                "[a-z_.]{1,8} = ([0-9]{1,25}|true|\"[a-zé]{0,4}\"|\\[1, 2\\]|nan|\\{ p = 1 \\})",
                "\\[(train|data|split|method.select|arm.a|augment.strong)\\]",
                "(kind|level|rule|name|labeled|fraction|epochs|seeds|factors|on) = (\"(synthetic|listed|pixel|st|both)\"|[0-9.]{1,3}|\\[\\])",
            ],
            0..12,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.toml");
        std::fs::write(&path, lines.join("\n")).unwrap();
        if let Err(problems) = crate::spec::load(&path, &[], &super::Bare) {
            prop_assert!(!problems.problems.is_empty());
            prop_assert!(!problems.render(false).is_empty());
            prop_assert_eq!(problems.lines().len(), problems.problems.len());
        }
    }
}
