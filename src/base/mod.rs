//! What everything else stands on: digests, canonical JSON, addressed randomness, atomic files, the clock, wide loops,
//! and places for faults.

pub mod canon;
pub mod causes;
pub mod clock;
pub mod digest;
pub mod draft;
pub mod failpoint;
pub mod fs;
pub mod process;
pub mod progress;
pub mod secret;
pub mod share;
pub mod simd;
pub mod stream;
pub mod suggest;
pub mod walk;
