//! Whole networks against PyTorch (`tests/fixtures/nn/make.py`).

use candle_core::DType;

use super::*;
use crate::nn::ops::cross_entropy::cross_entropy;
use crate::nn::ops::fixture::{Case, Fixture};
use crate::nn::tape::Gradients;
use crate::spec::model::{Backbone, Head};
use crate::train::schedule::poly;
use crate::train::sgd::{Rates, Sgd};

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

const BACKBONES: [(&str, Backbone); 5] = [
    ("resnet18", Backbone::Resnet18),
    ("resnet34", Backbone::Resnet34),
    ("resnet50", Backbone::Resnet50),
    ("resnet101", Backbone::Resnet101),
    ("efficientnet-lite0", Backbone::EfficientNetLite0),
];

const HEADS: [(&str, Head); 3] =
    [("deeplabv3plus", Head::DeepLabV3Plus), ("pspnet", Head::PspNet), ("deeplabv2", Head::DeepLabV2)];

/// Numbers in [-1, 1) that the fixture's script makes as well.
fn scattered(name: &str, shape: &[usize]) -> Result<Tensor> {
    let seed = name.bytes().fold(0u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let value = |index: u32| {
        let mixed = index.wrapping_add(1).wrapping_mul(2_654_435_761).wrapping_add(seed);
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(2_246_822_519);
        ((mixed ^ (mixed >> 13)) >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    Tensor::from_vec((0..shape.iter().product::<usize>() as u32).map(value).collect(), shape, &Device::Cpu)
}

/// A network with the script's parameters.
fn prepared(
    backbone: Backbone,
    head: Head,
    width: f64,
    output_stride: usize,
) -> std::result::Result<Network, Box<dyn std::error::Error>> {
    let model = Model { backbone, head, width, output_stride, weights: None };
    let net = Network::new(&model, 3, 0, "teacher", &Device::Cpu)?;
    for (name, var, _) in net.parameters() {
        let values = scattered(name, var.dims())?;
        let fan = var.elem_count() / var.dim(0)?;
        let one_more = var.rank() == 1 && name.ends_with("weight");
        let values = if one_more { ((values / 4.0)? + 1.0)? } else { (values / (fan as f64).sqrt())? };
        let is_last_of_bottleneck = name.ends_with("bn3.weight");
        var.set(&if is_last_of_bottleneck { (values / 4.0)? } else { values })?;
    }
    Ok(net)
}

/// The case's images, whose units are farthest from their kinks, where rounding would flip a gradient; and masks.
fn batch(case: &Case, (h, w): (usize, usize)) -> Result<(Tensor, Tensor)> {
    let number = case.tensor("input").to_vec1::<i64>()?[0];
    let x = scattered(&format!("x{number}"), &[4, 3, h, w])?;
    let target = ((scattered("target", &[4, h, w])? * 2.0)? + 2.0)?.to_dtype(DType::U8)?;
    let ignored = Tensor::full(255u8, target.shape(), &Device::Cpu)?;
    Ok((x, target.eq(3u8)?.where_cond(&ignored, &target)?))
}

/// Logits, loss and gradients of a step.
fn step(net: &Network, x: &Tensor, target: &Tensor) -> Result<(Tensor, Tensor, Gradients)> {
    let tape = Tape::recording(&Device::Cpu);
    let logits = net.forward_train(x, &tape, None)?;
    let loss = cross_entropy(&tape, &logits, target, None)?;
    Ok((logits, loss.clone(), tape.backward(&loss)?))
}

fn every_fourth(x: &Tensor) -> Result<Tensor> {
    let indices = |n: usize| Tensor::arange_step(0u32, n as u32, 4, &Device::Cpu);
    x.index_select(&indices(x.dim(2)?)?, 2)?.index_select(&indices(x.dim(3)?)?, 3)
}

/// What is farther from PyTorch's values than 1e-4 of the largest.
struct Far<'a> {
    case: &'a Case,
    far: Vec<String>,
}

impl<'a> Far<'a> {
    fn from(case: &'a Case) -> Self {
        Self { case, far: Vec::new() }
    }

    fn compare(&mut self, what: &str, found: &Tensor) -> Result<()> {
        let expected = self.case.tensor(what);
        let largest = |t: &Tensor| t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
        let distance = largest(&(found - expected)?)? / largest(expected)?;
        self.check(what, distance.into());
        Ok(())
    }

    fn check(&mut self, what: &str, distance: f64) {
        if distance.is_nan() || distance > 1e-4 {
            self.far.push(format!("{} {what}: {distance:e}", self.case.name()));
        }
    }
}

#[test]
fn a_training_step_is_that_of_pytorch() -> Outcome {
    let fixture = Fixture::open("network");
    for (name, backbone, output_stride, size) in [
        ("resnet18 at 16", Backbone::Resnet18, 16, (33, 26)),
        ("resnet50 at 8", Backbone::Resnet50, 8, (17, 18)),
    ] {
        let case = fixture.case(name);
        let (x, target) = batch(&case, size)?;
        // One network shows its gradients, another is moved by the same ones.
        let prepared = || prepared(backbone, Head::DeepLabV3Plus, 0.125, output_stride);
        let (shown, net) = (prepared()?, prepared()?);
        let (logits, loss, mut gradients) = step(&shown, &x, &target)?;
        Sgd::new(net.parameters(), 0.9, 1e-4)
            .step(step(&net, &x, &target)?.2, Rates { backbone: 0.01, head: 0.1 })?;

        let mut far = Far::from(&case);
        far.compare("logits", &every_fourth(&logits)?)?;
        far.compare("loss", &loss)?;
        let mut compared = 0;
        for ((name, var, _), (_, twin, _)) in net.parameters().zip(shown.parameters()) {
            if !case.has(&format!("grad.{name}")) {
                continue;
            }
            far.compare(&format!("grad.{name}"), &gradients.take(twin)?.ok_or("no gradient")?)?;
            far.compare(&format!("after.{name}"), var)?;
            compared += 1;
        }
        far.compare("inference", &every_fourth(&net.forward(&x)?)?)?;
        assert!(far.far.is_empty(), "{:#?}", far.far);
        assert_eq!(compared, 8, "{name}");
    }
    Ok(())
}

/// Length of a gradient, and its product with the numbers scattered under the parameter's name.
fn summary(name: &str, gradient: &Tensor) -> Result<(f64, f64)> {
    let numbers = |t: &Tensor| t.flatten_all()?.to_vec1::<f32>();
    let (gradient, scattered) = (numbers(gradient)?, numbers(&scattered(name, gradient.dims())?)?);
    let product = |other: &[f32]| -> f64 {
        gradient.iter().zip(other).map(|(g, o)| f64::from(*g) * f64::from(*o)).sum()
    };
    Ok((product(&gradient).sqrt(), product(&scattered)))
}

#[test]
fn every_backbone_with_every_head_is_that_of_pytorch() -> Outcome {
    let fixture = Fixture::open("networks");
    let mut all = Vec::new();
    for (backbone_name, backbone) in BACKBONES {
        for (head_name, head) in HEADS {
            let case = fixture.case(&format!("{backbone_name} {head_name}"));
            let net = prepared(backbone, head, 0.125, 16)?;
            let (x, target) = batch(&case, (33, 26))?;
            let (logits, loss, mut gradients) = step(&net, &x, &target)?;
            let mut far = Far::from(&case);
            far.compare("logits", &every_fourth(&logits)?)?;
            far.compare("loss", &loss)?;
            let expected = case.tensor("gradients").to_vec2::<f32>()?;
            assert_eq!(net.parameters().count(), expected.len(), "{}", case.name());
            let largest = expected.iter().fold(0.0, |l: f32, row| l.max(row[0]));
            for ((name, var, _), row) in net.parameters().zip(expected) {
                let (length, product) = summary(name, &gradients.take(var)?.ok_or("no gradient")?)?;
                let apart = (product - f64::from(row[1])).abs().max((length - f64::from(row[0])).abs());
                // The next normalisation takes some shifts out again, whose gradients are but rounding.
                let is_zero = row[0] < 1e-9 * largest;
                far.check(name, apart / f64::from(if is_zero { 0.01 * largest } else { row[0] }));
            }
            far.compare("inference", &every_fourth(&net.forward(&x)?)?)?;
            all.extend(far.far);
        }
    }
    assert!(all.is_empty(), "{all:#?}");
    Ok(())
}

/// A batch as the script makes it: coloured blocks, a tint and noise; a pixel's class is its block's strongest colour.
fn lesson(number: usize, (h, w): (usize, usize)) -> Result<(Tensor, Tensor)> {
    let places = |n: usize| Tensor::from_iter((0..n as u32).map(|i| i / 8), &Device::Cpu);
    let blocks = scattered(&format!("blocks{number}"), &[4, 3, h.div_ceil(8), w.div_ceil(8)])?;
    let blocks = blocks.index_select(&places(h)?, 2)?.index_select(&places(w)?, 3)?;
    let noise = scattered(&format!("noise{number}"), &[4, 3, h, w])?;
    let tint = scattered(&format!("tint{number}"), &[4, 3, 1, 1])?;
    let images = ((&blocks * 2.0)? + (noise / 2.0)?)?.broadcast_add(&tint)?;
    Ok((images, blocks.argmax(1)?.to_dtype(DType::U8)?))
}

/// The losses of 50 steps on three batches in turn, with the official schedule.
fn losses(net: &Network, size: (usize, usize), base_lr: f64) -> Result<Vec<f32>> {
    let lessons = [lesson(0, size)?, lesson(1, size)?, lesson(2, size)?];
    let mut sgd = Sgd::new(net.parameters(), 0.9, 1e-4);
    let mut losses = Vec::new();
    for number in 0..50 {
        let (x, target) = &lessons[number % 3];
        let (_, loss, gradients) = step(net, x, target)?;
        let lr = poly(base_lr, number as u64, 50, 0.9);
        sgd.step(gradients, Rates { backbone: lr, head: 10.0 * lr })?;
        losses.push(loss.to_scalar()?);
    }
    Ok(losses)
}

/// Fails where a loss is more than 1e-3 of PyTorch's in double precision away.
fn compare_losses(name: &str, found: &[f32]) -> Result<()> {
    let expected = Fixture::open("training").case(name).tensor("losses").to_vec1::<f32>()?;
    assert_eq!(found.len(), expected.len());
    let far = found.iter().zip(&expected).map(|(f, e)| (f / e - 1.0).abs());
    let (step, far) = far.enumerate().fold((0, 0.0), |w, f| if f.1 <= w.1 { w } else { f });
    assert!(far <= 1e-3, "{name}: the loss of step {step} is {far} off: {found:?}, {expected:?}");
    Ok(())
}

#[test]
fn fifty_steps_are_those_of_pytorch() -> Outcome {
    let net = prepared(Backbone::Resnet18, Head::DeepLabV3Plus, 0.25, 16)?;
    Ok(compare_losses("resnet18", &losses(&net, (41, 34), 0.001)?)?)
}

#[test]
fn fifty_steps_from_pretrained_weights_are_those_of_pytorch() -> Outcome {
    let Some(folder) = std::env::var_os("STPP_WEIGHTS") else {
        eprintln!("skipped: STPP_WEIGHTS names no folder with efficientnet_lite0.safetensors");
        return Ok(());
    };
    let net = prepared(Backbone::EfficientNetLite0, Head::DeepLabV3Plus, 1.0, 16)?;
    let file = std::path::PathBuf::from(folder).join("efficientnet_lite0.safetensors");
    let report = net.load_backbone(&WeightsFile::read(&file)?)?;
    assert_eq!((report.loaded, report.missing.len()), (240, 0));
    Ok(compare_losses("efficientnet-lite0", &losses(&net, (65, 58), 0.00025)?)?)
}
