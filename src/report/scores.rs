//! The numbers of each complete run, where it stands in the design, and what is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::stats::Cell;
use super::study::{Absent, RunFacts, Study, Subset};
use crate::metric::Confusion;

/// A (seed, split) pair of the design, by position: arms are compared within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The position of its seed.
    pub seed: usize,
    /// The position of its split.
    pub split: usize,
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
            if let Some(pair) = pair(study, facts.seed, &facts.split) {
                runs.entry(&facts.arm).or_default().insert(pair, score(study, facts));
            }
        }
        Self { study, runs }
    }

    /// The complete runs of an arm.
    pub fn runs(&self, arm: &str) -> impl Iterator<Item = &RunScores<'a>> {
        self.runs.get(arm).into_iter().flat_map(BTreeMap::values)
    }

    /// The scores of a run, where it is complete and belongs to the design.
    pub fn run(&self, facts: &RunFacts) -> Option<&RunScores<'a>> {
        self.runs.get(facts.arm.as_str())?.get(&pair(self.study, facts.seed, &facts.split)?)
    }

    /// A value of each complete run of an arm, where it is defined.
    pub fn values(&self, arm: &str, value: impl Fn(&RunScores<'a>) -> Option<f64>) -> Vec<f64> {
        self.runs(arm).filter_map(value).collect()
    }

    /// The runs of two arms, for each pair where both are complete.
    pub fn both(
        &self,
        arm: &str,
        against: &str,
    ) -> impl Iterator<Item = (Pair, &RunScores<'a>, &RunScores<'a>)> {
        let against = self.runs.get(against);
        let both = move |(&pair, run)| Some((pair, run, against?.get(&pair)?));
        self.runs.get(arm).into_iter().flatten().filter_map(both)
    }

    /// A value of each complete run of an arm, where it is defined, with its place in the design.
    pub fn cells(&self, arm: &str, value: impl Fn(&RunScores<'a>) -> Option<f64>) -> Vec<Cell> {
        let cell = |(pair, run): (&Pair, &RunScores<'a>)| {
            Some(Cell { split: pair.split, seed: pair.seed, value: value(run)? })
        };
        self.runs.get(arm).into_iter().flatten().filter_map(cell).collect()
    }

    /// Runs of a whole design, for each arm.
    pub fn planned(&self) -> usize {
        self.study.seeds.len() * self.study.splits.len()
    }

    /// Runs that an arm should have.
    pub fn planned_of(&self, arm: &str) -> usize {
        self.planned() - self.study.absent.iter().filter(|cell| cell.arm == arm).count()
    }

    /// Runs that all arms should have.
    pub fn planned_in_all(&self) -> usize {
        self.study.arms.iter().map(|arm| self.planned_of(&arm.name)).sum()
    }

    /// Pairs that two arms should have.
    pub fn planned_pairs(&self, arm: &str, against: &str) -> usize {
        let places: BTreeSet<_> = self
            .study
            .absent
            .iter()
            .filter(|cell| cell.arm == arm || cell.arm == against)
            .map(|cell| (cell.seed, &cell.split))
            .collect();
        self.planned() - places.len()
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
                    let is_absent =
                        |cell: &Absent| cell.arm == arm.name && cell.seed == seed && cell.split == *split;
                    if self.study.absent.iter().any(is_absent) {
                        continue;
                    }
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

fn pair(study: &Study, seed: u64, split: &str) -> Option<Pair> {
    let seed = study.seeds.iter().position(|&one| one == seed)?;
    let split = study.splits.iter().position(|one| one == split)?;
    Some(Pair { seed, split })
}

fn score<'a>(study: &Study, facts: &'a RunFacts) -> RunScores<'a> {
    let subsets = facts.evaluations.iter().map(|(&subset, evaluation)| {
        let confusion = evaluation.total(study.classes.len());
        (subset, SubsetScores { miou: confusion.miou(), ious: confusion.iou(), confusion })
    });
    RunScores { facts, subsets: subsets.collect() }
}
