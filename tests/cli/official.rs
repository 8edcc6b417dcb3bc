//! Checkpoints go to PyTorch and come back: names and shapes are those of the official networks.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use candle_core::{Device, Tensor};
use stpp::nn::network::Network;
use stpp::nn::tape::Tape;
use stpp::nn::{State, WeightsFile};
use stpp::spec::model::{Backbone, Head, Model};

const BACKBONES: [Backbone; 5] = [
    Backbone::Resnet18,
    Backbone::Resnet34,
    Backbone::Resnet50,
    Backbone::Resnet101,
    Backbone::EfficientNetLite0,
];

const HEADS: [Head; 3] = [Head::DeepLabV3Plus, Head::PspNet, Head::DeepLabV2];

fn network(backbone: Backbone, head: Head, seed: u64) -> Result<Network, Box<dyn Error>> {
    let model = Model { backbone, head, width: 0.125, output_stride: 8, weights: None };
    Ok(Network::new(&model, 5, seed, "teacher", &Device::Cpu)?)
}

/// Images with numbers from a formula.
fn images(seed: usize) -> candle_core::Result<Tensor> {
    let shape = (2, 3, 47, 50);
    let values = (0..2 * 3 * 47 * 50).map(|i| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0);
    Tensor::from_vec(values.collect(), shape, &Device::Cpu)
}

/// A state whose running averages are no longer those that a network begins with, images, and their logits.
fn write(folder: &Path, backbone: Backbone, head: Head) -> Result<State, Box<dyn Error>> {
    let net = network(backbone, head, 1)?;
    for seed in 0..8 {
        net.forward_train(&images(seed)?, &Tape::silent(&Device::Cpu), None)?;
    }
    let state = net.state()?;
    let name = format!("{backbone}.{head}");
    std::fs::write(folder.join(format!("{name}.safetensors")), state.to_bytes()?)?;
    let mut io = State::default();
    io.insert("x", images(100)?);
    io.insert("logits", net.forward(&images(100)?)?);
    std::fs::write(folder.join(format!("{name}.io")), io.to_bytes()?)?;
    Ok(state)
}

#[test]
fn a_checkpoint_loads_into_the_official_network_and_back() -> Result<(), Box<dyn Error>> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import torch"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        println!("skipped: `{python} -c 'import torch'` does not work; PYTHON names another Python");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut states = Vec::new();
    for backbone in BACKBONES {
        for head in HEADS {
            states.push((backbone, head, write(folder.path(), backbone, head)?));
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nn/official.py");
    let ran = Command::new(&python).arg(script).arg(folder.path()).output()?;
    let (said, wrong) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{said}\n{wrong}");
    assert!(said.contains("15 checkpoints give the same logits"), "{said}");

    for (backbone, head, state) in states {
        let file = WeightsFile::read(&folder.path().join(format!("{backbone}.{head}.pth")))?;
        let back = network(backbone, head, 2)?;
        let report = back.load_backbone(&file)?;
        assert!(report.missing.is_empty() && report.misshaped.is_empty(), "{backbone} {head}: {report}");
        let after = back.state()?;
        for (name, tensor) in state.iter() {
            let values = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>());
            if name.starts_with("backbone.") {
                let found = after.get(name).ok_or("a name is gone")?;
                assert_eq!(values(tensor)?, values(found)?, "{backbone} {head} {name}");
            } else {
                assert!(report.unused.iter().any(|unused| unused == name), "{backbone} {head} {name}");
            }
        }
    }
    Ok(())
}
