//! What the page says.

use std::sync::Arc;

use proptest::prelude::*;
use stpp::metric::Confusion;
use stpp::report::figures::figures;
use stpp::report::findings::Findings;
use stpp::report::form::markdown;
use stpp::report::scores::Scores;
use stpp::report::study::{Evaluation, ImageCells, Study, Subset};
use stpp::track::table::TableDigest;

use crate::studies::{Lane, retrained, selection_study, sound_lanes, study, supervised};

fn page(study: &Study) -> String {
    let tables = [TableDigest { name: "runs".to_owned(), rows: 27, digest: crate::studies::digest("runs") }];
    let scores = Scores::new(study);
    let findings = Findings::new(study, &scores, &tables);
    markdown(&findings, &figures(&findings))
}

fn set(lanes: &mut [Lane], name: &str, wrong: &[u64]) {
    lanes.iter_mut().find(|lane| lane.name == name).unwrap().wrong = wrong.to_vec();
}

/// The first line, and the paragraphs below a heading.
fn part<'a>(page: &'a str, heading: &str) -> &'a str {
    let start = page.find(&format!("## {heading}\n")).unwrap_or_else(|| panic!("no {heading} in\n{page}"));
    let rest = &page[start..];
    rest[3..].find("\n## ").map_or(rest, |end| &rest[..end + 3])
}

#[test]
fn a_complete_study() {
    insta::assert_snapshot!(page(&selection_study(&sound_lanes(), &[0, 1, 2])));
}

#[test]
fn one_seed_has_no_interval_and_says_so() {
    insta::assert_snapshot!(page(&selection_study(&sound_lanes(), &[7])));
}

#[test]
fn an_interrupted_study_says_incomplete_and_over_how_many_it_averages() {
    let mut study = selection_study(&sound_lanes(), &[0, 1, 2]);
    study.runs.retain(|run| run.seed < 2 || run.arm.starts_with("supervised"));
    study.runs.iter_mut().find(|run| run.arm == "st").unwrap().complete = false;
    insta::assert_snapshot!(page(&study));
}

#[test]
fn a_study_where_training_longer_gains_is_called_confounded() {
    let mut lanes = sound_lanes();
    set(&mut lanes, "supervised-matched", &[120, 130, 123]);
    set(&mut lanes, "fully-supervised", &[121, 128, 124]);
    let page = page(&selection_study(&lanes, &[0, 1, 2]));
    let title = page.lines().next().unwrap();
    assert_eq!(title, "# selection: *confounded by budget; without headroom*");
    insta::assert_snapshot!(format!("{title}\n\n{}\n{}", part(&page, "Answer"), part(&page, "Regime")));
}

#[test]
fn with_one_pair_the_documented_limits_decide() {
    let title = |long: u64, ceiling: u64| {
        let mut lanes = sound_lanes();
        set(&mut lanes, "supervised-matched", &[long]);
        set(&mut lanes, "fully-supervised", &[ceiling]);
        page(&selection_study(&lanes, &[0])).lines().next().unwrap().to_owned()
    };
    // `supervised` gets 150 pixels wrong; 10 pixels fewer are about 1.9 points.
    assert_eq!(title(147, 100), "# selection");
    assert_eq!(title(140, 100), "# selection: *confounded by budget*");
    assert_eq!(title(150, 145), "# selection: *without headroom*");
    assert_eq!(title(150, 138), "# selection");
}

#[test]
fn self_training_that_gains_nothing_is_said_to() {
    let lanes = [supervised("supervised", &[100, 110, 105]), retrained("st", &[130, 125, 131])];
    let page = page(&study(&lanes, &[0, 1, 2], &["0"]));
    insta::assert_snapshot!(part(&page, "Answer"));
}

#[test]
fn undefined_values_are_listed_and_in_no_mean() {
    let lanes = [supervised("supervised", &[100, 110, 105]), retrained("st", &[90, 95, 91])];
    let mut study = study(&lanes, &[0, 1, 2], &["0"]);
    let blank = |study: &mut Study, run: usize, confusion: &Confusion| {
        for evaluation in study.runs[run].evaluations.values_mut() {
            let image = |image: &ImageCells| ImageCells { id: image.id.clone(), cells: confusion.cells() };
            let images = evaluation.images().iter().map(image).collect();
            *evaluation = Arc::new(Evaluation::new(evaluation.stage, images));
        }
    };
    // All pixels ignored in one run, and no pixel of the last class in another.
    blank(&mut study, 4, &Confusion::new(3));
    blank(&mut study, 0, &Confusion::of(3, &[0, 0, 1, 1], &[0, 1, 1, 1]));
    insta::assert_snapshot!(page(&study));
}

#[test]
fn several_splits_and_no_test_images() {
    let lanes = [supervised("supervised", &[100, 110, 140, 155]), retrained("st", &[90, 95, 130, 140])];
    let mut study = study(&lanes, &[0, 1], &["a", "b"]);
    study.headline = Subset::Val;
    for run in &mut study.runs {
        run.evaluations.remove(&Subset::Test);
        run.looks.clear();
        run.labels.clear();
    }
    let page = page(&study);
    insta::assert_snapshot!(&page[..page.find("## What was shared").unwrap()]);
}

#[test]
fn a_gain_within_the_noise_is_not_called_one() {
    let lanes = [supervised("supervised", &[100, 110, 105]), retrained("st", &[90, 112, 101])];
    let page = page(&study(&lanes, &[0, 1, 2], &["0"]));
    insta::assert_snapshot!(part(&page, "Answer"));
}

#[test]
fn names_cannot_break_the_page() {
    let lanes = [supervised("a|b", &[100]), retrained("c`d", &[90])];
    let mut study = study(&lanes, &[0], &["0"]);
    study.question = "One line?\n\n# Not a heading".to_owned();
    let page = page(&study);
    assert!(page.contains("**One line? # Not a heading**"));
    assert!(page.contains(r"`a\|b` (baseline)") && page.contains("`c'd`"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_order_of_facts_changes_no_byte(
        order in Just((0..27usize).collect::<Vec<_>>()).prop_shuffle(),
        turn in 0usize..6,
    ) {
        let mut facts = selection_study(&sound_lanes(), &[0, 1, 2]);
        facts.provenance.code.push("0.1.0 aaaaaaa".to_owned());
        let here = page(&facts);
        facts.provenance.code.reverse();
        let runs = facts.runs.clone();
        facts.runs = order.iter().map(|&i| runs[i].clone()).collect();
        for run in &mut facts.runs {
            for evaluation in run.evaluations.values_mut() {
                let mut images = evaluation.images().to_vec();
                images.rotate_left(turn % 3);
                *evaluation = Arc::new(Evaluation::new(evaluation.stage, images));
            }
            if let Some(selection) = &mut run.selection {
                Arc::make_mut(selection).images.rotate_left(turn);
            }
        }
        prop_assert_eq!(here, page(&facts));
    }
}
