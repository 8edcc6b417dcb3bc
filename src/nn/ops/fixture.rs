//! Reads what PyTorch computed (`tests/fixtures/nn/make.py`) and compares.

use std::collections::BTreeMap;

use candle_core::{Device, Result, Tensor, Var};

use crate::nn::tape::{Gradients, Tape};

/// Cases of one fixture file.
pub(crate) struct Fixture(BTreeMap<String, Case>);

/// Named tensors of one case.
#[derive(Clone, Default)]
pub(crate) struct Case {
    name: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Fixture {
    pub(crate) fn open(name: &str) -> Self {
        let path = format!("{}/tests/fixtures/nn/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let mut cases = BTreeMap::<String, Case>::new();
        for (key, tensor) in
            candle_core::safetensors::load(path, &Device::Cpu).expect("the fixture is readable")
        {
            let (case, name) = key.split_once('/').expect("keys are case/tensor");
            let entry = cases.entry(case.to_owned()).or_default();
            entry.name = case.to_owned();
            entry.tensors.insert(name.to_owned(), tensor);
        }
        Self(cases)
    }

    pub(crate) fn case(&self, name: &str) -> Case {
        self.0[name].clone()
    }

    /// All cases whose names start with `prefix`; there is at least one.
    pub(crate) fn cases(&self, prefix: &str) -> Vec<Case> {
        let cases: Vec<_> = self.0.values().filter(|case| case.name.starts_with(prefix)).cloned().collect();
        assert!(!cases.is_empty(), "no case starts with {prefix}");
        cases
    }
}

impl Case {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(crate) fn tensor(&self, name: &str) -> &Tensor {
        &self.tensors[name]
    }

    /// Runs the kernels of `f` on the inputs and compares `out` and the gradient of every input.
    pub(crate) fn check(
        &self,
        inputs: &[&str],
        f: impl Fn(&Tape, &[Tensor]) -> Result<Tensor>,
    ) -> Result<()> {
        let (vars, arguments) = self.inputs(inputs)?;
        let tape = Tape::recording(&Device::Cpu);
        let out = f(&tape, &arguments)?;
        self.compare("out", &out)?;
        let upstream = self.tensor("grad").flatten_all()?.to_vec1()?;
        self.compare_gradients(inputs, &vars, tape.backward_from(&out, upstream)?)
    }

    /// Runs the tensor operations of `f` on the inputs and compares `out` and the gradient of every input.
    pub(crate) fn check_reference(
        &self,
        inputs: &[&str],
        f: impl Fn(&[Tensor]) -> Result<Tensor>,
    ) -> Result<()> {
        let (vars, arguments) = self.inputs(inputs)?;
        let out = f(&arguments)?;
        self.compare("out", &out)?;
        let gradients = (&out * self.tensor("grad"))?.sum_all()?.backward()?;
        self.compare_gradients(inputs, &vars, gradients.into())
    }

    fn inputs(&self, names: &[&str]) -> Result<(Vec<Var>, Vec<Tensor>)> {
        let vars =
            names.iter().map(|name| Var::from_tensor(self.tensor(name))).collect::<Result<Vec<_>>>()?;
        let arguments = vars.iter().map(|v| v.as_tensor().clone()).collect();
        Ok((vars, arguments))
    }

    fn compare_gradients(&self, names: &[&str], vars: &[Var], mut gradients: Gradients) -> Result<()> {
        for (name, var) in names.iter().zip(vars) {
            let gradient = gradients.take(var)?.expect("every input has a gradient");
            self.compare(&format!("grad.{name}"), &gradient)?;
        }
        Ok(())
    }

    /// Compares a tensor with the case's: 1e-5 of the largest value apart, at most.
    pub(crate) fn compare(&self, name: &str, found: &Tensor) -> Result<()> {
        let expected = self.tensor(name);
        assert_eq!(found.dims(), expected.dims(), "{}: shape of {name}", self.name);
        let largest = |t: &Tensor| t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
        let (worst, scale) = (largest(&(found - expected)?)?, largest(expected)?);
        assert!(
            worst <= 1e-5 * scale.max(1e-3),
            "{}: {name} is {worst} off, largest value {scale}",
            self.name
        );
        Ok(())
    }
}
