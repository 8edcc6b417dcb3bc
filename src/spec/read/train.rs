//! Reads `[train]` and `[retrain]`.

use crate::spec::convert::{self, Bounds};
use crate::spec::reader::{Reader, whole_line};
use crate::spec::train::{Length, Train};
use crate::spec::tree::Origin;

/// The official values of Pascal; the length has none, it must be said.
const USUAL: Train = Train {
    length: Length::Epochs(1),
    batch: 16,
    base_lr: 0.001,
    head_lr: 10.0,
    momentum: 0.9,
    weight_decay: 1e-4,
    power: 0.9,
    crop: 321,
    base_size: 400,
    drop_last: true,
    oversample: true,
};

/// Reads `[train]`.
pub fn train(reader: Reader<'_>) -> Train {
    if !reader.has("epochs") && !reader.has("iterations") {
        reader.missing("epochs", "say how long to train: `epochs = 80` or `iterations = 4000`");
    }
    settings(reader, &USUAL, &Origin::Default)
}

/// Reads `[retrain]`: what it leaves out is as in `[train]`.
pub fn retrain(reader: Reader<'_>, train: &Train) -> Train {
    settings(reader, train, &Origin::Follows("as in [train]"))
}

/// Where a training's length is said.
pub fn said(reader: &Reader<'_>) -> Origin {
    reader.origin(if reader.has("epochs") { "epochs" } else { "iterations" })
}

fn settings(reader: Reader<'_>, usual: &Train, otherwise: &Origin) -> Train {
    let number = |key, usual, bounds| reader.number_or(key, usual, bounds, otherwise);
    let count = |key, usual: usize| reader.whole_or(key, usual as u64, 1..=convert::MANY, otherwise) as usize;
    let train = Train {
        length: length(&reader, usual.length, otherwise),
        batch: count("batch", usual.batch),
        base_lr: number("base_lr", usual.base_lr, Bounds::POSITIVE),
        head_lr: number("head_lr", usual.head_lr, Bounds::POSITIVE),
        momentum: number("momentum", usual.momentum, Bounds::BELOW_ONE),
        weight_decay: number("weight_decay", usual.weight_decay, Bounds::NOT_NEGATIVE),
        power: number("power", usual.power, Bounds::NOT_NEGATIVE),
        crop: count("crop", usual.crop),
        base_size: count("base_size", usual.base_size),
        drop_last: reader.flag_or("drop_last", usual.drop_last, otherwise),
        oversample: reader.flag_or("oversample", usual.oversample, otherwise),
    };
    reader.finish();
    train
}

fn length(reader: &Reader<'_>, usual: Length, otherwise: &Origin) -> Length {
    reader.exclusive("epochs", "iterations");
    let read = |key| reader.read(key, |path, node| convert::whole(path, node, &(1..=convert::MANY)));
    let (epochs, iterations) = (read("epochs"), read("iterations"));
    let length = match (epochs, iterations) {
        (Some(epochs), _) => Length::Epochs(epochs),
        (None, Some(iterations)) => Length::Iterations(iterations),
        (None, None) => usual,
    };
    match length {
        Length::Epochs(epochs) => reader.line("epochs", whole_line(epochs), otherwise),
        Length::Iterations(iterations) => reader.line("iterations", whole_line(iterations), otherwise),
    }
    length
}
