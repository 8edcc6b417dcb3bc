//! The way back: gradients of a chain of kernels.
//!
//! An operation that computes with a CPU kernel writes down, on a tape, how the gradient of its result becomes the
//! gradients of its inputs. [`Tape::backward`] reads the tape from its end and consumes it: what an operation had kept
//! is freed as soon as its turn is over, and a gradient that is used once moves on instead of being copied.
//!
//! candle's own graph, which other devices use, keeps every activation until the loss is dropped, fills each gradient
//! with zeros before it adds to it, and allocates every sum anew. On a CPU that memory traffic costs more time than the
//! smaller half of the convolutions.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use stpp::nn::ops::conv2d::{Window, conv2d};
//! use stpp::nn::tape::Tape;
//!
//! let weight = Var::ones((1, 1, 1, 1), candle_core::DType::F32, &Device::Cpu)?;
//! let image = Tensor::from_vec(vec![2f32, 3.0], (1, 1, 1, 2), &Device::Cpu)?;
//! let tape = Tape::recording(&Device::Cpu);
//! let out = conv2d(&tape, &image, &weight, Window::POINT)?;
//! let mut gradients = tape.backward_from(&out, vec![1.0, 10.0])?;
//! assert_eq!(gradients.take(&weight)?.expect("it was used").flatten_all()?.to_vec1::<f32>()?, [32.0]);
//! # Ok::<(), candle_core::Error>(())
//! ```

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use candle_core::backprop::GradStore;
use candle_core::{Device, Result, Shape, Tensor, TensorId, bail};
use rayon::prelude::*;

/// Values added by one work item.
const VALUES: usize = 1 << 15;

/// Where operations write down their gradients, and which implementation of an operation runs.
pub struct Tape {
    kernels: bool,
    record: Option<RefCell<Record>>,
}

#[derive(Default)]
struct Record {
    entries: Vec<Entry>,
    /// Results that a parameter has a part in.
    tracked: HashSet<TensorId>,
}

/// An operation that took place.
struct Entry {
    out: TensorId,
    inputs: Vec<TensorId>,
    backward: Backward,
}

/// From the gradient of a result to those of the inputs, where they are wanted.
type Backward = Box<dyn FnOnce(Vec<f32>) -> Result<Vec<Option<Vec<f32>>>>>;

impl Tape {
    /// A tape to learn with. On a CPU kernels write to it; on other devices candle keeps its graph.
    pub fn recording(device: &Device) -> Self {
        let kernels = device.is_cpu();
        Self { kernels, record: kernels.then(RefCell::default) }
    }

    /// A tape that keeps nothing, to predict with.
    pub fn silent(device: &Device) -> Self {
        Self { kernels: device.is_cpu(), record: None }
    }

    /// A tape with which even a CPU computes by tensor operations, of any type of number: what kernels are compared with.
    pub fn of_tensor_operations() -> Self {
        Self { kernels: false, record: None }
    }

    /// Whether operations are to run CPU kernels, and not tensor operations.
    pub fn runs_kernels(&self) -> bool {
        self.kernels
    }

    /// Whether a gradient of `tensor` is wanted: it is a parameter, or one has a part in it.
    fn tracks(&self, tensor: &Tensor) -> bool {
        match &self.record {
            Some(record) => tensor.is_variable() || record.borrow().tracked.contains(&tensor.id()),
            None => false,
        }
    }

    /// The tensor of a kernel's result; `backward` is told which inputs' gradients are wanted and owns the result's.
    ///
    /// # Errors
    /// When `values` don't fill the shape.
    pub(crate) fn push<const N: usize>(
        &self,
        values: Vec<f32>,
        shape: impl Into<Shape>,
        inputs: [&Tensor; N],
        backward: impl FnOnce(Vec<f32>, [bool; N]) -> Result<[Option<Vec<f32>>; N]> + 'static,
    ) -> Result<Tensor> {
        self.write(values, shape.into(), inputs, |_| backward)
    }

    /// As [`Tape::push`], for a gradient that needs the result again.
    ///
    /// # Errors
    /// When `values` don't fill the shape.
    pub(crate) fn push_with_result<const N: usize>(
        &self,
        values: Vec<f32>,
        shape: impl Into<Shape>,
        inputs: [&Tensor; N],
        backward: impl FnOnce(&Tensor, Vec<f32>, [bool; N]) -> Result<[Option<Vec<f32>>; N]> + 'static,
    ) -> Result<Tensor> {
        self.write(values, shape.into(), inputs, |out| {
            let out = out.clone();
            move |gradient, wanted| backward(&out, gradient, wanted)
        })
    }

    fn write<const N: usize, F>(
        &self,
        values: Vec<f32>,
        shape: Shape,
        inputs: [&Tensor; N],
        backward: impl FnOnce(&Tensor) -> F,
    ) -> Result<Tensor>
    where
        F: FnOnce(Vec<f32>, [bool; N]) -> Result<[Option<Vec<f32>>; N]> + 'static,
    {
        let out = Tensor::from_vec(values, shape, &Device::Cpu)?;
        let wanted = inputs.map(|input| self.tracks(input));
        if let Some(record) = &self.record
            && wanted.contains(&true)
        {
            let backward = backward(&out);
            let mut record = record.borrow_mut();
            record.tracked.insert(out.id());
            record.entries.push(Entry {
                out: out.id(),
                inputs: inputs.map(Tensor::id).to_vec(),
                backward: Box::new(move |gradient| Ok(backward(gradient, wanted)?.into())),
            });
        }
        Ok(out)
    }

