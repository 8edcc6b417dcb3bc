//! The linear maps of F(2×2, 3×3) along one axis, on vectors of `N` neighbouring tiles or kernels.
//!
//! Plain loops, here and in all that runs inside `wide`: the closures of iterators are not always inlined there,
//! and then they are not compiled for its vectors.

/// Values of neighbouring tiles or kernels.
type Lanes<const N: usize> = [f32; N];

#[inline(always)]
fn add<const N: usize>(a: Lanes<N>, b: Lanes<N>) -> Lanes<N> {
    let mut sum = a;
    for (sum, b) in sum.iter_mut().zip(b) {
        *sum += b;
    }
    sum
}

#[inline(always)]
fn sub<const N: usize>(a: Lanes<N>, b: Lanes<N>) -> Lanes<N> {
    let mut difference = a;
    for (difference, b) in difference.iter_mut().zip(b) {
        *difference -= b;
    }
    difference
}

#[inline(always)]
fn half<const N: usize>(a: Lanes<N>) -> Lanes<N> {
    let mut half = a;
    for half in &mut half {
        *half *= 0.5;
    }
    half
}

/// Bᵀ, of the four pixels that a tile reads.
#[inline(always)]
pub(super) fn input<const N: usize>([a, b, c, d]: [Lanes<N>; 4]) -> [Lanes<N>; 4] {
    [sub(a, c), add(b, c), sub(c, b), sub(b, d)]
}

/// Aᵀ, of the four products of a tile: the two pixels that it covers.
#[inline(always)]
pub(super) fn output<const N: usize>([a, b, c, d]: [Lanes<N>; 4]) -> [Lanes<N>; 2] {
    [add(add(a, b), c), sub(sub(b, c), d)]
}

/// A, of the gradients of the two pixels that a tile covers.
#[inline(always)]
pub(super) fn output_gradient<const N: usize>([a, b]: [Lanes<N>; 2]) -> [Lanes<N>; 4] {
    [a, add(a, b), sub(a, b), sub([0.0; N], b)]
}

/// G, of three taps.
#[inline(always)]
pub(super) fn kernel<const N: usize>([a, b, c]: [Lanes<N>; 3]) -> [Lanes<N>; 4] {
    let (sides, middle) = (half(add(a, c)), half(b));
    [a, add(sides, middle), sub(sides, middle), c]
}

/// Gᵀ, of the gradients of a mapped kernel.
#[inline(always)]
pub(super) fn kernel_gradient<const N: usize>([a, b, c, d]: [Lanes<N>; 4]) -> [Lanes<N>; 3] {
    let sum = half(add(b, c));
    [add(a, sum), half(sub(b, c)), add(sum, d)]
}
