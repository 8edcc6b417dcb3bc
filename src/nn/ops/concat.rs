//! Channels of several images side by side.

use candle_core::{Result, Tensor, bail};

use super::memory::Values;
use crate::nn::tape::Tape;

/// Joins tensors `(B, C_i, H, W)` to `(B, ΣC_i, H, W)`.
///
/// # Errors
/// When there is none, or they differ in more than the number of channels.
pub fn concat<const N: usize>(tape: &Tape, parts: [&Tensor; N]) -> Result<Tensor> {
    if !tape.runs_kernels() {
        return Tensor::cat(&parts, 1);
    }
    let Some(first) = parts.first() else { bail!("channels of no image") };
    let (batch, _, height, width) = first.dims4()?;
    let mut lengths = [0; N];
    for (length, part) in lengths.iter_mut().zip(parts) {
        let (b, channels, h, w) = part.dims4()?;
        if (b, h, w) != (batch, height, width) {
            bail!("channels of {:?} beside those of {:?}", part.dims(), first.dims())
        }
        *length = channels * height * width;
    }
    let values = parts.iter().map(|part| Values::of(part)).collect::<Result<Vec<_>>>()?;
    let total: usize = lengths.iter().sum();
    let mut out = Vec::with_capacity(batch * total);
    for image in 0..batch {
        for (values, length) in values.iter().zip(lengths) {
            out.extend_from_slice(&values[image * length..][..length]);
        }
    }
    tape.push(out, (batch, total / (height * width), height, width), parts, move |gradient, wanted| {
        let mut start = 0;
        Ok(std::array::from_fn(|part| {
            let (from, length) = (start, lengths[part]);
            start += length;
            let images = gradient.chunks_exact(total).map(|image| &image[from..from + length]);
            wanted[part].then(|| images.collect::<Vec<_>>().concat())
        }))
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    #[test]
    fn every_part_gets_its_share_of_the_gradient() -> Result<()> {
        let numbers = |from: f32, channels: usize| {
            Tensor::arange(from, from + (2 * channels * 6) as f32, &Device::Cpu)?.reshape((2, channels, 2, 3))
        };
        let (a, b) = (Var::from_tensor(&numbers(0.0, 2)?)?, Var::from_tensor(&numbers(100.0, 3)?)?);
        let tape = Tape::recording(&Device::Cpu);
        let out = concat(&tape, [&a, &b])?;
        let expected = Tensor::cat(&[a.as_tensor(), b.as_tensor()], 1)?;
        assert_eq!(out.flatten_all()?.to_vec1::<f32>()?, expected.flatten_all()?.to_vec1::<f32>()?);
        let mut gradients = tape.backward_from(&out, out.flatten_all()?.to_vec1()?)?;
        for var in [&a, &b] {
            let gradient = gradients.take(var)?.expect("both are used");
            assert_eq!(gradient.flatten_all()?.to_vec1::<f32>()?, var.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(())
    }

    #[test]
    fn images_of_other_sizes_are_refused() -> Result<()> {
        let tape = Tape::silent(&Device::Cpu);
        let image = |width| Tensor::zeros((1, 2, 4, width), DType::F32, &Device::Cpu);
        assert!(concat(&tape, [&image(4)?, &image(5)?]).is_err());
        Ok(())
    }
}
