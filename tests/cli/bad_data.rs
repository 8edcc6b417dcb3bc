//! What is wrong with lists, images and masks is said before anything trains, with list, line and image.

use stpp::data::decode::{encode_png_mask, encode_png_rgb};
use stpp::data::image::{Mask, Rgb};

use crate::images::{self, SIDE, dataset, list, picture};
use crate::support::Test;

/// Something done to a sound dataset, and what is said of it.
struct Case {
    about: &'static str,
    harm: fn(&Test),
    said: &'static [&'static str],
}

const fn case(about: &'static str, harm: fn(&Test), said: &'static [&'static str]) -> Case {
    Case { about, harm, said }
}

const CASES: &[Case] = &[
    case(
        "a list of zero bytes",
        |test| test.write("data/split/unlabeled.txt", b""),
        &["data/split/unlabeled.txt", "empty (0 bytes)"],
    ),
    case(
        "an image that is labeled and unlabeled",
        |test| test.write("data/split/unlabeled.txt", list([4, 2, 5]).as_bytes()),
        &["unlabeled.txt:2", "images/2.png", "labeled.txt:3"],
    ),
    case(
        "a validation image in training",
        |test| test.write("data/split/unlabeled.txt", list([4, 5, 9]).as_bytes()),
        &["val.txt:2", "images/9.png", "leaks", "unlabeled.txt:3"],
    ),
    case(
        "a copy of a training image among the validation images",
        |test| test.write("data/images/8.png", &encode_png_rgb(&picture(5).0)),
        &["val.txt:1", "images/8.png", "images/5.png", "content", "unlabeled.txt:2"],
    ),
    case(
        "an image listed twice",
        |test| test.write("data/split/labeled.txt", list([0, 1, 2, 0]).as_bytes()),
        &["labeled.txt:4", "images/0.png", "line 1"],
    ),
    case(
        "a line that is no pair",
        |test| {
            test.write("data/split/labeled.txt", b"images/0.png masks/0.png\nimages/1.png,masks/1.png x y\n")
        },
        &["labeled.txt:2", "images/1.png,masks/1.png x y", "image mask"],
    ),
    case(
        "an image that is not there",
        |test| std::fs::remove_file(test.path("data/images/6.png")).unwrap(),
        &["unlabeled.txt:3", "data/images/6.png", "does not exist"],
    ),
    case(
        "a labeled image without its mask",
        |test| std::fs::remove_file(test.path("data/masks/1.png")).unwrap(),
        &["labeled.txt:2", "data/masks/1.png", "does not exist"],
    ),
    case(
        "a labeled image without a mask in the list",
        |test| test.write("data/split/labeled.txt", b"images/0.png masks/0.png\nimages/1.png\n"),
        &["labeled.txt:2", "images/1.png", "no mask", "labeled"],
    ),
    case(
        "a truncated JPEG",
        |test| {
            let bytes = images::jpeg(&picture(5).0);
            test.write("data/images/5.jpg", &bytes[..bytes.len() * 2 / 3]);
            let lists = list([4, 5, 6]).replace("images/5.png", "images/5.jpg");
            test.write("data/split/unlabeled.txt", lists.as_bytes());
        },
        &["unlabeled.txt:2", "images/5.jpg"],
    ),
    case(
        "a truncated PNG",
        |test| {
            let bytes = encode_png_rgb(&picture(5).0);
            test.write("data/images/5.png", &bytes[..bytes.len() / 2]);
        },
        &["unlabeled.txt:2", "images/5.png"],
    ),
    case(
        "a text in the place of an image",
        |test| test.write("data/images/0.png", b"not a picture"),
        &["labeled.txt:1", "images/0.png", "PNG"],
    ),
    case(
        "a mask of colours",
        |test| test.write("data/masks/3.png", &encode_png_rgb(&picture(3).0)),
        &["labeled.txt:4", "masks/3.png", "RGB"],
    ),
    case(
        "a class id that does not exist",
        |test| {
            let (_, mut mask) = picture(2);
            mask.data[SIDE * 3 + 7] = 37;
            test.write("data/masks/2.png", &encode_png_mask(&mask, None));
        },
        &["labeled.txt:3", "images/2.png", "class id 37", "x=7", "y=3", "3 classes"],
    ),
    case(
        "a mask of another size",
        |test| test.write("data/masks/8.png", &encode_png_mask(&Mask::filled(SIDE, SIDE - 1, 0), None)),
        &["val.txt:1", "images/8.png", "32x32", "32x31"],
    ),
];

fn sound() -> Test {
    dataset(Test::new(), "data").spec("study.toml", &images::spec("data", "st"))
}

#[test]
fn every_problem_of_a_dataset_is_named_with_its_place() {
    sound().run(["data", "check", "study.toml"]).success();
    for Case { about, harm, said } in CASES {
        let test = sound();
        harm(&test);
        for command in [["data", "check", "study.toml"], ["exp", "run", "study.toml"]] {
            let mut ran = test.run(command).code(2);
            for said in *said {
                assert!(!ran.stderr().is_empty(), "{about}");
                ran = ran.stderr_has(said);
            }
        }
        let trained = test.path(".stpp/records-v2/teacher").exists();
        assert!(!trained, "{about}: nothing may train");
    }
}

#[test]
fn all_problems_of_a_dataset_are_named_at_once() {
    let test = sound();
    std::fs::remove_file(test.path("data/images/6.png")).unwrap();
    test.write("data/masks/3.png", &encode_png_rgb(&picture(3).0));
    test.write("data/masks/8.png", &encode_png_mask(&Mask::filled(SIDE, SIDE, 3), None));
    let checked = test.run(["data", "check", "study.toml"]).code(2);
    checked
        .stderr_has("3 problems")
        .stderr_has("6.png")
        .stderr_has("3.png")
        .stderr_has("class id 3 at x=0, y=0");
}

#[test]
fn a_class_id_of_37_is_out_of_range_for_the_21_classes_of_pascal() {
    let test = dataset(Test::new(), "data");
    let spec = images::spec("data", "supervised").replace("kind = \"listed\"\n", "preset = \"pascal\"\n");
    let test = test.spec("study.toml", &spec.replace("classes = \"classes.txt\"\n", ""));
    test.run(["data", "check", "study.toml"]).success();
    test.write("data/masks/9.png", &encode_png_mask(&Mask::filled(SIDE, SIDE, 37), None));
    let ran = test.run(["exp", "run", "study.toml"]).code(2);
    ran.stderr_has("val.txt:2").stderr_has("class id 37").stderr_has("21 classes have ids 0 to 20");
}

#[test]
fn a_folder_that_is_not_there_is_named_with_the_line_that_says_it() {
    let test = Test::new().spec("study.toml", &images::spec("nowhere", "st"));
    for command in [["data", "check"], ["exp", "run"], ["exp", "plan"]] {
        let ran = test.run([&command[..], &["study.toml"]].concat()).code(2);
        ran.stderr_has("study.toml:4:8").stderr_has("nowhere").stderr_has("data.root");
    }
    let test = sound();
    std::fs::remove_dir_all(test.path("data/split")).unwrap();
    test.run(["exp", "run", "study.toml"]).code(2).stderr_has("study.toml:9:9").stderr_has("data/split");
    let set = ["exp", "run", "study.toml", "--set", "data.root=\"${NOWHERE}/data\""];
    test.run(set).code(2).stderr_has("`NOWHERE` is not set").stderr_has("export NOWHERE=");
}

#[test]
fn a_fraction_that_leaves_no_labeled_image_is_refused() {
    let spec = images::spec("data", "st").replace("lists = \"split\"", "fraction = 0.1");
    let spec = spec.replace("val = ", "train = \"train.txt\"\nval = ");
    let test = dataset(Test::new(), "data").spec("study.toml", &spec);
    test.run(["exp", "run", "study.toml"])
        .code(2)
        .stderr_has("0 labeled images")
        .stderr_has("8 training images");
    test.run(["exp", "plan", "study.toml", "--set", "split.fraction=0.25"]).success();
}

#[test]
fn unlabeled_images_need_no_mask() {
    let test = sound();
    let lines: String = (4..8).map(|index| format!("images/{index}.png\n")).collect();
    test.write("data/split/unlabeled.txt", lines.as_bytes());
    test.run(["exp", "run", "study.toml"]).success();
    let with = sound();
    with.run(["exp", "run", "study.toml"]).success();
    let test_miou = |test: &Test| {
        let report = test.text("reports/study/report.md");
        report.lines().find(|line| line.starts_with("| `study` (baseline)")).map(str::to_owned)
    };
    assert_eq!(test_miou(&test), test_miou(&with), "a true mask of an unlabeled image changes no training");
}

#[test]
fn jpegs_and_masks_with_a_palette_are_read() {
    let test = sound();
    for index in 0..8 {
        let (image, mask) = picture(index);
        test.write(&format!("data/images/{index}.jpg"), &images::jpeg(&image));
        let palette = [[0, 0, 0], [128, 0, 0], [0, 128, 0]];
        test.write(&format!("data/masks/{index}.png"), &encode_png_mask(&mask, Some(&palette)));
    }
    for name in ["labeled", "unlabeled"] {
        let list = format!("data/split/{name}.txt");
        let lines = test.text(&list);
        let jpegs: String =
            lines.lines().map(|line| line.replacen(".png", ".jpg", 1)).collect::<Vec<_>>().join("\r\n");
        test.write(&list, jpegs.as_bytes());
    }
    test.run(["data", "check", "study.toml"]).success();
    test.run(["exp", "run", "study.toml"]).success();
}

#[test]
fn data_that_change_while_they_are_in_use_are_found() {
    let test = sound();
    test.run(["exp", "plan", "study.toml"]).success();
    // Another picture under the same name is another dataset: not an error, but not the same experiment either.
    test.write("data/images/0.png", &encode_png_rgb(&Rgb::filled(SIDE, SIDE, [1, 2, 3])));
    test.run(["exp", "run", "study.toml"]).success();
    test.write("data/images/0.png", &encode_png_rgb(&picture(0).0));
    // The first picture is back, and so is the first experiment: its stages were never run.
    test.run(["exp", "run", "study.toml"]).success().stdout_has("ran ");
}

#[test]
fn weights_that_cannot_be_used_are_refused_before_anything_trains() {
    let spec = images::spec("data", "st").replace("[model]", "[model]\nweights = \"weights.safetensors\"");
    let test = dataset(Test::new(), "data").spec("study.toml", &spec);
    test.run(["exp", "run", "study.toml"])
        .code(2)
        .stderr_has("study.toml:12:11")
        .stderr_has("weights.safetensors");
    for wrong in [&b""[..], b"not weights", &[0; 64], &[255; 64]] {
        test.write("weights.safetensors", wrong);
        test.run(["exp", "run", "study.toml", "--replace"]).code(2).stderr_has("weights.safetensors");
        assert!(!test.path(".stpp/records-v2/teacher").exists());
    }
}
