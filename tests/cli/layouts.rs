//! The official layouts of PASCAL VOC and Cityscapes, the official lists, and CamVid, where `STPP_DATA` has them.

use std::path::Path;

use stpp::data::decode::{decode_rgb, encode_png_rgb};
use stpp::data::list_file;

use crate::folders;
use crate::support::{Ran, Test, counts, real_data};

/// Settings that take each stage of ST++ in seconds, whatever the images.
const TINY: &str = r#"
[model]
backbone = "resnet18"
width = 0.125
output_stride = 16

[train]
iterations = 2
batch = 2
crop = 33
base_size = 64

[evaluate]
points = 1

[method]
name = "stpp"
checkpoints = 2

[method.tta]
scales = [0.5, 1.0]
"#;

/// Writes the lists of a split of a dataset beside a spec of it.
fn study(test: Test, preset: &str, root: &Path, [labeled, unlabeled, val]: [&str; 3]) -> Test {
    let lists = test.path("lists");
    test.write("lists/labeled.txt", labeled.as_bytes());
    test.write("lists/unlabeled.txt", unlabeled.as_bytes());
    test.write("lists/val.txt", val.as_bytes());
    let spec = format!(
        "[data]\nkind = \"listed\"\npreset = \"{preset}\"\nroot = {root:?}\nval = {:?}\nlong_side = 64\n\
         [split]\nlists = {lists:?}\n{TINY}",
        lists.join("val.txt")
    );
    test.spec("study.toml", &spec)
}

#[track_caller]
fn runs_every_stage_of_stpp(test: &Test) -> Ran {
    test.run(["data", "check", "study.toml"]).success();
    let ran = test.run(["exp", "run", "study.toml", "--json"]).success();
    let stages = [
        ("prepare", 1),
        ("teacher", 1),
        ("score teacher", 1),
        ("select teacher", 1),
        ("label teacher", 1),
        ("retrain student_1", 1),
        ("label student_1", 1),
        ("retrain student", 1),
        ("evaluate student", 1),
    ];
    assert_eq!(ran.stages(), counts(&stages));
    test.run(["exp", "run", "study.toml"]).success().stdout_has("nothing was trained");
    test.run(["report", "study", "--check"]).success()
}

#[test]
fn pascal_in_its_official_layout_goes_through_every_stage() {
    let Some(data) = real_data() else { return };
    let line = |name: &str, masks: &str| format!("JPEGImages/{name}.jpg {masks}/{name}.png\n");
    let own = |name: &str| line(name, "SegmentationClass");
    let test = study(
        Test::new(),
        "pascal",
        &data.join("fixtures/VOCdevkit/VOC2012"),
        [
            &(own("2009_005055") + &own("2010_003345")),
            &(line("2008_005480", "SegmentationClassAug") + &own("2010_000216")),
            &own("2008_004705"),
        ],
    );
    runs_every_stage_of_stpp(&test);
    let report = test.text("reports/study/report.md");
    assert!(report.contains("aeroplane") && report.contains("tvmonitor"), "{report}");
}

#[test]
fn cityscapes_in_its_official_layout_goes_through_every_stage() {
    let Some(data) = real_data() else { return };
    let test = Test::new();
    folders::copy(&data.join("fixtures/cityscapes"), &test.path("cityscapes"));
    // There are three frames, and one more is wanted: one of them with another pixel.
    let frame = |kind: &str, suffix: &str| format!("cityscapes/{kind}/train/aachen/aachen_{suffix}.png");
    let bytes = std::fs::read(test.path(&frame("leftImg8bit", "000000_000019_leftImg8bit"))).unwrap();
    let mut image = decode_rgb(&bytes, "aachen").unwrap();
    image.data[0] ^= 255;
    test.write(&frame("leftImg8bit", "000001_000019_leftImg8bit"), &encode_png_rgb(&image));
    let line = |folder: &str, name: &str, ids: &str| {
        format!("leftImg8bit/{folder}/{name}_leftImg8bit.png gtFine/{folder}/{name}_gtFine_{ids}.png\n")
    };
    let train_ids = |folder: &str, name: &str| line(folder, name, "labelTrainIds");
    let labeled = train_ids("train/aachen", "aachen_000000_000019");
    let unlabeled = train_ids("train/bochum", "bochum_000000_000313")
        + &train_ids("train/aachen", "aachen_000001_000019");
    let val = train_ids("val/frankfurt", "frankfurt_000000_000294");
    let root = test.path("cityscapes");
    let test = study(test, "cityscapes", &root, [&labeled, &unlabeled, &val]);
    runs_every_stage_of_stpp(&test);
    assert!(test.text("reports/study/report.md").contains("traffic light"));
    // The other masks of that layout have ids that are not those of training, and are refused.
    test.write("lists/val.txt", line("val/frankfurt", "frankfurt_000000_000294", "labelIds").as_bytes());
    let ran = test.run(["data", "check", "study.toml"]).code(2);
    ran.stderr_has("val.txt:1").stderr_has("class id").stderr_has("19 classes");
}

