//! Finds a run in the store by the first digits of its id.

use crate::cli::failure::{Failure, FailureKind};
use crate::store::study::StoredMember;
use crate::store::{Store, StoredStudy};

/// The run whose id starts so, with the ablation that it belongs to; the first, where several ablations share it.
pub fn run(store: &Store, digits: &str) -> Result<(StoredStudy, StoredMember), Failure> {
    let names = store.study_names()?;
    for name in &names {
        for study in store.studies(name)? {
            if let Some(member) = study.members.iter().find(|m| m.run_id.to_string().starts_with(digits)) {
                let member = member.clone();
                return Ok((study, member));
            }
        }
    }
    let failure = Failure::new(
        FailureKind::Input,
        format!("failed to find `{digits}`: it is no spec file, ablation or run of this store"),
    );
    Err(match crate::base::suggest::nearest(digits, names.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`stpp exp ls` lists what is there"),
    })
}
