use std::path::PathBuf;

use candle_core::{DType, Device};

use super::*;
use crate::nn::params::Parameters;
use crate::nn::tape::Tape;
use crate::nn::weights::{State, WeightsFile};

fn build(width: f64, output_stride: usize) -> Result<(EfficientNetLite, Parameters)> {
    let mut parameters = Parameters::default();
    let mut builder = Builder::new(&mut parameters, 0, "teacher", &Device::Cpu);
    let net = EfficientNetLite::new(&mut builder, width, output_stride)?;
    Ok((net, parameters))
}

#[test]
fn the_parameter_count_is_the_published_one() -> Result<()> {
    // 4 652 008 with `_conv_head`, `_bn1` and `_fc`.
    let (_, parameters) = build(1.0, 8)?;
    let count: usize = parameters.trainable.values().map(|v| v.elem_count()).sum();
    assert_eq!(count, 4_652_008 - 320 * 1280 - 2 * 1280 - 1281 * 1000);
    Ok(())
}

#[test]
fn the_output_stride_is_kept_for_odd_sizes() -> Result<()> {
    let tape = Tape::silent(&Device::Cpu);
    let x = Tensor::zeros((1, 3, 33, 50), DType::F32, &Device::Cpu)?;
    for (output_stride, high) in [(8, (5, 7)), (16, (3, 4)), (32, (2, 2))] {
        let (net, _) = build(0.25, output_stride)?;
        let features = net.forward(&x, Pass::Infer(&tape))?;
        assert_eq!(features.low.dims(), [1, 8, 9, 13]);
        assert_eq!(features.high.dims(), [1, 80, high.0, high.1], "{output_stride}");
    }
    Ok(())
}

#[test]
fn strides_become_dilation_of_the_blocks_behind_them() -> Result<()> {
    let depthwise = |output_stride| -> Result<Vec<_>> {
        let (net, _) = build(0.25, output_stride)?;
        Ok(net.blocks.iter().map(|block| block.depthwise.window()).map(|w| (w.stride, w.dilation)).collect())
    };
    let first = [(1, 1), (2, 1), (1, 1), (2, 1), (1, 1)];
    let rest = |steps: [(usize, usize); 4]| {
        let [four, behind_four, six, behind_six] = steps;
        let mut all = first.to_vec();
        all.push(four);
        all.extend([behind_four; 5]);
        all.push(six);
        all.extend([behind_six; 4]);
        all
    };
    assert_eq!(depthwise(32)?, rest([(2, 1), (1, 1), (2, 1), (1, 1)]));
    assert_eq!(depthwise(16)?, rest([(2, 1), (1, 1), (1, 1), (1, 2)]));
    assert_eq!(depthwise(8)?, rest([(1, 1), (1, 2), (1, 2), (1, 4)]));
    Ok(())
}

#[test]
fn a_block_adds_its_input_where_the_shapes_agree() -> Result<()> {
    for output_stride in [8, 32] {
        let (net, _) = build(1.0, output_stride)?;
        let residual: Vec<_> = (0..16).filter(|&n| net.blocks[n].residual).collect();
        assert_eq!(residual, [2, 4, 6, 7, 9, 10, 12, 13, 14], "{output_stride}");
    }
    Ok(())
}

/// A file of `STPP_WEIGHTS`; says so on the terminal where it names no folder.
fn weights(file: &str) -> Option<PathBuf> {
    let path = std::env::var_os("STPP_WEIGHTS").map(|folder| PathBuf::from(folder).join(file));
    if path.is_none() {
        eprintln!("skipped: STPP_WEIGHTS names no folder with {file}");
    }
    path
}

/// Everything that PyTorch ports of the network call a parameter, and what it looks like.
#[test]
fn names_and_shapes_are_those_of_the_published_weights() -> std::result::Result<(), Box<dyn std::error::Error>>
{
    let Some(path) = weights("efficientnet_lite0.safetensors") else { return Ok(()) };
    let (_, parameters) = build(1.0, 8)?;
    let report = WeightsFile::read(&path)?.tensors().fit(&parameters.all());
    assert!(report.missing.is_empty() && report.misshaped.is_empty(), "{report}");
    let classifier = ["_bn1.", "_conv_head.", "_fc."];
    assert!(
        report.unused.iter().all(|name| classifier.iter().any(|part| name.starts_with(part))),
        "{report}"
    );
    assert_eq!((report.loaded, report.unused.len()), (240, 7));
    Ok(())
}

#[test]
fn features_and_logits_are_those_of_the_published_network()
-> std::result::Result<(), Box<dyn std::error::Error>> {
    let Some(path) = weights("efficientnet_lite0.safetensors") else { return Ok(()) };
    let file = WeightsFile::read(&path)?;
    let reference = WeightsFile::read(&path.with_file_name("efficientnet_lite0_reference_io.safetensors"))?;
    let expected = |name: &str| reference.tensors().get(name).cloned().ok_or(format!("no {name}"));
    let (net, parameters) = build(1.0, 32)?;
    file.tensors().fill(&parameters.all())?;

    let tape = Tape::silent(&Device::Cpu);
    let pass = Pass::Infer(&tape);
    let mut x = net.stem.forward(&expected("input")?, pass)?;
    for (number, block) in net.blocks.iter().enumerate() {
        x = block.forward(&x, pass)?;
        let name = match number {
            2 => "block2_s4",
            4 => "block4_s8",
            10 => "block10_s16",
            15 => "block15_s32",
            _ => continue,
        };
        close(name, &x, &expected(name)?)?;
    }
    let features = net.forward(&expected("input")?, pass)?;
    close("shallow", &features.low, &expected("block2_s4")?)?;
    close("deep", &features.high, &expected("block15_s32")?)?;
    close("logits", &classify(&features.high, file.tensors())?, &expected("logits")?)?;
    Ok(())
}

/// The part of the network that is no backbone, in tensor operations.
fn classify(features: &Tensor, state: &State) -> Result<Tensor> {
    let of = |name: &str| state.get(name).expect("the file has all of the network");
    let (_, channels, height, width) = features.dims4()?;
    let x = of("_conv_head.weight").squeeze(3)?.squeeze(2)?;
    let x = x.matmul(&features.reshape((channels, height * width))?)?;
    let column = |name: &str| of(name).unsqueeze(1);
    let deviation = (column("_bn1.running_var")? + EPSILON)?.sqrt()?;
    let x = x.broadcast_sub(&column("_bn1.running_mean")?)?.broadcast_div(&deviation)?;
    let x = x.broadcast_mul(&column("_bn1.weight")?)?.broadcast_add(&column("_bn1.bias")?)?;
    let pooled = x.clamp(0.0, 6.0)?.mean_keepdim(1)?;
    of("_fc.weight").matmul(&pooled)?.broadcast_add(&column("_fc.bias")?)?.t()
}

/// Fails where the farthest value is more than 1e-4 of the largest away.
fn close(what: &str, found: &Tensor, expected: &Tensor) -> Result<()> {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let largest = |t: &Tensor| t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
    let distance = largest(&(found - expected)?)? / largest(expected)?;
    assert!(distance <= 1e-4, "{what} is {distance} off");
    Ok(())
}
