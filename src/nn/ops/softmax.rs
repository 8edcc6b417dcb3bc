//! Softmax over the classes, for inference.

use candle_core::{D, DType, Result, Tensor, bail};
use rayon::prelude::*;

use super::exp::exp_negative;
use super::memory::{Shared, Values};

/// Pixels per work item.
const PIXELS: usize = 1024;

/// The probabilities `(B, C, H, W)` of logits `(B, C, H, W)`, over C. No gradient is kept.
///
/// # Errors
/// When `logits` has other than four dimensions.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    if logits.rank() != 4 {
        bail!("logits are (B, C, H, W), got {:?}", logits.dims())
    }
    let logits = logits.detach();
    if logits.device().is_cpu() && logits.dtype() == DType::F32 {
        Tensor::from_vec(
            probabilities(&Values::of(&logits)?, logits.dims4()?),
            logits.shape(),
            logits.device(),
        )
    } else {
        candle_nn::ops::softmax(&logits, D::Minus(3))
    }
}

/// Softmax over the classes of logits (B, C, H, W), on the CPU.
pub(crate) fn probabilities(
    x: &[f32],
    (batch, classes, height, width): (usize, usize, usize, usize),
) -> Vec<f32> {
    let pixels = height * width;
    let mut out = vec![0.0; x.len()];
    let shared = Shared::new(&mut out);
    let pieces = pixels.div_ceil(PIXELS);
    (0..batch * pieces).into_par_iter().for_each(|item| {
        let (image, start) = (item / pieces, item % pieces * PIXELS);
        let run = Run { first: image * classes * pixels + start, classes, stride: pixels };
        let count = PIXELS.min(pixels - start);
        // SAFETY: items don't share pixels, and `exponentials` holds one plane at a time.
        let lend = |start, len| unsafe { shared.part(start, len) };
        let (_, sums) = run.exponentials(x, count, lend);
        for class in 0..classes {
            let plane = lend(run.first + class * pixels, count);
            plane.iter_mut().zip(&sums).for_each(|(p, sum)| *p /= sum);
        }
    });
    out
}

/// Some neighbouring pixels of all class planes of one image.
pub(super) struct Run {
    /// Index of the first pixel in the first class.
    pub(super) first: usize,
    /// Planes.
    pub(super) classes: usize,
    /// Values between a pixel's neighbouring classes.
    pub(super) stride: usize,
}

impl Run {
    /// Writes e^(x - max) where `lend(start, len)` says and returns, per pixel, the maximum and the sum over classes.
    pub(super) fn exponentials<'a>(
        &self,
        x: &[f32],
        count: usize,
        lend: impl Fn(usize, usize) -> &'a mut [f32],
    ) -> (Vec<f32>, Vec<f32>) {
        let mut largest = vec![f32::NEG_INFINITY; count];
        let mut sums = vec![0.0; count];
        let plane = |class: usize| &x[self.first + class * self.stride..][..count];
        for class in 0..self.classes {
            largest.iter_mut().zip(plane(class)).for_each(|(m, &v)| *m = if v > *m { v } else { *m });
        }
        for class in 0..self.classes {
            let out = lend(self.first + class * self.stride, count);
            for (((out, &v), m), sum) in out.iter_mut().zip(plane(class)).zip(&largest).zip(&mut sums) {
                *out = exp_negative(v - m);
                *sum += *out;
            }
        }
        (largest, sums)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn it_agrees_with_the_composite() -> Result<()> {
        let values = (0..2 * 5 * 37 * 41).map(|i| ((i * 7919) % 1013) as f32 * 0.02 - 10.0).collect();
        let x = Tensor::from_vec(values, (2, 5, 37, 41), &Device::Cpu)?;
        let composite = candle_nn::ops::softmax(&x, 1)?;
        let worst = (softmax(&x)? - composite)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        assert!(worst < 1e-6, "{worst}");
        Ok(())
    }

    #[test]
    fn probabilities_of_equal_logits_are_equal() -> Result<()> {
        let p = softmax(&Tensor::ones((1, 4, 1, 1), DType::F32, &Device::Cpu)?)?;
        assert_eq!(p.flatten_all()?.to_vec1::<f32>()?, [0.25; 4]);
        Ok(())
    }
}
