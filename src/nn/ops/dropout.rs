//! Dropout whose masks are addressed by seed, role, step, layer and image.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::memory::{Values, argument, kernel_takes};
use crate::base::stream::Stream;

/// Where in a training a dropout mask is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropoutAt {
    /// The experiment's seed.
    pub seed: u64,
    /// The model of the recipe that is trained.
    pub role: String,
    /// The optimiser step, from 0.
    pub step: u64,
}

/// What is dropped together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Single values (`nn.Dropout`).
    Value,
    /// Whole channels of an image (`nn.Dropout2d`).
    Channel,
}

/// Sets each unit of `x` `(B, C, H, W)` to 0 with probability `p` and divides the rest by `1 - p`.
///
/// # Errors
/// When `x` has other than four dimensions or `p` is not in [0, 1).
pub fn dropout(x: &Tensor, p: f64, unit: Unit, at: &DropoutAt, layer: &str) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    if !(0.0..1.0).contains(&p) {
        bail!("dropout with probability {p}")
    }
    let units = match unit {
        Unit::Value => channels * height * width,
        Unit::Channel => channels,
    };
    let kept = (1.0 / (1.0 - p)) as f32;
    let factors: Vec<Vec<f32>> = (0..batch)
        .into_par_iter()
        .map(|image| {
            let mut stream = Stream::at(at.seed, "dropout", &at.role, at.step, &format!("{layer}#{image}"));
            (0..units).map(|_| if f64::from(stream.unit()) < p { 0.0 } else { kept }).collect()
        })
        .collect();
    let factors = factors.concat();
    if kernel_takes(&[x]) {
        return x.contiguous()?.apply_op1(Scale(Arc::new(factors)));
    }
    let shape = match unit {
        Unit::Value => (batch, channels, height, width),
        Unit::Channel => (batch, channels, 1, 1),
    };
    x.broadcast_mul(&Tensor::from_vec(factors, shape, x.device())?.to_dtype(x.dtype())?)
}

/// Multiplies each run of values by its own factor.
struct Scale(Arc<Vec<f32>>);

impl Scale {
    fn of(&self, values: &[f32]) -> Vec<f32> {
        let run = values.len() / self.0.len();
        if run == 1 {
            return values.iter().zip(self.0.iter()).map(|(v, f)| v * f).collect();
        }
        values
            .chunks_exact(run)
            .zip(self.0.iter())
            .flat_map(|(run, f)| run.iter().map(move |v| v * f))
            .collect()
    }
}

impl CustomOp1 for Scale {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(self.of(argument(storage, layout)?)), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _out: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        Tensor::from_vec(self.of(&Values::of(&grad)?), x.shape(), x.device()).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    fn at(step: u64) -> DropoutAt {
        DropoutAt { seed: 5, role: "teacher".to_owned(), step }
    }

    fn values(x: &Tensor) -> Result<Vec<f32>> {
        x.flatten_all()?.to_vec1()
    }

    #[test]
    fn about_p_of_the_values_are_dropped_and_the_mean_stays() -> Result<()> {
        let x = Tensor::ones((4, 8, 25, 25), DType::F32, &Device::Cpu)?;
        let out = values(&dropout(&x, 0.1, Unit::Value, &at(0), "fuse")?)?;
        let dropped = out.iter().filter(|&&v| v == 0.0).count() as f64 / out.len() as f64;
        assert!((dropped - 0.1).abs() < 0.01, "{dropped}");
        assert!(out.iter().all(|&v| v == 0.0 || v == 1.0 / 0.9));
        Ok(())
    }

    #[test]
    fn channels_are_dropped_whole() -> Result<()> {
        let x = Tensor::ones((3, 64, 5, 4), DType::F32, &Device::Cpu)?;
        let out = values(&dropout(&x, 0.5, Unit::Channel, &at(0), "head.project")?)?;
        assert!(out.chunks(20).all(|plane| plane.iter().all(|v| *v == plane[0])));
        let dropped = out.chunks(20).filter(|plane| plane[0] == 0.0).count();
        assert!((60..130).contains(&dropped), "{dropped} of 192");
        Ok(())
    }

    #[test]
    fn a_mask_belongs_to_its_step_and_layer() -> Result<()> {
        let x = Tensor::ones((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
        let mask = |step, layer| values(&dropout(&x, 0.5, Unit::Value, &at(step), layer)?);
        assert_eq!(mask(3, "a")?, mask(3, "a")?);
        assert_ne!(mask(3, "a")?, mask(4, "a")?);
        assert_ne!(mask(3, "a")?, mask(3, "b")?);
        Ok(())
    }

    #[test]
    fn what_is_dropped_gets_no_gradient() -> Result<()> {
        for unit in [Unit::Value, Unit::Channel] {
            let x = Var::ones((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
            let out = dropout(&x, 0.5, unit, &at(0), "a")?;
            let grads = out.sum_all()?.backward()?;
            assert_eq!(grads.get(&x).map(values).transpose()?, Some(values(&out)?));
        }
        Ok(())
    }
}
