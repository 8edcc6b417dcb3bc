//! Which algorithm computes a convolution.

use super::geometry::Geometry;
use super::{dense, dilated, winograd};

/// The algorithms of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Dense,
    Dilated,
    Winograd,
}

impl Algorithm {
    /// The fastest one for these sizes.
    fn of(g: &Geometry) -> Self {
        if dilated::pays(g) {
            Self::Dilated
        } else if winograd::applies(g) {
            Self::Winograd
        } else {
            Self::Dense
        }
    }
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C / groups, kh, kw).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    match Algorithm::of(g) {
        Algorithm::Dense => dense::forward(g, x, weight),
        Algorithm::Dilated => dilated::forward(g, x, weight),
        Algorithm::Winograd => winograd::forward(g, x, weight),
    }
}

/// The gradients of input and weight, empty where they are not wanted.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    match Algorithm::of(g) {
        Algorithm::Dense => dense::backward(g, x, weight, grad, wanted),
        Algorithm::Dilated => dilated::backward(g, x, weight, grad, wanted),
        Algorithm::Winograd => winograd::backward(g, x, weight, grad, wanted),
    }
}
