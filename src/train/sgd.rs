//! Stochastic gradient descent with momentum and weight decay, step by step what `torch.optim.SGD` does.
//!
//! ```text
//! g ← gradient + weight_decay · parameter
//! v ← g at the first step, momentum · v + g later
//! parameter ← parameter - lr · v
//! ```
//! Backbone and head are two groups with learning rates of their own. Weight decay applies to every parameter,
//! as in the official code.

use std::collections::BTreeMap;

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;

use crate::nn::tape::Gradients;
use crate::nn::weights::{State, WeightsError, WeightsReport};

/// Values per work item.
const VALUES: usize = 1 << 15;

/// The learning rates of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Of the backbone.
    pub backbone: f64,
    /// Of everything else.
    pub head: f64,
}

/// An optimiser over some parameters.
pub struct Sgd {
    parameters: Vec<Parameter>,
    momentum: f64,
    weight_decay: f64,
}

struct Parameter {
    name: String,
    var: Var,
    is_head: bool,
    velocity: Option<Tensor>,
}

impl Sgd {
    /// An optimiser over parameters given as (name, variable, whether the head's).
    pub fn new<'a>(
        parameters: impl Iterator<Item = (&'a str, &'a Var, bool)>,
        momentum: f64,
        weight_decay: f64,
    ) -> Self {
        let mut parameters: Vec<_> = parameters
            .map(|(name, var, is_head)| Parameter {
                name: name.to_owned(),
                var: var.clone(),
                is_head,
                velocity: None,
            })
            .collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        Self { parameters, momentum, weight_decay }
    }

    /// Moves every parameter that has a gradient.
    ///
    /// # Errors
    /// When the device reports one.
    pub fn step(&mut self, mut gradients: Gradients, rates: Rates) -> Result<()> {
        for parameter in &mut self.parameters {
            let Some(gradient) = gradients.take(&parameter.var)? else { continue };
            let lr = if parameter.is_head { rates.head } else { rates.backbone };
            parameter.step(&gradient, lr, self.momentum, self.weight_decay)?;
        }
        Ok(())
    }

    /// A copy of the velocities of the parameters that have moved, by parameter name: what a resume needs.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn state(&self) -> Result<State> {
        let velocity = |p: &Parameter| p.velocity.as_ref().map(|v| Ok((p.name.clone(), v.copy()?)));
        self.parameters.iter().filter_map(velocity).collect()
    }

    /// Takes velocities over; parameters without one in `state` start anew.
    ///
    /// # Errors
    /// When `state` names unknown parameters or has other shapes; nothing is changed then.
    pub fn load_state(&mut self, state: &State) -> std::result::Result<(), WeightsError> {
        let vars: BTreeMap<_, _> = self.parameters.iter().map(|p| (p.name.as_str(), &p.var)).collect();
        let report = WeightsReport { missing: Vec::new(), ..state.fit(&vars) };
        if !report.is_exact() {
            return Err(WeightsError::OtherNetwork { report });
        }
        for parameter in &mut self.parameters {
            let velocity = state.get(&parameter.name).map(|v| v.to_device(parameter.var.device())?.copy());
            parameter.velocity = velocity.transpose().map_err(WeightsError::Tensor)?;
        }
        Ok(())
    }
}

impl Parameter {
    fn step(&mut self, gradient: &Tensor, lr: f64, momentum: f64, weight_decay: f64) -> Result<()> {
        let value = self.var.as_detached_tensor();
        let gradient = gradient.contiguous()?;
        if !value.device().is_cpu() {
            let pull = (&gradient + (&value * weight_decay)?)?;
            let velocity = match &self.velocity {
                Some(velocity) => ((velocity * momentum)? + pull)?,
                None => pull,
            };
            self.var.set(&(value - (&velocity * lr)?)?)?;
            self.velocity = Some(velocity);
            return Ok(());
        }
        // A velocity of 0 makes the first step's v = momentum · 0 + g: the same bits as v = g.
        let velocity = match self.velocity.take() {
            Some(velocity) => velocity,
            None => value.zeros_like()?,
        };
        let update = Accelerate { momentum: momentum as f32, weight_decay: weight_decay as f32 };
        velocity.inplace_op3(&value, &gradient, &update)?;
        value.inplace_op2(&velocity, &Move { lr: lr as f32 })?;
        self.velocity = Some(velocity);
        Ok(())
    }
}

/// v ← momentum · v + (g + weight_decay · p).
struct Accelerate {
    momentum: f32,
    weight_decay: f32,
}

/// p ← p - lr · v.
struct Move {
    lr: f32,
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("a parameter that is not contiguous") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("a parameter that is not contiguous f32"),
    }
}

