use candle_core::{DType, Device};

use super::*;
use crate::nn::ops::cross_entropy::cross_entropy;
use crate::spec::model::{Backbone, Head};
use crate::train::sgd::{Rates, Sgd};

fn model(backbone: Backbone, width: f64, output_stride: usize) -> Model {
    Model { backbone, head: Head::DeepLabV3Plus, width, output_stride, weights: None }
}

fn images(shape: (usize, usize, usize, usize)) -> Result<Tensor> {
    let count = shape.0 * shape.1 * shape.2 * shape.3;
    let mut stream = crate::base::stream::Stream::at(3, "test", "", 0, "images");
    Tensor::from_vec((0..count).map(|_| stream.normal() as f32).collect(), shape, &Device::Cpu)
}

fn values(x: &Tensor) -> Vec<f32> {
    x.flatten_all().and_then(|x| x.to_vec1()).expect("an f32 tensor")
}

/// Losses and final state of a training of 20 steps on `threads` threads.
fn train(backbone: Backbone, threads: usize) -> (Vec<u32>, Vec<u8>) {
    let run = || -> std::result::Result<_, Box<dyn std::error::Error>> {
        let net = Network::new(&model(backbone, 0.25, 16), 4, 0, "teacher", &Device::Cpu)?;
        let mut sgd = Sgd::new(net.parameters(), 0.9, 1e-4);
        let target = Tensor::from_vec(
            (0..3 * 40 * 47).map(|i| (i / 97 % 5) as u8).collect(),
            (3, 40, 47),
            &Device::Cpu,
        )?;
        let target = target.eq(4u8)?.where_cond(&target.ones_like()?.affine(255.0, 0.0)?, &target)?;
        let x = images((3, 3, 40, 47))?;
        let mut losses = Vec::new();
        for step in 0..20 {
            let at = DropoutAt { seed: 0, role: "teacher".to_owned(), step };
            let tape = Tape::recording(&Device::Cpu);
            let loss = cross_entropy(&tape, &net.forward_train(&x, &tape, Some(&at))?, &target, None)?;
            sgd.step(tape.backward(&loss)?, Rates { backbone: 0.01, head: 0.1 })?;
            losses.push(loss.to_scalar::<f32>()?.to_bits());
        }
        Ok((losses, net.state()?.to_bytes()?))
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| run().map_err(|e| e.to_string())).expect("a training")
}

#[test]
fn a_training_has_the_same_bits_on_any_number_of_threads() {
    let loss = |bits: Option<&u32>| f32::from_bits(*bits.expect("20 losses"));
    for backbone in [Backbone::Resnet18, Backbone::EfficientNetLite0] {
        let one = train(backbone, 1);
        assert!(loss(one.0.last()) < 0.9 * loss(one.0.first()), "{backbone} learns: {:?}", one.0);
        for threads in [2, 3, 4] {
            assert!(train(backbone, threads) == one, "{backbone} on {threads} threads");
        }
    }
}

#[test]
fn logits_have_the_size_of_the_image() -> std::result::Result<(), Box<dyn std::error::Error>> {
    for (backbone, output_stride, (height, width)) in [
        (Backbone::Resnet18, 16, (33, 26)),
        (Backbone::Resnet50, 8, (48, 41)),
        (Backbone::Resnet18, 8, (1, 1)),
    ] {
        let net = Network::new(&model(backbone, 0.125, output_stride), 5, 0, "teacher", &Device::Cpu)?;
        assert_eq!(net.forward(&images((1, 3, height, width))?)?.dims(), [1, 5, height, width]);
    }
    Ok(())
}

#[test]
fn a_prediction_keeps_no_graph_and_changes_nothing() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let net = Network::new(&model(Backbone::Resnet18, 0.125, 16), 3, 0, "teacher", &Device::Cpu)?;
    let before = net.state()?.to_bytes()?;
    let x = images((2, 3, 32, 32))?;
    let first = net.forward(&x)?;
    assert!(!first.track_op());
    assert_eq!(values(&first), values(&net.forward(&x)?));
    assert_eq!(before, net.state()?.to_bytes()?);
    Ok(())
}

