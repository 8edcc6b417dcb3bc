//! Pretrained weights come from files, which are held against the network before anything trains; trained ones go into
//! files.

use std::path::Path;

use candle_core::Device;
use stpp::nn::network::Network;
use stpp::nn::{State, WeightsFile};
use stpp::spec::model::{Backbone, Head, Model};

use crate::images;
use crate::specs::{experiment, head};
use crate::support::Test;

fn network(backbone: Backbone, width: f64) -> Network {
    let model = Model { backbone, head: Head::DeepLabV3Plus, width, output_stride: 16, weights: None };
    Network::new(&model, 4, 7, "teacher", &Device::Cpu).unwrap()
}

/// The state of a whole network as safetensors.
fn state(backbone: Backbone, width: f64) -> Vec<u8> {
    network(backbone, width).state().unwrap().to_bytes().unwrap()
}

/// An experiment that starts from `weights.safetensors`, or from another file.
fn pretrained(file: &str) -> String {
    experiment("st").replace("width = 0.125", &format!("width = 0.125\nweights = \"{file}\""))
}

fn nothing_trained(test: &Test) {
    assert!(!test.path(".stpp/records-v2").exists(), "nothing is trained, or even prepared");
}

#[test]
fn weights_that_cannot_be_used_are_refused_before_anything_trains() {
    let whole = state(Backbone::Resnet18, 0.125);
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nn/old.pth");
    let cases: [(&str, Vec<u8>, &[&str]); 6] = [
        (
            "deep.safetensors",
            state(Backbone::Resnet34, 0.125),
            &[
                "resnet18 of width 0.125",
                "another network",
                "100 tensors fit",
                "127 unused: layer1.2.bn1.bias,",
            ],
        ),
        (
            "wide.safetensors",
            state(Backbone::Resnet18, 0.25),
            &["another width", "0 tensors fit", "bn1.bias is [16] in the file and [8] here", "and 92 more"],
        ),
        ("short.safetensors", whole[..whole.len() - 9].to_vec(), &["short.safetensors", "cut short"]),
        (
            "page.pth",
            b"<!DOCTYPE html>".to_vec(),
            &["page.pth", "neither .safetensors nor a .pth", "web page"],
        ),
        ("zip.pth", b"PK\x03\x04 and no more".to_vec(), &["zip.pth", "damaged"]),
        (
            "old.pth",
            std::fs::read(old).unwrap(),
            &["old.pth", "PyTorch's old format", "torch.save(torch.load("],
        ),
    ];
    for (name, bytes, said) in cases {
        let test = Test::new().spec("study.toml", &pretrained(name));
        test.write(name, &bytes);
        for command in ["plan", "run"] {
            let mut ran = test.run(["exp", command, "study.toml"]).code(2).stderr_has("model.weights");
            for said in said {
                ran = ran.stderr_has(said);
            }
            nothing_trained(&test);
        }
    }
}

#[test]
fn weights_that_only_a_later_arm_reads_are_held_against_its_backbone_first() {
    let arms = "\n[arm.st]\nmethod.name = \"st\"\n\n[arm.other]\nmethod.name = \"st\"\nmodel.weights = \"w.safetensors\"\n";
    let spec =
        format!("{}{arms}", head("tiny", "[0]")).replace("\"train.iterations\"]", "\"model.weights\"]");
    let test = Test::new().spec("study.toml", &spec);
    test.write("w.safetensors", &state(Backbone::Resnet50, 0.125));
    let ran = test.run(["exp", "run", "study.toml"]).code(2);
    ran.stderr_has("resnet18 of width 0.125")
        .stderr_has("w.safetensors")
        .stderr_has("77 tensors fit; 212 unused: layer1.0.bn3.bias");
    nothing_trained(&test);
}

#[test]
fn each_training_says_how_its_weights_fit() {
    let test = Test::new().spec("study.toml", &pretrained("weights.safetensors"));
    test.write("weights.safetensors", &state(Backbone::Resnet18, 0.125));
    let ran = test.run(["exp", "run", "study.toml", "--json"]).success();
    let notes: Vec<_> = ran.events().into_iter().filter(|event| event["event"] == "noted").collect();
    let about = |start: &str| {
        notes.iter().filter_map(|note| note["message"].as_str()).filter(|m| m.starts_with(start)).count()
    };
    assert_eq!((about("teacher: weights "), about("retrain student: weights ")), (1, 1), "{notes:?}");
    let said = notes.iter().find_map(|note| note["message"].as_str()?.strip_prefix("teacher: ")).unwrap();
    assert!(
        said.contains("weights.safetensors: 100 tensors fit; ") && said.contains(" unused: classifier.bias"),
        "{said}"
    );
}

