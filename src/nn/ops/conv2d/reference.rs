//! Convolution in tensor operations: a sum of matrix products over the taps.

use candle_core::{Result, Tensor};

use super::geometry::Geometry;

/// `conv2d` on any device, with candle's gradients.
pub(super) fn conv2d(x: &Tensor, weight: &Tensor, g: Geometry) -> Result<Tensor> {
    let ((top, left), stride) = (g.padding, g.stride);
    // Round the padded size up to whole strides, so that "every stride-th pixel" is a reshape and a narrow.
    let round = |size: usize, zeros: usize, out: usize, kernel: usize| {
        let reach = (kernel - 1) * g.dilation + out * stride;
        reach.max(size + zeros).div_ceil(stride) * stride
    };
    let below = round(g.height, top, g.out_height, g.kernel.0) - g.height - top;
    let right = round(g.width, left, g.out_width, g.kernel.1) - g.width - left;
    let x = x.pad_with_zeros(2, top, below)?.pad_with_zeros(3, left, right)?;
    // Of each group.
    let (inputs, outputs) = (g.inputs / g.groups, g.outputs / g.groups);
    let mut sum: Option<Tensor> = None;
    for ky in 0..g.kernel.0 {
        for kx in 0..g.kernel.1 {
            let rows = every(&x, 2, ky * g.dilation, g.out_height, stride)?;
            let pixels = every(&rows, 3, kx * g.dilation, g.out_width, stride)?;
            let pixels = pixels.contiguous()?.reshape((g.batch, g.groups, inputs, g.out_pixels()))?;
            let tap = weight.narrow(2, ky, 1)?.narrow(3, kx, 1)?.contiguous()?;
            let tap = tap.reshape((1, g.groups, outputs, inputs))?;
            // A matrix product over one input is slow.
            let product =
                if inputs == 1 { tap.broadcast_mul(&pixels)? } else { tap.broadcast_matmul(&pixels)? };
            sum = Some(match sum {
                None => product,
                Some(sum) => (sum + product)?,
            });
        }
    }
    let sum = sum.expect("a kernel has at least one tap");
    sum.reshape((g.batch, g.outputs, g.out_height, g.out_width))
}

/// `count` indices of dimension `dim` from `start` on, `stride` apart.
fn every(x: &Tensor, dim: usize, start: usize, count: usize, stride: usize) -> Result<Tensor> {
    let x = x.narrow(dim, start, count * stride)?;
    if stride == 1 {
        return Ok(x);
    }
    let mut dims = x.dims().to_vec();
    dims.splice(dim..=dim, [count, stride]);
    x.contiguous()?.reshape(dims)?.narrow(dim + 1, 0, 1)?.squeeze(dim + 1)
}
