//! A bias per channel, on the CPU.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::super::memory::{Values, argument};

/// `x + bias` for `x` (B, C, H, W) and `bias` (C).
pub(super) struct AddBias;

impl CustomOp2 for AddBias {
    fn name(&self) -> &'static str {
        "add_bias"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (batch, _, height, width) = x_layout.shape().dims4()?;
        let (x, bias) = (argument(x, x_layout)?, argument(bias, bias_layout)?);
        let mut out = Vec::with_capacity(x.len());
        for (plane, bias) in x.chunks_exact(height * width).zip(bias.iter().cycle().take(batch * bias.len()))
        {
            out.extend(plane.iter().map(|v| v + bias));
        }
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        bias: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, channels, height, width) = x.dims4()?;
        let grad = grad.contiguous()?;
        let mut sums = vec![0f64; channels];
        for (index, plane) in Values::of(&grad)?.chunks_exact(height * width).enumerate() {
            sums[index % channels] += plane.iter().map(|&g| f64::from(g)).sum::<f64>();
        }
        let sums = Tensor::from_vec(sums.iter().map(|&s| s as f32).collect(), bias.shape(), bias.device())?;
        Ok((x.track_op().then(|| grad.clone()), bias.track_op().then_some(sums)))
    }
}
