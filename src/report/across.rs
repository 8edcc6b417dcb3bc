//! Several ablations as one study, so that their arms can stand in one table: where they may.
//!
//! What two numbers must have in common is the data, bit by bit, the headline's images, how they are looked at and how mIoU is
//! computed. Where something of it differs nothing is put side by side, and it is said what. Arms are then called
//! `ablation/arm`; a pair is the same seed on the same split, and where one ablation lacks a seed or a split the other has,
//! that part stays unpaired and is named.

use std::collections::{BTreeMap, BTreeSet};

use super::arm::ArmFacts;
use super::study::{Absent, Design, RunFacts, Sharing, Study};
use crate::base::canon;
use crate::spec::ablation::Regime;

/// Two ablations whose numbers may not stand in one table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("compare `{one}` with `{other}`: they differ in {what}: {here} against {there}")]
pub struct Incomparable {
    /// The first ablation.
    pub one: String,
    /// The other.
    pub other: String,
    /// What they would have to have in common.
    pub what: &'static str,
    /// What the first has.
    pub here: String,
    /// What the other has.
    pub there: String,
}

/// One study of several, in their order; the baseline is that of the first.
///
/// # Errors
/// [`Incomparable`], with the first thing that differs.
///
/// # Panics
/// Without studies.
pub fn merge(studies: Vec<Study>) -> Result<Study, Incomparable> {
    for (at, other) in studies.iter().enumerate() {
        for one in &studies[..at] {
            comparable(one, other)?;
        }
    }
    let mut seeds: Vec<u64> = Vec::new();
    let mut splits: Vec<String> = Vec::new();
    for study in &studies {
        seeds.extend(study.seeds.iter().filter(|seed| !seeds.contains(seed)).copied().collect::<Vec<_>>());
        splits
            .extend(study.splits.iter().filter(|split| !splits.contains(split)).cloned().collect::<Vec<_>>());
    }
    let absent = absent(&studies, &seeds, &splits);
    let name = studies.iter().map(|study| study.name.as_str()).collect::<Vec<_>>().join("+");
    let digests: Vec<_> = studies.iter().map(|study| study.provenance.ablation).collect();
    let first = &studies[0].design;
    let mut provenance = first.provenance.clone();
    provenance.ablation = canon::digest("stpp studies v1", &digests);
    for study in &studies[1..] {
        let other = &study.provenance;
        provenance.splits.extend(other.splits.iter().map(|(label, digest)| (label.clone(), *digest)));
        provenance.code.extend(other.code.iter().cloned());
    }
    let questions: Vec<String> =
        studies.iter().map(|study| format!("{}: {}", study.name, study.question)).collect();
    let design = Design {
        question: format!("How do the ablations {} compare?", named(&studies)),
        description: questions.join(" "),
        baseline: inside(&first.name, &first.baseline),
        arms: studies.iter().flat_map(arms).collect(),
        regime: first.regime.as_ref().map(|regime| Regime {
            short: inside(&first.name, &regime.short),
            long: inside(&first.name, &regime.long),
            ceiling: inside(&first.name, &regime.ceiling),
        }),
        // Each ablation judges its own: its levels are those of its own claims, over its own design.
        claims: Vec::new(),
        registrations: Vec::new(),
        sharing: Sharing::default(),
        name,
        seeds,
        splits,
        absent,
        provenance,
        ..first.clone()
    };
    let runs = studies.into_iter().flat_map(|study| {
        let name = study.design.name;
        study.runs.into_iter().map(move |run| RunFacts { arm: inside(&name, &run.arm), ..run })
    });
    Ok(Study { design, runs: runs.collect() })
}

fn named(studies: &[Study]) -> String {
    let names: Vec<String> = studies.iter().map(|study| study.name.clone()).collect();
    super::number::listed(&names)
}

/// The name of an arm outside of its ablation.
fn inside(study: &str, arm: &str) -> String {
    format!("{study}/{arm}")
}

fn arms(study: &Study) -> Vec<ArmFacts> {
    let arm = |arm: &ArmFacts| ArmFacts { name: inside(&study.name, &arm.name), ..arm.clone() };
    study.arms.iter().map(arm).collect()
}

/// Cells of the common design that an ablation never asked for.
fn absent(studies: &[Study], seeds: &[u64], splits: &[String]) -> BTreeSet<Absent> {
    let mut found = BTreeSet::new();
    for study in studies {
        for &seed in seeds {
            for split in splits {
                if study.seeds.contains(&seed) && study.splits.contains(split) {
                    continue;
                }
                found.extend(study.arms.iter().map(|arm| Absent {
                    arm: inside(&study.name, &arm.name),
                    seed,
                    split: split.clone(),
                }));
            }
        }
    }
    found
}

fn comparable(one: &Study, other: &Study) -> Result<(), Incomparable> {
    let differ = |what: &'static str, here: String, there: String| Incomparable {
        one: one.name.clone(),
        other: other.name.clone(),
        what,
        here,
        there,
    };
    let same = |what: &'static str, here: String, there: String| {
        if here == there { Ok(()) } else { Err(differ(what, here, there)) }
    };
    let (here, there) = (&one.provenance, &other.provenance);
    let data = |study: &Study| format!("{} ({})", study.protocol.dataset, study.provenance.data.short());
    same("the images and masks", data(one), data(other))?;
    same("the classes", one.classes.join(", "), other.classes.join(", "))?;
    same("the images of the headline", one.headline.to_string(), other.headline.to_string())?;
    same("the numerics class", here.numerics.clone(), there.numerics.clone())?;
    same("how images are looked at", one.protocol.geometry.clone(), other.protocol.geometry.clone())?;
    same("how mIoU is computed", one.protocol.convention.clone(), other.protocol.convention.clone())?;
    let lists: BTreeMap<&String, _> = here.splits.iter().collect();
    for (label, digest) in &there.splits {
        if let Some(known) = lists.get(label).filter(|known| **known != digest) {
            let list = |digest: &crate::base::digest::Digest| format!("split {label} ({})", digest.short());
            return Err(differ("which images are labeled", list(known), list(digest)));
        }
    }
    Ok(())
}
