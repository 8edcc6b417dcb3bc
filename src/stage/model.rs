//! Models in and out of the store.

use std::path::Path;

use candle_core::Device;

use super::{Context, StageError};
use crate::nn::network::Network;
use crate::nn::weights::{State, WeightsFile, WeightsReport};
use crate::plan::graph::Want;
use crate::plan::work::{ModelState, Net, Work};
use crate::spec::model::Model;
use crate::store::Record;

/// A fresh network with random weights.
pub(super) fn fresh(net: &Net, seed: u64, role: &str, device: &Device) -> Result<Network, StageError> {
    Ok(Network::new(&model(net), net.classes, seed, role, device)?)
}

fn model(net: &Net) -> Model {
    let &Net { backbone, head, width, output_stride, .. } = net;
    Model { backbone, head, width, output_stride, weights: None }
}

/// Loads pretrained weights into the backbone and says how they fit.
pub(super) fn pretrain(network: &Network, path: &Path) -> Result<WeightsReport, StageError> {
    Ok(network.load_backbone(&WeightsFile::read(path)?)?)
}

/// A network's state as bytes: safetensors, names as in PyTorch.
pub(super) fn to_bytes(network: &Network) -> Result<Vec<u8>, StageError> {
    Ok(network.state()?.to_bytes()?)
}

/// The step that a state of a training stands for.
pub(super) fn step_of(record: &Record, state: &ModelState) -> Result<u64, StageError> {
    match state {
        ModelState::At(step) => Ok(*step),
        ModelState::BestOf(steps) => {
            let unseen = steps
                .iter()
                .map(|&step| Want::Validation(step).to_string())
                .find(|name| !record.values.contains_key(name));
            if let Some(output) = unseen {
                let stage = format!("{} {}", record.kind, record.key.short());
                return Err(StageError::NoOutput { stage, output });
            }
            Ok(record.best_look(steps).expect("the reader refuses 0 looks").0)
        }
    }
}

/// A trained network, as it was after a step.
pub(super) fn load(context: &Context<'_>, input: usize, step: u64) -> Result<Network, StageError> {
    let record = context.inputs[input];
    let work: Work = serde_json::from_value(record.work.clone())
        .map_err(|error| context.bad(input, "work", &error.to_string()))?;
    let Work::Train(training) = work else {
        return Err(context.bad(input, "work", "it is no training"));
    };
    let bytes = context.read(input, &Want::Model(step).to_string())?;
    let network = Network::blank(&model(&training.net), training.net.classes, context.device)?;
    network.load_state(&State::from_bytes(&bytes, context.device)?)?;
    Ok(network)
}
