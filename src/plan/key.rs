//! Stage keys: two stages with one key are the same work.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::{Kind, Role};
use super::work::Work;
use crate::base::canon;
use crate::base::digest::Digest;

/// blake3 over all that a stage's output depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StageKey(pub Digest);

#[derive(Serialize)]
struct Material<'a> {
    kind: Kind,
    version: u32,
    role: Option<Role>,
    work: &'a Work,
    inputs: &'a [StageKey],
    numerics: &'a str,
}

impl StageKey {
    /// The key of a stage: kind, version, role, parameters, the keys of its inputs, the numerics class.
    pub fn of(kind: Kind, role: Option<Role>, work: &Work, inputs: &[Self], numerics: &str) -> Self {
        let material = Material { kind, version: kind.version(), role, work, inputs, numerics };
        Self(canon::digest("stpp stage key v1", &material))
    }

    /// The first 12 hex digits.
    pub fn short(&self) -> String {
        self.0.short()
    }
}

impl fmt::Display for StageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
