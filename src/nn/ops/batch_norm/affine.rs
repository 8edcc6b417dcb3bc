//! Batch normalisation in inference: a scale and a shift per channel.

use candle_core::{CpuStorage, InplaceOp3, Layout, Result, Tensor, bail};
use rayon::prelude::*;

use super::super::add_relu::{positive, relu};
use super::super::memory::{argument, kernel_takes};
use super::EPSILON;

/// Planes per work item.
const PLANES: usize = 8;

/// The scale and shift `(C)` that normalising by running averages amounts to.
///
/// # Errors
/// When the shapes differ.
pub fn fold(weight: &Tensor, bias: &Tensor, mean: &Tensor, variance: &Tensor) -> Result<(Tensor, Tensor)> {
    let scale = (weight / (variance + EPSILON)?.sqrt()?)?;
    let shift = (bias - (mean * &scale)?)?;
    Ok((scale, shift))
}

/// `x · scale + shift` per channel of `x` `(B, C, H, W)`, cut at 0 if `with_relu`. No gradient is kept; `x`
/// must not be used elsewhere, its memory is reused.
///
/// # Errors
/// When the shapes don't fit.
pub fn scale_shift(x: Tensor, scale: &Tensor, shift: &Tensor, with_relu: bool) -> Result<Tensor> {
    let (_, channels, _, _) = x.dims4()?;
    if scale.dims() != [channels] || shift.dims() != [channels] {
        bail!("scale {:?} and shift {:?} do not fit {:?}", scale.dims(), shift.dims(), x.dims())
    }
    if kernel_takes(&[&x, scale, shift]) && x.is_contiguous() {
        x.inplace_op3(scale, shift, &ScaleShift { with_relu })?;
        return Ok(x);
    }
    let shape = (1, channels, 1, 1);
    let out = x.broadcast_mul(&scale.reshape(shape)?)?.broadcast_add(&shift.reshape(shape)?)?;
    if with_relu { relu(out) } else { Ok(out) }
}

struct ScaleShift {
    with_relu: bool,
}

impl InplaceOp3 for ScaleShift {
    fn name(&self) -> &'static str {
        "scale_shift"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        scale: &CpuStorage,
        scale_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<()> {
        let (_, channels, height, width) = x_layout.shape().dims4()?;
        let (scale, shift) = (argument(scale, scale_layout)?, argument(shift, shift_layout)?);
        let (CpuStorage::F32(values), Some((start, end))) = (x, x_layout.contiguous_offsets()) else {
            bail!("scale and shift of values that are not contiguous f32")
        };
        let planes = values[start..end].par_chunks_mut(height * width).with_min_len(PLANES);
        planes.enumerate().for_each(|(index, plane)| {
            let (scale, shift) = (scale[index % channels], shift[index % channels]);
            if self.with_relu {
                plane.iter_mut().for_each(|v| *v = positive(*v * scale + shift));
            } else {
                plane.iter_mut().for_each(|v| *v = *v * scale + shift);
            }
        });
        Ok(())
    }
}
