//! Parameters by name, and the values they start from.
//!
//! Initial values are addressed, not drawn in turn: those of a parameter depend on the seed, the role and its name.
//! Two networks that differ elsewhere share the values of what they have in common.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::base::stream::Stream;

/// All numbers of a network, by the names that PyTorch would give them.
#[derive(Default)]
pub struct Parameters {
    /// What the optimiser moves.
    pub trainable: BTreeMap<String, Var>,
    /// Running means and variances of batch normalisation.
    pub running: BTreeMap<String, Var>,
}

impl Parameters {
    /// Trainable and running ones, sorted by name.
    pub fn all(&self) -> BTreeMap<&str, &Var> {
        self.trainable.iter().chain(&self.running).map(|(name, var)| (name.as_str(), var)).collect()
    }
}

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Normal around 0.
    Normal {
        /// The standard deviation.
        deviation: f64,
    },
    /// Uniform around 0.
    Uniform {
        /// The largest value.
        bound: f64,
    },
    /// One value.
    Constant(f32),
}

/// Makes parameters under a common prefix.
pub struct Builder<'a> {
    parameters: &'a mut Parameters,
    prefix: String,
    /// Seed and role of initial values; nothing where they are to be replaced anyway.
    start: Option<(u64, &'a str)>,
    device: &'a Device,
}

impl<'a> Builder<'a> {
    /// A builder at the root.
    pub fn new(parameters: &'a mut Parameters, seed: u64, role: &'a str, device: &'a Device) -> Self {
        Self { parameters, prefix: String::new(), start: Some((seed, role)), device }
    }

    /// A builder whose trainable parameters are 0, until a state is loaded.
    pub fn blank(parameters: &'a mut Parameters, device: &'a Device) -> Self {
        Self { parameters, prefix: String::new(), start: None, device }
    }

    /// A builder one level down, as a PyTorch submodule.
    pub fn at(&mut self, name: impl std::fmt::Display) -> Builder<'_> {
        let prefix = format!("{}{name}.", self.prefix);
        Builder { parameters: self.parameters, prefix, start: self.start, device: self.device }
    }

    /// A trainable parameter with its initial values.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn trainable(&mut self, name: &str, shape: &[usize], init: Init) -> Result<Var> {
        let name = format!("{}{name}", self.prefix);
        let var = match self.start {
            Some((seed, role)) => {
                let values = values(shape, init, Stream::at(seed, "init", role, 0, &name));
                Var::from_tensor(&Tensor::from_vec(values, shape, self.device)?)?
            }
            None => Var::zeros(shape, DType::F32, self.device)?,
        };
        let before = self.parameters.trainable.insert(name, var.clone());
        debug_assert!(before.is_none(), "two parameters of one name");
        Ok(var)
    }

    /// A running average.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn running(&mut self, name: &str, size: usize, value: f32) -> Result<Var> {
        let var = Var::from_tensor(&Tensor::from_vec(vec![value; size], size, self.device)?)?;
        self.parameters.running.insert(format!("{}{name}", self.prefix), var.clone());
        Ok(var)
    }
}

fn values(shape: &[usize], init: Init, mut stream: Stream) -> Vec<f32> {
    let count: usize = shape.iter().product();
    match init {
        Init::Constant(value) => vec![value; count],
        Init::Normal { deviation } => (0..count).map(|_| (deviation * stream.normal()) as f32).collect(),
        Init::Uniform { bound } => (0..count).map(|_| stream.uniform(-bound, bound) as f32).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(seed: u64, name: &str, shape: &[usize], init: Init) -> Result<Vec<f32>> {
        let mut parameters = Parameters::default();
        let var = Builder::new(&mut parameters, seed, "teacher", &Device::Cpu)
            .at("layer")
            .trainable(name, shape, init)?;
        assert!(parameters.trainable.contains_key(&format!("layer.{name}")));
        var.flatten_all()?.to_vec1()
    }

    #[test]
    fn values_belong_to_seed_and_name() -> Result<()> {
        let (shape, init) = ([4, 3, 3, 3], Init::Normal { deviation: 1.0 });
        assert_eq!(build(1, "a", &shape, init)?, build(1, "a", &shape, init)?);
        assert_ne!(build(1, "a", &shape, init)?, build(2, "a", &shape, init)?);
        assert_ne!(build(1, "a", &shape, init)?, build(1, "b", &shape, init)?);
        Ok(())
    }

    #[test]
    fn values_are_spread_as_asked() -> Result<()> {
        let normal = build(1, "a", &[64, 32, 3, 3], Init::Normal { deviation: 0.01 })?;
        let variance = normal.iter().map(|v| f64::from(v * v)).sum::<f64>() / normal.len() as f64;
        assert!((variance / 1e-4 - 1.0).abs() < 0.03, "{variance}");
        let uniform = build(1, "a", &[64, 32, 3, 3], Init::Uniform { bound: 0.25 })?;
        let largest = uniform.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(largest <= 0.25 && largest > 0.247, "{largest}");
        Ok(())
    }
}
