//! What everything else stands on: digests, canonical JSON, addressed randomness, atomic files, the clock, wide loops.

pub mod canon;
pub mod clock;
pub mod digest;
pub mod draft;
pub mod fs;
pub mod progress;
pub mod share;
pub mod simd;
pub mod stream;
pub mod suggest;
pub mod walk;
