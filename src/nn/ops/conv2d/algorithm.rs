//! Which algorithm computes a convolution.

use super::geometry::Geometry;
use super::{dense, dilated};

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C / groups, kh, kw).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    if dilated::pays(g) { dilated::forward(g, x, weight) } else { dense::forward(g, x, weight) }
}

/// The gradients of input and weight, empty where they are not wanted.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    if dilated::pays(g) {
        dilated::backward(g, x, weight, grad, wanted)
    } else {
        dense::backward(g, x, weight, grad, wanted)
    }
}
