//! Eight planes side by side, one in each lane of a vector.

use std::mem::MaybeUninit;

use crate::base::simd::wide_fn;

/// Planes computed together.
pub(super) const LANES: usize = 8;

/// A pixel of eight planes.
pub(super) type Lanes = [f32; LANES];

/// Scratch space as vectors, the first of which is aligned.
pub(super) fn vectors(scratch: &mut [f32]) -> &mut [Lanes] {
    let skip = scratch.as_ptr().align_offset(size_of::<Lanes>()).min(scratch.len());
    scratch[skip..].as_chunks_mut().0
}

/// Values of scratch space that are enough for `count` aligned vectors.
pub(super) fn values_for(count: usize) -> usize {
    (count + 1) * LANES
}

wide_fn! {
    /// Copies pixel `p` of each plane to `to[places[p]]`.
    ///
    /// The planes start `apart` values from each other; there are `count`, and lanes beyond get the last one's values.
    pub(super) fn pack(from: &[f32], apart: usize, count: usize, to: &mut [Lanes], places: &[usize]) {
        let pixels = places.len();
        let mut rows = [from; LANES];
        for (lane, row) in rows.iter_mut().enumerate() {
            *row = &from[lane.min(count - 1) * apart..][..pixels];
        }
        let (blocks, rest) = places.as_chunks::<LANES>();
        for (places, first) in blocks.iter().zip((0..).step_by(LANES)) {
            let mut block = [[0.0; LANES]; LANES];
            for (part, row) in block.iter_mut().zip(&rows) {
                part.copy_from_slice(&row[first..first + LANES]);
            }
            for (&place, pixel) in places.iter().zip(transpose(block)) {
                to[place] = pixel;
            }
        }
        for (&place, pixel) in rest.iter().zip(pixels - rest.len()..) {
            for (value, row) in to[place].iter_mut().zip(&rows) {
                *value = row[pixel];
            }
        }
    }
}

wide_fn! {
    /// Writes `from[places[p]]` to pixel `p` of each of `count` planes, which start `apart` values from each other.
    pub(super) fn unpack(
        from: &[Lanes],
        places: &[usize],
        to: &mut [MaybeUninit<f32>],
        apart: usize,
        count: usize,
    ) {
        let pixels = places.len();
        let (blocks, rest) = places.as_chunks::<LANES>();
        for (places, first) in blocks.iter().zip((0..).step_by(LANES)) {
            let mut block = [[0.0; LANES]; LANES];
            for (pixel, &place) in block.iter_mut().zip(places) {
                *pixel = from[place];
            }
            for (lane, row) in transpose(block).iter().take(count).enumerate() {
                to[lane * apart + first..][..LANES].write_copy_of_slice(row);
            }
        }
        for (&place, pixel) in rest.iter().zip(pixels - rest.len()..) {
            for (lane, value) in from[place].iter().take(count).enumerate() {
                to[lane * apart + pixel].write(*value);
            }
        }
    }
}

/// Rows as columns.
#[inline(always)]
fn transpose(block: [Lanes; LANES]) -> [Lanes; LANES] {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx") {
        // SAFETY: the CPU has AVX.
        return unsafe { transpose_avx(block) };
    }
    std::array::from_fn(|i| std::array::from_fn(|j| block[j][i]))
}

/// [`transpose`] with shuffles, which the compiler doesn't find by itself.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
#[inline]
fn transpose_avx(block: [Lanes; LANES]) -> [Lanes; LANES] {
    use std::arch::x86_64::{
        __m256, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };
    // The 4 × 4 blocks of four rows, transposed.
    let quarter = |[a, b, c, d]: [__m256; 4]| {
        let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
        [
            _mm256_shuffle_ps::<0x44>(ab, cd),
            _mm256_shuffle_ps::<0xee>(ab, cd),
            _mm256_shuffle_ps::<0x44>(ab_high, cd_high),
            _mm256_shuffle_ps::<0xee>(ab_high, cd_high),
        ]
    };
    // SAFETY: both are 64 values, and any values are valid.
    let [upper, lower]: [[__m256; 4]; 2] = unsafe { std::mem::transmute(block) };
    let (upper, lower) = (quarter(upper), quarter(lower));
    let mut turned = [upper, lower];
    for i in 0..4 {
        turned[0][i] = _mm256_permute2f128_ps::<0x20>(upper[i], lower[i]);
        turned[1][i] = _mm256_permute2f128_ps::<0x31>(upper[i], lower[i]);
    }
    // SAFETY: as above.
    unsafe { std::mem::transmute(turned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        for (pixels, count) in [(1, 1), (7, 8), (8, 3), (21, 8), (64, 5)] {
            let apart = pixels + 3;
            let planes: Vec<f32> = (0..LANES * apart).map(|i| i as f32).collect();
            let places: Vec<usize> = (0..pixels).rev().collect();
            let mut packed = vec![[-1.0; LANES]; pixels];
            pack(&planes, apart, count, &mut packed, &places);
            for (pixel, values) in packed.iter().rev().enumerate() {
                let lanes = (0..LANES).map(|lane| (lane.min(count - 1) * apart + pixel) as f32);
                assert_eq!(values.to_vec(), lanes.collect::<Vec<_>>(), "pixel {pixel} of {pixels}");
            }
            let mut back = vec![MaybeUninit::new(-1.0); LANES * apart];
            unpack(&packed, &places, &mut back, apart, count);
            for (index, value) in back.iter().enumerate() {
                // SAFETY: all of them were initialised above.
                let value = unsafe { value.assume_init() };
                let written = index / apart < count && index % apart < pixels;
                assert_eq!(value, if written { planes[index] } else { -1.0 });
            }
        }
    }
}
