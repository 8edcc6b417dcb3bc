//! Batch normalisation on the CPU: a work item per channel, sums in double precision.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::super::add_relu::positive;
use super::super::memory::{Shared, Values, argument};
use super::super::simd::wide;
use super::EPSILON;

/// Partial sums kept side by side, so that additions don't wait for each other.
const LANES: usize = 8;

/// Two sums at once.
#[derive(Default)]
struct Sums([f64; LANES], [f64; LANES]);

impl Sums {
    /// Adds the two values of `terms` for each pixel of some planes of the same size.
    #[inline(always)]
    fn add<const N: usize>(&mut self, planes: [&[f32]; N], terms: impl Fn([f32; N]) -> (f64, f64)) {
        let pixels = planes[0].len();
        let whole = pixels - pixels % LANES;
        for start in (0..whole).step_by(LANES) {
            let blocks =
                planes.map(|plane| <&[f32; LANES]>::try_from(&plane[start..start + LANES]).expect("whole"));
            for lane in 0..LANES {
                let (a, b) = terms(blocks.map(|block| block[lane]));
                self.0[lane] += a;
                self.1[lane] += b;
            }
        }
        for pixel in whole..pixels {
            let (a, b) = terms(planes.map(|plane| plane[pixel]));
            self.0[pixel - whole] += a;
            self.1[pixel - whole] += b;
        }
    }

    fn total(&self) -> (f64, f64) {
        (self.0.iter().sum(), self.1.iter().sum())
    }
}

/// Values worth handing to another thread.
const WORTHWHILE: usize = 1 << 14;

/// Moments of one channel of the batch.
#[derive(Clone, Copy)]
pub(super) struct Channel {
    pub(super) mean: f32,
    /// Biased.
    pub(super) variance: f64,
    /// 1 / sqrt(variance + epsilon).
    inverse: f32,
}

/// Moments of all channels, in order.
pub(super) struct Moments {
    pub(super) channels: Vec<Channel>,
}

/// The operation; `moments` is written by the forward pass and read by the backward pass.
pub(super) struct BatchNorm {
    pub(super) with_relu: bool,
    pub(super) moments: Arc<OnceLock<Moments>>,
}

/// Sizes of the tensor.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    channels: usize,
    pixels: usize,
}

impl Sizes {
    fn of(shape: &Shape) -> Result<Self> {
        let (batch, channels, height, width) = shape.dims4()?;
        Ok(Self { batch, channels, pixels: height * width })
    }

    fn per_channel(self) -> usize {
        self.batch * self.pixels
    }

    /// Where the planes of a channel start.
    fn planes(self, channel: usize) -> impl Iterator<Item = usize> {
        (0..self.batch).map(move |image| (image * self.channels + channel) * self.pixels)
    }

    /// Runs `f` for each channel and returns the results in order.
    fn each_channel<R: Send>(self, f: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
        let few = (WORTHWHILE / self.per_channel()).max(1);
        (0..self.channels).into_par_iter().with_min_len(few).map(|channel| wide(|| f(channel))).collect()
    }
}

/// The moments of one channel. In double precision the sum of squares is exact enough not to need a second pass.
#[inline(always)]
fn moments(x: &[f32], sizes: Sizes, channel: usize) -> Channel {
    let n = sizes.per_channel() as f64;
    let mut sums = Sums::default();
    for start in sizes.planes(channel) {
        sums.add([&x[start..start + sizes.pixels]], |[value]| {
            let value = f64::from(value);
            (value, value * value)
        });
    }
    let (sum, squares) = sums.total();
    let mean = sum / n;
    let variance = (squares / n - mean * mean).max(0.0);
    let inverse = (1.0 / (variance + EPSILON).sqrt()) as f32;
    Channel { mean: mean as f32, variance, inverse }
}

