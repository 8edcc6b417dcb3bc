//! `teacher` and `retrain`: one model from fresh weights.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::samples::TrainingSamples;
use super::{Context, Desk, Left, StageError, keep, model};
use crate::base::progress::Progress;
use crate::data::loader::{Loading, batches};
use crate::data::sampler::TrainItem;
use crate::data::subset::Subset;
use crate::metric::confusion::Confusion;
use crate::nn::network::Network;
use crate::nn::weights::{State, WeightsError};
use crate::plan::graph::Want;
use crate::plan::work::{Training, Unlabeled};
use crate::spec::augment::StrongOn;
use crate::store::pack::Pack;
use crate::store::running::{ResumeHead, ResumePoint};
use crate::store::{Artifact, Mark};
use crate::train::course::{At, Course, Stand};
use crate::train::evaluate::{Evaluation, Forgetful, evaluate};
use crate::train::fit::{AfterStep, Fit, fit};

/// Batches that are made ahead of the step that needs them.
const PREFETCH: usize = 3;

/// Runs the stage. Outputs: `model@<step>` (safetensors) for every step that someone wants, `metrics`.
/// Values: `validation@<step>`, mIoU in [0, 1].
pub(super) fn run(work: &Training, context: &Context<'_>, desk: &mut dyn Desk) -> Result<Left, StageError> {
    let role = context.role.expect("a training has a role").word();
    let (network, fitting) = model::fresh(&work.net, work.seed, role, context)?;
    network.check_crop(work.train.crop)?;
    if let (Some(report), Some(digest)) = (fitting, &work.net.weights) {
        desk.note(&format!("weights {}: {report}", context.weights[digest].display()));
    }
    let mut course = Course::new(&network, &work.train, work.steps);
    let mut looks = Looks::new(context, work.net.classes);
    if let Some(point) = desk.resume(&mut |head| looks.suits(head))? {
        looks.go_on(&mut course, point)?;
        desk.note(&format!("goes on after step {} of {}", course.at().step, work.steps));
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
        first_step: course.at().step + 1,
        total_steps: work.steps,
        prefetch: PREFETCH,
        pool: None,
    };
    let settings = Fit { seed: work.seed, role, train: &work.train, steps: work.steps };
    let batches = batches(items.into(), Arc::new(samples), loading);
    // On a worker thread, so that every parallel loop of a step finds its pool at hand.
    let outcome = rayon::scope(|_| {
        fit(&mut course, batches, &settings, context.device, &mut looks, desk).map_err(Box::new)
    });
    if let Err(error) = outcome {
        let error = StageError::from(*error);
        if error.is_interrupted() {
            looks.write_resume(&course, desk)?;
        }
        return Err(error);
    }
    let mut left = looks.left;
    let trace = &course.at().trace;
    left.trace = Some(trace.digest());
    left.marks = trace.marks().iter().map(|&(step, trace)| Mark { step, trace }).collect();
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

/// Keeps checkpoints and looks at validation images, after the steps that someone wants; and keeps resume points.
struct Looks<'a> {
    context: &'a Context<'a>,
    val: Vec<String>,
    classes: usize,
    left: Left,
}

/// The blobs of a resume point.
const NETWORK: &str = "network";
const VELOCITY: &str = "velocity";

impl<'a> Looks<'a> {
    fn new(context: &'a Context<'a>, classes: usize) -> Self {
        let val = context.dataset.subset(Subset::Val).map(|entry| entry.id.clone()).collect();
        Self { context, val, classes, left: Left::default() }
    }

    /// Whether a training that goes on from here leaves all that is wanted: what is wanted of earlier steps must be
    /// there, since other wishes may have been had when the resume point was written.
    fn suits(&self, head: &ResumeHead) -> bool {
        let Ok(at) = serde_json::from_value::<At>(head.state.clone()) else { return false };
        let is_there = |want: &Want| {
            let name = want.to_string();
            let kept =
                head.outputs.get(&name).is_some_and(|a| self.context.keeps.object_path(a.digest).is_some());
            kept || head.values.contains_key(&name)
        };
        self.context.wants.iter().all(|want| match want {
            Want::Model(step) | Want::Validation(step) => {
                *step > at.step || (*step == at.step && !at.looked) || is_there(want)
            }
            _ => true,
        })
    }

