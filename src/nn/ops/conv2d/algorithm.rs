//! Which algorithm computes a convolution.

use super::geometry::Geometry;
use super::{dense, depthwise, dilated, grouped, winograd};

/// The algorithms of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Depthwise,
    Grouped,
    Dilated,
    Winograd,
    Dense,
}

impl Algorithm {
    /// The fastest one for these sizes.
    fn of(g: &Geometry) -> Self {
        if depthwise::applies(g) {
            Self::Depthwise
        } else if grouped::applies(g) {
            Self::Grouped
        } else if dilated::pays(g) {
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
        Algorithm::Depthwise => depthwise::forward(g, x, weight),
        Algorithm::Grouped => grouped::forward(g, x, weight),
        Algorithm::Dilated => dilated::forward(g, x, weight),
        Algorithm::Winograd => winograd::forward(g, x, weight),
        Algorithm::Dense => dense::forward(g, x, weight),
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
        Algorithm::Depthwise => depthwise::backward(g, x, weight, grad, wanted),
        Algorithm::Grouped => grouped::backward(g, x, weight, grad, wanted),
        Algorithm::Dilated => dilated::backward(g, x, weight, grad, wanted),
        Algorithm::Winograd => winograd::backward(g, x, weight, grad, wanted),
        Algorithm::Dense => dense::backward(g, x, weight, grad, wanted),
    }
}
