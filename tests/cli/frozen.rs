//! Frozen backbones: a study of heads on features of a toy DINOv2 and of a toy SegFormer.

use std::path::Path;

use crate::specs::{BASE, experiment};
use crate::support::{Test, counts};

/// A weights file of the networks' own tests.
fn weights(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nn");
    std::fs::read(folder.join(name)).expect("the fixture is readable")
}

/// The base with a frozen backbone.
fn frozen(text: &str, backbone: &str, file: &str) -> String {
    let model = format!("backbone = \"{backbone}\"\nweights = \"{file}\"");
    let spec = text.replace("backbone = \"resnet18\"", &model).replace("output_stride = 16\n", "");
    assert!(spec.contains(&model) && !spec.contains("output_stride"));
    spec
}

#[test]
fn st_plus_plus_runs_on_frozen_features() {
    let spec = experiment("stpp");
    let test = Test::new()
        .spec("dinov2.toml", &frozen(&spec, "dinov2", "dinov2.pth"))
        .spec("segformer.toml", &frozen(&spec, "segformer", "segformer.safetensors"));
    for file in ["dinov2.pth", "segformer.safetensors"] {
        test.write(file, &weights(file));
    }
    for name in ["dinov2", "segformer"] {
        let (spec, out) = (format!("{name}.toml"), format!("{name}-report"));
        let ran = test.run(["exp", "run", &spec, "--out", &out, "--json"]).success();
        assert_eq!(ran.stages()["teacher"], 1, "{name}");
        test.run(["exp", "run", &spec, "--out", &out]).success().stdout_has("nothing was trained");
    }
}

#[test]
fn other_weights_are_another_experiment_and_heads_are_a_factor() {
    let arms = "[arm.linear]\nmodel.head = \"linear\"\n\n[arm.mlp]\nmodel.head = \"mlp\"\n";
    let head = "name = \"heads\"\nbaseline = \"linear\"\nfactors = [\"model.head\"]\nseeds = [0]\n";
    let base = frozen(BASE, "segformer", "segformer.safetensors");
    let spec = format!("{head}{base}\n[method]\nname = \"supervised\"\n\n{arms}");
    let test = Test::new().spec("heads.toml", &spec);
    let mut bytes = weights("segformer.safetensors");
    test.write("segformer.safetensors", &bytes);
    let ran = test.run(["exp", "run", "heads.toml", "--json"]).success();
    assert_eq!(ran.stages(), counts(&[("prepare", 1), ("teacher", 2), ("evaluate teacher", 4)]));
    // The last value of the last tensor.
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    test.write("segformer.safetensors", &bytes);
    let plan = test.run(["exp", "plan", "heads.toml", "--json"]).success();
    assert_eq!(plan.to_run(), counts(&[("teacher", 2), ("evaluate teacher", 4)]));
}

#[test]
fn weights_of_another_family_and_crops_too_small_are_refused_before_anything_trains() {
    let spec = experiment("supervised");
    let test = Test::new().spec("other.toml", &frozen(&spec, "dinov2", "segformer.safetensors")).spec(
        "small.toml",
        &frozen(&spec, "segformer", "segformer.safetensors").replace("crop = 32", "crop = 28"),
    );
    test.write("segformer.safetensors", &weights("segformer.safetensors"));
    test.run(["exp", "run", "other.toml"])
        .code(2)
        .stderr_has("segformer.safetensors for this backbone")
        .stderr_has("`patch_embed.proj.weight`, and it is not there");
    test.run(["exp", "run", "small.toml"]).code(2).stderr_has("needs 29, make `train.crop` larger");
    assert!(!test.path(".stpp/records-v2/teacher").exists());
}
