//! The sum of several tensors.

use candle_core::{Result, Tensor, bail};

use super::memory::Values;
use crate::nn::tape::Tape;

/// Adds tensors of one shape, the first two first.
///
/// # Errors
/// When there is none, or the shapes differ.
pub fn sum<const N: usize>(tape: &Tape, parts: [&Tensor; N]) -> Result<Tensor> {
    let [first, rest @ ..] = parts.as_slice() else { bail!("the sum of no tensor") };
    if let Some(other) = rest.iter().find(|part| part.shape() != first.shape()) {
        bail!("the sum of {:?} and {:?}", first.dims(), other.dims())
    }
    if !tape.runs_kernels() {
        return rest.iter().try_fold((*first).clone(), |sum, part| sum + *part);
    }
    let mut out = Values::of(first)?.to_vec();
    for part in rest {
        out.iter_mut().zip(Values::of(part)?.iter()).for_each(|(sum, part)| *sum += part);
    }
    tape.push(out, first.shape(), parts, |gradient, wanted| {
        Ok(wanted.map(|wanted| wanted.then(|| gradient.clone())))
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    #[test]
    fn every_part_gets_the_whole_gradient() -> Result<()> {
        let [a, b, c] = [1f32, 10.0, 100.0].map(|v| Var::new(&[v, 2.0 * v], &Device::Cpu));
        let (a, b, c) = (a?, b?, c?);
        let tape = Tape::recording(&Device::Cpu);
        let out = sum(&tape, [&a, &b, &c])?;
        assert_eq!(out.to_vec1::<f32>()?, [111.0, 222.0]);
        let mut gradients = tape.backward_from(&out, vec![3.0, 4.0])?;
        for var in [&a, &b, &c] {
            assert_eq!(gradients.take(var)?.expect("it is used").to_vec1::<f32>()?, [3.0, 4.0]);
        }
        Ok(())
    }

    #[test]
    fn tensors_of_other_shapes_are_refused() -> Result<()> {
        let tape = Tape::silent(&Device::Cpu);
        let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu);
        assert!(sum(&tape, [&zeros(2)?, &zeros(3)?]).is_err());
        Ok(())
    }
}
