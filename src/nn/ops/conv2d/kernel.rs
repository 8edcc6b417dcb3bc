//! Convolution on the CPU as an operation of candle.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::super::memory::{Values, argument};
use super::algorithm;
use super::geometry::Geometry;

/// `conv2d(x, weight)` with its gradients.
pub(super) struct Conv2d(pub(super) Geometry);

impl CustomOp2 for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let g = &self.0;
        let (x, weight) = (argument(x, x_layout)?, argument(weight, weight_layout)?);
        let out = algorithm::forward(g, x, weight);
        Ok((CpuStorage::F32(out), Shape::from((g.batch, g.outputs, g.out_height, g.out_width))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let g = &self.0;
        let wanted = (x.track_op(), weight.track_op());
        let grad = grad.contiguous()?;
        let (xs, weights, grads) = (Values::of(x)?, Values::of(weight)?, Values::of(&grad)?);
        let (grad_x, grad_weight) = algorithm::backward(g, &xs, &weights, &grads, wanted);
        let tensor = |wanted: bool, values: Vec<f32>, like: &Tensor| {
            wanted.then(|| Tensor::from_vec(values, like.shape(), like.device())).transpose()
        };
        Ok((tensor(wanted.0, grad_x, x)?, tensor(wanted.1, grad_weight, weight)?))
    }
}
