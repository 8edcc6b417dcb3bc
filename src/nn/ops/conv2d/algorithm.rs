//! Which algorithm computes a convolution.

use super::geometry::Geometry;
use super::{dense, depthwise, dilated, grouped, pointwise, winograd};

/// The algorithms of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Depthwise,
    Grouped,
    Pointwise,
    Dilated,
    Winograd,
    Dense,
}

impl Algorithm {
    /// The one with the lowest cost.
    ///
    /// The bits of a result depend on the choice, and so it depends on the sizes only. The costs were measured layer
    /// by layer, on maps of 2 to 81 pixels a side and 8 to 512 channels.
    fn of(g: &Geometry) -> Self {
        if depthwise::applies(g) {
            return Self::Depthwise;
        }
        if grouped::applies(g) {
            return Self::Grouped;
        }
        if pointwise::applies(g) {
            return Self::Pointwise;
        }
        let mut best = (Self::Dense, dense::cost(g));
        let others = [
            (Self::Dilated, dilated::applies(g).then(|| dilated::cost(g))),
            (Self::Winograd, winograd::applies(g).then(|| winograd::cost(g))),
        ];
        for (algorithm, cost) in others {
            if let Some(cost) = cost.filter(|&cost| cost < best.1) {
                best = (algorithm, cost);
            }
        }
        best.0
    }
}

/// `(B, O, oh, ow)` from `x` (B, C, H, W) and `weight` (O, C / groups, kh, kw).
pub(super) fn forward(g: &Geometry, x: &[f32], weight: &[f32]) -> Vec<f32> {
    match Algorithm::of(g) {
        Algorithm::Depthwise => depthwise::forward(g, x, weight),
        Algorithm::Grouped => grouped::forward(g, x, weight),
        Algorithm::Pointwise => pointwise::forward(g, x, weight),
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
        Algorithm::Pointwise => pointwise::backward(g, x, weight, grad, wanted),
        Algorithm::Dilated => dilated::backward(g, x, weight, grad, wanted),
        Algorithm::Winograd => winograd::backward(g, x, weight, grad, wanted),
        Algorithm::Dense => dense::backward(g, x, weight, grad, wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Padding, Window};
    use super::*;

    #[test]
    fn the_algorithm_follows_from_the_sizes() {
        let of = |x: [usize; 4], outputs: usize, kernel: usize, stride: usize, dilation: usize| {
            let window = Window { stride, padding: Padding::Each(kernel / 2 * dilation), dilation };
            Algorithm::of(&Geometry::new(&x, &[outputs, x[1], kernel, kernel], window).expect("it fits"))
        };
        assert_eq!(of([2, 1024, 17, 17], 256, 1, 1, 1), Algorithm::Pointwise);
        assert_eq!(
            of([8, 64, 7, 7], 64, 1, 1, 1),
            Algorithm::Dense,
            "images too small for products of their own"
        );
        assert_eq!(of([2, 128, 33, 33], 128, 3, 2, 1), Algorithm::Dense, "strided");
        assert_eq!(of([2, 3, 129, 129], 64, 7, 2, 1), Algorithm::Dense, "stem");
        assert_eq!(of([2, 256, 17, 17], 256, 3, 1, 2), Algorithm::Winograd);
        assert_eq!(of([2, 512, 17, 17], 512, 3, 1, 4), Algorithm::Winograd);
        assert_eq!(of([8, 16, 13, 13], 16, 3, 1, 1), Algorithm::Winograd);
        assert_eq!(of([1, 256, 5, 5], 256, 3, 1, 1), Algorithm::Dense, "more kernels than pixels");
        assert_eq!(of([2, 2048, 17, 17], 256, 3, 1, 12), Algorithm::Dilated);
        assert_eq!(of([2, 2048, 41, 41], 256, 3, 1, 12), Algorithm::Winograd);
        assert_eq!(of([2, 2048, 41, 41], 256, 3, 1, 36), Algorithm::Dilated);
    }
}
