//! The stage in the store that is nearest to one that is not.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::flat::{Difference, Flat, differences, flat};
use super::{Known, parameters};
use crate::plan::graph::Node;
use crate::plan::key::StageKey;
use crate::plan::kind::{Kind, Role};

/// The stages in the store, those of the same kind, role and work together: they differ in what they read.
pub struct Candidates<'a> {
    groups: BTreeMap<Kind, BTreeMap<(Option<Role>, String), Group<'a>>>,
    kinds: BTreeMap<StageKey, Kind>,
}

/// Of another role, differences, of the same experiment, key: the least is the nearest.
type Rank = (bool, usize, Reverse<bool>, StageKey);

struct Group<'a> {
    parameters: Flat,
    known: Vec<&'a Known<'a>>,
}

impl<'a> Candidates<'a> {
    /// The candidates among what is known.
    pub fn of(known: &'a [Known<'a>]) -> Self {
        let mut groups: BTreeMap<Kind, BTreeMap<(Option<Role>, String), Group<'a>>> = BTreeMap::new();
        for stage in known {
            let work = (stage.role, stage.work.to_string());
            let new = || Group { parameters: flat(stage.work), known: Vec::new() };
            groups.entry(stage.kind).or_default().entry(work).or_insert_with(new).known.push(stage);
        }
        Self { groups, kinds: known.iter().map(|stage| (stage.key, stage.kind)).collect() }
    }

    /// The kind of a stage in the store.
    pub fn kind(&self, key: StageKey) -> Option<Kind> {
        self.kinds.get(&key).copied()
    }

    /// The nearest stage, and where its parameters differ: of the same role if there is one, with the fewest differing
    /// parameters, inputs, version and numerics class; then kin; then the one with the first key.
    pub fn nearest(
        &self,
        node: &Node,
        numerics: &str,
        kin: &dyn Fn(StageKey) -> bool,
    ) -> Option<(&'a Known<'a>, Vec<Difference>)> {
        let parameters = parameters(&node.work);
        let mut best: Option<(Rank, &Known<'_>, Vec<Difference>)> = None;
        for ((role, _), group) in self.groups.get(&node.kind)? {
            let differing = differences(&group.parameters, &parameters);
            for known in &group.known {
                let inputs = known.inputs.iter().zip(&node.inputs).filter(|(old, new)| old != new).count()
                    + known.inputs.len().abs_diff(node.inputs.len());
                let beside = usize::from(known.numerics != numerics)
                    + usize::from(known.version != node.kind.version());
                let count = differing.len() + inputs + beside;
                let other_role = *role != node.role;
                let is_worse =
                    |best: &(bool, usize, Reverse<bool>, StageKey)| (best.0, best.1) < (other_role, count);
                if best.as_ref().is_some_and(|(rank, ..)| is_worse(rank)) {
                    continue;
                }
                let rank = (other_role, count, Reverse(kin(known.key)), known.key);
                if best.as_ref().is_none_or(|(known, ..)| rank < *known) {
                    best = Some((rank, known, differing.clone()));
                }
            }
        }
        best.map(|(_, known, differing)| (known, differing))
    }
}
