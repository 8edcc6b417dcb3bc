//! How often the intervals of a report cover what they are about, and how often its tests are wrong.
//!
//! ```text
//! cargo bench --bench coverage
//! ```
//!
//! Studies are drawn from worlds in which the truth is known ([`world`] has the sizes; seeds differ by .35 points of
//! mIoU, splits by 2). What an interval is about depends on the design:
//!
//! - the t interval of one split is about the mean difference over seeds **on that split** and this test set;
//! - the t interval of several splits is about the mean difference over splits and seeds, on this test set;
//! - the bootstrap is about the difference of **these models**, or their mean mIoU, over all images there could be.
//!
//! The last lines of the first table show what is covered if a reader takes one for another. A rate outside the bounds
//! behind it, by more than three standard errors, ends the bench with an error. It takes some two minutes on two cores,
//! draws the same studies on every machine and prints the same table.

mod world;

use rayon::prelude::*;
use stpp::base::stream::Stream;
use stpp::report::stats::power::Test;
use stpp::report::stats::{
    Cell, Interval, Layout, Procedure, REPLICATES, Replicates, Resamples, Score, Superiority,
    difference_over_images, holm, mean_over_images, sign_flip, t_interval,
};
use world::{CLASSES, World, mean};

const LEVEL: f64 = 0.95;
/// Studies with images and models.
const STUDIES: u64 = 4000;
/// Studies of which only the differences are drawn.
const SKETCHES: u64 = 20_000;

fn main() {
    let mut table = Table::default();
    coverage(&mut table);
    superiority(&mut table);
    tests(&mut table);
    claims(&mut table);
    table.check();
}

/// Rates, each with the bounds it is held to.
#[derive(Default)]
struct Table {
    wrong: Vec<String>,
}

impl Table {
    fn title(title: &str) {
        println!("\n{title:<64} {:>7} {:>6}   bounds", "rate", "s.e.");
    }

    /// Prints how often each of some questions was answered by yes.
    fn rows<const N: usize>(&mut self, lines: [(String, f64, f64); N], answers: &[[bool; N]]) {
        for (at, (what, low, high)) in lines.into_iter().enumerate() {
            let n = answers.len() as f64;
            let rate = answers.iter().filter(|answer| answer[at]).count() as f64 / n;
            let error = (rate * (1.0 - rate) / n).sqrt();
            println!("{what:<64} {rate:>7.4} {error:>6.4}   {low:.3} to {high:.3}");
            if rate < low - 3.0 * error || rate > high + 3.0 * error {
                self.wrong.push(what);
            }
        }
    }

    fn check(self) {
        assert!(self.wrong.is_empty(), "outside their bounds:\n{}", self.wrong.join("\n"));
    }
}

/// Repeats in parallel; the answers stand in the order of the repetitions.
fn repeat<const N: usize>(times: u64, one: impl Fn(u64) -> [bool; N] + Send + Sync) -> Vec<[bool; N]> {
    (0..times).into_par_iter().map(one).collect()
}

