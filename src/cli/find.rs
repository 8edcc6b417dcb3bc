//! Finds an ablation in the store by its name, and a run by the first digits of its id.

use crate::base::suggest::nearest;
use crate::cli::failure::{Failure, FailureKind};
use crate::report::number::counted;
use crate::store::study::StoredMember;
use crate::store::{Store, StoredStudy};

/// The run whose id starts so, or that is `ABLATION/ARM[/SEED[/SPLIT]]`, with the first ablation that it belongs to. It must be
/// one.
pub fn run(store: &Store, what: &str) -> Result<(StoredStudy, StoredMember), Failure> {
    if let Some((ablation, place)) = what.split_once('/') {
        let study = study(store, ablation)?;
        let member = member(&study, place)?;
        return Ok((study, member));
    }
    let mut named = store.studies(what)?;
    if let [study] = named.as_mut_slice()
        && let [member] = study.members.as_slice()
    {
        let member = member.clone();
        return Ok((study.clone(), member));
    }
    if let Some(study) = named.first() {
        let first = &study.members[0];
        let message = format!(
            "failed to find one run for `{what}`: it is an ablation of {}",
            counted(study.members.len(), "run")
        );
        return Err(Failure::new(FailureKind::Input, message)
            .hint(format!("name one of them: {what}/{}/{}/{}", first.arm, first.seed, first.split)));
    }
    let names = store.study_names()?;
    let mut found: Vec<(StoredStudy, StoredMember)> = Vec::new();
    for name in &names {
        for study in store.studies(name)? {
            for member in study.members.iter().filter(|member| member.run_id.to_string().starts_with(what)) {
                // Several ablations may share a run.
                if found.iter().all(|(_, other)| other.run_id != member.run_id) {
                    found.push((study.clone(), member.clone()));
                }
            }
        }
    }
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().take(5).map(|(_, member)| member.run_id.short()).collect();
        let message =
            format!("failed to find one run for `{what}`: {} begin so", counted(found.len(), "run"));
        return Err(
            Failure::new(FailureKind::Input, message).hint(format!("say more digits: {}", ids.join(", ")))
        );
    }
    if let Some(found) = found.pop() {
        return Ok(found);
    }
    let failure = Failure::new(
        FailureKind::Input,
        format!("failed to find `{what}`: it is no spec file, ablation or run of this store"),
    );
    Err(match nearest(what, names.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`stpp exp ls` lists what is there"),
    })
}

/// A member by its place: `ARM[/SEED[/SPLIT]]`.
fn member(study: &StoredStudy, text: &str) -> Result<StoredMember, Failure> {
    let mut parts = text.splitn(3, '/');
    let (arm, seed, split) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let fits = |member: &&StoredMember| {
        member.arm == arm
            && seed.is_none_or(|seed| member.seed.to_string() == seed)
            && split.is_none_or(|split| member.split == split)
    };
    let fitting: Vec<&StoredMember> = study.members.iter().filter(fits).collect();
    if let [found] = fitting.as_slice() {
        return Ok((*found).clone());
    }
    let name = &study.ablation.name;
    if let [first, .., last] = fitting.as_slice() {
        let place = |member: &StoredMember| format!("{name}/{}/{}/{}", member.arm, member.seed, member.split);
        let message = format!(
            "failed to find one run for `{name}/{place_of}`: {} fit",
            counted(fitting.len(), "run"),
            place_of = text
        );
        return Err(Failure::new(FailureKind::Input, message).hint(format!(
            "say seed and split: {} to {}",
            place(first),
            place(last)
        )));
    }
    let arms: Vec<&str> = study.ablation.arms.iter().map(|arm| arm.name.as_str()).collect();
    let failure =
        Failure::new(FailureKind::Input, format!("failed to find `{text}` in the ablation `{name}`"));
    Err(if arms.contains(&arm) {
        let seeds: Vec<String> = study.ablation.seeds.iter().map(u64::to_string).collect();
        failure.hint(format!("seeds: {}; splits: {}", seeds.join(", "), study.ablation.splits.join(", ")))
    } else {
        match nearest(arm, arms.iter().copied()) {
            Some(near) => failure.hint(format!("did you mean `{name}/{near}`?")),
            None => failure.hint(format!("arms: {}", arms.join(", "))),
        }
    })
}

/// The ablation with a name; it must be there on one numerics class alone.
pub fn study(store: &Store, name: &str) -> Result<StoredStudy, Failure> {
    let mut studies = store.studies(name)?;
    match studies.len() {
        1 => Ok(studies.remove(0)),
        0 => {
            let failure = Failure::new(
                FailureKind::Input,
                format!("failed to find the ablation `{name}` in the store"),
            );
            let names = store.study_names()?;
            Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`stpp exp ls` lists what is there"),
            })
        }
        _ => {
            let classes: Vec<&str> = studies.iter().map(|study| study.numerics.as_str()).collect();
            Err(Failure::new(
                FailureKind::Input,
                format!(
                    "failed to look at `{name}`: the store has it on several numerics classes ({}), \
                     and a report covers one",
                    classes.join(", ")
                ),
            )
            .hint("use a store of its own for each device"))
        }
    }
}
