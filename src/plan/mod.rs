//! What must be computed: every experiment as a chain of stages, equal stages merged into one graph.
//!
//! [`recipe`] writes the chain of one experiment (it reads like DESIGN's table of recipes), [`graph`] merges
//! chains, [`work`] says what each stage does, [`kind`] names stages and their versions, [`key`] hashes them.
//! Nothing here reads a file: what the plan needs to know of the data is in [`bound::Bound`].

pub mod bound;
pub mod cost;
pub mod explain;
pub mod graph;
pub mod key;
pub mod kind;
pub mod recipe;
pub mod work;

pub use bound::Bound;
pub use cost::Cost;
pub use graph::{Graph, Node};
pub use key::StageKey;
pub use kind::{Kind, Role};
pub use recipe::{Chain, Step};
