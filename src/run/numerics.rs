//! The numerics class: all that may change the bits of a result, and nothing else.

use candle_core::Device;

/// Raised whenever an operation on the training path rounds differently (guarded by the golden trace of `doctor`).
pub const ENGINE_VERSION: u32 = 2;

/// The numerics class of a device of this machine: backend, what of the hardware chooses kernels, type, engine version.
///
/// Of a CPU that is its architecture and SIMD level, `cpu-x86_64-avx2+fma-f32-engine2`; of an NVIDIA card its compute
/// capability, the number of its multiprocessors and the versions of NVIDIA's libraries,
/// `cuda-sm80x108-cublas13.1.0-f32-engine2`. Never thread count, host, path or date.
pub fn class(device: &Device) -> String {
    let hardware = match device {
        Device::Cpu => format!("cpu-{}-{}", std::env::consts::ARCH, simd()),
        #[cfg(feature = "cuda")]
        Device::Cuda(card) => format!("cuda-{}", super::cuda::class(card)),
        #[cfg(not(feature = "cuda"))]
        Device::Cuda(_) => "cuda".to_owned(),
        Device::Metal(_) => "metal".to_owned(),
    };
    format!("{hardware}-f32-engine{ENGINE_VERSION}")
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
