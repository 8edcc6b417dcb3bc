//! Loops compiled twice: for any CPU of the architecture, and for AVX2.
//!
//! Both give the same bits: wider vectors do the same additions and multiplications on the same values, and the
//! compiler never fuses a multiplication with an addition on its own.

/// Loops that gain from wide vectors.
pub trait Loops {
    /// What they find out.
    type Output;

    /// Runs them. Must be `#[inline(always)]`, like all that it calls in its loops: what is not inlined into
    /// [`run`] is not compiled for its vectors.
    fn run(self) -> Self::Output;
}

/// Runs `loops`, compiled for AVX2 where the CPU has it.
pub fn run<L: Loops>(loops: L) -> L::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn avx2<L: Loops>(loops: L) -> L::Output {
            loops.run()
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the CPU has AVX2.
            return unsafe { avx2(loops) };
        }
    }
    loops.run()
}

/// Runs `f`, compiled for AVX2 where the CPU has it and `f` is so short that the compiler inlines it.
#[inline(always)]
pub fn wide<R>(f: impl FnOnce() -> R) -> R {
    struct Closure<F>(F);
    impl<R, F: FnOnce() -> R> Loops for Closure<F> {
        type Output = R;

        #[inline(always)]
        fn run(self) -> R {
            (self.0)()
        }
    }
    run(Closure(f))
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
