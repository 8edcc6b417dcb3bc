//! The golden trace: a tiny training whose every bit is known for a numerics class.

use std::sync::Arc;

use candle_core::Device;

use super::numerics;
use crate::base::digest::Digest;
use crate::base::progress::Quiet;
use crate::data::image::{Mask, Rgb};
use crate::data::loader::{Loading, SampleError, Samples, batches};
use crate::data::sampler::TrainItem;
use crate::data::subset::Subset;
use crate::data::synthetic;
use crate::nn::network::{Network, NetworkError};
use crate::spec::augment::{Augment, StrongOn};
use crate::spec::data::Synthetic;
use crate::spec::model::{Backbone, Head, Model};
use crate::spec::train::{Length, Train};
use crate::train::course::Course;
use crate::train::fit::{AfterStep, Fit, FitError, fit};

/// Optimiser steps of the golden training.
pub const STEPS: u64 = 20;

/// The digests that are known, by numerics class. One is added when a class is first met, and changed only together
/// with [`numerics::ENGINE_VERSION`].
const KNOWN: &[(&str, &str)] = &[(
    "cpu-x86_64-avx2+fma-f32-engine2",
    "cb9171c42f98acc4106b08ee839811e80d94cc711f8579dfa8a925ed2b05d98f",
)];

/// What the golden training of this machine came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Golden {
    /// The trace that was found.
    pub found: Digest,
    /// The trace that is expected of the numerics class, where it is known.
    pub expected: Option<Digest>,
}

/// Why the golden training failed.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// The network can't be built.
    #[error("build the golden network")]
    Network(#[from] NetworkError),
    /// A step failed.
    #[error("train the golden network")]
    Fit(#[from] FitError<NetworkError>),
}

/// Trains [`STEPS`] steps: synthetic scenes, a narrow ResNet-18, every augmentation.
///
/// # Errors
/// [`GoldenError`].
pub fn golden(device: &Device) -> Result<Golden, GoldenError> {
    let model = Model {
        backbone: Backbone::Resnet18,
        head: Head::DeepLabV3Plus,
        width: 0.125,
        output_stride: 16,
        weights: None,
    };
    let train = Train {
        length: Length::Iterations(STEPS),
        batch: 4,
        base_lr: 0.02,
        head_lr: 10.0,
        momentum: 0.9,
        weight_decay: 1e-4,
        power: 0.9,
        crop: 33,
        base_size: 40,
        drop_last: true,
        oversample: false,
    };
    let mut augment = Augment::default();
    augment.strong.on = StrongOn::Both;
    let network = Network::new(&model, scenes().classes, 0, "golden", device)?;
    let items: Vec<TrainItem> = (0..scenes().train)
        .map(|at| TrainItem { id: at.to_string(), repeat: 0, strong: at % 2 == 0, labeled: true })
        .collect();
    let loading = Loading {
        seed: 0,
        role: "golden".to_owned(),
        batch: train.batch,
        crop: train.crop,
        base_size: train.base_size,
        drop_last: train.drop_last,
        weak: augment.weak,
        strong: augment.strong,
        normalisation: model.backbone.normalisation(),
        first_step: 1,
        total_steps: STEPS,
        prefetch: 0,
        pool: None,
    };
    let batches = batches(items.into(), Arc::new(Scenes), loading);
    let settings = Fit { seed: 0, role: "golden", train: &train, steps: STEPS };
    let mut course = Course::new(&network, &train, STEPS);
    fit(&mut course, batches, &settings, device, &mut Unwatched, &mut Quiet::default())?;
    let found = course.at().trace.digest();
    let class = numerics::class(device);
    let known = KNOWN.iter().find(|(known, _)| *known == class);
    let expected = known.map(|(_, digest)| digest.parse().expect("the table holds digests"));
    Ok(Golden { found, expected })
}

fn scenes() -> Synthetic {
    Synthetic { seed: 0, width: 40, height: 36, train: 12, val: 1, test: 0, classes: 5, difficulty: 0.5 }
}

struct Scenes;

impl Samples for Scenes {
    fn sample(&self, id: &str) -> Result<(Arc<Rgb>, Arc<Mask>), SampleError> {
        let index = id.parse().expect("the ids are numbers of ours");
        let (image, mask) = synthetic::render(&scenes(), Subset::Train, index);
        Ok((Arc::new(image), Arc::new(mask)))
    }
}

struct Unwatched;

impl<P: ?Sized> AfterStep<P> for Unwatched {
    type Error = NetworkError;

    fn after_step(&mut self, _: u64, _: &Network, _: &mut P) -> Result<(), NetworkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_golden_trace_is_the_known_one_with_any_number_of_threads() {
        let traces: Vec<Golden> = [1, 2, 3]
            .map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| golden(&Device::Cpu)).unwrap()
            })
            .to_vec();
        assert_eq!(traces[0].found, traces[1].found, "1 and 2 threads");
        assert_eq!(traces[0].found, traces[2].found, "1 and 3 threads");
        if let Some(expected) = traces[0].expected {
            assert_eq!(
                traces[0].found.to_string(),
                expected.to_string(),
                "the bits of training moved: undo that, or raise ENGINE_VERSION and note the new trace"
            );
        }
    }
}
