//! Loops compiled twice: for any CPU of the architecture, and for AVX2.
//!
//! Both give the same bits: wider vectors do the same additions and multiplications on the same values, and the
//! compiler never fuses a multiplication with an addition on its own.

/// Runs `f`, compiled for AVX2 where the CPU has it.
#[inline(always)]
pub fn wide<R>(f: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2.
            return unsafe { avx2(f) };
        }
    }
    f()
}
