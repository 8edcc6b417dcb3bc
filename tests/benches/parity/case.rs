//! The cases, and what is asked of each. `pytorch.py` is told a case as JSON, so that there is one list.

use serde::Serialize;
use stpp::spec::augment::Augment;
use stpp::spec::method::Tta;

/// Something both sides do.
pub struct Case {
    /// As it is asked for.
    pub name: &'static str,
    /// What is done.
    pub work: Work,
    /// What is asked of the ratios.
    pub target: Target,
}

/// The largest ratios, ours over PyTorch's, that are good enough.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Target {
    /// Of the time, where one is asked for.
    pub time: Option<f64>,
    /// Of the largest resident set.
    pub memory: f64,
}

/// What is done, once per repetition.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "work", rename_all = "lowercase")]
pub enum Work {
    /// One optimiser step: forward, cross entropy, backward, SGD.
    Train { net: Net, batch: usize, side: usize, optimiser: Optimiser },
    /// One forward pass to predict with.
    Infer { net: Net, batch: usize, side: usize },
    /// Masks of some images, one after the other, with test-time augmentation.
    Label { net: Net, images: usize, width: usize, height: usize, tta: Tta },
    /// The next images of CamVid, from files to normalised arrays, with weak and strong augmentation.
    Pipeline { images: usize, base_size: usize, crop: usize, augment: Box<Augment> },
}

/// A network with a DeepLabV3+ head.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Net {
    /// Named as in a spec.
    pub backbone: &'static str,
    /// Of all channel counts.
    pub width: f64,
    /// 8 or 16.
    pub output_stride: usize,
    /// Logits per pixel.
    pub classes: usize,
}

/// Settings of SGD.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Optimiser {
    /// Of the backbone; the head has ten times that.
    pub lr: f64,
    /// Of the velocity.
    pub momentum: f64,
    /// On every parameter.
    pub weight_decay: f64,
}

const SGD: Optimiser = Optimiser { lr: 1e-4, momentum: 0.9, weight_decay: 1e-4 };
const R50: Net = Net { backbone: "resnet50", width: 1.0, output_stride: 8, classes: 21 };
const R18: Net = Net { backbone: "resnet18", ..R50 };
const SMALL: Net = Net { backbone: "resnet18", width: 0.25, output_stride: 16, classes: 11 };
const LITE0: Net = Net { backbone: "efficientnet-lite0", width: 1.0, output_stride: 16, classes: 11 };

/// Every case, in the order of the table.
pub fn all() -> Vec<Case> {
    let case = |name, work, time| Case { name, work, target: Target { time, memory: 0.75 } };
    let train = |net, batch, side| Work::Train { net, batch, side, optimiser: SGD };
    let infer = |net, batch, side| Work::Infer { net, batch, side };
    let tta = Tta { scales: vec![0.5, 0.75, 1.0, 1.5, 2.0], flip: true };
    let augment = Box::new(Augment::default());
    vec![
        case("train/r50-129", train(R50, 2, 129), Some(0.85)),
        case("train/r50-321", train(R50, 2, 321), Some(0.8)),
        case("train/r18-129", train(R18, 4, 129), Some(1.0)),
        case("train/r18-small", train(SMALL, 8, 48), None),
        case("train/lite0-160", train(LITE0, 8, 160), Some(1.0)),
        case("infer/r50-129", infer(R50, 2, 129), Some(0.9)),
        case("infer/r50-321", infer(R50, 2, 321), Some(0.9)),
        case("infer/r18-129", infer(R18, 4, 129), Some(0.9)),
        case("infer/r18-small", infer(SMALL, 8, 48), Some(0.9)),
        case("infer/lite0-160", infer(LITE0, 8, 160), Some(0.9)),
        case("label/r18-tta", Work::Label { net: R18, images: 2, width: 160, height: 120, tta }, Some(0.9)),
        // Three times the images per second of a core.
        case("pipeline", Work::Pipeline { images: 48, base_size: 400, crop: 321, augment }, Some(1.0 / 3.0)),
    ]
}

impl Work {
    /// The threads of a worker, where `asked` are wanted.
    pub fn threads(&self, asked: usize) -> usize {
        match self {
            Self::Pipeline { .. } => 1,
            Self::Train { .. } | Self::Infer { .. } | Self::Label { .. } => asked,
        }
    }
}
