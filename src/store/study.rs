//! Studies: what a report is about, written when an ablation is run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::sealed::{self, Form, Found};
use super::{Store, StoreError, layout};
use crate::base::canon;
use crate::base::digest::Digest;
use crate::base::fs;
use crate::plan::{Chain, Cost};
use crate::spec::ablation::{Ablation, Member};
use crate::spec::claim::{Claim, claims_digest};

/// The resolved ablation, bound to its data, with the chain of every member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredStudy {
    /// Digest of the ablation's question, members and data: what makes it this study.
    pub digest: Digest,
    /// The ablation as it was resolved.
    pub ablation: Ablation,
    /// The numerics class it runs on.
    pub numerics: String,
    /// The data it runs on.
    pub data: DataFacts,
    /// Its experiments, in the order of execution.
    pub members: Vec<StoredMember>,
    /// What was shared.
    pub sharing: Sharing,
    /// When its claims were written down, first to last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registrations: Vec<Registration>,
}

/// Claims as they stood when `exp run` was called, and how much was known by then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Digest of the claims.
    pub digest: Digest,
    /// Digest of the study that they are about: arms, seeds, splits and data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study: Option<Digest>,
    /// The claims themselves; empty where they were withdrawn.
    pub claims: Vec<Claim>,
    /// Runs of the ablation of which a result was known.
    pub finished: u64,
    /// Runs of the ablation.
    pub planned: u64,
}

/// What a report says of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// The dataset's name.
    pub name: String,
    /// Class names, in the order of their ids.
    pub classes: Vec<String>,
    /// Colour per class.
    pub palette: Vec<[u8; 3]>,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// The subset of the headline: `test` or `val`.
    pub headline: String,
    /// Labeled and unlabeled images per split.
    pub splits: BTreeMap<String, SplitFacts>,
}

/// One split in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitFacts {
    /// Labeled images.
    pub labeled: usize,
    /// Digest of their ids.
    pub labeled_digest: Digest,
    /// Unlabeled images.
    pub unlabeled: usize,
    /// Digest of their ids.
    pub unlabeled_digest: Digest,
}

/// One experiment of a study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMember {
    /// The arm's name.
    pub arm: String,
    /// The seed.
    pub seed: u64,
    /// The split's label.
    pub split: String,
    /// What was meant.
    pub spec_id: Digest,
    /// What was meant and found.
    pub experiment_id: Digest,
    /// What was meant and found, on this numerics class.
    pub run_id: Digest,
    /// Its stages.
    pub chain: Chain,
}

/// What sharing stages saves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sharing {
    /// Stages over all experiments.
    pub requested: usize,
    /// Distinct ones.
    pub distinct: usize,
    /// Cost if nothing were shared.
    pub requested_cost: Cost,
    /// Cost of the distinct ones.
    pub distinct_cost: Cost,
}

impl StoredStudy {
    /// This study, as if it had one experiment alone. Its digest stays that of the whole.
    pub fn only(&self, member: &StoredMember) -> Self {
        let ablation = &self.ablation;
        let is_it =
            |one: &&Member| (&one.arm, one.seed, &one.split) == (&member.arm, member.seed, &member.split);
        Self {
            digest: self.digest,
            ablation: Ablation {
                name: ablation.name.clone(),
                question: ablation.question.clone(),
                description: ablation.description.clone(),
                baseline: ablation.baseline.clone(),
                factors: ablation.factors.clone(),
                seeds: vec![member.seed],
                splits: vec![member.split.clone()],
                arms: ablation.arms.iter().filter(|arm| arm.name == member.arm).cloned().collect(),
                regime: None,
                claims: Vec::new(),
                noise: None,
                experiments: ablation.experiments.iter().filter(is_it).cloned().collect(),
            },
            numerics: self.numerics.clone(),
            data: self.data.clone(),
            members: vec![member.clone()],
            sharing: self.sharing,
            registrations: Vec::new(),
        }
    }

    /// Takes over what an earlier study of this name had registered, and adds its own claims where they differ.
    pub fn register_claims(&mut self, earlier: Vec<Registration>, finished: u64) {
        self.registrations = earlier;
        let claims = &self.ablation.claims;
        let digest = claims_digest(claims);
        let same = match self.registrations.last() {
            Some(last) => last.digest == digest && last.study == Some(self.digest),
            None => claims.is_empty(),
        };
        if !same {
            let (study, planned) = (Some(self.digest), self.members.len() as u64);
            let claims = claims.clone();
            self.registrations.push(Registration { digest, study, claims, finished, planned });
        }
    }

    /// The digest of a study: what a report answers, without words and locations.
    pub fn digest_of(ablation: &Ablation, members: &[StoredMember], headline: &str) -> Digest {
        let runs: Vec<_> = members.iter().map(|m| (&m.arm, m.seed, &m.split, m.run_id)).collect();
        canon::digest(
            "stpp study v1",
            &(&ablation.name, &ablation.baseline, &ablation.regime, headline, runs),
        )
    }
}

impl Store {
    /// The studies with a name, one per numerics class.
    ///
    /// # Errors
    /// A study that can't be read.
    pub fn studies(&self, name: &str) -> Result<Vec<StoredStudy>, StoreError> {
        let mut found = self.study_files_of(name, false)?;
        found.sort_by(|one, other| one.path.file_name().cmp(&other.path.file_name()));
        found.into_iter().map(|found| found.content).collect()
    }

    /// Every study of every format, each with its path, in a fixed order; also those that can't be read.
    ///
    /// # Errors
    /// A folder that can't be listed.
    pub fn study_files(&self) -> Result<Vec<Found<StoredStudy>>, StoreError> {
        let mut found = Vec::new();
        for name in self.study_names()? {
            found.extend(self.study_files_of(&name, true)?);
        }
        Ok(found)
    }

    fn study_files_of(&self, name: &str, all: bool) -> Result<Vec<Found<StoredStudy>>, StoreError> {
        let folders = [
            (layout::studies(self.root()).join(name), Form::Sealed),
            (layout::v1::studies(self.root()).join(name), Form::Bare),
        ];
        let mut found: Vec<Found<StoredStudy>> = sealed::read_all(&folders, "study", all)?;
        for study in &mut found {
            let Ok(content) = &study.content else { continue };
            let file = study.path.file_name().and_then(|name| name.to_str());
            if content.ablation.name != name || file != Some(&format!("{}.json", content.numerics)) {
                let what = format!("it is the study `{}` on {}", content.ablation.name, content.numerics);
                study.content = Err(StoreError::Unreadable { path: study.path.clone(), what });
            }
        }
        Ok(found)
    }

    /// The names of all studies, sorted.
    ///
    /// # Errors
    /// Whatever reading the folder reports.
    pub fn study_names(&self) -> Result<Vec<String>, StoreError> {
        let mut names = BTreeSet::new();
        for bucket in [layout::studies(self.root()), layout::v1::studies(self.root())] {
            let folders = fs::list(&bucket)?;
            names.extend(folders.iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())));
        }
        Ok(names.into_iter().collect())
    }

    /// Writes a study, in the place of the one with its name and numerics class.
    ///
    /// # Errors
    /// Whatever writing reports.
    pub fn write_study(&self, study: &StoredStudy) -> Result<(), StoreError> {
        let path = layout::study(self.root(), &study.ablation.name, &study.numerics);
        Ok(fs::write_if_changed(&path, &sealed::seal(study))?)
    }
}
