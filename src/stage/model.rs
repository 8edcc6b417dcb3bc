//! Models in and out of the store.

use std::sync::Arc;

use super::{Context, StageError};
use crate::nn::frozen::{Family, Frozen};
use crate::nn::network::Network;
use crate::nn::weights::{State, WeightsFile};
use crate::plan::graph::Want;
use crate::plan::work::{ModelState, Net, Work};
use crate::spec::model::Model;
use crate::store::Record;

/// A network to be trained: random weights, and below them the pretrained ones where there are some.
pub(super) fn fresh(net: &Net, seed: u64, role: &str, context: &Context<'_>) -> Result<Network, StageError> {
    let network = build(net, seed, role, context)?;
    if let Some(digest) = net.weights.filter(|_| !net.backbone.is_frozen()) {
        network.load_backbone(&WeightsFile::read(&context.weights[&digest])?)?;
    }
    Ok(network)
}

/// A network with random weights; a frozen backbone is what its file says.
fn build(net: &Net, seed: u64, role: &str, context: &Context<'_>) -> Result<Network, StageError> {
    let model = Model {
        backbone: net.backbone,
        head: net.head,
        width: net.width,
        output_stride: net.output_stride,
        weights: None,
    };
    let device = context.device;
    Ok(match (Family::of(net.backbone), net.weights) {
        (Some(family), Some(digest)) => {
            let features = Frozen::new(family, &WeightsFile::read(&context.weights[&digest])?, device)?;
            Network::on(Arc::new(features), &model, net.classes, seed, role, device)?
        }
        _ => Network::new(&model, net.classes, seed, role, device)?,
    })
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
    let network = build(&training.net, training.seed, "", context)?;
    network.load_state(&State::from_bytes(&bytes, context.device)?)?;
    Ok(network)
}
