//! The end of a residual block.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::memory::{Values, argument, kernel_takes};

/// Values per work item.
const VALUES: usize = 1 << 15;

/// max(a + b, 0), with gradient 0 where the sum is 0, as in PyTorch.
///
/// # Errors
/// When the shapes differ.
pub fn add_relu(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.shape() != b.shape() {
        bail!("a sum of {:?} and {:?}", a.dims(), b.dims())
    }
    if kernel_takes(&[a, b]) { a.contiguous()?.apply_op2(&b.contiguous()?, AddRelu) } else { relu((a + b)?) }
}

/// ReLU in tensor operations; candle's own passes the gradient on at exactly 0.
pub(super) fn relu(x: Tensor) -> Result<Tensor> {
    let positive = x.gt(0.0)?;
    positive.where_cond(&x, &x.zeros_like()?)
}

struct AddRelu;

fn zip(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut out = vec![0.0; a.len()];
    out.par_chunks_mut(VALUES).zip(a.par_chunks(VALUES)).zip(b.par_chunks(VALUES)).for_each(
        |((out, a), b)| {
            out.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o = f(*a, *b));
        },
    );
    out
}

impl CustomOp2 for AddRelu {
    fn name(&self) -> &'static str {
        "add_relu"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let out = zip(argument(a, a_layout)?, argument(b, b_layout)?, |a, b| positive(a + b));
        Ok((CpuStorage::F32(out), a_layout.shape().clone()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let values =
            zip(&Values::of(out)?, &Values::of(&grad)?, |out, grad| if out > 0.0 { grad } else { 0.0 });
        let grad = Tensor::from_vec(values, a.shape(), a.device())?;
        Ok((a.track_op().then(|| grad.clone()), b.track_op().then_some(grad)))
    }
}

/// max(x, 0); NaN stays NaN, as in PyTorch, so that a diverged training is seen.
#[inline(always)]
pub(super) fn positive(x: f32) -> f32 {
    if x <= 0.0 { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use candle_core::DType;

    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
        let case = Fixture::open("pointwise").case("add_relu");
        case.check(&["a", "b"], |x| add_relu(&x[0], &x[1]))?;
        case.check(&["a", "b"], |x| relu((&x[0] + &x[1])?))
    }

    #[test]
    fn the_gradient_at_zero_is_zero() -> Result<()> {
        let a = candle_core::Var::new(&[-1f32, 0.0, 1.0], &candle_core::Device::Cpu)?;
        let b = Tensor::zeros(3, DType::F32, a.device())?;
        for out in [add_relu(&a, &b)?, relu((a.as_tensor() + &b)?)?] {
            let grads = out.sum_all()?.backward()?;
            assert_eq!(grads.get(&a).map(Tensor::to_vec1::<f32>).transpose()?, Some(vec![0.0, 0.0, 1.0]));
        }
        Ok(())
    }

    #[test]
    fn not_a_number_is_not_hidden() -> Result<()> {
        let a = Tensor::new(&[f32::NAN], &candle_core::Device::Cpu)?;
        assert!(add_relu(&a, &a)?.to_vec1::<f32>()?[0].is_nan());
        Ok(())
    }
}
