//! The specs that come with the program do what their comments say.

use std::path::{Path, PathBuf};

use stpp::spec::{Elsewhere, Spec, load};

use crate::support::{Ran, Test, counts, real_data};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Every spec under `experiments` and `ablations`, sorted.
fn shipped() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join("experiments"), Path::new(ROOT).join("ablations")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert!(path.extension().is_some_and(|extension| extension == "toml"), "{}", path.display());
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What others extend has no method of its own.
fn is_base(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "base")
}

fn plan(test: &Test, path: &Path) -> Ran {
    test.run(["exp".as_ref(), "plan".as_ref(), path.as_os_str(), "--json".as_ref()])
}

#[test]
fn every_shipped_file_reads_where_its_data_are_not() {
    let files = shipped();
    assert!(files.len() >= 20, "{files:?}");
    for path in files.iter().filter(|path| !is_base(path)) {
        let read = load(path, &[], &Elsewhere);
        let spec = read.unwrap_or_else(|problems| panic!("{}", problems.render(false))).spec;
        let ablations = path.starts_with(Path::new(ROOT).join("ablations"));
        assert_eq!(matches!(spec, Spec::Ablation(_)), ablations, "{}", path.display());
    }
}

#[test]
fn every_shipped_file_on_scenes_plans() {
    let test = Test::new();
    let mut planned = 0;
    for path in shipped().iter().filter(|path| !is_base(path)) {
        let spec = load(path, &[], &Elsewhere).expect("it reads, as the test above says").spec;
        let experiment = match &spec {
            Spec::Ablation(ablation) => &ablation.experiments[0].experiment,
            Spec::Experiment(experiment) => experiment,
        };
        if matches!(experiment.data, stpp::spec::data::Data::Synthetic(_)) {
            plan(&test, path).success();
            planned += 1;
        } else {
            plan(&test, path).code(2).stderr_has("`STPP_DATA` is not set").stderr_has("export STPP_DATA=");
        }
    }
    assert!(planned >= 8, "{planned}");
}

#[test]
fn thirty_experiments_of_the_selection_study_share_three_teachers() {
    let plan = plan(&Test::new(), &Path::new(ROOT).join("ablations/selection.toml")).success();
    assert_eq!(plan.json()["experiments"], 30);
    // Per seed: one that all share, one trained for as long as a re-training, one on true masks.
    assert_eq!(plan.distinct().get("teacher"), Some(&9));
    let expected = [
        ("prepare", 1),
        ("teacher", 9),
        ("score teacher", 3),
        // By stability, at random, and by matched pixels: in one stage and in two.
        ("select teacher", 9),
        // All; the reliable half by stability; a random half.
        ("label teacher", 9),
        ("retrain student_1", 9),
        ("label student_1", 9),
        // Plain, ST, ST++, random, stability alone, pixels alone, pixels first.
        ("retrain student", 21),
        ("evaluate teacher", 18),
        ("evaluate student", 42),
    ];
    assert_eq!(plan.distinct(), counts(&expected));
    let sharing = &plan.json()["sharing"];
    let steps = |of: &str| sharing[of]["steps"].as_u64().expect("a count");
    assert!(steps("distinct_cost") < steps("requested_cost"), "{sharing}");
}

#[test]
fn the_selection_study_ships_with_its_regime_and_the_same_length_for_every_retraining() {
    let path = Path::new(ROOT).join("ablations/selection.toml");
    let Spec::Ablation(ablation) = load(&path, &[], &Elsewhere).unwrap().spec else { panic!("it has arms") };
    let arms: Vec<_> = ablation.arms.iter().map(|arm| arm.name.as_str()).collect();
    let expected = [
        "supervised",
        "supervised-matched",
        "fully-supervised",
        "plain",
        "st",
        "stpp",
        "random-two-stage",
        "image-stability",
        "pixel-matched",
        "pixel-two-stage",
    ];
    assert_eq!(arms, expected);
    assert_eq!(ablation.seeds, [0, 1, 2]);
    assert!(ablation.regime.is_some());
    let oracles: Vec<_> =
        ablation.arms.iter().filter(|arm| arm.oracle).map(|arm| arm.name.as_str()).collect();
    assert_eq!(oracles, ["fully-supervised"]);
    let lengths: std::collections::BTreeSet<_> =
        ablation.experiments.iter().map(|member| member.experiment.retrain.length.units()).collect();
    assert_eq!(lengths.len(), 1, "{lengths:?}");
    assert!(lengths.first() >= Some(&150), "no toy: {lengths:?}");
}

#[test]
fn every_shipped_file_on_real_images_plans_where_they_are() {
    let Some(data) = real_data() else { return };
    let test = Test::new().data(&data);
    for path in shipped().iter().filter(|path| !is_base(path)) {
        for name in ["camvid", "pascal", "cityscapes"] {
            if !path.parent().is_some_and(|folder| folder.ends_with(name)) {
                continue;
            }
            if data.join(name).is_dir() {
                plan(&test, path).success();
            } else {
                println!("skipped: {} is not there for {}", data.join(name).display(), path.display());
            }
        }
    }
}