impl CustomOp3 for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = argument(x, x_layout)?;
        let (weight, bias) = (argument(weight, weight_layout)?, argument(bias, bias_layout)?);
        let sizes = Sizes::of(x_layout.shape())?;
        let mut out = vec![0.0; x.len()];
        let shared = Shared::new(&mut out);
        let channels = sizes.each_channel(|channel| {
            let found = moments(x, sizes, channel);
            let (scale, shift) = (found.inverse * weight[channel], bias[channel]);
            for start in sizes.planes(channel) {
                // SAFETY: a channel's planes are one item's.
                let out = unsafe { shared.part(start, sizes.pixels) };
                let pairs = out.iter_mut().zip(&x[start..start + sizes.pixels]);
                if self.with_relu {
                    pairs.for_each(|(o, &v)| *o = positive((v - found.mean) * scale + shift));
                } else {
                    pairs.for_each(|(o, &v)| *o = (v - found.mean) * scale + shift);
                }
            }
            found
        });
        if self.moments.set(Moments { channels }).is_err() {
            bail!("a batch normalisation operation is used once")
        }
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(found) = self.moments.get() else { bail!("batch normalisation backward before forward") };
        let grad = grad.contiguous()?;
        let sizes = Sizes::of(x.shape())?;
        let (xs, weights, outs, grads) =
            (Values::of(x)?, Values::of(weight)?, Values::of(out)?, Values::of(&grad)?);
        let (xs, weights, outs, grads): (&[f32], &[f32], &[f32], &[f32]) = (&xs, &weights, &outs, &grads);
        let mut grad_x = vec![0.0; if x.track_op() { xs.len() } else { 0 }];
        let shared = x.track_op().then(|| Shared::new(&mut grad_x));
        let by_channel = sizes.each_channel(|channel| {
            let item = Item { moments: found.channels[channel], weight: weights[channel], sizes, channel };
            let (values, out) = ([xs, outs, grads], shared.as_ref());
            if self.with_relu {
                item.backward(values, |[_, out, grad]| if out > 0.0 { grad } else { 0.0 }, out)
            } else {
                item.backward(values, |[_, _, grad]| grad, out)
            }
        });
        let vector = |like: &Tensor, values: Vec<f32>| {
            like.track_op().then(|| Tensor::from_vec(values, like.shape(), like.device())).transpose()
        };
        let grad_weight = vector(weight, by_channel.iter().map(|g| g.0).collect())?;
        let grad_bias = vector(bias, by_channel.iter().map(|g| g.1).collect())?;
        Ok((vector(x, grad_x)?, grad_weight, grad_bias))
    }
}

/// One channel of a backward pass.
struct Item {
    moments: Channel,
    weight: f32,
    sizes: Sizes,
    channel: usize,
}

impl Item {
    /// Writes the gradient of the input, if there is room for it, and returns those of weight and bias.
    ///
    /// `values` are input, output and the output's gradient; `upstream` is what of the latter reaches the sum.
    #[inline(always)]
    fn backward(
        &self,
        values: [&[f32]; 3],
        upstream: impl Fn([f32; 3]) -> f32,
        out: Option<&Shared<'_>>,
    ) -> (f32, f32) {
        let Self { moments: Channel { mean, inverse, .. }, weight, sizes, channel } = *self;
        let planes = |start: usize| values.map(|v| &v[start..start + sizes.pixels]);
        let mut sums = Sums::default();
        for start in sizes.planes(channel) {
            sums.add(planes(start), |v| {
                let grad = f64::from(upstream(v));
                (grad, grad * f64::from(v[0] - mean))
            });
        }
        let (plain, weighted) = sums.total();
        let weighted = weighted * f64::from(inverse);
        if let Some(out) = out {
            let n = sizes.per_channel() as f64;
            let scale = weight * inverse;
            let constant = (plain / n) as f32;
            let slope = (weighted * f64::from(inverse) / n) as f32;
            for start in sizes.planes(channel) {
                let [xs, outs, grads] = planes(start);
                // SAFETY: a channel's planes are one item's.
                let out = unsafe { out.part(start, sizes.pixels) };
                for (((out, &x), &y), &grad) in out.iter_mut().zip(xs).zip(outs).zip(grads) {
                    *out = scale * (upstream([x, y, grad]) - constant - (x - mean) * slope);
                }
            }
        }
        (weighted as f32, plain as f32)
    }
}
