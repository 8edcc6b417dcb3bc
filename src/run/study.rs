//! From an ablation to one graph of stages, and to what the store remembers of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::bind::{BindError, Binder};
use crate::base::digest::Digest;
use crate::data::dataset::Dataset;
use crate::data::size::ImageSize;
use crate::plan::bound::run_id;
use crate::plan::recipe::{self, RecipeError};
use crate::plan::{Graph, Kind, StageKey};
use crate::spec::ablation::{Ablation, Member};
use crate::spec::evaluate::EvaluateOn;
use crate::spec::identity;
use crate::store::study::{DataFacts, Sharing, SplitFacts, StoredMember};
use crate::store::{Store, StoreError, StoredStudy};

/// An ablation, planned.
pub struct PlannedStudy {
    /// Every distinct stage, in order of execution.
    pub graph: Graph,
    /// What the store is to remember.
    pub stored: StoredStudy,
    /// The data behind every `prepare` stage.
    pub data: BTreeMap<StageKey, Arc<Dataset>>,
    /// The pretrained weights, by digest.
    pub weights: BTreeMap<Digest, std::path::PathBuf>,
    /// Which experiments every stage serves, as `arm/seed/split`.
    pub serves: BTreeMap<StageKey, Vec<String>>,
}

/// Why an ablation can't be planned. All of it is found before anything trains.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Data or weights are not as they should be.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A training can't begin.
    #[error("{member}")]
    Recipe {
        /// `arm st, seed 0, split 0`
        member: String,
        /// What is wrong.
        #[source]
        source: RecipeError,
    },
    /// An image of which the network would see a part of a pixel.
    #[error(
        "use `{}`: it has {}x{} pixels, which is less than the output stride of {output_stride}; \
         take it out of the lists, or enlarge it", image.id, image.width, image.height
    )]
    SmallImage {
        /// The image.
        image: ImageSize,
        /// `model.output_stride`.
        output_stride: usize,
    },
    /// The headline's images are not there.
    #[error(
        "evaluate on `{asked}`: the dataset has no {asked} images; set `evaluate.on` to \"auto\" or name a list in `data.{asked}`"
    )]
    NoHeadline {
        /// `val` or `test`.
        asked: &'static str,
    },
    /// The store has another study of that name.
    #[error(
        "run the ablation `{name}`: the store has another ablation of that name ({there}, this one is {here}); \
         give this one another `name`, use another --store, or let it take the name with --replace \
         (finished stages stay and are used again)"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The stored study's digest.
        there: String,
        /// This study's digest.
        here: String,
    },
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PlannedStudy {
    /// Binds every experiment to its data and merges their stages.
    ///
    /// # Errors
    /// [`PlanError`]: nothing was trained yet.
    pub fn new(ablation: Ablation, numerics: &str, cache: &Path) -> Result<Self, PlanError> {
        let mut binder = Binder::new(cache);
        let mut graph = Graph::default();
        let mut members = Vec::new();
        let mut data = BTreeMap::new();
        let mut weights = BTreeMap::new();
        let mut serves: BTreeMap<StageKey, Vec<String>> = BTreeMap::new();
        let mut facts: Option<DataFacts> = None;
        for member in &ablation.experiments {
            let experiment = &member.experiment;
            let opened = binder.bind(experiment)?;
            let (dataset, bound) = (&opened.dataset, &opened.bound);
            let output_stride = experiment.model.output_stride;
            if let Some(image) = &opened.smallest
                && image.shortest() < output_stride
            {
                return Err(PlanError::SmallImage { image: image.clone(), output_stride });
            }
            let chain = recipe::add(&mut graph, experiment, bound, numerics)
                .map_err(|source| PlanError::Recipe { member: words(member), source })?;
            let prepare = chain.steps.first().expect("a chain begins with prepare").key;
            data.insert(prepare, Arc::clone(dataset));
            if let (Some(digest), Some(path)) = (bound.weights, &experiment.model.weights) {
                weights.insert(digest, path.clone());
            }
            let name = format!("{}/{}/{}", member.arm, member.seed, member.split);
            for step in &chain.steps {
                let names = serves.entry(step.key).or_default();
                if names.last() != Some(&name) {
                    names.push(name.clone());
                }
            }
            let headline = headline(experiment.evaluate.on, bound.val.is_empty(), bound.test.is_empty())?;
            let facts = facts.get_or_insert_with(|| DataFacts {
                name: dataset.name.clone(),
                classes: dataset.classes.clone(),
                palette: dataset.palette.clone(),
                manifest: bound.manifest,
                headline: headline.to_owned(),
                splits: BTreeMap::new(),
            });
            facts.splits.insert(
                member.split.clone(),
                SplitFacts {
                    labeled: bound.labeled.len(),
                    labeled_digest: bound.labeled.digest(),
                    unlabeled: bound.unlabeled.len(),
                    unlabeled_digest: bound.unlabeled.digest(),
                },
            );
            let spec_id = identity::spec_id(experiment);
            let experiment_id = bound.experiment_id(spec_id);
            members.push(StoredMember {
                arm: member.arm.clone(),
                seed: member.seed,
                split: member.split.clone(),
                spec_id,
                experiment_id,
                run_id: run_id(experiment_id, numerics),
                chain,
            });
        }
        let data_facts = facts.expect("the reader refuses an ablation without experiments");
        let stored = StoredStudy {
            digest: StoredStudy::digest_of(&ablation, &members, &data_facts.headline),
            ablation,
            numerics: numerics.to_owned(),
            data: data_facts,
            members,
            sharing: Sharing {
                requested: graph.requested(),
                distinct: graph.nodes().len(),
                requested_cost: graph.requested_cost(),
                distinct_cost: graph.cost(),
            },
            registrations: Vec::new(),
        };
        Ok(Self { graph, stored, data, weights, serves })
    }

    /// Makes the store remember this study, and when its claims were written down.
    ///
    /// # Errors
    /// [`PlanError::NameTaken`] when another study has the name and `replace` is off.
    pub fn register(&mut self, store: &Store, replace: bool) -> Result<(), PlanError> {
        let name = &self.stored.ablation.name;
        let mut named = store.studies(name)?.into_iter();
        let earlier = named.find(|study| study.numerics == self.stored.numerics);
        if let Some(other) =
            earlier.as_ref().filter(|earlier| earlier.digest != self.stored.digest && !replace)
        {
            return Err(PlanError::NameTaken {
                name: name.clone(),
                there: other.digest.short(),
                here: self.stored.digest.short(),
            });
        }
        let finished = self.finished(store)?;
        self.stored
            .register_claims(earlier.map(|earlier| earlier.registrations).unwrap_or_default(), finished);
        Ok(store.write_study(&self.stored)?)
    }

    /// Experiments of which a result is in the store, on whichever images.
    fn finished(&self, store: &Store) -> Result<u64, StoreError> {
        let mut finished = 0;
        for member in &self.stored.members {
            let chain = &member.chain;
            for key in chain.test.into_iter().chain(chain.val) {
                if store.record(Kind::Evaluate, key)?.is_some() {
                    finished += 1;
                    break;
                }
            }
        }
        Ok(finished)
    }

    /// The stages that are not in the store.
    ///
    /// # Errors
    /// A record that can't be read.
    pub fn missing(&self, store: &Store) -> Result<Vec<StageKey>, StoreError> {
        let mut missing = Vec::new();
        for node in self.graph.nodes() {
            if store.done(node)?.is_none() {
                missing.push(node.key);
            }
        }
        Ok(missing)
    }
}

/// `test` where there is one, else `val`, unless one of them was asked for.
fn headline(on: EvaluateOn, no_val: bool, no_test: bool) -> Result<&'static str, PlanError> {
    match on {
        EvaluateOn::Auto if no_test && !no_val => Ok("val"),
        EvaluateOn::Auto | EvaluateOn::Test if !no_test => Ok("test"),
        EvaluateOn::Val if !no_val => Ok("val"),
        EvaluateOn::Val | EvaluateOn::Auto => Err(PlanError::NoHeadline { asked: "val" }),
        EvaluateOn::Test => Err(PlanError::NoHeadline { asked: "test" }),
    }
}

fn words(member: &Member) -> String {
    format!("plan arm {}, seed {}, split {}", member.arm, member.seed, member.split)
}
