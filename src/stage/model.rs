//! Models in and out of the store.

use std::sync::Arc;

use super::{Context, StageError};
use crate::nn::frozen::{Family, Frozen};
use crate::nn::network::Network;
use crate::nn::weights::{State, WeightsFile, WeightsReport};
use crate::plan::graph::Want;
use crate::plan::work::{ModelState, Net, Work};
use crate::spec::model::Model;
use crate::store::Record;

/// A network to be trained: random weights, below them the pretrained ones where there are some, and how these fit.
pub(super) fn fresh(
    net: &Net,
    seed: u64,
    role: &str,
    context: &Context<'_>,
) -> Result<(Network, Option<WeightsReport>), StageError> {
    if let Some(features) = features(net, context)? {
        let report = features.report().clone();
        return Ok((
            Network::on(features, &model(net), net.classes, seed, role, context.device)?,
            Some(report),
        ));
    }
    let network = Network::new(&model(net), net.classes, seed, role, context.device)?;
    let load = |file: WeightsFile| network.load_backbone(&file);
    let report = weights(net, context)?.map(load).transpose()?;
    Ok((network, report))
}

fn model(net: &Net) -> Model {
    let &Net { backbone, head, width, output_stride, .. } = net;
    Model { backbone, head, width, output_stride, weights: None }
}

/// The file of the pretrained weights, if there are some.
fn weights(net: &Net, context: &Context<'_>) -> Result<Option<WeightsFile>, StageError> {
    Ok(net.weights.map(|digest| WeightsFile::read(&context.weights[&digest])).transpose()?)
}

/// The features that a frozen backbone hands to its head.
fn features(net: &Net, context: &Context<'_>) -> Result<Option<Arc<Frozen>>, StageError> {
    let (Some(family), Some(file)) = (Family::of(net.backbone), weights(net, context)?) else {
        return Ok(None);
    };
    Ok(Some(Arc::new(Frozen::new(family, &file, context.device)?)))
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
    let (net, device) = (&training.net, context.device);
    let network = match features(net, context)? {
        Some(features) => Network::blank_on(features, &model(net), net.classes, device)?,
        None => Network::blank(&model(net), net.classes, device)?,
    };
    network.load_state(&State::from_bytes(&bytes, context.device)?)?;
    Ok(network)
}
