//! What follows a normalisation: nothing, ReLU, or ReLU6.

use candle_core::{Result, Tensor};

/// An activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x.
    Identity,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
}

/// An activation known when a loop over values is compiled.
pub(super) trait Pointwise: Copy + Sync {
    /// The activation's value.
    fn of(x: f32) -> f32;
    /// Whether the gradient passes where the activation's value is `out`: not at a bound, as in PyTorch.
    fn passes(out: f32) -> bool;
}

#[derive(Clone, Copy)]
pub(super) struct Identity;
#[derive(Clone, Copy)]
pub(super) struct Relu;
#[derive(Clone, Copy)]
pub(super) struct Relu6;

impl Pointwise for Identity {
    #[inline(always)]
    fn of(x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn passes(_: f32) -> bool {
        true
    }
}

// NaN stays NaN in both, as in PyTorch, so that a diverged training is seen.

impl Pointwise for Relu {
    #[inline(always)]
    fn of(x: f32) -> f32 {
        if x <= 0.0 { 0.0 } else { x }
    }

    #[inline(always)]
    fn passes(out: f32) -> bool {
        out > 0.0
    }
}

impl Pointwise for Relu6 {
    #[inline(always)]
    fn of(x: f32) -> f32 {
        let x = if x <= 0.0 { 0.0 } else { x };
        if x >= 6.0 { 6.0 } else { x }
    }

    #[inline(always)]
    fn passes(out: f32) -> bool {
        out > 0.0 && out < 6.0
    }
}

/// Runs a block with the type `$kind` of an activation.
macro_rules! with_pointwise {
    ($activation:expr, $kind:ident => $body:expr) => {
        match $activation {
            $crate::nn::ops::activation::Activation::Identity => {
                type $kind = $crate::nn::ops::activation::Identity;
                $body
            }
            $crate::nn::ops::activation::Activation::Relu => {
                type $kind = $crate::nn::ops::activation::Relu;
                $body
            }
            $crate::nn::ops::activation::Activation::Relu6 => {
                type $kind = $crate::nn::ops::activation::Relu6;
                $body
            }
        }
    };
}
pub(super) use with_pointwise;

/// The activation in tensor operations; candle's own ReLU passes the gradient on at exactly 0.
pub(super) fn activate(x: Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::Identity => Ok(x),
        Activation::Relu => above_zero(x),
        Activation::Relu6 => {
            let x = above_zero(x)?;
            let below = x.ge(6.0)?;
            below.where_cond(&x.ones_like()?.affine(6.0, 0.0)?, &x)
        }
    }
}

fn above_zero(x: Tensor) -> Result<Tensor> {
    x.le(0.0)?.where_cond(&x.zeros_like()?, &x)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    const AT: [f32; 7] = [-1.0, -0.0, 0.0, 0.5, 5.5, 6.0, 7.0];

    #[test]
    fn both_paths_have_pytorchs_values_and_gradients() -> Result<()> {
        // torch.nn.functional.relu, relu6 and the gradients of their sums.
        for (activation, values, gradients) in [
            (Activation::Identity, AT, [1.0; 7]),
            (Activation::Relu, [0.0, 0.0, 0.0, 0.5, 5.5, 6.0, 7.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
            (Activation::Relu6, [0.0, 0.0, 0.0, 0.5, 5.5, 6.0, 6.0], [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]),
        ] {
            let x = Var::new(&AT, &Device::Cpu)?;
            let out = activate(x.as_tensor().clone(), activation)?;
            assert_eq!(out.to_vec1::<f32>()?, values);
            let found = out.sum_all()?.backward()?.remove(&x).expect("x was used").to_vec1::<f32>()?;
            assert_eq!(found, gradients, "{activation:?}");
            let kernel: Vec<_> = AT.iter().map(|&x| with_pointwise!(activation, A => A::of(x))).collect();
            let passes: Vec<_> = values
                .iter()
                .map(|&y| f32::from(u8::from(with_pointwise!(activation, A => A::passes(y)))))
                .collect();
            assert_eq!((kernel, passes), (values.to_vec(), gradients.to_vec()), "{activation:?}");
        }
        Ok(())
    }

    #[test]
    fn not_a_number_is_not_hidden() -> Result<()> {
        for activation in [Activation::Relu, Activation::Relu6] {
            assert!(with_pointwise!(activation, A => A::of(f32::NAN)).is_nan());
            let x = Tensor::new(&[f32::NAN], &Device::Cpu)?;
            assert!(activate(x, activation)?.to_vec1::<f32>()?[0].is_nan());
        }
        Ok(())
    }
}
