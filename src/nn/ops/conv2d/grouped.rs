//! Grouped convolution: a dense one for each group, on copies of its channels.

use super::dense;
use super::geometry::Geometry;

/// Whether there are groups.
pub(super) fn applies(g: &Geometry) -> bool {
    g.groups > 1
}

/// The convolution of one group.
fn of_one(g: &Geometry) -> Geometry {
    Geometry { inputs: g.inputs / g.groups, outputs: g.outputs / g.groups, groups: 1, ..*g }
}

/// The channels of a group in a tensor of `batch` images: those of each image lie together.
fn gather(values: &[f32], batch: usize, groups: usize, group: usize) -> Vec<f32> {
    let each = values.len() / (batch * groups);
    values.chunks_exact(each).skip(group).step_by(groups).flatten().copied().collect()
}

/// The reverse of [`gather`].
fn scatter(from: &[f32], to: &mut [f32], batch: usize, groups: usize, group: usize) {
    let each = to.len() / (batch * groups);
    let places = to.chunks_exact_mut(each).skip(group).step_by(groups);
    places.zip(from.chunks_exact(each)).for_each(|(to, from)| to.copy_from_slice(from));
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C / groups, kh, kw).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    let one = of_one(g);
    let mut out = vec![0.0; g.batch * g.outputs * g.out_pixels()];
    for (group, weight) in weight.chunks_exact(weight.len() / g.groups).enumerate() {
        let of_group = dense::forward(&one, &gather(x, g.batch, g.groups, group), weight);
        scatter(&of_group, &mut out, g.batch, g.groups, group);
    }
    out
}

/// The gradients of the input and of the weight; empty where not wanted.
pub(super) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    grad: &[f32],
    wanted: (bool, bool),
) -> (Vec<f32>, Vec<f32>) {
    let one = of_one(g);
    let mut grad_x = vec![0.0; if wanted.0 { x.len() } else { 0 }];
    let mut grad_weight = Vec::new();
    for (group, weight) in weight.chunks_exact(weight.len() / g.groups).enumerate() {
        let part = |values| gather(values, g.batch, g.groups, group);
        let (of_x, of_weight) = dense::backward(&one, &part(x), weight, &part(grad), wanted);
        if wanted.0 {
            scatter(&of_x, &mut grad_x, g.batch, g.groups, group);
        }
        grad_weight.extend(of_weight);
    }
    (grad_x, grad_weight)
}
