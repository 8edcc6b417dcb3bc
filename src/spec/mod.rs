//! What the user meant.
//!
//! A spec is a TOML file that describes one [`Experiment`](experiment::Experiment), or an
//! [`Ablation`](ablation::Ablation): a question with several arms. [`load`] turns a path into a resolved value, or
//! into [`SpecProblems`]: everything that is wrong, each with its place, in one go.
//!
//! ```text
//! file ─extends→ file      --set a.b=c                     [arm.x]
//!   │              │            │                             │
//!   └── compose ───┴────────────┘  one tree, presets written  │  arms: laid over the base,
//!          │                       out in the layer that      │  factors checked
//!          ▼                       names them (shorthand)     ▼
//!        read/*  ── one reader per table ──▶ Experiment ──▶ Ablation
//!                                               │
//!                                     identity ─┴▶ spec id: what can change a result, and nothing else
//! ```
//!
//! - The vocabulary: [`experiment`], [`data`], [`model`], [`normalisation`], [`train`], [`augment`], [`method`],
//!   [`evaluate`], [`ablation`], [`claim`]. Plain data, one file per table.
//! - Texts and places: [`source`], [`tree`], [`diagnostic`].
//! - Layers: `compose` (extends, `--set`), `merge`, `shorthand` (`method.name`, `data.preset`; [`preset`]).
//! - Reading: `reader` collects problems and goes on, `convert` checks one value, `read/` has one file per table,
//!   `location` expands `${VARIABLES}`; [`environment`] says what is around.
//! - Meaning: [`identity`] hashes; `print` shows a resolved spec with the origin of every line.

pub mod ablation;
mod arms;
pub mod augment;
pub mod claim;
mod compose;
mod convert;
pub mod data;
pub mod diagnostic;
pub mod environment;
pub mod evaluate;
pub mod experiment;
pub mod identity;
pub mod length;
mod load;
mod location;
mod merge;
pub mod method;
pub mod model;
pub mod normalisation;
pub mod preset;
mod print;
mod read;
mod reader;
pub mod schema;
mod shorthand;
pub mod source;
pub mod train;
pub mod tree;

#[cfg(test)]
mod tests;

pub use diagnostic::{Problem, SpecProblems};
pub use environment::{Elsewhere, Environment, Process};
pub use identity::{ablation_id, spec_id};
pub use load::{Loaded, Spec, load};
pub use reader::Line;
