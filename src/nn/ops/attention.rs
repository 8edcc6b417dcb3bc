//! Scaled dot-product attention between pixels, for inference.

use candle_core::{D, DType, Result, Tensor, bail};
use rayon::prelude::*;

use super::exp::exp_negative;
use super::gemm::{Matrix, Target, multiply};
use super::memory::{Shared, Values, with_scratch};
use super::simd::wide;

/// Queries of a work item: their scores against all keys are in memory at a time.
const QUERIES: usize = 64;

/// For every pixel of `query` `(B, C, H, W)` the mean of the pixels of `value` `(B, C, h, w)`, weighted by
/// softmax(query · key / sqrt(C / heads)) over the pixels of `key` `(B, C, h, w)`; each of the `heads` sees its own C / heads
/// channels. No gradient is kept.
///
/// # Errors
/// When the shapes don't fit.
pub fn attention(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = query.dims4()?;
    let (images, others, below, across) = key.dims4()?;
    if (images, others) != (batch, channels)
        || value.dims() != key.dims()
        || channels % heads.max(1) != 0
        || heads == 0
    {
        bail!(
            "{heads} heads of attention do not fit {:?}, {:?} and {:?}",
            query.dims(),
            key.dims(),
            value.dims()
        )
    }
    let sizes = Sizes { depth: channels / heads, queries: height * width, keys: below * across };
    if !(query.device().is_cpu() && query.dtype() == DType::F32) {
        return reference(query, key, value, batch * heads, &sizes);
    }
    let (query, key, value) = (query.contiguous()?, key.contiguous()?, value.contiguous()?);
    let (queries, keys, values) = (Values::of(&query)?, Values::of(&key)?, Values::of(&value)?);
    let (queries, keys, values) = (&*queries, &*keys, &*values);
    let mut out = vec![0.0; queries.len()];
    let shared = Shared::new(&mut out);
    let pieces = sizes.queries.div_ceil(QUERIES);
    (0..batch * heads * pieces).into_par_iter().for_each(|item| {
        let (head, first) = (item / pieces, item % pieces * QUERIES);
        let start = head * sizes.depth * sizes.queries + first;
        sizes.piece(
            first,
            sizes.head(queries, head, sizes.queries),
            sizes.head(keys, head, sizes.keys),
            sizes.head(values, head, sizes.keys),
            Target { buffer: &shared, start, stride: sizes.queries },
        );
    });
    Tensor::from_vec(out, query.shape(), query.device())
}

/// Sizes of one head.
struct Sizes {
    /// Channels.
    depth: usize,
    /// Pixels that ask.
    queries: usize,
    /// Pixels that are asked.
    keys: usize,
}

impl Sizes {
    /// The channels of one head.
    fn head<'a>(&self, values: &'a [f32], head: usize, pixels: usize) -> &'a [f32] {
        &values[head * self.depth * pixels..][..self.depth * pixels]
    }

    /// The queries `first ..` of one head, at most [`QUERIES`] of them, written to `target`.
    fn piece(&self, first: usize, query: &[f32], key: &[f32], value: &[f32], target: Target<'_, '_>) {
        let &Self { depth, queries, keys } = self;
        let count = QUERIES.min(queries - first);
        let scale = (1.0 / (depth as f64).sqrt()) as f32;
        with_scratch(count * keys, |scores| {
            let buffer = Shared::new(scores);
            let asked = Target { buffer: &buffer, start: 0, stride: keys };
            let asking = Matrix::rows(&query[first..], queries).transposed();
            // SAFETY: the scratch space is this thread's.
            unsafe { multiply(asked, false, (count, depth, keys), asking, Matrix::rows(key, keys)) };
            wide(|| scores.chunks_exact_mut(keys).for_each(|row| softmax(row, scale)));
            let weights = Matrix::rows(scores, keys).transposed();
            // SAFETY: pieces don't share queries, heads don't share channels.
            unsafe { multiply(target, false, (depth, keys, count), Matrix::rows(value, keys), weights) };
        });
    }
}

/// Softmax of scaled scores, in place.
#[inline(always)]
fn softmax(row: &mut [f32], scale: f32) {
    let largest = row.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    row.iter_mut().for_each(|v| *v = exp_negative((*v - largest) * scale));
    let factor = (1.0 / row.iter().map(|&v| f64::from(v)).sum::<f64>()) as f32;
    row.iter_mut().for_each(|v| *v *= factor);
}

/// Attention in tensor operations; `heads` is the number of heads of all images.
fn reference(query: &Tensor, key: &Tensor, value: &Tensor, heads: usize, sizes: &Sizes) -> Result<Tensor> {
    let of = |x: &Tensor, pixels| x.contiguous()?.reshape((heads, sizes.depth, pixels));
    let (q, k, v) = (of(query, sizes.queries)?, of(key, sizes.keys)?, of(value, sizes.keys)?);
    let scores = (q.transpose(1, 2)?.contiguous()?.matmul(&k)? / (sizes.depth as f64).sqrt())?;
    let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
    v.matmul(&weights.transpose(1, 2)?.contiguous()?)?.reshape(query.shape())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::nn::ops::fixture::Fixture;

    #[test]
    fn values_are_those_of_pytorch() -> Result<()> {
        for case in Fixture::open("frozen").cases("attention") {
            let [query, key, value] = ["query", "key", "value"].map(|name| case.tensor(name).clone());
            let heads = case.tensor("heads").to_vec1::<i64>()?[0] as usize;
            case.compare("out", &attention(&query, &key, &value, heads)?)?;
            let (batch, channels, height, width) = query.dims4()?;
            let (_, _, below, across) = key.dims4()?;
            let sizes = Sizes { depth: channels / heads, queries: height * width, keys: below * across };
            case.compare("out", &reference(&query, &key, &value, batch * heads, &sizes)?)?;
        }
        Ok(())
    }

    #[test]
    fn shapes_that_do_not_fit_are_explained() -> Result<()> {
        let tensor = |channels| Tensor::zeros((1, channels, 2, 3), DType::F32, &Device::Cpu);
        let error = attention(&tensor(6)?, &tensor(6)?, &tensor(6)?, 4).expect_err("6 channels for 4 heads");
        assert!(error.to_string().contains("4 heads of attention do not fit"), "{error}");
        assert!(attention(&tensor(6)?, &tensor(4)?, &tensor(4)?, 2).is_err());
        Ok(())
    }
}
