//! A synthetic study of which everything is known: images, models, and what each interval is about.
//!
//! A model is a number, its quality; on an image it finds of each class a share of the pixels that is its quality, plus
//! how easy the image is for everybody, plus luck of its own, and scatters the pixels it misses over the other classes.
//! All of these are independent with mean 0, so that counts expected over images, or over luck, have a closed form.
//! Of those the mIoU follows as the mIoU of a dataset does.

use stpp::base::stream::Stream;
use stpp::report::stats::{ClassCounts, ImageCounts};

/// Classes; the last is on one image in seven.
pub const CLASSES: usize = 5;

const PRESENCE: [f64; CLASSES] = [1.0, 0.7, 0.5, 0.3, 0.15];
/// Mean pixels of a class that is there.
const SIZE: [f64; CLASSES] = [6000.0, 3000.0, 2000.0, 1500.0, 800.0];
/// The share that is found of each class, of a model of quality 0.
const FOUND: [f64; CLASSES] = [0.8, 0.75, 0.7, 0.65, 0.6];

/// In points of mIoU: seeds on one split, splits, and how much more or less a split suits one arm.
const SEED: f64 = 0.35;
const SPLIT: f64 = 2.0;
const SPLIT_BY_ARM: f64 = 0.5;
/// The arm is that much better.
pub const EFFECT: f64 = 1.0;

/// One image.
pub struct Image {
    pixels: [f64; CLASSES],
    ease: f64,
}

/// One study: a test set, and models of two arms by split and seed.
pub struct World {
    images: Vec<Image>,
    /// Quality without the luck of a seed, by arm and split.
    settings: [Vec<f64>; 2],
    /// Models by arm, then split, then seed.
    pub models: [Vec<Model>; 2],
}

/// One model and its evaluation.
pub struct Model {
    quality: f64,
    counts: Vec<[ClassCounts; CLASSES]>,
}

impl World {
    /// A study that is drawn anew for each repetition.
    pub fn draw(repetition: u64, images: usize, (splits, seeds): (usize, usize)) -> Self {
        let mut stream = Stream::at(0, "coverage", "images and models", repetition, "");
        let images: Vec<Image> = (0..images).map(|_| Image::draw(&mut stream)).collect();
        let points = 0.01 / slope();
        let shared: Vec<f64> = (0..splits).map(|_| SPLIT * stream.normal()).collect();
        let settings = [0.0, EFFECT].map(|effect| {
            let of_split = |split: &f64| points * (effect + split + SPLIT_BY_ARM * stream.normal());
            shared.iter().map(of_split).collect::<Vec<f64>>()
        });
        let models = [0, 1].map(|arm: usize| {
            let places = settings[arm].iter().flat_map(|setting| vec![*setting; seeds]);
            let model =
                |setting| Model::draw(setting + points * SEED * stream.normal(), &images, &mut stream);
            places.map(model).collect()
        });
        Self { images, settings, models }
    }

    /// The mean difference of this test set's mIoU over seeds, on the splits of the study.
    pub fn on_these_splits(&self) -> f64 {
        let of_arm = |arm: usize| mean(self.settings[arm].iter().map(|quality| self.expected(*quality)));
        of_arm(1) - of_arm(0)
    }

    /// The mean difference of this test set's mIoU over seeds and over all splits.
    pub fn over_splits(&self) -> f64 {
        self.expected(0.01 * EFFECT / slope()) - self.expected(0.0)
    }

    /// mIoU on this test set, over the luck of a model.
    fn expected(&self, quality: f64) -> f64 {
        let (mut pixels, mut found) = ([0.0; CLASSES], [0.0; CLASSES]);
        for image in &self.images {
            for class in 0..CLASSES {
                pixels[class] += image.pixels[class];
                found[class] += image.pixels[class] * (FOUND[class] + quality + image.ease);
            }
        }
        mean(ious(&pixels, &found).into_iter())
    }
}

impl Image {
    fn draw(stream: &mut Stream) -> Self {
        let pixels = std::array::from_fn(|class| {
            let there = stream.chance(PRESENCE[class]);
            let size = (SIZE[class] * stream.uniform(0.2, 1.8)).round();
            if there { size } else { 0.0 }
        });
        // One in ten is hard for everybody.
        Self { pixels, ease: if stream.chance(0.1) { -0.27 } else { 0.03 } }
    }
}

impl Model {
    fn draw(quality: f64, images: &[Image], stream: &mut Stream) -> Self {
        let mut evaluate = |image: &Image| {
            let found: [f64; CLASSES] = std::array::from_fn(|class| {
                let share = FOUND[class] + quality + image.ease + stream.uniform(-0.1, 0.1);
                (image.pixels[class] * share.clamp(0.0, 1.0)).round()
            });
            let missed = |class: usize| image.pixels[class] - found[class];
            let all: f64 = (0..CLASSES).map(missed).sum();
            std::array::from_fn(|class| ClassCounts {
                true_positives: found[class] as u32,
                false_positives: ((all - missed(class)) / (CLASSES - 1) as f64).round() as u32,
                false_negatives: missed(class) as u32,
            })
        };
        let counts = images.iter().map(&mut evaluate).collect();
        Self { quality, counts }
    }

    /// IoU of each class over all images there could be.
    pub fn population(&self) -> [f64; CLASSES] {
        population(self.quality)
    }

    /// mIoU on the test set.
    pub fn measured(&self) -> f64 {
        let (mut found, mut union) = ([0u64; CLASSES], [0u64; CLASSES]);
        for image in &self.counts {
            for (class, count) in image.iter().enumerate() {
                found[class] += u64::from(count.true_positives);
                let parts = [count.true_positives, count.false_positives, count.false_negatives];
                union[class] += parts.map(u64::from).iter().sum::<u64>();
            }
        }
        mean((0..CLASSES).map(|class| found[class] as f64 / union[class] as f64))
    }

    /// The evaluation, for the bootstrap.
    pub fn counts(&self, ids: &[String]) -> ImageCounts {
        let images: Vec<(&str, &[ClassCounts])> =
            ids.iter().zip(&self.counts).map(|(id, counts)| (id.as_str(), counts.as_slice())).collect();
        ImageCounts::new(CLASSES, &images)
    }
}

/// IoU of each class over all images, of a model of some quality.
fn population(quality: f64) -> [f64; CLASSES] {
    let pixels: [f64; CLASSES] = std::array::from_fn(|class| PRESENCE[class] * SIZE[class]);
    let found = std::array::from_fn(|class| pixels[class] * (FOUND[class] + quality));
    ious(&pixels, &found)
}

/// How much mIoU a unit of quality is worth.
fn slope() -> f64 {
    let miou = |quality| mean(population(quality).into_iter());
    (miou(0.001) - miou(-0.001)) / 0.002
}

/// What is missed of one class is predicted as each other with the same chance.
fn ious(pixels: &[f64; CLASSES], found: &[f64; CLASSES]) -> [f64; CLASSES] {
    let missed = |class: usize| pixels[class] - found[class];
    let all: f64 = (0..CLASSES).map(missed).sum();
    std::array::from_fn(|class| found[class] / (pixels[class] + (all - missed(class)) / (CLASSES - 1) as f64))
}

/// The mean, in the order of the values.
pub fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}
