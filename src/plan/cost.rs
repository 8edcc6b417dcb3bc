//! What a stage costs, counted and never timed: the unit in which sharing saves.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Optimiser steps and image-forwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Optimiser steps.
    pub steps: u64,
    /// Images through a network: in training one per image and step, in inference by area (a scale of 2 counts 4).
    pub forwards: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.forwards += other.forwards;
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        let mut total = Self::default();
        for cost in costs {
            total += cost;
        }
        total
    }
}
