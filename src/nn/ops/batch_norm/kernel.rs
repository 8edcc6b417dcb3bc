//! Batch normalisation on the CPU: a work item per channel, sums in double precision.

use std::marker::PhantomData;

use rayon::prelude::*;

use super::super::activation::{Activation, Pointwise, with_pointwise};
use super::super::memory::Shared;
use super::Form;
use crate::base::simd::{Loops, run};

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

/// Sizes of the tensor.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) batch: usize,
    pub(super) channels: usize,
    /// Of one image.
    pub(super) pixels: usize,
}

impl Sizes {
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
        (0..self.channels).into_par_iter().with_min_len(few).map(f).collect()
    }
}

/// The moments of one channel. In double precision the sum of squares is exact enough not to need a second pass.
#[inline(always)]
fn moments(x: &[f32], sizes: Sizes, channel: usize, epsilon: f64) -> Channel {
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
    let inverse = (1.0 / (variance + epsilon).sqrt()) as f32;
    Channel { mean: mean as f32, variance, inverse }
}

/// The normalised values, and the moments of every channel.
pub(super) fn forward(
    sizes: Sizes,
    x: &[f32],
    affine: (&[f32], &[f32]),
    shortcut: Option<&[f32]>,
    form: Form,
) -> (Vec<f32>, Vec<Channel>) {
    let mut out = vec![0.0; x.len()];
    let shared = Shared::new(&mut out);
    let moments = with_pointwise!(form.activation, A => sizes.each_channel(|channel| {
        let (weight, bias) = (affine.0[channel], affine.1[channel]);
        let loops = Forward { sizes, channel, x, weight, bias, shortcut, epsilon: form.epsilon, out: &shared };
        run(Of::<A, _>(loops, PhantomData))
    }));
    (out, moments)
}

/// One channel's loops with an activation.
struct Of<A, L>(L, PhantomData<A>);

/// One channel of a forward pass.
struct Forward<'a> {
    sizes: Sizes,
    channel: usize,
    x: &'a [f32],
    weight: f32,
    bias: f32,
    shortcut: Option<&'a [f32]>,
    epsilon: f64,
    out: &'a Shared<'a>,
}

impl<A: Pointwise> Loops for Of<A, Forward<'_>> {
    type Output = Channel;

    #[inline(always)]
    fn run(self) -> Channel {
        let Forward { sizes, channel, x, weight, bias, shortcut, epsilon, out } = self.0;
        let found = moments(x, sizes, channel, epsilon);
        let scale = found.inverse * weight;
        for start in sizes.planes(channel) {
            // SAFETY: a channel's planes are one item's.
            let out = unsafe { out.part(start, sizes.pixels) };
            let x = &x[start..start + sizes.pixels];
            match shortcut {
                None => {
                    for (o, &v) in out.iter_mut().zip(x) {
                        *o = A::of((v - found.mean) * scale + bias);
                    }
                }
                Some(add) => {
                    let add = &add[start..start + sizes.pixels];
                    for ((o, &v), &a) in out.iter_mut().zip(x).zip(add) {
                        *o = A::of((v - found.mean) * scale + bias + a);
                    }
                }
            }
        }
        found
    }
}

/// What the forward pass leaves for the way back.
#[derive(Clone, Copy)]
pub(super) struct Kept<'a> {
    pub(super) x: &'a [f32],
    pub(super) weight: &'a [f32],
    pub(super) out: &'a [f32],
    pub(super) moments: &'a [Channel],
}

/// The gradients of a normalisation.
pub(super) struct Gradients {
    pub(super) x: Option<Vec<f32>>,
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) shortcut: Option<Vec<f32>>,
}

