use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use super::super::course::{At, Stand};
use super::*;
use crate::base::digest::Digest;
use crate::data::image::{Mask, Rgb};
use crate::data::loader::{Loading, SampleError, Samples, batches};
use crate::data::sampler::TrainItem;
use crate::nn::WeightsFile;
use crate::nn::frozen::{Family, Frozen};
use crate::nn::weights::State;
use crate::spec::augment::{Strong, Weak};
use crate::spec::model::{Backbone, Head, Model};
use crate::spec::normalisation::Normalisation;
use crate::spec::train::Length;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Five images of two colours, each class a half.
struct Halves;

impl Samples for Halves {
    fn sample(&self, id: &str) -> Result<(Arc<Rgb>, Arc<Mask>), SampleError> {
        let number: usize = id.parse().expect("ids are numbers");
        let class = |i: usize| u8::from(i % 40 / (10 + 4 * number) > 0);
        let mask: Vec<u8> = (0..40 * 32).map(class).collect();
        let image = mask.iter().flat_map(|&class| [40 + 150 * class, 200 - 20 * number as u8, 90]).collect();
        Ok((Arc::new(Rgb::new(40, 32, image)), Arc::new(Mask::new(40, 32, mask))))
    }
}

/// Looks at nothing and keeps the losses.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Progress for Losses {
    fn advance(&mut self, _: u64, _: u64, _: &str) {}

    fn metric(&mut self, name: &str, _: u64, value: f64) {
        if name == "loss" {
            self.0.push(value);
        }
    }

    fn stop_requested(&self) -> bool {
        false
    }
}

struct NoLooks;

impl<P: ?Sized> AfterStep<P> for NoLooks {
    type Error = Infallible;

    fn after_step(&mut self, _: u64, _: &Network, _: &mut P) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What 20 steps of a head left.
struct Trained {
    /// Images through the backbone.
    forwards: usize,
    /// Images that differ in a pixel.
    views: usize,
    losses: Vec<f64>,
    trace: Digest,
    state: Vec<u8>,
}

fn train(
    (backbone, head, file): (Backbone, Head, &str),
    weak: Weak,
    keeps: bool,
) -> Result<Trained, Box<dyn std::error::Error>> {
    let file =
        WeightsFile::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nn").join(file))?;
    let frozen = Arc::new(Frozen::new(Family::of(backbone).ok_or("trained")?, &file, &Device::Cpu)?);
    let model = Model { backbone, head, width: 0.1, output_stride: 8, weights: None };
    let network = Network::on(Arc::clone(&frozen), &model, 2, 0, "teacher", &Device::Cpu)?;
    let settings = Train {
        length: Length::Iterations(20),
        batch: 2,
        base_lr: 0.08,
        head_lr: 10.0,
        momentum: 0.9,
        weight_decay: 1e-4,
        power: 0.9,
        crop: 40,
        base_size: 40,
        drop_last: false,
        oversample: false,
    };
    let loading = Loading {
        seed: 0,
        role: "teacher".to_owned(),
        batch: settings.batch,
        crop: settings.crop,
        base_size: settings.base_size,
        drop_last: settings.drop_last,
        weak,
        strong: Strong::none(),
        normalisation: Normalisation::IMAGENET,
        first_step: 1,
        total_steps: 20,
        prefetch: 0,
        pool: None,
    };
    let item = |id: i32| TrainItem { id: id.to_string(), repeat: 0, strong: true, labeled: true };
    let items: Vec<TrainItem> = (0..5).map(item).collect();
    let mut views = BTreeSet::<Vec<u32>>::new();
    let batches = batches(items.into(), Arc::new(Halves), loading).map(|batch| {
        let batch = batch?;
        let images = batch.images.chunks(3 * settings.crop * settings.crop);
        views.extend(images.map(|image| image.iter().map(|v| v.to_bits()).collect()));
        Ok(Batch { again: batch.again.iter().map(|again| again & keeps).collect(), ..batch })
    });
    let how = Fit { seed: 0, role: "teacher", train: &settings, steps: 20 };
    let mut losses = Losses::default();
    let mut course = Course::new(&network, &settings, 20);
    fit(&mut course, batches, &how, &Device::Cpu, &mut NoLooks, &mut losses)?;
    let trace = course.at().trace.digest();
    let state = network.state()?.to_bytes()?;
    let forwards = frozen.forwards() as usize;
    Ok(Trained { forwards, views: views.len(), losses: losses.0, trace, state })
}

#[test]
fn a_head_learns_on_features_that_are_computed_once_per_view() -> Outcome {
    let still = Weak { scale: [1.0, 1.0], flip: 0.0 };
    let flipped = Weak { flip: 0.5, ..still.clone() };
    let scaled = Weak { scale: [0.5, 1.0], flip: 0.5 };
    for network in [
        (Backbone::Dinov2, Head::Linear, "dinov2.pth"),
        (Backbone::Segformer, Head::Mlp, "segformer.safetensors"),
    ] {
        // 20 steps are 7 passes over 5 images: 2 steps of 2 and one of 1.
        let images = 6 * 5 + 4;
        for (weak, views) in [(&still, 5..=5), (&flipped, 6..=10), (&scaled, 11..=images)] {
            let (kept, anew) = (train(network, weak.clone(), true)?, train(network, weak.clone(), false)?);
            let case = format!("{network:?} {weak:?}");
            assert!(views.contains(&kept.views), "{case}: {} views", kept.views);
            let expected = if kept.views > 10 { images } else { kept.views };
            assert_eq!((kept.forwards, anew.forwards), (expected, images), "{case}");
            assert_eq!(kept.losses, anew.losses, "{case}");
            assert!(kept.trace == anew.trace && kept.state == anew.state, "{case}: trace and state");
            let (first, last) = (kept.losses[0], kept.losses[17..].iter().sum::<f64>() / 3.0);
            assert!(last < 0.8 * first, "{case}: {first} to {last}");
        }
    }
    Ok(())
}

/// Asks to stop after a step.
struct StopAfter(u64, u64);

impl Progress for StopAfter {
    fn advance(&mut self, done: u64, _: u64, _: &str) {
        self.1 = done;
    }

