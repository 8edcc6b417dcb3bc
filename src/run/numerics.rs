//! The numerics class: all that may change the bits of a result, and nothing else.

use candle_core::Device;

/// Raised whenever an operation on the training path rounds differently (guarded by the golden trace of `doctor`).
pub const ENGINE_VERSION: u32 = 1;

/// The numerics class of a device of this machine: backend, architecture, SIMD level, type, engine version.
///
/// Never thread count, host, path or date. `cpu-x86_64-avx2+fma-f32-engine1`.
pub fn class(device: &Device) -> String {
    let backend = match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    };
    format!("{backend}-{}-{}-f32-engine{ENGINE_VERSION}", std::env::consts::ARCH, simd())
}

/// The SIMD level that the matrix kernels choose on this machine.
pub fn simd() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("fma") && std::arch::is_x86_feature_detected!("avx2") {
            "avx2+fma"
        } else {
            "baseline"
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        "neon"
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        "baseline"
    }
}
