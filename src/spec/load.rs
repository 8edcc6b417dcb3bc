//! From a path to a resolved spec.

use std::path::Path;

use crate::base::digest::Digest;

use super::ablation::Ablation;
use super::arms;
use super::compose::compose;
use super::diagnostic::{Problem, SpecProblems};
use super::environment::Environment;
use super::experiment::Experiment;
use super::identity::{ablation_id, spec_id};
use super::print;
use super::read;
use super::reader::{Context, Line};
use super::schema;
use super::source::{SourceKind, Sources};
use super::tree::{Origin, Table};

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    /// One setting.
    Experiment(Box<Experiment>),
    /// A question with arms.
    Ablation(Box<Ablation>),
}

impl Spec {
    /// The digest of everything in it that can change a result.
    pub fn id(&self) -> Digest {
        match self {
            Self::Experiment(experiment) => spec_id(experiment),
            Self::Ablation(ablation) => ablation_id(ablation),
        }
    }
}

/// A resolved spec that still knows where everything came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What was meant.
    pub spec: Spec,
    pub(super) sources: Sources,
    pub(super) head: Vec<Line>,
    pub(super) body: Vec<Line>,
    pub(super) arms: Vec<ArmLines>,
}

/// How one arm came to be.
#[derive(Debug, Clone)]
pub struct ArmLines {
    /// The arm's name.
    pub name: String,
    /// What is said of it.
    pub about: String,
    /// Every resolved key of its experiment.
    pub lines: Vec<Line>,
}

/// The lines of a spec, as they are printed.
pub enum Shape<'a> {
    /// One setting.
    Experiment {
        /// Every resolved key.
        lines: &'a [Line],
    },
    /// A question with arms.
    Ablation {
        /// The ablation's own keys.
        head: &'a [Line],
        /// Every resolved key of the baseline's experiment.
        baseline: &'a [Line],
        /// All arms.
        arms: &'a [ArmLines],
    },
}

impl Loaded {
    /// Every resolved key.
    pub(super) fn shape(&self) -> Shape<'_> {
        match self.spec {
            Spec::Experiment(_) => Shape::Experiment { lines: &self.body },
            Spec::Ablation(_) => Shape::Ablation { head: &self.head, baseline: &self.body, arms: &self.arms },
        }
    }

    /// The texts it was read from.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The files it was read from: the one that was asked for, then those it extends.
    pub fn files(&self) -> Vec<&Path> {
        self.sources
            .iter()
            .filter_map(|source| match &source.kind {
                SourceKind::File(path) => Some(path.as_path()),
                SourceKind::Set => None,
            })
            .collect()
    }

    /// Where the value of a dotted key came from; for an ablation, of its own keys and of its baseline.
    pub fn explain(&self, key: &str) -> Option<&Origin> {
        self.head.iter().chain(&self.body).find(|line| line.key == key).map(|line| &line.origin)
    }

    /// The resolved key of an arm's experiment; where there are no arms, of the only one. The seed and the split of an
    /// ablation's experiments are what its own `seeds` and `splits` say.
    pub fn line(&self, arm: &str, key: &str) -> Option<&Line> {
        let head = match key {
            "seed" => "seeds",
            "split.seed" | "split.lists" => "splits",
            key => key,
        };
        let own = self.head.iter().find(|line| line.key == head);
        own.or_else(|| self.lines(arm).find(|line| line.key == key))
    }

    /// Every resolved key of an arm's experiment; where there are no arms, of the only one.
    pub fn lines(&self, arm: &str) -> impl Iterator<Item = &Line> {
        self.arms.iter().find(|lines| lines.name == arm).map_or(&self.body, |arm| &arm.lines).iter()
    }

    /// The resolved spec as TOML, each line with where its value came from; it reads back as the same spec.
    pub fn to_toml(&self) -> String {
        print::resolved(self)
    }
}

/// Reads the spec at `path`, with `--set` arguments (`train.batch=8`) over it.
///
/// A file with arms is an ablation, any other an experiment.
///
/// # Errors
/// All that is wrong with it, at once.
pub fn load(path: &Path, sets: &[String], environment: &dyn Environment) -> Result<Loaded, SpecProblems> {
    let mut sources = Sources::default();
    let mut problems = Vec::new();
    let loaded = compose(path, sets, &mut sources, &mut problems)
        .and_then(|tree| resolve(tree, &sources, environment, &mut problems));
    match loaded {
        Some(loaded) if problems.is_empty() => Ok(loaded),
        _ => Err(SpecProblems::new(path.display().to_string(), sources, problems)),
    }
}

fn resolve(
    mut tree: Table,
    sources: &Sources,
    environment: &dyn Environment,
    problems: &mut Vec<Problem>,
) -> Option<Loaded> {
    let of_ablation = |key: &str| schema::OF_ABLATIONS.contains(&key);
    let context = Context::new(sources, environment);
    if !tree.keys().any(|key| of_ablation(key)) {
        let read = read::experiment(&context, &tree);
        problems.extend(context.problems());
        let spec = Spec::Experiment(Box::new(read.experiment?));
        let body = context.lines();
        return Some(Loaded { spec, sources: sources.clone(), head: vec![], body, arms: vec![] });
    }
    let own = |key: &String| of_ablation(key) || key == "description";
    let (head, base): (Table, Table) = std::mem::take(&mut tree).into_iter().partition(|(key, _)| own(key));
    let head = read::head(&context, &head);
    problems.extend(context.problems());
    let resolved = arms::resolve(head, &base, sources, environment, problems)?;
    let ablation = resolved.ablation;
    let arms: Vec<_> = ablation
        .arms
        .iter()
        .zip(resolved.lines)
        .map(|(arm, lines)| ArmLines { name: arm.name.clone(), about: arm.description.clone(), lines })
        .collect();
    let baseline = arms.iter().find(|arm| arm.name == ablation.baseline)?;
    let body = baseline.lines.clone();
    let spec = Spec::Ablation(Box::new(ablation));
    Some(Loaded { spec, sources: sources.clone(), head: context.lines(), body, arms })
}