    fn metric(&mut self, _: &str, _: u64, _: f64) {}

    fn stop_requested(&self) -> bool {
        self.1 >= self.0
    }
}

/// A training that stops after each of some steps, and goes on from nothing but the bytes that it then left.
fn interrupted_after(stops: &[u64]) -> Result<(Digest, Vec<u8>), Box<dyn std::error::Error>> {
    const STEPS: u64 = 9;
    let model = Model {
        backbone: Backbone::Resnet18,
        head: Head::DeepLabV3Plus,
        width: 0.125,
        output_stride: 16,
        weights: None,
    };
    let settings = Train {
        length: Length::Iterations(STEPS),
        batch: 2,
        base_lr: 0.08,
        head_lr: 10.0,
        momentum: 0.9,
        weight_decay: 1e-4,
        power: 0.9,
        crop: 33,
        base_size: 40,
        drop_last: true,
        oversample: false,
    };
    let item = |id: i32| TrainItem { id: id.to_string(), repeat: 0, strong: true, labeled: true };
    let items: Arc<[TrainItem]> = (0..5).map(item).collect();
    let how = Fit { seed: 0, role: "teacher", train: &settings, steps: STEPS };
    let mut left: Option<(At, Vec<u8>, Vec<u8>)> = None;
    for stop in stops.iter().chain([&u64::MAX]) {
        // Another seed each time: all that counts is taken over.
        let network =
            Network::new(&model, 2, if left.is_some() { *stop } else { 0 }, "teacher", &Device::Cpu)?;
        let mut course = Course::new(&network, &settings, STEPS);
        if let Some((at, parameters, velocity)) = left {
            let network = State::from_bytes(&parameters, &Device::Cpu)?;
            let velocity = State::from_bytes(&velocity, &Device::Cpu)?;
            course.go_to(&Stand { at, network, velocity })?;
        }
        let loading = Loading {
            seed: 0,
            role: "teacher".to_owned(),
            batch: settings.batch,
            crop: settings.crop,
            base_size: settings.base_size,
            drop_last: settings.drop_last,
            weak: Weak { scale: [0.5, 2.0], flip: 0.5 },
            strong: Strong::none(),
            normalisation: Normalisation::IMAGENET,
            first_step: course.at().step + 1,
            total_steps: STEPS,
            prefetch: 0,
            pool: None,
        };
        let batches = batches(Arc::clone(&items), Arc::new(Halves), loading);
        let outcome = fit(&mut course, batches, &how, &Device::Cpu, &mut NoLooks, &mut StopAfter(*stop, 0));
        let stand = course.stand()?;
        let (parameters, velocity) = (stand.network.to_bytes()?, stand.velocity.to_bytes()?);
        match outcome {
            Err(FitError::Interrupted(_)) => assert_eq!(stand.at.step, *stop),
            outcome => {
                outcome?;
                return Ok((stand.at.trace.digest(), [parameters, velocity].concat()));
            }
        }
        left = Some((stand.at, parameters, velocity));
    }
    unreachable!("nothing stops the last part")
}

#[test]
fn a_training_that_was_interrupted_anywhere_is_the_same_to_the_bit() -> Outcome {
    let whole = interrupted_after(&[])?;
    for stops in [&[1][..], &[2], &[4], &[8], &[1, 2, 3], &[3, 7, 8]] {
        assert!(interrupted_after(stops)? == whole, "stopped after {stops:?}");
    }
    Ok(())
}
