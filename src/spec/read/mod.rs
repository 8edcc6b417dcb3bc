//! One reader per table of a spec: which keys it has, what they default to, which values they take.

mod ablation;
mod augment;
mod claim;
mod data;
mod evaluate;
mod experiment;
mod method;
mod model;
mod select;
mod split;
mod train;

pub use ablation::{ArmHead, Head, head};
pub use claim::ClaimHead;
pub use experiment::experiment;
pub use split::Base as SplitBase;