#[test]
fn several_threads_may_predict_at_once() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let net = Network::new(&model(Backbone::Resnet18, 0.125, 16), 3, 0, "teacher", &Device::Cpu)?;
    let x = images((2, 3, 32, 32))?;
    let alone = values(&net.forward(&x)?);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| values(&net.forward(&x).expect("it ran before")))).collect();
        threads.into_iter().for_each(|t| assert_eq!(t.join().expect("no panic"), alone));
    });
    Ok(())
}

#[test]
fn one_image_is_too_few_to_learn_from() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let net = Network::new(&model(Backbone::Resnet18, 0.125, 16), 3, 0, "teacher", &Device::Cpu)?;
    let at = DropoutAt { seed: 0, role: "teacher".to_owned(), step: 0 };
    let tape = Tape::recording(&Device::Cpu);
    let error = net
        .forward_train(&images((1, 3, 32, 32))?, &tape, Some(&at))
        .expect_err("the mean of one image has no variance");
    assert!(error.to_string().contains("more than one image per step"), "{error}");
    Ok(())
}

#[test]
fn impossible_models_are_explained() {
    let error = |model: &Model, classes| match Network::new(model, classes, 0, "teacher", &Device::Cpu) {
        Ok(_) => "none".to_owned(),
        Err(error) => error.to_string(),
    };
    insta::assert_snapshot!(error(&model(Backbone::Resnet18, 1.0, 32), 3), @"build a network of output stride 32: it is 8 or 16");
    insta::assert_snapshot!(error(&model(Backbone::Resnet18, 0.0, 8), 3), @"build a network of width 0: it is a positive number, 1 for the network of the paper");
    insta::assert_snapshot!(error(&model(Backbone::Resnet18, f64::NAN, 8), 3), @"build a network of width NaN: it is a positive number, 1 for the network of the paper");
    insta::assert_snapshot!(error(&model(Backbone::Resnet18, 1.0, 8), 1), @"build a network for 1 classes: there are 2 to 255");
}

#[test]
fn images_of_another_shape_are_explained() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let net = Network::new(&model(Backbone::Resnet18, 0.125, 16), 3, 0, "teacher", &Device::Cpu)?;
    for shape in [(1, 4, 8, 8), (1, 3, 0, 8)] {
        let error = net.forward(&Tensor::zeros(shape, DType::F32, &Device::Cpu)?).expect_err("no image");
        assert!(error.to_string().contains("images are (B, 3, H, W)"), "{error}");
    }
    Ok(())
}

#[test]
fn the_head_is_everything_outside_the_backbone() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let net = Network::new(&model(Backbone::Resnet18, 0.125, 16), 3, 0, "teacher", &Device::Cpu)?;
    let head: Vec<_> = net.parameters().filter(|p| p.2).map(|p| p.0).collect();
    insta::assert_snapshot!(head.join("\n"));
    assert!(net.parameters().map(|p| p.0).is_sorted());
    Ok(())
}
#[test]
fn a_network_takes_over_another_ones_state() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let build =
        |seed, width| Network::new(&model(Backbone::Resnet18, width, 16), 3, seed, "teacher", &Device::Cpu);
    let (one, other) = (build(1, 0.125)?, build(2, 0.125)?);
    let x = images((2, 3, 20, 20))?;
    one.forward_train(
        &x,
        &Tape::recording(&Device::Cpu),
        Some(&DropoutAt { seed: 0, role: "teacher".to_owned(), step: 0 }),
    )?;
    assert_ne!(values(&one.forward(&x)?), values(&other.forward(&x)?));
    other.load_state(&one.state()?)?;
    assert_eq!(values(&one.forward(&x)?), values(&other.forward(&x)?));
    let error = build(1, 0.25)?.load_state(&one.state()?).expect_err("the width differs");
    assert!(
        error.to_string().contains("of another shape: backbone.bn1.bias is [8] in the file and [16] here"),
        "{error}"
    );
    Ok(())
}

/// A file with the backbone's part of a network's state, under torchvision's names and with a classifier.
fn torchvision_file(
    net: &Network,
    directory: &std::path::Path,
) -> std::result::Result<WeightsFile, WeightsError> {
    let state = net.state().map_err(WeightsError::Tensor)?;
    let names = state
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(BACKBONE)?.to_owned(), tensor.clone())));
    let mut state: State = names.collect();
    state.insert("fc.bias", Tensor::zeros(7, DType::F32, &Device::Cpu).map_err(WeightsError::Tensor)?);
    let path = directory.join("weights.safetensors");
    std::fs::write(&path, state.to_bytes()?).expect("a temporary file");
    WeightsFile::read(&path)
}