/// The gradients; `gradient` is the result's, `wanted` says whether those of x and of the shortcut are.
///
/// The buffer of `gradient` becomes the gradient of the shortcut, or else that of x.
pub(super) fn backward(
    sizes: Sizes,
    kept: Kept<'_>,
    mut gradient: Vec<f32>,
    activation: Activation,
    [wants_x, wants_shortcut]: [bool; 2],
) -> Gradients {
    let mut own = vec![0.0; if wants_x && wants_shortcut { gradient.len() } else { 0 }];
    let by_channel = {
        let upstream = Shared::new(&mut gradient);
        let own = (wants_x && wants_shortcut).then(|| Shared::new(&mut own));
        with_pointwise!(activation, A => sizes.each_channel(|channel| {
            let (upstream, own) = (&upstream, own.as_ref());
            run(Of::<A, _>(Backward { kept, sizes, channel, wants_x, upstream, own }, PhantomData))
        }))
    };
    let (weight, bias) = (by_channel.iter().map(|s| s.1 as f32), by_channel.iter().map(|s| s.0 as f32));
    let (weight, bias) = (weight.collect(), bias.collect());
    let (x, shortcut) = match (wants_x, wants_shortcut) {
        (true, true) => (Some(own), Some(gradient)),
        (true, false) => (Some(gradient), None),
        (false, true) => (None, Some(gradient)),
        (false, false) => (None, None),
    };
    Gradients { x, weight, bias, shortcut }
}

/// One channel of a backward pass.
#[derive(Clone, Copy)]
struct Backward<'a> {
    kept: Kept<'a>,
    sizes: Sizes,
    channel: usize,
    wants_x: bool,
    /// The gradient of the result.
    upstream: &'a Shared<'a>,
    /// Room for the gradient of x, where it does not take the place of the result's.
    own: Option<&'a Shared<'a>>,
}

impl<A: Pointwise> Loops for Of<A, Backward<'_>> {
    /// The gradients of bias and weight.
    type Output = (f64, f64);

    #[inline(always)]
    fn run(self) -> (f64, f64) {
        let sums = self.0.sums::<A>();
        if self.0.wants_x {
            self.0.spread(sums);
        }
        sums
    }
}

impl Backward<'_> {
    /// Lets through what passes the activation, in place, and returns the gradients of bias and weight.
    #[inline(always)]
    fn sums<A: Pointwise>(&self) -> (f64, f64) {
        let Self { kept, sizes, channel, upstream, .. } = *self;
        let Channel { mean, inverse, .. } = kept.moments[channel];
        let mut sums = Sums::default();
        for start in sizes.planes(channel) {
            // SAFETY: a channel's planes are one item's.
            let gradient = unsafe { upstream.part(start, sizes.pixels) };
            let (x, out) = (&kept.x[start..][..sizes.pixels], &kept.out[start..][..sizes.pixels]);
            for (g, &y) in gradient.iter_mut().zip(out) {
                *g = if A::passes(y) { *g } else { 0.0 };
            }
            sums.add([x, gradient], |[x, gradient]| {
                let gradient = f64::from(gradient);
                (gradient, gradient * f64::from(x - mean))
            });
        }
        let (plain, weighted) = sums.total();
        (plain, weighted * f64::from(inverse))
    }

    /// Writes the gradient of x to `own`, or over that of the result.
    #[inline(always)]
    fn spread(&self, (plain, weighted): (f64, f64)) {
        let Self { kept, sizes, channel, upstream, own, .. } = *self;
        let Channel { mean, inverse, .. } = kept.moments[channel];
        let n = sizes.per_channel() as f64;
        let scale = kept.weight[channel] * inverse;
        let constant = (plain / n) as f32;
        let slope = (weighted * f64::from(inverse) / n) as f32;
        for start in sizes.planes(channel) {
            let x = &kept.x[start..][..sizes.pixels];
            // SAFETY: a channel's planes are one item's.
            let gradient = unsafe { upstream.part(start, sizes.pixels) };
            match own {
                None => {
                    for (g, &x) in gradient.iter_mut().zip(x) {
                        *g = scale * (*g - constant - (x - mean) * slope);
                    }
                }
                Some(own) => {
                    // SAFETY: as above, of another buffer.
                    let own = unsafe { own.part(start, sizes.pixels) };
                    for ((out, &g), &x) in own.iter_mut().zip(&*gradient).zip(x) {
                        *out = scale * (g - constant - (x - mean) * slope);
                    }
                }
            }
        }
    }
}
