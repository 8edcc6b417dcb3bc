//! Batch normalisation in inference: a scale and a shift per channel.

use candle_core::{CpuStorage, InplaceOp3, Layout, Result, Tensor, bail};
use rayon::prelude::*;

use super::super::activation::{Activation, Pointwise, activate, with_pointwise};
use super::super::memory::{Values, argument};
use crate::nn::tape::Tape;

/// Planes per work item.
const PLANES: usize = 8;

/// The scale and shift `(C)` that normalising by running averages amounts to.
///
/// # Errors
/// When the shapes differ.
pub fn fold(
    weight: &Tensor,
    bias: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    epsilon: f64,
) -> Result<(Tensor, Tensor)> {
    let scale = (weight / (variance + epsilon)?.sqrt()?)?;
    let shift = (bias - (mean * &scale)?)?;
    Ok((scale, shift))
}

/// `activation(x · scale + shift + shortcut)`, scale and shift `(C)` per channel of `x` `(B, C, H, W)`. No gradient
/// is kept; `x` must not be used elsewhere, its memory is reused.
///
/// # Errors
/// When the shapes don't fit.
pub fn scale_shift(
    tape: &Tape,
    x: Tensor,
    (scale, shift): (&Tensor, &Tensor),
    shortcut: Option<&Tensor>,
    activation: Activation,
) -> Result<Tensor> {
    let (_, channels, _, _) = x.dims4()?;
    if scale.dims() != [channels] || shift.dims() != [channels] {
        bail!("scale {:?} and shift {:?} do not fit {:?}", scale.dims(), shift.dims(), x.dims())
    }
    if !tape.runs_kernels() {
        let shape = (1, channels, 1, 1);
        let out = x.broadcast_mul(&scale.reshape(shape)?)?.broadcast_add(&shift.reshape(shape)?)?;
        let out = match shortcut {
            None => out,
            Some(shortcut) => (out + shortcut)?,
        };
        return activate(out, activation);
    }
    let add = shortcut.map(Values::of).transpose()?;
    let add = add.as_deref();
    if add.is_some_and(|add| add.len() != x.elem_count()) {
        bail!("a shortcut that does not fit a result {:?}", x.dims())
    }
    x.inplace_op3(scale, shift, &ScaleShift { add, activation })?;
    Ok(x)
}

struct ScaleShift<'a> {
    add: Option<&'a [f32]>,
    activation: Activation,
}

impl InplaceOp3 for ScaleShift<'_> {
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
        let pixels = height * width;
        let (scale, shift) = (argument(scale, scale_layout)?, argument(shift, shift_layout)?);
        let (CpuStorage::F32(values), Some((start, end))) = (x, x_layout.contiguous_offsets()) else {
            bail!("scale and shift of values that are not contiguous f32")
        };
        let planes = values[start..end].par_chunks_mut(pixels).with_min_len(PLANES);
        with_pointwise!(self.activation, A => planes.enumerate().for_each(|(index, plane)| {
            let (scale, shift) = (scale[index % channels], shift[index % channels]);
            match self.add {
                None => plane.iter_mut().for_each(|v| *v = A::of(*v * scale + shift)),
                Some(add) => {
                    let add = &add[index * pixels..][..pixels];
                    plane.iter_mut().zip(add).for_each(|(v, a)| *v = A::of(*v * scale + shift + a));
                }
            }
        }));
        Ok(())
    }
}