    /// The gradients of `loss`, a single number, for all parameters that have a part in it.
    ///
    /// # Errors
    /// When an operation can't give its gradient.
    pub fn backward(self, loss: &Tensor) -> Result<Gradients> {
        if self.kernels { self.backward_from(loss, vec![1.0]) } else { Ok(Gradients::from(loss.backward()?)) }
    }

    /// The gradients of parameters, where `gradient` is that of `out`, value by value.
    ///
    /// # Errors
    /// When an operation can't give its gradient, the sizes differ, or the tape does not record.
    pub fn backward_from(self, out: &Tensor, gradient: Vec<f32>) -> Result<Gradients> {
        let Some(record) = self.record else { bail!("gradients of a tape that does not record") };
        if gradient.len() != out.elem_count() {
            bail!("a gradient of {} values for {:?}", gradient.len(), out.dims())
        }
        let mut gradients = HashMap::from([(out.id(), gradient)]);
        for entry in record.into_inner().entries.into_iter().rev() {
            let Some(gradient) = gradients.remove(&entry.out) else { continue };
            for (input, part) in entry.inputs.into_iter().zip((entry.backward)(gradient)?) {
                if let Some(part) = part {
                    gradients.entry(input).and_modify(|sum| add(sum, &part)).or_insert(part);
                }
            }
        }
        Ok(Gradients(Kept::ByTape(gradients)))
    }
}

/// Adds `part` to `sum`.
fn add(sum: &mut [f32], part: &[f32]) {
    sum.par_chunks_mut(VALUES).zip(part.par_chunks(VALUES)).for_each(|(sum, part)| {
        sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
    });
}

/// Gradients of parameters.
pub struct Gradients(Kept);

enum Kept {
    /// Asked for by id, never walked through.
    ByTape(HashMap<TensorId, Vec<f32>>),
    ByCandle(GradStore),
}

impl From<GradStore> for Gradients {
    fn from(store: GradStore) -> Self {
        Self(Kept::ByCandle(store))
    }
}

impl Gradients {
    /// Hands out the gradient of `parameter`, once.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn take(&mut self, parameter: &Tensor) -> Result<Option<Tensor>> {
        match &mut self.0 {
            Kept::ByTape(gradients) => gradients
                .remove(&parameter.id())
                .map(|values| Tensor::from_vec(values, parameter.shape(), parameter.device()))
                .transpose(),
            Kept::ByCandle(store) => Ok(store.remove(parameter)),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;

    /// x · factor.
    fn times(tape: &Tape, x: &Tensor, factor: f32) -> Result<Tensor> {
        let values = x.to_vec1::<f32>()?.iter().map(|v| v * factor).collect();
        tape.push(values, x.shape(), [x], move |gradient, [wanted]| {
            assert!(wanted);
            Ok([Some(gradient.iter().map(|g| g * factor).collect())])
        })
    }

    #[test]
    fn gradients_of_a_value_used_twice_are_added() -> Result<()> {
        let x = Var::new(&[1f32, 2.0], &Device::Cpu)?;
        let tape = Tape::recording(&Device::Cpu);
        let double = times(&tape, &x, 2.0)?;
        let (a, b) = (times(&tape, &double, 3.0)?, times(&tape, &double, 5.0)?);
        let values = [a.to_vec1::<f32>()?, b.to_vec1::<f32>()?].concat();
        let out = tape.push(values, 4, [&a, &b], |g, wanted| {
            assert_eq!(wanted, [true, true]);
            Ok([Some(g[..2].to_vec()), Some(g[2..].to_vec())])
        })?;
        let mut gradients = tape.backward_from(&out, vec![1.0, 1.0, 10.0, 10.0])?;
        let gradient = gradients.take(&x)?.expect("it was used").to_vec1::<f32>()?;
        assert_eq!(gradient, [2.0 * (3.0 + 50.0); 2]);
        assert!(gradients.take(&x)?.is_none(), "handed out once");
        Ok(())
    }

    #[test]
    fn what_no_parameter_has_a_part_in_is_not_written_down() -> Result<()> {
        let tape = Tape::recording(&Device::Cpu);
        let x = Tensor::new(&[1f32], &Device::Cpu)?;
        let out = times(&tape, &times(&tape, &x, 2.0)?, 2.0)?;
        assert!(tape.record.as_ref().expect("it records").borrow().entries.is_empty());
        let mut gradients = tape.backward_from(&out, vec![1.0])?;
        assert!(gradients.take(&x)?.is_none());
        Ok(())
    }

    #[test]
    fn what_was_kept_is_freed_on_the_way_back() -> Result<()> {
        let x = Var::new(&[1f32], &Device::Cpu)?;
        let tape = Tape::recording(&Device::Cpu);
        let kept = std::rc::Rc::new(());
        let (first, second) = (kept.clone(), kept.clone());
        let y = tape.push(vec![1.0], 1, [x.as_tensor()], move |g, _| {
            assert_eq!(std::rc::Rc::strong_count(&first), 2, "the later operation's copy is gone");
            Ok([Some(g)])
        })?;
        let z = tape.push(vec![1.0], 1, [&y], move |g, _| {
            assert_eq!(std::rc::Rc::strong_count(&second), 3);
            Ok([Some(g)])
        })?;
        tape.backward_from(&z, vec![1.0])?;
        assert_eq!(std::rc::Rc::strong_count(&kept), 1);
        Ok(())
    }

    #[test]
    fn a_silent_tape_has_no_gradients() -> Result<()> {
        let x = Var::new(&[1f32], &Device::Cpu)?;
        let tape = Tape::silent(&Device::Cpu);
        let out = times(&tape, &x, 2.0)?;
        assert!(tape.backward_from(&out, vec![1.0]).is_err());
        Ok(())
    }
}