#[test]
fn the_official_lists_have_their_known_numbers_of_lines() {
    let Some(data) = real_data() else { return };
    let count = |list: &str| {
        let mut problems = Vec::new();
        let items = list_file::read(&data.join("stpp-splits").join(list), &mut problems);
        assert!(problems.is_empty(), "{list}: {problems:?}");
        assert!(items.iter().all(|item| item.mask.is_some()), "{list}");
        items.len()
    };
    for (split, labeled) in [
        ("92/split_0", 92),
        ("92/split_1", 92),
        ("92/split_2", 92),
        ("183/split_0", 183),
        ("366/split_0", 366),
        ("732/split_0", 732),
        ("1.4k", 1464),
        ("1_16/split_0", 662),
        ("1_16/split_1", 662),
        ("1_16/split_2", 662),
        ("1_8/split_0", 1323),
        ("1_8/split_1", 1323),
        ("1_8/split_2", 1323),
        ("1_4/split_0", 2645),
        ("1_4/split_1", 2645),
        ("1_4/split_2", 2645),
    ] {
        assert_eq!(count(&format!("pascal/{split}/labeled.txt")), labeled, "{split}");
        assert_eq!(count(&format!("pascal/{split}/unlabeled.txt")), 10582 - labeled, "{split}");
    }
    for (share, labeled) in [("1_30", 100), ("1_8", 372), ("1_4", 744)] {
        for split in 0..3 {
            assert_eq!(count(&format!("cityscapes/{share}/split_{split}/labeled.txt")), labeled, "{share}");
            assert_eq!(count(&format!("cityscapes/{share}/split_{split}/unlabeled.txt")), 2975 - labeled);
        }
    }
    assert_eq!((count("pascal/val.txt"), count("cityscapes/val.txt")), (1449, 500));
}

/// A check of official lists whose images are not there.
fn check_of_lists(data: &Path, lists: &str) -> Ran {
    let root = data.join("stpp-splits/pascal");
    let spec = format!(
        "[data]\nkind = \"listed\"\npreset = \"pascal\"\nroot = {root:?}\nval = \"val.txt\"\n\
         [split]\nlists = \"{lists}\"\n{TINY}"
    );
    Test::new().spec("study.toml", &spec).run(["data", "check", "study.toml"]).code(2)
}

#[test]
fn official_lists_are_recognised_and_those_of_zero_bytes_are_refused_by_name() {
    let Some(data) = real_data() else { return };
    check_of_lists(&data, "1_16/split_0")
        .stdout_has("official pascal/1_16/split_0")
        .stderr_has("does not exist");
    for empty in ["183/split_1", "366/split_2", "732/split_1"] {
        let ran = check_of_lists(&data, empty);
        ran.stderr_has(&format!("{empty}/labeled.txt")).stderr_has("empty (0 bytes)").stderr_has("split_0");
    }
}

#[test]
fn camvid_is_sound() {
    let Some(data) = real_data() else { return };
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/camvid/st.toml");
    let test = Test::new().data(&data);
    let ran = test.run(["data".as_ref(), "check".as_ref(), spec.as_os_str(), "--json".as_ref()]).success();
    let report = ran.json();
    let images =
        |group: usize| (report["groups"][group]["name"].clone(), report["groups"][group]["images"].clone());
    assert_eq!(images(0), ("labeled".into(), 45.into()));
    assert_eq!(images(1), ("unlabeled".into(), 322.into()));
    assert_eq!(images(2), ("val".into(), 101.into()));
    assert_eq!(images(3), ("test".into(), 233.into()));
    assert_eq!(report["classes"].as_array().map(Vec::len), Some(11));
}
