//! Every operation against double precision: how a machine that nobody tested shows that it computes what it should.
//!
//! A case is an operation with sizes, most of them odd. [`selftest`] runs it forward and backward on a device in f32,
//! by the path that training takes there, and on the CPU in f64, by tensor operations; inputs are drawn from addressed
//! streams. Reported is the largest difference, relative to the largest value of the tensor it is in. Each case is
//! run twice on the device: it has to give the same bits.
//!
//! On a CPU this compares the kernels with the reference path; on a GPU, the reference path and the library calls
//! there with the CPU.

mod cases;

use candle_core::{DType, Device, Result, Tensor, Var, bail};

use self::cases::{CASES, Case};
use super::tape::Tape;
use crate::base::stream::Stream;

/// No difference may be larger, relative to the largest value of the tensor. f32 rounds to 6e-8 of a value; the longest
/// sums here have some hundred terms.
pub const BOUND: f64 = 1e-5;

/// What the cases of one operation came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The operation.
    pub op: &'static str,
    /// How many cases it has.
    pub cases: usize,
    /// The largest relative error of values.
    pub values: f64,
    /// The largest relative error of gradients, where training uses them.
    pub gradients: Option<f64>,
    /// What went wrong: case and reason.
    pub problems: Vec<String>,
}

/// Runs all cases on a device; one finding per operation.
pub fn selftest(device: &Device) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for case in CASES {
        let new = |op| Finding { op, cases: 0, values: 0.0, gradients: None, problems: Vec::new() };
        if findings.last().is_none_or(|last| last.op != case.op) {
            findings.push(new(case.op));
        }
        let finding = findings.last_mut().expect("one was pushed");
        finding.cases += 1;
        match errors(case, device) {
            Ok(errors) => finding.take_in(case, &errors),
            Err(error) => finding.problems.push(format!("{}: {error}", case.what)),
        }
    }
    findings
}

impl Finding {
    fn take_in(&mut self, case: &Case, errors: &Errors) {
        self.values = self.values.max(errors.values);
        for &error in &errors.gradients {
            self.gradients = Some(self.gradients.unwrap_or(0.0).max(error));
        }
        let named = [("values", errors.values)]
            .into_iter()
            .chain(errors.gradients.iter().map(|&error| ("a gradient", error)));
        for (name, error) in named.filter(|(_, error)| *error > BOUND) {
            self.problems.push(format!("{}: {name} off by {error:.1e} of the largest", case.what));
        }
        if !errors.repeats {
            self.problems.push(format!("{}: other bits when run again", case.what));
        }
    }
}

/// What a case came to.
struct Errors {
    values: f64,
    gradients: Vec<f64>,
    repeats: bool,
}

fn errors(case: &Case, device: &Device) -> Result<Errors> {
    let inputs = inputs(case)?;
    let found = compute(case, &inputs, Tape::recording(device), device, DType::F32)?;
    let again = compute(case, &inputs, Tape::recording(device), device, DType::F32)?;
    let exact = compute(case, &inputs, Tape::of_tensor_operations(), &Device::Cpu, DType::F64)?;
    let errors = found.iter().zip(&exact).map(|(f, e)| difference(f, e)).collect::<Result<Vec<_>>>()?;
    let (values, gradients) = errors.split_first().expect("an operation has a result");
    let same = |(a, b): (&Values, &Values)| a.bits().eq(b.bits());
    let repeats = found.iter().zip(&again).all(same);
    Ok(Errors { values: *values, gradients: gradients.to_vec(), repeats })
}

/// The values of a tensor, as f64, and its sizes.
struct Values {
    dims: Vec<usize>,
    values: Vec<f64>,
}

impl Values {
    fn of(tensor: &Tensor) -> Result<Self> {
        let values = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        Ok(Self { dims: tensor.dims().to_vec(), values })
    }

    fn bits(&self) -> impl Iterator<Item = u64> {
        self.values.iter().map(|value| value.to_bits())
    }
}

/// The largest difference, relative to the largest value; infinite where a value is not a number.
fn difference(found: &Values, exact: &Values) -> Result<f64> {
    if found.dims != exact.dims {
        bail!("sizes {:?} instead of {:?}", found.dims, exact.dims)
    }
    let scale = exact.values.iter().fold(0f64, |largest, value| largest.max(value.abs()));
    let mut worst = 0f64;
    for (found, exact) in found.values.iter().zip(&exact.values) {
        let error = (found - exact).abs();
        worst = if error.is_finite() { worst.max(error) } else { f64::INFINITY };
    }
    // All gradients of a batch of ignored pixels are zero, and have to be.
    Ok(if worst == 0.0 { 0.0 } else { worst / scale })
}

/// The inputs of a case, normally distributed f32.
fn inputs(case: &Case) -> Result<Vec<Tensor>> {
    let draw = |(index, dims): (usize, &&[usize])| {
        random(dims, case.spread, &format!("{} {} {index}", case.op, case.what))
    };
    case.inputs.iter().enumerate().map(draw).collect()
}

fn random(dims: &[usize], spread: f64, item: &str) -> Result<Tensor> {
    let mut stream = Stream::at(0, "selftest", "", 0, item);
    let values: Vec<f32> = (0..dims.iter().product()).map(|_| (spread * stream.normal()) as f32).collect();
    Tensor::from_vec(values, dims, &Device::Cpu)
}

/// The result of a case on a device and, where training uses them, the gradients of its inputs.
fn compute(case: &Case, inputs: &[Tensor], tape: Tape, device: &Device, dtype: DType) -> Result<Vec<Values>> {
    let to = |tensor: &Tensor| tensor.to_device(device)?.to_dtype(dtype);
    let vars = inputs.iter().map(|x| Var::from_tensor(&to(x)?)).collect::<Result<Vec<_>>>()?;
    let arguments: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let out = (case.run)(&tape, &arguments)?;
    let mut found = vec![Values::of(&out)?];
    if case.trains {
        let upstream = random(out.dims(), 1.0, &format!("{} {} upstream", case.op, case.what))?;
        let mut gradients = if tape.runs_kernels() {
            tape.backward_from(&out, upstream.flatten_all()?.to_vec1()?)?
        } else {
            tape.backward(&(&out * to(&upstream)?)?.sum_all()?)?
        };
        for var in &vars {
            match gradients.take(var)? {
                Some(gradient) => found.push(Values::of(&gradient)?),
                None => bail!("an input without a gradient"),
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
