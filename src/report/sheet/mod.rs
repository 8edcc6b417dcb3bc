//! The reproducibility sheet: what checklists ask of a paper, as far as a program can know it.
//!
//! Three lists are meant: the NeurIPS paper checklist (16 items, by number), the machine learning reproducibility checklist
//! (Pineau et al. 2021, version 2.0; its items have no numbers and are named), and the ACL's responsible NLP research
//! checklist (A1 to E1). What the store knows is answered; the rest is an open prompt for the authors, and no prompt is
//! ever answered by `yes`. Hours and machines are in no report, which would differ from run to run, but in
//! `stpp report --costs`.

mod known;
mod open;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::grid::{Align, Grid};
use super::number::count;
use super::study::{Protocol, Provenance, Sharing, Subset};

/// What the sheet is a function of.
#[derive(Debug, Clone)]
pub struct SheetFacts<'a> {
    /// The ablation's name, which is that of its spec.
    pub name: &'a str,
    /// Digests, versions and the numerics class.
    pub provenance: &'a Provenance,
    /// Dataset, splits, network, crop and how mIoU is computed.
    pub protocol: &'a Protocol,
    /// Optimiser steps and image-forwards, asked for and run.
    pub sharing: &'a Sharing,
    /// Seeds of the experiments.
    pub seeds: &'a [u64],
    /// Complete runs of each arm, in the order of the spec.
    pub arms: &'a [(String, usize)],
    /// Number of classes.
    pub classes: usize,
    /// The subset that is reported first.
    pub headline: Subset,
    /// Images of each evaluated subset; empty as long as nothing was evaluated.
    pub evaluated: BTreeMap<Subset, usize>,
    /// Looks at the validation images along a run's training, the fewest and the most; none where nobody looked.
    pub looks: Option<(u64, u64)>,
    /// The level of the intervals, in (0, 1).
    pub level: f64,
    /// Resamples of the evaluated images.
    pub replicates: usize,
    /// Claims of the ablation.
    pub claims: usize,
    /// Parameters of the network; none where they were not counted, and then the authors are asked.
    pub parameters: Option<u64>,
}

/// A question of the checklists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What is asked.
    pub question: &'static str,
    /// What is known, or what the authors must say.
    pub answer: Answer,
    /// The items that ask: `NeurIPS 6; Pineau: splits; ACL B6`.
    pub asked_by: &'static str,
}

/// What stands beside a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Known from the store.
    Known(String),
    /// Not known to a program: what the authors must answer.
    Open(&'static str),
}

impl Answer {
    /// The answer as the sheet has it.
    pub fn text(&self) -> String {
        match self {
            Self::Known(text) => text.clone(),
            Self::Open(prompt) => format!("*to be answered by the authors:* {prompt}"),
        }
    }
}

/// The rows of the sheet: what is known first, then what is not.
pub fn sheet(facts: &SheetFacts) -> Vec<Row> {
    let known = |question, answer, asked_by| Row { question, answer: Answer::Known(answer), asked_by };
    let mut rows = vec![
        known("command", known::command(facts), "NeurIPS 4, 5; Pineau: code"),
        known("settings", known::settings(facts), "NeurIPS 4, 6; Pineau: hyper-parameters; ACL C2"),
        known("code", known::versions(facts), "NeurIPS 5; Pineau: dependencies; ACL C4"),
        known("data", known::data(facts), "NeurIPS 4, 6; Pineau: data statistics; ACL B6"),
        known("splits", known::splits(facts), "NeurIPS 4, 6; Pineau: splits; ACL B6"),
        known("network", known::network(facts), "NeurIPS 4, 6; Pineau: model; ACL C4"),
        known("seeds", known::seeds(facts), "NeurIPS 4, 6; ACL C2"),
        known("runs", known::runs(facts), "NeurIPS 7; Pineau: number of runs; ACL C3"),
        known("evaluation", known::evaluation(facts), "NeurIPS 4, 6; Pineau: measure; ACL C4"),
        known("selection of the model", known::selection(facts), "NeurIPS 6; Pineau: selection; ACL C2"),
        known("error bars", known::intervals(facts), "NeurIPS 7; Pineau: variation; ACL C3"),
        known("tests", known::tests(facts), "NeurIPS 7; ACL C3"),
        known("work", known::work(facts), "NeurIPS 8; ACL C1"),
        known("environment", known::environment(facts), "NeurIPS 8; Pineau: infrastructure; ACL C1"),
        known("hours and machines", known::hours(facts), "NeurIPS 8; Pineau: runtime; ACL C1"),
    ];
    let parameters = |number| known("parameters", format!("{} in the network", count(number)), "ACL C1");
    rows.push(facts.parameters.map_or(open::PARAMETERS, parameters));
    rows.extend(open::PROMPTS);
    rows
}

/// The sheet as a table.
pub fn grid(rows: &[Row]) -> Grid {
    let mut grid = Grid::new([("asked", Align::Left), ("answer", Align::Left), ("by", Align::Left)]);
    for row in rows {
        grid.row([row.question.to_owned(), row.answer.text(), row.asked_by.to_owned()]);
    }
    grid
}