fn coverage(table: &mut Table) {
    let line = |design: &str, what: &str, low, high| (format!("{design}  {what}"), low, high);
    Table::title("95 % intervals cover (images; splits × seeds)");
    for (images, splits, seeds) in [(200, 1, 3), (200, 1, 9), (200, 3, 3), (60, 3, 3)] {
        let resamples = Resamples::new(images, REPLICATES);
        let ids: Vec<String> = (0..images).map(|image| format!("{image:03}")).collect();
        let answers = repeat(STUDIES, |repetition| {
            let study = World::draw(repetition, images, (splits, seeds));
            let measured =
                study.models.each_ref().map(|arm| arm.iter().map(|m| m.measured()).collect::<Vec<_>>());
            let cell = |at: usize| Cell {
                split: at / seeds,
                seed: at % seeds,
                value: measured[1][at] - measured[0][at],
            };
            let cells: Vec<Cell> = (0..splits * seeds).map(cell).collect();
            let procedure = Procedure::of(&cells, LEVEL).and_then(|found| found.interval);
            let procedure = procedure.expect("there are several units");
            let flat: Vec<f64> = cells.iter().map(|cell| cell.value).collect();
            let flat = t_interval(&flat, LEVEL).expect("there are several pairs");

            let replicates = study
                .models
                .each_ref()
                .map(|arm| arm.iter().map(|m| resamples.scores(&m.counts(&ids))).collect::<Vec<_>>());
            let pairs: Vec<(&Replicates, &Replicates)> = replicates[0].iter().zip(&replicates[1]).collect();
            let arm: Vec<&Replicates> = replicates[1].iter().collect();
            let difference = |score| {
                let found = difference_over_images(&pairs, score, LEVEL).expect("the same images");
                found.expect("every resample has a score").interval
            };
            let paired = difference(Score::Miou);
            let alone = mean_over_images(&arm, Score::Miou, LEVEL).expect("the same images");
            let alone = alone.expect("every resample has a score").interval;
            let over_images = |arm: usize, of: &dyn Fn([f64; CLASSES]) -> f64| {
                mean(study.models[arm].iter().map(|m| of(m.population())))
            };
            let miou = |arm| over_images(arm, &|ious| mean(ious.into_iter()));
            let rarest = |arm| over_images(arm, &|ious| ious[CLASSES - 1]);
            let of_procedure = if splits > 1 { study.over_splits() } else { study.on_these_splits() };
            [
                procedure.contains(of_procedure),
                paired.contains(miou(1) - miou(0)),
                alone.contains(miou(1)),
                difference(Score::Iou(CLASSES - 1)).contains(rarest(1) - rarest(0)),
                flat.contains(study.over_splits()),
                paired.contains(study.over_splits()),
            ]
        });
        let design = format!("{images:>3}; {splits}×{seeds}");
        // On 60 images the rarest class is on nine.
        let least = if images < 200 { 0.9 } else { 0.93 };
        let own = if splits > 1 {
            "t interval: over splits and seeds"
        } else {
            "t interval: over seeds, on this split"
        };
        let lines = [
            line(&design, own, 0.93, 0.97),
            line(&design, "bootstrap: difference of these models' mIoU", 0.93, 0.97),
            line(&design, "bootstrap: mIoU of the arm's models", 0.93, 0.97),
            line(&design, "bootstrap: difference in the rarest class", least, 0.97),
            line(&design, "misread: all pairs as units, about all splits", 0.0, 1.0),
            line(&design, "misread: bootstrap, about the procedure", 0.0, 1.0),
        ];
        table.rows(lines, &answers);
    }
}

/// Differences by split and seed: `effect` and normal parts of the split and of the seed.
fn sketch(stream: &mut Stream, (splits, seeds): (usize, usize), effect: f64, split_sd: f64) -> Layout {
    let mut cells = Vec::with_capacity(splits * seeds);
    for split in 0..splits {
        let of_split = effect + split_sd * stream.normal();
        cells.extend((0..seeds).map(|seed| Cell { split, seed, value: of_split + stream.normal() }));
    }
    Layout::of(&cells).expect("a value in every cell")
}

fn superiority(table: &mut Table) {
    Table::title("P(A > B): the exact interval covers (at least 95 %)");
    for (design, split_sd) in [((1, 5), 0.0f64), ((1, 10), 0.0), ((3, 3), 1.0), ((6, 5), 1.0), ((6, 5), 0.3)]
    {
        let sd = (1.0 + split_sd * split_sd).sqrt();
        // Standard normal quantiles, of the shares .5, .75 and .95.
        let shares = [(0.0, 0.5), (0.674_489_750_196_081_7, 0.75), (1.644_853_626_951_472_2, 0.95)];
        let answers = repeat(SKETCHES, |repetition| {
            shares.map(|(z, share)| {
                let mut stream =
                    Stream::at(0, "coverage", "superiority", repetition, &format!("{design:?} {share}"));
                let layout = sketch(&mut stream, design, z * sd, split_sd);
                Superiority::of(&layout, LEVEL).interval.contains(share)
            })
        });
        let line = |(_, share): (f64, f64)| {
            (
                format!("{}×{}  split SD {split_sd} of the seeds', true share {share}", design.0, design.1),
                0.95,
                1.0,
            )
        };
        table.rows(shares.map(line), &answers);
    }
}

