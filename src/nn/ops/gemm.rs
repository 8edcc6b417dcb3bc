//! Matrix products whose bits are the same on every machine of one SIMD level.

use std::ops::Range;

use gemm::Parallelism;

use super::memory::Shared;

/// Terms added by one call of the library.
///
/// `gemm` 0.19 cuts longer sums by the cache sizes of the machine (`kernel_params`), which would change their bits.
pub(crate) const TERMS: usize = 512;

/// A matrix seen in a slice: element (i, j) is `values[i * row + j * column]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of consecutive values, `stride` apart.
    pub(crate) fn rows(values: &'a [f32], stride: usize) -> Self {
        Self { values, row: stride, column: 1 }
    }

    /// The same values with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self { values: self.values, row: self.column, column: self.row }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0 || columns == 0 || (rows - 1) * self.row + (columns - 1) * self.column < self.values.len()
    }
}

/// Where a product is written: rows of a buffer from `start` on, `stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a, 'b> {
    pub(crate) buffer: &'a Shared<'b>,
    pub(crate) start: usize,
    pub(crate) stride: usize,
}

/// Writes `a · b` to `target`, or adds it to what is there; `a` is (m, k), `b` (k, n). One thread.
///
/// # Safety
/// While this runs nothing else may read or write the m × n values of the target.
pub(crate) unsafe fn multiply(
    target: Target<'_, '_>,
    add: bool,
    (m, k, n): (usize, usize, usize),
    a: Matrix<'_>,
    b: Matrix<'_>,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.holds(m, k) && b.holds(k, n), "a product of {m}x{k} and {k}x{n} reads beyond its operands");
    let destination = target.buffer.at(target.start, (m - 1) * target.stride + n);
    for Range { start, end } in terms(k) {
        // SAFETY: `holds` and `at` checked the last element each side reaches; the caller promised exclusive writes.
        unsafe {
            gemm::gemm(
                m,
                n,
                end - start,
                destination,
                1,
                target.stride as isize,
                add || start > 0,
                a.values.as_ptr().add(start * a.column),
                a.column as isize,
                a.row as isize,
                b.values.as_ptr().add(start * b.row),
                b.column as isize,
                b.row as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
}

/// Cuts a sum of `k` terms; a sum of none is one empty piece, so that the target is still written.
fn terms(k: usize) -> impl Iterator<Item = Range<usize>> {
    (0..k.max(1)).step_by(TERMS).map(move |start| start..(start + TERMS).min(k))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(n: usize, seed: u64) -> Vec<f32> {
        let mut stream = crate::base::stream::Stream::at(seed, "test", "", 0, "gemm");
        (0..n).map(|_| stream.unit() - 0.5).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_product_is_the_sum_of_products(
            m in 1usize..20, k in 1usize..1200, n in 1usize..20, add: bool, ta: bool, tb: bool,
        ) {
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            let left = if ta { Matrix::rows(&a, m).transposed() } else { Matrix::rows(&a, k) };
            let right = if tb { Matrix::rows(&b, k).transposed() } else { Matrix::rows(&b, n) };
            let mut out = vec![1.0f32; m * n];
            let shared = Shared::new(&mut out);
            // SAFETY: the buffer is ours alone.
            unsafe { multiply(Target { buffer: &shared, start: 0, stride: n }, add, (m, k, n), left, right) };
            for i in 0..m {
                for j in 0..n {
                    let exact: f64 = (0..k)
                        .map(|t| {
                            f64::from(a[i * left.row + t * left.column]) * f64::from(b[t * right.row + j * right.column])
                        })
                        .sum::<f64>()
                        + f64::from(u8::from(add));
                    prop_assert!((f64::from(out[i * n + j]) - exact).abs() < 1e-4);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "reads beyond its operands")]
    fn operands_too_small_are_refused() {
        let mut out = [0.0; 4];
        let shared = Shared::new(&mut out);
        let target = Target { buffer: &shared, start: 0, stride: 2 };
        // SAFETY: the buffer is ours alone.
        unsafe { multiply(target, false, (2, 2, 2), Matrix::rows(&[0.0; 4], 2), Matrix::rows(&[0.0; 3], 2)) };
    }
}
