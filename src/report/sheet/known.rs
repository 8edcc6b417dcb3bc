//! What the store knows of a study, in the words of the sheet: one function per question.

use super::SheetFacts;
use crate::report::grid::code;
use crate::report::number::{count, counted, level, listed};
use crate::report::study::{Protocol, Provenance, Sharing, SplitSize, Subset};

pub(super) fn command(facts: &SheetFacts) -> String {
    format!(
        "`stpp exp run` with the spec named {}; its resolved ablation is {}; to write the report from a store: {}",
        code(facts.name),
        code(facts.provenance.ablation.short()),
        code(format!("stpp report {}", facts.name)),
    )
}

pub(super) fn settings(facts: &SheetFacts) -> String {
    format!(
        "all of them are in the resolved spec, which {} prints",
        code(format!("stpp exp show {}", facts.name))
    )
}

pub(super) fn versions(facts: &SheetFacts) -> String {
    let mut versions = facts.provenance.code.clone();
    versions.sort();
    versions.dedup();
    let stages: Vec<String> =
        facts.provenance.stages.iter().map(|(kind, version)| format!("{kind} {version}")).collect();
    let code = if versions.is_empty() { "no record yet".to_owned() } else { listed(&versions) };
    format!("{code}; versions of the stages: {}", stages.join(", "))
}

pub(super) fn data(facts: &SheetFacts) -> String {
    format!(
        "{}, {} classes; digest of every image and mask: {}",
        code(&facts.protocol.dataset),
        facts.classes,
        code(facts.provenance.data.short()),
    )
}

pub(super) fn splits(facts: &SheetFacts) -> String {
    let split = |(label, size): (&String, &SplitSize)| {
        let sizes = format!("{} labeled and {} unlabeled images", count(size.labeled), count(size.unlabeled));
        match facts.provenance.splits.get(label) {
            Some(digest) => format!("{}: {sizes}, lists {}", code(label), code(digest.short())),
            None => format!("{}: {sizes}", code(label)),
        }
    };
    facts.protocol.splits.iter().map(split).collect::<Vec<_>>().join("; ")
}

pub(super) fn network(facts: &SheetFacts) -> String {
    let Provenance { weights, code: records, .. } = facts.provenance;
    let weights = match weights {
        Some(digest) => format!("pretrained weights {}", code(digest.short())),
        None if records.is_empty() => "whether from pretrained weights is not recorded yet".to_owned(),
        None => "no pretrained weights, random ones by seed".to_owned(),
    };
    let Protocol { network, crop, .. } = facts.protocol;
    format!("the baseline's: {network}; trained on crops of {crop} × {crop} pixels; {weights}")
}

pub(super) fn seeds(facts: &SheetFacts) -> String {
    let seeds: Vec<String> = facts.seeds.iter().map(u64::to_string).collect();
    format!("{}; all randomness is addressed by the seed", listed(&seeds))
}

/// Runs that each arm should have.
fn planned(facts: &SheetFacts) -> usize {
    facts.seeds.len() * facts.protocol.splits.len()
}

pub(super) fn runs(facts: &SheetFacts) -> String {
    let per_arm: Vec<String> = facts.arms.iter().map(|(arm, runs)| format!("{} {runs}", code(arm))).collect();
    let missing = match missing(facts) {
        0 => "none is missing".to_owned(),
        1 => "1 is missing".to_owned(),
        n => format!("{n} are missing"),
    };
    let (planned, arms) = (planned(facts), facts.arms.len());
    format!(
        "{} of {} ({} × {} × {}), {missing}; n of each arm, out of {planned}: {}",
        planned * arms - self::missing(facts),
        planned * arms,
        counted(arms, "arm"),
        counted(facts.seeds.len(), "seed"),
        counted(facts.protocol.splits.len(), "split"),
        per_arm.join(", "),
    )
}

/// Runs of the design that are not complete.
fn missing(facts: &SheetFacts) -> usize {
    facts.arms.iter().map(|(_, runs)| planned(facts).saturating_sub(*runs)).sum()
}

pub(super) fn evaluation(facts: &SheetFacts) -> String {
    let on = |subset: Subset| {
        let images = facts.evaluated.get(&subset);
        images.map_or_else(
            || format!("the {subset} images"),
            |&n| format!("the {} {subset} images", count(n as u64)),
        )
    };
    let mut text = format!("mIoU on {}", on(facts.headline));
    let others = facts.evaluated.keys().filter(|subset| **subset != facts.headline);
    for &other in others {
        text += &format!(", and on {}", on(other));
    }
    let Protocol { geometry, convention, .. } = facts.protocol;
    format!("{text}; seen as {geometry}, at one scale; {convention}")
}

pub(super) fn selection(facts: &SheetFacts) -> String {
    let looked = match facts.looks {
        None => "the validation images were not looked at during training".to_owned(),
        Some((fewest, most)) => {
            let looks = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
            let times = if most == 1 { "time" } else { "times" };
            format!(
                "the validation images were looked at {looks} {times} per run; the best look is reported as an oracle \
                 selection and used for nothing"
            )
        }
    };
    format!("the model of the last epoch, always; {looked}")
}

/// Independent draws of the procedure: splits where there are several, else seeds.
fn units(facts: &SheetFacts) -> (usize, &'static str) {
    match facts.protocol.splits.len() {
        0 | 1 => (facts.seeds.len(), "seeds"),
        splits => (splits, "splits"),
    }
}

pub(super) fn intervals(facts: &SheetFacts) -> String {
    let (n, unit) = units(facts);
    let at = level(facts.level);
    let images = format!(
        "{at} percentile interval over {} resamples of the evaluated images: these models on other images",
        count(facts.replicates as u64)
    );
    if n < 2 {
        return format!("no spread between runs, for there is one per arm; {images}");
    }
    let claims = match facts.claims {
        0 | 1 => "",
        _ => ", but for those of the claims, whose levels Holm's correction sets",
    };
    let means = if unit == "splits" && facts.seeds.len() > 1 { ", each the mean over its seeds" } else { "" };
    format!(
        "standard deviation (n − 1) over runs; {at} t interval of differences that are paired on seed and split, over \
         {n} {unit}{means} (df = {}): the procedure, repeated; {images}; intervals are not adjusted for the number of \
         arms{claims}",
        n - 1
    )
}

pub(super) fn tests(facts: &SheetFacts) -> String {
    let (n, unit) = units(facts);
    if n < 2 {
        return "none: single runs leave nothing to test".to_owned();
    }
    format!(
        "exact two-sided sign-flip test over the {n} {unit}; p as it is, and with Holm's correction over the arms that \
         are compared with one baseline, oracles left out"
    )
}

pub(super) fn work(facts: &SheetFacts) -> String {
    let Sharing { steps_requested, steps_distinct, forwards_requested, forwards_distinct, .. } =
        *facts.sharing;
    let plan = if missing(facts) > 0 { "; so the plan, of which not all has run" } else { "" };
    format!(
        "{} optimiser steps and {} image-forwards, each piece of shared work counted once; {} and {} were asked for{plan}",
        count(steps_distinct),
        count(forwards_distinct),
        count(steps_requested),
        count(forwards_requested),
    )
}

pub(super) fn environment(facts: &SheetFacts) -> String {
    format!(
        "numerics class {}: in the same class a run gives the same bits",
        code(&facts.provenance.numerics)
    )
}

pub(super) fn hours(facts: &SheetFacts) -> String {
    format!(
        "{} on the store, for they differ from run to run",
        code(format!("stpp report {} --costs", facts.name))
    )
}