fn tests(table: &mut Table) {
    Table::title("Tests at .05, normal units");
    for units in [3, 6, 8, 10] {
        let one = Test { alpha: 0.05, arms: 1 };
        let detectable = one.detectable_effect(units, 0.8).expect("several units find something");
        let answers = repeat(SKETCHES, |repetition| {
            let mut stream = Stream::at(0, "coverage", "tests", repetition, &units.to_string());
            let noise: Vec<f64> = (0..units).map(|_| stream.normal()).collect();
            let with = |effect: f64| noise.iter().map(|value| value + effect).collect::<Vec<f64>>();
            let flip = |effect| sign_flip(&with(effect)).expect("few units").p <= 0.05;
            let interval = |effect| t_interval(&with(effect), LEVEL).expect("several units");
            let differs = |effect| !interval(effect).contains(0.0);
            [flip(0.0), flip(1.0), flip(1.5), flip(2.0), differs(0.0), differs(detectable)]
        });
        let line = |what: &str, low, high| (format!("{units} units  {what}"), low, high);
        let lines = [
            line("sign flip: no effect", 0.0, 0.05),
            line("sign flip: 1 SD", 0.0, 1.0),
            line("sign flip: 1.5 SD", 0.0, 1.0),
            line("sign flip: 2 SD", 0.0, 1.0),
            line("t interval: no effect", 0.05, 0.05),
            line(&format!("t interval: {detectable:.2} SD, detectable with .80"), 0.8, 0.8),
        ];
        table.rows(lines, &answers);
    }
}

fn claims(table: &mut Table) {
    const CLAIMS: usize = 3;
    const BOUND: f64 = 0.5;
    Table::title("Any of three just false claims \"better by .5\" is supported");
    let test = Test { alpha: 0.05, arms: CLAIMS };
    for design in [(1, 3), (1, 9), (3, 3), (8, 2)] {
        let answers = repeat(SKETCHES, |repetition| {
            let mut stream = Stream::at(0, "coverage", "claims", repetition, &format!("{design:?}"));
            // With one split, what it adds is part of the truth.
            let split_sd = if design.0 > 1 { 1.0 } else { 0.0 };
            let units = |layout: &Layout| -> Vec<f64> {
                layout.units().into_iter().map(|unit| mean(unit.iter().copied())).collect()
            };
            let baseline = units(&sketch(&mut stream, design, 0.0, split_sd));
            let arms = [(); CLAIMS].map(|()| {
                let arm = units(&sketch(&mut stream, design, BOUND, split_sd));
                arm.iter().zip(&baseline).map(|(arm, baseline)| arm - baseline).collect::<Vec<f64>>()
            });
            let above = |interval: Interval| interval.low > BOUND;
            let by_interval = arms.iter().any(|units| t_interval(units, test.level()).is_some_and(above));
            let p: Vec<f64> = arms
                .iter()
                .map(|units| {
                    let beyond: Vec<f64> = units.iter().map(|unit| unit - BOUND).collect();
                    sign_flip(&beyond).expect("few units").p
                })
                .collect();
            let higher = |units: &[f64]| mean(units.iter().copied()) > BOUND;
            let by_test = holm(&p).iter().zip(&arms).any(|(p, units)| *p <= 0.05 && higher(units));
            [by_interval, by_test]
        });
        let line = |what: &str| (format!("{}×{}  {what}", design.0, design.1), 0.0, 0.05);
        let lines = [line("t interval at level 1 − .05/3"), line("sign flip, Holm over three")];
        table.rows(lines, &answers);
    }
}
