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

/// Defines a function that is compiled twice, as [`wide`] does, with all that is inlined into it.
///
/// `wide` depends on the compiler's will to inline the closure; this doesn't, and suits long loops.
macro_rules! wide_fn {
    ($(#[$attribute:meta])* $vis:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$attribute])*
        $vis fn $name($($argument: $type),*) {
            #[inline(always)]
            fn any($($argument: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type),*) {
                    any($($argument),*)
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the CPU has AVX2.
                    return unsafe { avx2($($argument),*) };
                }
            }
            any($($argument),*)
        }
    };
}
pub(crate) use wide_fn;
