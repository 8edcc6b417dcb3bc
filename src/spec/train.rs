//! `[train]` and `[retrain]`: optimiser, length, crop.

use serde::{Deserialize, Serialize};

/// How one model is trained (official code: `main.py`, `train`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Train {
    /// `epochs` or `iterations`.
    pub length: Length,
    /// Images per step B.
    pub batch: usize,
    /// Learning rate at batch 16; the optimiser starts from `base_lr · batch / 16`.
    pub base_lr: f64,
    /// The head's learning rate is this many times the backbone's.
    pub head_lr: f64,
    /// SGD momentum.
    pub momentum: f64,
    /// L2 weight decay, on every parameter.
    pub weight_decay: f64,
    /// Exponent of the polynomial schedule (1 - step/total)^power.
    pub power: f64,
    /// Side of the square training crop, in pixels.
    pub crop: usize,
    /// The long side that random resizing is relative to, in pixels.
    pub base_size: usize,
    /// Leave out an epoch's last, smaller batch.
    pub drop_last: bool,
    /// The official repeats: a teacher's list twice when it has fewer than 200 images,
    /// a re-training's labeled list ceil(unlabeled / labeled) times.
    pub oversample: bool,
}

/// How long a training lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// Passes over the training list.
    Epochs(u64),
    /// Optimiser steps, whatever the list's size.
    Iterations(u64),
}

impl Length {
    /// The number of epochs or of iterations, whichever it is told in.
    pub fn units(self) -> u64 {
        match self {
            Self::Epochs(count) | Self::Iterations(count) => count,
        }
    }
}