    /// Goes to a resume point that suits.
    fn go_on(&mut self, course: &mut Course<'_>, point: ResumePoint) -> Result<(), StageError> {
        let ResumePoint { head, blobs } = point;
        let at: At = serde_json::from_value(head.state).expect("the resume point suits");
        let step = at.step;
        let other =
            |error| StageError::OtherResume { stage: self.context.name(), step, source: Box::new(error) };
        let state = |name: &str| {
            let bytes = blobs.get(name).map_or(&[][..], Vec::as_slice);
            State::from_bytes(bytes, self.context.device).map_err(other)
        };
        let stand = Stand { at, network: state(NETWORK)?, velocity: state(VELOCITY)? };
        course.go_to(&stand).map_err(other)?;
        // What nobody wants any more would not be there in a training without an interruption.
        let wanted: BTreeSet<String> = self.context.wants.iter().map(Want::to_string).collect();
        self.left.outputs = head.outputs.into_iter().filter(|(name, _)| wanted.contains(name)).collect();
        self.left.values = head.values.into_iter().filter(|(name, _)| wanted.contains(name)).collect();
        Ok(())
    }

    fn write_resume(&self, course: &Course<'_>, desk: &mut dyn Desk) -> Result<(), StageError> {
        let stand = course.stand()?;
        let head = ResumeHead {
            step: stand.at.step,
            outputs: self.left.outputs.clone(),
            values: self.left.values.clone(),
            points: Vec::new(),
            state: serde_json::to_value(&stand.at).expect("it is plain data"),
        };
        let blobs = [(NETWORK, &stand.network), (VELOCITY, &stand.velocity)]
            .map(|(name, state)| Ok((name.to_owned(), state.to_bytes()?)))
            .into_iter()
            .collect::<Result<_, WeightsError>>()?;
        Ok(desk.keep(ResumePoint { head, blobs })?)
    }
}

impl<'a> AfterStep<dyn Desk + 'a> for Looks<'_> {
    type Error = StageError;

    fn after_step(
        &mut self,
        step: u64,
        network: &Network,
        desk: &mut (dyn Desk + 'a),
    ) -> Result<(), StageError> {
        let model = Want::Model(step);
        if self.context.wants.contains(&model) {
            let artifact: Artifact = keep(self.context.keeps, &model::to_bytes(network)?)?;
            self.left.outputs.insert(model.to_string(), artifact);
        }
        let validation = Want::Validation(step);
        if self.context.wants.contains(&validation) {
            let mut silent = Silent(desk);
            let pixels = &**self.context.pixels();
            let evaluation = Evaluation { ids: &self.val, pixels, classes: self.classes, windows: None };
            let confusions = evaluate(network, evaluation, self.context.device, &mut silent, &mut Forgetful)?;
            let mut total = Confusion::new(self.classes);
            confusions.iter().for_each(|confusion| total.merge(confusion));
            let miou = total.miou().ok_or(StageError::NothingCounts { subset: Subset::Val.to_string() })?;
            desk.metric("val/miou", step, miou);
            self.left.values.insert(validation.to_string(), miou);
        }
        Ok(())
    }

    fn keep(
        &mut self,
        course: &Course<'_>,
        ends_epoch: bool,
        desk: &mut (dyn Desk + 'a),
    ) -> Result<(), StageError> {
        if desk.is_due(ends_epoch) { self.write_resume(course, desk) } else { Ok(()) }
    }
}

/// Lets a stop through, but no progress: a look at validation images is part of a training step.
struct Silent<'a, 'b>(&'a mut (dyn Desk + 'b));

impl Progress for Silent<'_, '_> {
    fn advance(&mut self, _: u64, _: u64, _: &str) {}

    fn metric(&mut self, _: &str, _: u64, _: f64) {}

    fn stop_requested(&self) -> bool {
        self.0.stop_requested()
    }
}