#[test]
fn a_trained_model_is_written_with_the_names_of_the_official_code() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    let planned = test.run(["exp", "run", "study.toml", "--json"]).success();
    drop(planned);
    let name = test.run(["exp", "ls", "--json"]).success().json()[0]["name"].as_str().unwrap().to_owned();
    let shown = test.run(["exp", "show", &name]).success().stdout();
    let line = shown.lines().find(|line| line.contains(" seed 0 ")).expect("a run");
    let id = line.split_whitespace().next().unwrap();
    let said = test.run(["exp", "weights", id, "--to", "student.safetensors"]).success();
    said.stdout_has(
        "student after 4 steps, resnet18 with deeplabv3plus, width 0.125, output stride 16, 4 classes",
    );
    test.run(["exp", "weights", id, "--role", "teacher", "--to", "teacher.safetensors"]).success();
    let read = |file: &str| std::fs::read(test.path(file)).unwrap();
    assert_ne!(read("student.safetensors"), read("teacher.safetensors"));
    let net = network(Backbone::Resnet18, 0.125);
    net.load_state(&State::from_bytes(&read("student.safetensors"), &Device::Cpu).unwrap()).unwrap();
    assert!(WeightsFile::read(&test.path("teacher.safetensors")).is_ok());

    let ran = test.run(["exp", "weights", id, "--role", "student_1", "--to", "x.safetensors"]).code(2);
    ran.stderr_has("student_1").stderr_has("its models: teacher, student");
    test.run(["exp", "weights", "nothing", "--to", "x.safetensors"]).code(2).stderr_has("`nothing`");
    assert!(!test.path("x.safetensors").exists());
}

#[test]
fn a_step_on_a_single_image_is_refused_where_a_channel_would_have_one_value() {
    let test = Test::new().spec("study.toml", &experiment("supervised"));
    let plan = |sets: &[&str]| {
        let mut words = vec!["exp", "plan", "study.toml"];
        sets.iter().for_each(|set| words.extend(["--set", set]));
        test.run(words)
    };
    // Four labeled images, seen twice, in batches of seven.
    let rest = ["train.batch=7", "train.drop_last=false"];
    plan(&rest).code(2).stderr_has("8 images in batches of 7").stderr_has("head averages over images");
    plan(&[rest[0], "train.drop_last=true"]).success();
    plan(&[rest[0], rest[1], "train.iterations=1", "evaluate.points=1"]).success();
    plan(&["train.batch=1"]).code(2).stderr_has("batches of 1");
    plan(&["train.batch=1", "model.head=\"pspnet\""]).code(2).stderr_has("head averages over images");
    plan(&["train.batch=1", "model.head=\"deeplabv2\""]).success();
    let point = ["train.batch=1", "model.head=\"deeplabv2\"", "train.crop=16"];
    plan(&point).code(2).stderr_has("a crop of 16 pixels is one pixel at the output stride of 16");
    plan(&["train.crop=16"]).success();
}

#[test]
fn an_image_smaller_than_the_output_stride_is_named() {
    use stpp::data::decode::{encode_png_mask, encode_png_rgb};
    use stpp::data::image::{Mask, Rgb};
    let test = images::dataset(Test::new(), "data").spec("study.toml", &images::spec("data", "st"));
    test.run(["exp", "plan", "study.toml"]).success();
    test.write("data/images/5.png", &encode_png_rgb(&Rgb::filled(40, 9, [50; 3])));
    test.write("data/masks/5.png", &encode_png_mask(&Mask::filled(40, 9, 1), None));
    let ran = test.run(["exp", "run", "study.toml"]).code(2);
    ran.stderr_has("images/5.png").stderr_has("40x9 pixels").stderr_has("output stride of 16");
    nothing_trained(&test);
    test.run(["exp", "plan", "study.toml", "--set", "model.output_stride=8"]).success();
}
