//! A bias per channel, on the CPU.

/// `x + bias` for `x` (B, C, pixels) and `bias` (C).
pub(super) fn forward(pixels: usize, x: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for (plane, bias) in x.chunks_exact(pixels).zip(bias.iter().cycle()) {
        out.extend(plane.iter().map(|v| v + bias));
    }
    out
}

/// The gradient of the bias from that of the sum.
pub(super) fn backward(pixels: usize, channels: usize, gradient: &[f32]) -> Vec<f32> {
    let mut sums = vec![0f64; channels];
    for (index, plane) in gradient.chunks_exact(pixels).enumerate() {
        sums[index % channels] += plane.iter().map(|&g| f64::from(g)).sum::<f64>();
    }
    sums.iter().map(|&s| s as f32).collect()
}
