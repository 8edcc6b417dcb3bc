//! Dropout whose masks are addressed by seed, role, step, layer and image.

use candle_core::{Result, Tensor, bail};
use rayon::prelude::*;

use super::memory::Values;
use crate::base::stream::Stream;
use crate::nn::tape::Tape;

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
pub fn dropout(tape: &Tape, x: &Tensor, p: f64, unit: Unit, at: &DropoutAt, layer: &str) -> Result<Tensor> {
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
    if tape.runs_kernels() {
        let mut out = Values::of(x)?.to_vec();
        scale(&mut out, &factors);
        return tape.push(out, x.shape(), [x], move |mut gradient, _| {
            scale(&mut gradient, &factors);
            Ok([Some(gradient)])
        });
    }
    let shape = match unit {
        Unit::Value => (batch, channels, height, width),
        Unit::Channel => (batch, channels, 1, 1),
    };
    x.broadcast_mul(&Tensor::from_vec(factors, shape, x.device())?.to_dtype(x.dtype())?)
}

/// Multiplies each run of values by its own factor.
fn scale(values: &mut [f32], factors: &[f32]) {
    let run = values.len() / factors.len();
    if run == 1 {
        values.iter_mut().zip(factors).for_each(|(v, f)| *v *= f);
    } else {
        values.chunks_exact_mut(run).zip(factors).for_each(|(run, f)| run.iter_mut().for_each(|v| *v *= f));
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    fn at(step: u64) -> DropoutAt {
        DropoutAt { seed: 5, role: "teacher".to_owned(), step }
    }

    fn tape() -> Tape {
        Tape::silent(&Device::Cpu)
    }

    fn values(x: &Tensor) -> Result<Vec<f32>> {
        x.flatten_all()?.to_vec1()
    }

    #[test]
    fn about_p_of_the_values_are_dropped_and_the_mean_stays() -> Result<()> {
        let x = Tensor::ones((4, 8, 25, 25), DType::F32, &Device::Cpu)?;
        let out = values(&dropout(&tape(), &x, 0.1, Unit::Value, &at(0), "fuse")?)?;
        let dropped = out.iter().filter(|&&v| v == 0.0).count() as f64 / out.len() as f64;
        assert!((dropped - 0.1).abs() < 0.01, "{dropped}");
        assert!(out.iter().all(|&v| v == 0.0 || v == 1.0 / 0.9));
        Ok(())
    }

    #[test]
    fn channels_are_dropped_whole() -> Result<()> {
        let x = Tensor::ones((3, 64, 5, 4), DType::F32, &Device::Cpu)?;
        let out = values(&dropout(&tape(), &x, 0.5, Unit::Channel, &at(0), "head.project")?)?;
        assert!(out.chunks(20).all(|plane| plane.iter().all(|v| *v == plane[0])));
        let dropped = out.chunks(20).filter(|plane| plane[0] == 0.0).count();
        assert!((60..130).contains(&dropped), "{dropped} of 192");
        Ok(())
    }

    #[test]
    fn a_mask_belongs_to_its_step_and_layer() -> Result<()> {
        let x = Tensor::ones((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
        let mask = |step, layer| values(&dropout(&tape(), &x, 0.5, Unit::Value, &at(step), layer)?);
        assert_eq!(mask(3, "a")?, mask(3, "a")?);
        assert_ne!(mask(3, "a")?, mask(4, "a")?);
        assert_ne!(mask(3, "a")?, mask(3, "b")?);
        Ok(())
    }

    #[test]
    fn what_is_dropped_gets_no_gradient() -> Result<()> {
        for unit in [Unit::Value, Unit::Channel] {
            let x = Var::ones((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
            let tape = Tape::recording(&Device::Cpu);
            let out = dropout(&tape, &x, 0.5, unit, &at(0), "a")?;
            let mut gradients = tape.backward_from(&out, vec![1.0; out.elem_count()])?;
            assert_eq!(gradients.take(&x)?.as_ref().map(values).transpose()?, Some(values(&out)?));
        }
        Ok(())
    }
}