impl InplaceOp3 for Accelerate {
    fn name(&self) -> &'static str {
        "sgd_accelerate"
    }

    fn cpu_fwd(
        &self,
        velocity: &mut CpuStorage,
        velocity_layout: &Layout,
        parameter: &CpuStorage,
        parameter_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let velocity = values_mut(velocity, velocity_layout)?.par_chunks_mut(VALUES);
        let parameter = values(parameter, parameter_layout)?.par_chunks(VALUES);
        let gradient = values(gradient, gradient_layout)?.par_chunks(VALUES);
        velocity.zip(parameter).zip(gradient).for_each(|((velocity, parameter), gradient)| {
            for ((v, p), g) in velocity.iter_mut().zip(parameter).zip(gradient) {
                *v = self.momentum * *v + (g + self.weight_decay * p);
            }
        });
        Ok(())
    }
}

impl InplaceOp2 for Move {
    fn name(&self) -> &'static str {
        "sgd_move"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        velocity: &CpuStorage,
        velocity_layout: &Layout,
    ) -> Result<()> {
        let parameter = values_mut(parameter, parameter_layout)?.par_chunks_mut(VALUES);
        let velocity = values(velocity, velocity_layout)?.par_chunks(VALUES);
        parameter.zip(velocity).for_each(|(parameter, velocity)| {
            parameter.iter_mut().zip(velocity).for_each(|(p, v)| *p -= self.lr * v);
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn fixture() -> BTreeMap<String, Tensor> {
        let bytes = include_bytes!("../../tests/fixtures/nn/sgd.safetensors");
        candle_core::safetensors::load_buffer(bytes, &Device::Cpu)
            .expect("the fixture is readable")
            .into_iter()
            .collect()
    }

    fn close(a: &Tensor, b: &Tensor) -> Result<()> {
        let worst = (a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()?;
        assert!(worst < 1e-6, "{worst}");
        Ok(())
    }

    /// Three steps of `sum(sin(body)) · 2 + sum(top²) / 10`, from step `from` on.
    fn train(sgd: &mut Sgd, body: &Var, top: &Var, steps: usize) -> Result<()> {
        for _ in 0..steps {
            let loss = ((body.sin()?.sum_all()? * 2.0)? + (top.sqr()?.sum_all()? * 0.1)?)?;
            sgd.step(loss.backward()?.into(), Rates { backbone: 0.1, head: 1.0 })?;
        }
        Ok(())
    }

    fn optimiser(body: &Var, top: &Var) -> Sgd {
        Sgd::new([("top", top, true), ("backbone.body", body, false)].into_iter(), 0.9, 1e-2)
    }

    #[test]
    fn three_steps_are_those_of_pytorch() -> Result<()> {
        let f = fixture();
        let (body, top) = (Var::from_tensor(&f["body"])?, Var::from_tensor(&f["top"])?);
        let mut sgd = optimiser(&body, &top);
        for step in 1..=3 {
            train(&mut sgd, &body, &top, 1)?;
            close(&body, &f[&format!("body.{step}")])?;
            close(&top, &f[&format!("top.{step}")])?;
        }
        close(sgd.state()?.get("top").expect("top has moved"), &f["velocity.top"])
    }

    #[test]
    fn a_training_continued_from_its_state_is_the_same() -> std::result::Result<(), Box<dyn std::error::Error>>
    {
        let f = fixture();
        let (body, top) = (Var::from_tensor(&f["body"])?, Var::from_tensor(&f["top"])?);
        let mut sgd = optimiser(&body, &top);
        train(&mut sgd, &body, &top, 2)?;
        let bytes = sgd.state()?.to_bytes()?;
        let (again_body, again_top) = (Var::from_tensor(&body.copy()?)?, Var::from_tensor(&top.copy()?)?);
        let mut again = optimiser(&again_body, &again_top);
        again.load_state(&State::from_bytes(&bytes, &Device::Cpu)?)?;
        train(&mut sgd, &body, &top, 1)?;
        train(&mut again, &again_body, &again_top, 1)?;
        assert_eq!(body.to_vec2::<f32>()?, again_body.to_vec2::<f32>()?);
        assert_eq!(top.to_vec1::<f32>()?, again_top.to_vec1::<f32>()?);
        Ok(())
    }

    #[test]
    fn a_state_of_other_parameters_is_refused() -> Result<()> {
        let f = fixture();
        let (body, top) = (Var::from_tensor(&f["body"])?, Var::from_tensor(&f["top"])?);
        let mut state = State::default();
        state.insert("stranger", f["top"].clone());
        let error = optimiser(&body, &top).load_state(&state).expect_err("the name is unknown");
        assert!(error.to_string().contains("1 unused: stranger"), "{error}");
        Ok(())
    }
}
