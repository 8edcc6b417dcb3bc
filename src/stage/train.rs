//! `teacher` and `retrain`: one model from fresh weights.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::samples::TrainingSamples;
use super::{Context, Left, StageError, keep, model};
use crate::base::progress::Progress;
use crate::data::loader::{Loading, batches};
use crate::data::sampler::TrainItem;
use crate::data::subset::Subset;
use crate::metric::confusion::Confusion;
use crate::nn::network::Network;
use crate::plan::graph::Want;
use crate::plan::work::{Training, Unlabeled};
use crate::spec::augment::StrongOn;
use crate::store::Artifact;
use crate::store::pack::Pack;
use crate::train::evaluate::{Evaluation, evaluate};
use crate::train::fit::{AfterStep, Fit, fit};

/// Batches that are made ahead of the step that needs them.
const PREFETCH: usize = 3;

/// Runs the stage. Outputs: `model@<step>` (safetensors) for every step that someone wants, `metrics`.
/// Values: `validation@<step>`, mIoU in [0, 1].
pub(super) fn run(
    work: &Training,
    context: &Context<'_>,
    progress: &mut dyn Progress,
) -> Result<Left, StageError> {
    let role = context.role.expect("a training has a role").word();
    let (network, fitting) = model::fresh(&work.net, work.seed, role, context)?;
    network.check_crop(work.train.crop)?;
    if let (Some(report), Some(digest)) = (fitting, &work.net.weights) {
        progress.note(&format!("weights {}: {report}", context.weights[digest].display()));
    }
    let (samples, items) = training_list(work, context)?;
    let loading = Loading {
        seed: work.seed,
        role: role.to_owned(),
        batch: work.train.batch,
        crop: work.train.crop,
        base_size: work.train.base_size,
        drop_last: work.train.drop_last,
        weak: work.augment.weak.clone(),
        strong: work.augment.strong.clone(),
        normalisation: work.net.backbone.normalisation(),
        first_step: 1,
        total_steps: work.steps,
        prefetch: PREFETCH,
        pool: None,
    };
    let val: Vec<String> = context.dataset.subset(Subset::Val).map(|entry| entry.id.clone()).collect();
    let mut looks = Looks { context, val: &val, classes: work.net.classes, left: Left::default() };
    let settings = Fit { seed: work.seed, role, train: &work.train, steps: work.steps };
    let batches = batches(items.into(), Arc::new(samples), loading);
    // On a worker thread, so that every parallel loop of a step finds its pool at hand.
    let trace = rayon::scope(|_| {
        fit(&network, batches, &settings, context.device, &mut looks, progress).map_err(Box::new)
    })
    .map_err(|error| StageError::from(*error))?;
    let mut left = looks.left;
    left.trace = Some(trace);
    left.headline = left
        .values
        .get(&Want::Validation(work.steps).to_string())
        .map_or_else(String::new, |miou| format!("val mIoU {:.2}", miou * 100.0));
    Ok(left)
}

/// The training list: labeled images as often as they are repeated, and every unlabeled image with a mask once.
fn training_list(
    work: &Training,
    context: &Context<'_>,
) -> Result<(TrainingSamples, Vec<TrainItem>), StageError> {
    let strong_on = work.augment.strong.on;
    let strong_labeled = matches!(strong_on, StrongOn::Labeled | StrongOn::Both);
    let strong_unlabeled = matches!(strong_on, StrongOn::Unlabeled | StrongOn::Both);
    let mut items = Vec::new();
    let mut add = |id: &str, repeats: usize, strong: bool, labeled: bool| {
        for repeat in 0..repeats {
            items.push(TrainItem { id: id.to_owned(), repeat: repeat as u32, strong, labeled });
        }
    };
    let mut labeled: BTreeSet<String> = work.labeled.list().iter().cloned().collect();
    for id in &labeled {
        add(id, work.repeats, strong_labeled, true);
    }
    let mut pseudo: Vec<Pack> = Vec::new();
    match &work.unlabeled {
        Unlabeled::None => {}
        Unlabeled::Truth(ids) => {
            for id in ids.list().iter() {
                add(id, work.repeats, strong_labeled, true);
                labeled.insert(id.clone());
            }
        }
        Unlabeled::Pseudo(_) => {
            for input in 1..context.inputs.len() {
                pseudo.push(context.read_pack(input, "masks")?);
            }
            let ids: BTreeSet<&str> = pseudo.iter().flat_map(Pack::ids).collect();
            for id in ids {
                add(id, 1, strong_unlabeled, false);
            }
        }
    }
    Ok((TrainingSamples::new(Arc::clone(context.pixels()), labeled, pseudo), items))
}

/// Keeps checkpoints and looks at validation images, after the steps that someone wants.
struct Looks<'a> {
    context: &'a Context<'a>,
    val: &'a [String],
    classes: usize,
    left: Left,
}

impl AfterStep for Looks<'_> {
    type Error = StageError;

    fn after_step(
        &mut self,
        step: u64,
        network: &Network,
        progress: &mut dyn Progress,
    ) -> Result<(), StageError> {
        let model = Want::Model(step);
        if self.context.wants.contains(&model) {
            let artifact: Artifact = keep(self.context.store, &model::to_bytes(network)?)?;
            self.left.outputs.insert(model.to_string(), artifact);
        }
        let validation = Want::Validation(step);
        if self.context.wants.contains(&validation) {
            let mut silent = Silent(progress);
            let pixels = &**self.context.pixels();
            let evaluation = Evaluation { ids: self.val, pixels, classes: self.classes, windows: None };
            let confusions = evaluate(network, evaluation, self.context.device, &mut silent)?;
            let mut total = Confusion::new(self.classes);
            confusions.iter().for_each(|confusion| total.merge(confusion));
            let miou = total.miou().ok_or(StageError::NothingCounts { subset: Subset::Val.to_string() })?;
            progress.metric("val/miou", step, miou);
            self.left.values.insert(validation.to_string(), miou);
        }
        Ok(())
    }
}

/// Lets a stop through, but no progress: a look at validation images is part of a training step.
struct Silent<'a>(&'a mut dyn Progress);

impl Progress for Silent<'_> {
    fn advance(&mut self, _: u64, _: u64, _: &str) {}

    fn metric(&mut self, _: &str, _: u64, _: f64) {}

    fn stop_requested(&self) -> bool {
        self.0.stop_requested()
    }
}
