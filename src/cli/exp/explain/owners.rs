//! Which experiments a stage is of: those of the plan, and those of the studies in the store.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::StageKey;
use crate::plan::explain::Whose;
use crate::run::PlannedStudy;
use crate::spec::ablation::Member;
use crate::spec::experiment::Experiment;
use crate::store::{Store, StoreError, StoredStudy};

/// An experiment of a study in the store, by position.
#[derive(Debug, Clone, Copy)]
struct Owner {
    study: usize,
    member: usize,
}

/// Whose work stages are.
pub(super) struct Owners<'a> {
    plan: &'a PlannedStudy,
    planned: BTreeMap<String, &'a Member>,
    serves: BTreeMap<StageKey, BTreeSet<&'a str>>,
    studies: Vec<StoredStudy>,
    stored: BTreeMap<StageKey, Vec<Owner>>,
}

/// `st/0/1`: an arm, a seed and a split.
fn name(member: &Member) -> String {
    format!("{}/{}/{}", member.arm, member.seed, member.split)
}

impl<'a> Owners<'a> {
    /// The experiments of a plan, and those that the store remembers.
    pub fn of(plan: &'a PlannedStudy, store: &Store) -> Result<Self, StoreError> {
        let mut studies = Vec::new();
        for name in store.study_names()? {
            studies.extend(store.studies(&name)?);
        }
        let mut stored: BTreeMap<StageKey, Vec<Owner>> = BTreeMap::new();
        for (study, of) in studies.iter().enumerate() {
            for (member, experiment) in of.members.iter().enumerate() {
                for step in &experiment.chain.steps {
                    stored.entry(step.key).or_default().push(Owner { study, member });
                }
            }
        }
        let members = &plan.stored.ablation.experiments;
        let serves = plan.serves.iter();
        Ok(Self {
            plan,
            planned: members.iter().map(|member| (name(member), member)).collect(),
            serves: serves.map(|(key, names)| (*key, names.iter().map(String::as_str).collect())).collect(),
            studies,
            stored,
        })
    }

    /// The first experiment of the plan that a stage is of.
    pub fn first(&self, node: StageKey) -> Option<&Member> {
        self.planned.get(self.plan.serves.get(&node)?.first()?).copied()
    }

    /// The experiments of the plan that a stage is of.
    pub fn members(&self, node: StageKey) -> impl Iterator<Item = &Member> {
        let names = self.plan.serves.get(&node).into_iter().flatten();
        names.filter_map(|name| self.planned.get(name).copied())
    }

    /// The experiments in the store that some stages are of, by the names of their studies, in the order of execution.
    pub fn stored(&self, keys: &[StageKey]) -> BTreeMap<&str, Vec<String>> {
        let owners = keys.iter().filter_map(|key| self.stored.get(key)).flatten();
        let owners: BTreeSet<(usize, usize)> = owners.map(|owner| (owner.study, owner.member)).collect();
        let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (study, member) in owners {
            let owner = Owner { study, member };
            found.entry(&self.studies[study].ablation.name).or_default().push(self.name_of(owner));
        }
        found
    }

    /// The experiments of the plan that some stages are of, in the order of execution.
    pub fn serving(&self, keys: &[StageKey]) -> Vec<String> {
        let names: BTreeSet<&str> =
            keys.iter().filter_map(|key| self.serves.get(key)).flatten().copied().collect();
        let members = self.plan.stored.ablation.experiments.iter();
        members.map(name).filter(|name| names.contains(name.as_str())).collect()
    }

    fn name_of(&self, owner: Owner) -> String {
        let member = &self.studies[owner.study].members[owner.member];
        format!("{}/{}/{}", member.arm, member.seed, member.split)
    }

    /// The owner of a record that is of an experiment that the stage is of: of the first of them, if there is such.
    fn kin(&self, node: StageKey, record: StageKey) -> Option<Owner> {
        let first = self.plan.serves.get(&node)?.first()?;
        let serves = self.serves.get(&node)?;
        let of_study =
            |owner: &&Owner| self.studies[owner.study].ablation.name == self.plan.stored.ablation.name;
        let mut kin: Option<Owner> = None;
        for owner in self.stored.get(&record)?.iter().filter(of_study) {
            let name = self.name_of(*owner);
            if name == *first {
                return Some(*owner);
            }
            if kin.is_none() && serves.contains(name.as_str()) {
                kin = Some(*owner);
            }
        }
        kin
    }
}

impl Whose for Owners<'_> {
    fn meant(&self, node: StageKey) -> Option<&Experiment> {
        self.first(node).map(|member| &member.experiment)
    }

    fn was(&self, node: StageKey, record: StageKey) -> Option<&Experiment> {
        let owner = self.kin(node, record).or_else(|| self.stored.get(&record)?.first().copied())?;
        let study = &self.studies[owner.study];
        let member = &study.members[owner.member];
        let of = |planned: &&Member| {
            planned.arm == member.arm && planned.seed == member.seed && planned.split == member.split
        };
        // They lie in the same order; a study that was written otherwise is searched.
        let same = study.ablation.experiments.get(owner.member).filter(of);
        same.or_else(|| study.ablation.experiments.iter().find(of)).map(|member| &member.experiment)
    }

    fn is_kin(&self, node: StageKey, record: StageKey) -> bool {
        self.kin(node, record).is_some()
    }
}