#[test]
fn pretrained_weights_go_to_the_backbone_alone() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let build = |seed, backbone| Network::new(&model(backbone, 0.125, 16), 3, seed, "teacher", &Device::Cpu);
    let (one, other) = (build(1, Backbone::Resnet18)?, build(2, Backbone::Resnet18)?);
    let directory = tempfile::tempdir()?;
    let file = torchvision_file(&one, directory.path())?;
    let report = other.load_backbone(&file)?;
    assert_eq!((report.loaded, report.missing.len(), report.unused), (100, 0, vec!["fc.bias".to_owned()]));
    let (ours, theirs) = (other.state()?, one.state()?);
    for (name, tensor) in ours.iter().filter(|(name, _)| !name.ends_with("bias") && !name.contains("running"))
    {
        let same = values(tensor) == values(theirs.get(name).ok_or("missing")?);
        let is_convolution = tensor.rank() == 4;
        assert!(same == (name.starts_with(BACKBONE) || !is_convolution), "{name}");
    }
    let before =
        values(build(2, Backbone::Resnet50)?.state()?.get("backbone.conv1.weight").ok_or("missing")?);
    let net = build(2, Backbone::Resnet50)?;
    let error = net.load_backbone(&file).expect_err("a ResNet-18 is no ResNet-50");
    assert!(matches!(error, WeightsError::OtherBackbone { .. }), "{error}");
    assert_eq!(values(net.state()?.get("backbone.conv1.weight").ok_or("missing")?), before);
    Ok(())
}

/// Values by the name of a parameter.
type Named = Vec<(String, Vec<f32>)>;

/// The loss of one step, and every gradient.
fn one_step(net: &Network, tape: Tape) -> Result<(f32, Named)> {
    let target =
        Tensor::from_vec((0..2 * 33 * 37).map(|i| (i / 53 % 4) as u8).collect(), (2, 33, 37), &Device::Cpu)?;
    let at = DropoutAt { seed: 0, role: "teacher".to_owned(), step: 0 };
    let loss =
        cross_entropy(&tape, &net.forward_train(&images((2, 3, 33, 37))?, &tape, Some(&at))?, &target, None)?;
    let mut gradients = tape.backward(&loss)?;
    let named = net.parameters().map(|(name, var, _)| {
        let gradient = gradients.take(var)?.expect("every parameter has a part in the loss");
        Ok((name.to_owned(), values(&gradient)))
    });
    Ok((loss.to_scalar()?, named.collect::<Result<_>>()?))
}

#[test]
fn what_other_devices_run_learns_the_same() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let length =
        |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt();
    for (backbone, head) in [
        (Backbone::Resnet18, Head::DeepLabV3Plus),
        (Backbone::Resnet18, Head::PspNet),
        (Backbone::Resnet18, Head::DeepLabV2),
        (Backbone::Resnet50, Head::DeepLabV3Plus),
        (Backbone::EfficientNetLite0, Head::DeepLabV3Plus),
    ] {
        let model = Model { backbone, head, width: 0.25, output_stride: 16, weights: None };
        // Each with its own network: a step moves the running statistics.
        let net = || Network::new(&model, 4, 0, "teacher", &Device::Cpu);
        let (kernels, by_kernels) = one_step(&net()?, Tape::recording(&Device::Cpu))?;
        let (operations, by_operations) = one_step(&net()?, Tape::of_tensor_operations())?;
        assert!((kernels - operations).abs() < 1e-5 * kernels, "{model:?}: loss {kernels} and {operations}");
        if backbone != Backbone::Resnet18 {
            // Before its first step a deeper network amplifies the last bit of an image to percents of a gradient.
            continue;
        }
        for ((name, a), (_, b)) in by_kernels.iter().zip(&by_operations) {
            let apart = length(&mut a.iter().zip(b).map(|(a, b)| a - b)) / length(&mut b.iter().copied());
            assert!(apart < 1e-3, "{model:?}: gradients of {name} are {apart} apart");
        }
    }
    Ok(())
}
