//! Class probabilities of one whole image, at one scale or summed over test-time augmentation.

use candle_core::{Device, Result, Tensor};

use crate::data::augment::normalize_into;
use crate::data::image::Rgb;
use crate::nn::network::Network;
use crate::nn::ops::resize::{Corners, bilinear};
use crate::nn::ops::softmax::softmax;
use crate::nn::tape::Tape;
use crate::spec::method::Tta;

/// Probabilities `(C, H, W)`, row-major, each pixel summing to 1.
#[derive(Debug, Clone)]
pub struct Probabilities {
    /// Classes C.
    pub classes: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `classes * height * width` values.
    pub data: Vec<f32>,
}

/// An image as the network sees it: `(1, 3, H, W)`, normalised.
fn input(image: &Rgb, device: &Device) -> Result<Tensor> {
    let mut data = vec![0.0; image.data.len()];
    normalize_into(image, &mut data);
    Tensor::from_vec(data, (1, 3, image.height, image.width), device)
}

/// The network's probabilities for a whole image at its own scale.
///
/// # Errors
/// Whatever the network reports.
pub fn predict(network: &Network, image: &Rgb, device: &Device) -> Result<Probabilities> {
    let logits = network.forward(&input(image, device)?)?;
    let (_, classes, height, width) = logits.dims4()?;
    let data = softmax(&logits)?.flatten_all()?.to_vec1()?;
    Ok(Probabilities { classes, height, width, data })
}

/// The mean of the network's probabilities over scales and flips (official code: `model/semseg/base.py`,
/// `forward(x, tta=True)`: the sum there, with the same argmax).
///
/// Each scale s resizes the normalised image to (floor(H·s), floor(W·s)) and the softmax back to (H, W), both
/// bilinear with aligned corners.
///
/// # Errors
/// Whatever the network reports.
pub fn predict_tta(network: &Network, image: &Rgb, tta: &Tta, device: &Device) -> Result<Probabilities> {
    let x = input(image, device)?;
    let (height, width) = (image.height, image.width);
    let tape = Tape::silent(device);
    let mut sum: Option<Tensor> = None;
    let mut passes = 0;
    let mut add = |view: Tensor| -> Result<()> {
        passes += 1;
        sum = Some(match sum.take() {
            Some(sum) => (sum + view)?,
            None => view,
        });
        Ok(())
    };
    for &scale in &tta.scales {
        let side = |pixels: usize| ((pixels as f64 * scale) as usize).max(1);
        let scaled = bilinear(&tape, &x, side(height), side(width), Corners::Aligned)?;
        let views = if tta.flip { Tensor::cat(&[&scaled, &mirror(&scaled)?], 0)? } else { scaled };
        let probabilities =
            bilinear(&tape, &softmax(&network.forward(&views)?)?, height, width, Corners::Aligned)?;
        add(probabilities.narrow(0, 0, 1)?.contiguous()?)?;
        if tta.flip {
            add(mirror(&probabilities.narrow(0, 1, 1)?)?)?;
        }
    }
    let sum = sum.ok_or_else(|| candle_core::Error::Msg("test-time augmentation without a scale".into()))?;
    let mean = (sum / f64::from(passes))?;
    let (_, classes, _, _) = mean.dims4()?;
    Ok(Probabilities { classes, height, width, data: mean.flatten_all()?.to_vec1()? })
}

/// Left and right exchanged.
fn mirror(x: &Tensor) -> Result<Tensor> {
    let width = x.dim(3)? as u32;
    let columns: Vec<u32> = (0..width).rev().collect();
    x.contiguous()?.index_select(&Tensor::from_vec(columns, width as usize, x.device())?, 3)
}
