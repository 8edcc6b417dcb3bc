//! The numbers of each complete run, where it stands in the design, and what is missing.

use std::collections::BTreeMap;

use super::study::{ImageConfusion, RunFacts, Study, Subset};
use crate::metric::Confusion;

/// A (seed, split) pair of the design, by position: arms are compared within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    seed: usize,
    split: usize,
}

/// A cell of the design that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing<'a> {
    /// The arm's name.
    pub arm: &'a str,
    /// The seed.
    pub seed: u64,
    /// The split's label.
    pub split: &'a str,
}

/// A complete run and its dataset scores.
#[derive(Debug)]
pub struct RunScores<'a> {
    /// What the store holds.
    pub facts: &'a RunFacts,
    subsets: BTreeMap<Subset, SubsetScores>,
}

/// Scores over all images of a subset: one confusion matrix, never a mean over images.
#[derive(Debug)]
pub struct SubsetScores {
    /// nan-mean over classes; none when no class is there.
    pub miou: Option<f64>,
    /// By class id; none where neither truth nor prediction has the class.
    pub ious: Vec<Option<f64>>,
    /// Pixels by true and predicted class.
    pub confusion: Confusion,
}

impl RunScores<'_> {
    /// The scores on a subset, where the run was evaluated on it.
    pub fn on(&self, subset: Subset) -> Option<&SubsetScores> {
        self.subsets.get(&subset)
    }

    /// mIoU of the last epoch on a subset, in [0, 1].
    pub fn miou(&self, subset: Subset) -> Option<f64> {
        self.on(subset)?.miou
    }
}

/// All complete runs, in the order of seeds and splits of the spec, whatever the order of the facts.
#[derive(Debug)]
pub struct Scores<'a> {
    study: &'a Study,
    runs: BTreeMap<&'a str, BTreeMap<Pair, RunScores<'a>>>,
}

impl<'a> Scores<'a> {
    /// Scores every complete run that belongs to the design.
    pub fn new(study: &'a Study) -> Self {
        let mut runs: BTreeMap<&str, BTreeMap<Pair, RunScores>> = BTreeMap::new();
        for facts in study.runs.iter().filter(|run| run.complete) {
            let seed = study.seeds.iter().position(|&seed| seed == facts.seed);
            let split = study.splits.iter().position(|split| *split == facts.split);
            if let (Some(seed), Some(split)) = (seed, split) {
                runs.entry(&facts.arm).or_default().insert(Pair { seed, split }, score(study, facts));
            }
        }
        Self { study, runs }
    }

    /// The complete runs of an arm.
    pub fn runs(&self, arm: &str) -> impl Iterator<Item = &RunScores<'a>> {
        self.runs.get(arm).into_iter().flat_map(BTreeMap::values)
    }

    /// A value of each complete run of an arm, where it is defined.
    pub fn values(&self, arm: &str, value: impl Fn(&RunScores<'a>) -> Option<f64>) -> Vec<f64> {
        self.runs(arm).filter_map(value).collect()
    }

    /// mIoU of `against` and of `arm` on the headline subset, for each pair where both have one.
    pub fn pairs(&self, arm: &str, against: &str) -> Vec<(f64, f64)> {
        let (Some(arm), Some(against)) = (self.runs.get(arm), self.runs.get(against)) else {
            return Vec::new();
        };
        let subset = self.study.headline;
        let both =
            |(pair, run): (&Pair, &RunScores)| Some((against.get(pair)?.miou(subset)?, run.miou(subset)?));
        arm.iter().filter_map(both).collect()
    }

    /// Runs that each arm should have.
    pub fn planned(&self) -> usize {
        self.study.seeds.len() * self.study.splits.len()
    }

    /// Subsets that any complete run was evaluated on, the headline first.
    pub fn subsets(&self) -> Vec<Subset> {
        let seen = |subset: &Subset| {
            *subset == self.study.headline
                || self.runs.values().flat_map(BTreeMap::values).any(|run| run.on(*subset).is_some())
        };
        let other = match self.study.headline {
            Subset::Test => Subset::Val,
            Subset::Val => Subset::Test,
        };
        [self.study.headline, other].into_iter().filter(seen).collect()
    }

    /// Runs of the design that are not complete.
    pub fn missing(&self) -> Vec<Missing<'a>> {
        self.lacking(|run| run.is_none())
    }

    /// Complete runs whose mIoU on the headline subset is undefined.
    pub fn undefined(&self) -> Vec<Missing<'a>> {
        self.lacking(|run| run.is_some_and(|run| run.miou(self.study.headline).is_none()))
    }

    fn lacking(&self, lacks: impl Fn(Option<&RunScores<'a>>) -> bool) -> Vec<Missing<'a>> {
        let mut found = Vec::new();
        for arm in &self.study.arms {
            for (i, &seed) in self.study.seeds.iter().enumerate() {
                for (j, split) in self.study.splits.iter().enumerate() {
                    let runs = self.runs.get(arm.name.as_str());
                    if lacks(runs.and_then(|runs| runs.get(&Pair { seed: i, split: j }))) {
                        found.push(Missing { arm: &arm.name, seed, split });
                    }
                }
            }
        }
        found
    }
}

fn score<'a>(study: &Study, facts: &'a RunFacts) -> RunScores<'a> {
    let subsets = facts.evaluations.iter().map(|(&subset, evaluation)| {
        let confusion = total(study.classes.len(), &evaluation.images);
        (subset, SubsetScores { miou: confusion.miou(), ious: confusion.iou(), confusion })
    });
    RunScores { facts, subsets: subsets.collect() }
}

fn total(classes: usize, images: &[ImageConfusion]) -> Confusion {
    let mut total = Confusion::new(classes);
    for image in images {
        total.merge(&image.confusion);
    }
    total
}
