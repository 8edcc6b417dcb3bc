use super::*;
use crate::base::stream::Stream;
use crate::nn::ops::softmax::softmax;
use crate::spec::model::{Backbone, Head, Model};
use crate::spec::normalisation::Normalisation;

fn network() -> Network {
    let (backbone, head) = (Backbone::Resnet18, Head::DeepLabV3Plus);
    let model = Model { backbone, head, width: 0.125, output_stride: 16, weights: None };
    Network::new(&model, 5, 0, "teacher", &Device::Cpu).expect("a network")
}

fn image(height: usize, width: usize) -> Rgb {
    let mut stream = Stream::at(1, "test", "", 0, "image");
    Rgb::new(width, height, (0..3 * height * width).map(|_| stream.below(256) as u8).collect())
}

/// All probabilities (C, H, W).
fn whole(prediction: &Prediction) -> Vec<f32> {
    let strips = prediction.strips(|strip| strip);
    (0..prediction.classes)
        .flat_map(|class| {
            strips.iter().flat_map(move |strip| {
                let pixels = strip.rows.len() * strip.width;
                strip.probabilities[class * pixels..][..pixels].to_vec()
            })
        })
        .collect()
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |far, (a, b)| far.max((a - b).abs()))
}

fn tensor(image: &Rgb) -> Result<Tensor> {
    let mut data = vec![0.0; image.data.len()];
    normalize_into(image, &Normalisation::IMAGENET, &mut data);
    Tensor::from_vec(data, (1, 3, image.height, image.width), &Device::Cpu)
}

#[test]
fn strips_are_the_softmax_of_the_resized_logits() -> Result<()> {
    let (network, image) = (network(), image(70, 2000));
    let prediction = Prediction::of(&network, &image, Looking::Whole, &Device::Cpu)?;
    assert!(prediction.strips(|_| ()).len() > 1, "the test needs several strips");
    let expected = softmax(&network.forward(&tensor(&image)?)?)?.flatten_all()?.to_vec1::<f32>()?;
    assert_eq!(farthest(&whole(&prediction), &expected), 0.0);
    Ok(())
}

#[test]
fn augmented_probabilities_are_the_mean_over_scales_and_flips() -> Result<()> {
    let (network, image) = (network(), image(37, 50));
    let tta = Tta { scales: vec![0.5, 1.0, 1.5], flip: true };
    let prediction = Prediction::of(&network, &image, Looking::Augmented(&tta), &Device::Cpu)?;
    let (x, tape) = (tensor(&image)?, Tape::silent(&Device::Cpu));
    let mut sum = Tensor::zeros((1, 5, 37, 50), candle_core::DType::F32, &Device::Cpu)?;
    for (h, w) in [(18, 25), (37, 50), (55, 75)] {
        let scaled = bilinear(&tape, &x, h, w, Corners::Aligned)?;
        let look = |x: &Tensor| bilinear(&tape, &softmax(&network.forward(x)?)?, 37, 50, Corners::Aligned);
        sum = ((sum + look(&scaled)?)? + mirror(&look(&mirror(&scaled)?)?)?)?;
    }
    let expected = (sum / 6.0)?.flatten_all()?.to_vec1::<f32>()?;
    assert!(farthest(&whole(&prediction), &expected) < 1e-5);
    Ok(())
}

#[test]
fn windows_add_up_where_they_overlap() -> Result<()> {
    let (network, image) = (network(), image(40, 64));
    let windows = Windows { side: 32, stride: 24 };
    let prediction = Prediction::of(&network, &image, Looking::Windows(windows), &Device::Cpu)?;
    let x = tensor(&image)?;
    let mut expected = vec![0.0; 5 * 40 * 64];
    for top in [0, 8] {
        for left in [0, 24, 32] {
            let part = x.narrow(2, top, 32)?.narrow(3, left, 32)?.contiguous()?;
            let part = softmax(&network.forward(&part)?)?.flatten_all()?.to_vec1::<f32>()?;
            for (index, value) in part.into_iter().enumerate() {
                let (class, y, x) = (index / 1024, index / 32 % 32, index % 32);
                expected[class * 40 * 64 + (top + y) * 64 + left + x] += value;
            }
        }
    }
    assert!(farthest(&whole(&prediction), &expected) < 1e-5);
    Ok(())
}

#[test]
fn one_window_as_large_as_the_image_is_the_whole_image() -> Result<()> {
    let (network, image) = (network(), image(20, 33));
    let windows = Windows { side: 40, stride: 10 };
    let through = Prediction::of(&network, &image, Looking::Windows(windows), &Device::Cpu)?;
    let at_once = Prediction::of(&network, &image, Looking::Whole, &Device::Cpu)?;
    assert_eq!(whole(&through), whole(&at_once));
    assert_eq!(through.classes(), at_once.classes());
    Ok(())
}

#[test]
fn of_equal_classes_the_first_is_taken() {
    let probabilities = vec![0.2, 0.5, 0.4, 0.5, 0.4, 0.0];
    let strip = Strip { classes: 3, rows: 0..1, width: 2, probabilities };
    assert_eq!(strip.argmax(), [1, 0]);
}
