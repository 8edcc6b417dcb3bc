use std::collections::BTreeMap;

use super::open::PROMPTS;
use super::*;
use crate::base::digest::Digest;
use crate::report::study::SplitSize;

struct Whole {
    provenance: Provenance,
    protocol: Protocol,
    sharing: Sharing,
    arms: Vec<(String, usize)>,
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn whole(labels: &[&str], arms: &[(&str, usize)]) -> Whole {
    let splits = || labels.iter().map(|&label| label.to_owned());
    Whole {
        provenance: Provenance {
            ablation: digest("ablation"),
            data: digest("data"),
            splits: splits().map(|label| (label.clone(), digest(&label))).collect(),
            weights: Some(digest("weights")),
            numerics: "cpu x86_64 avx2+fma f32 engine 1".to_owned(),
            code: ["stpp 0.2.0", "stpp 0.1.0", "stpp 0.2.0"].map(str::to_owned).to_vec(),
            stages: BTreeMap::from([("evaluate".to_owned(), 1), ("label".to_owned(), 2)]),
        },
        protocol: Protocol {
            dataset: "pascal".to_owned(),
            splits: splits().map(|label| (label, SplitSize { labeled: 1323, unlabeled: 9259 })).collect(),
            geometry: "whole images".to_owned(),
            convention: "one confusion matrix over the images".to_owned(),
            network: "resnet50 deeplabv3plus, output stride 8".to_owned(),
            crop: 321,
        },
        sharing: Sharing {
            steps_requested: 1_234_567,
            steps_distinct: 891_011,
            forwards_requested: 46_080,
            forwards_distinct: 15_360,
            ..Sharing::default()
        },
        arms: arms.iter().map(|&(arm, runs)| (arm.to_owned(), runs)).collect(),
    }
}

fn facts<'a>(whole: &'a Whole, seeds: &'a [u64]) -> SheetFacts<'a> {
    SheetFacts {
        name: "pascal-selection",
        provenance: &whole.provenance,
        protocol: &whole.protocol,
        sharing: &whole.sharing,
        seeds,
        arms: &whole.arms,
        classes: 21,
        headline: Subset::Val,
        evaluated: BTreeMap::from([(Subset::Val, 1449)]),
        looks: Some((80, 120)),
        level: 0.95,
        replicates: 1000,
        claims: 0,
        parameters: None,
    }
}

/// The sheet line by line, which reads better than a table of long cells.
fn lines(rows: &[Row]) -> String {
    let line = |row: &Row| format!("{} [{}]\n    {}", row.question, row.asked_by, row.answer.text());
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn several_splits_with_runs_missing() {
    let whole = whole(&["1_8/0", "1_8/1", "1_8/2"], &[("st", 6), ("stpp", 4)]);
    let rows = sheet(&SheetFacts { claims: 2, ..facts(&whole, &[0, 1]) });
    insta::assert_snapshot!(lines(&rows));
}

#[test]
fn one_run_per_arm_has_no_error_bars() {
    let mut whole = whole(&["0"], &[("st", 1), ("stpp", 1)]);
    whole.provenance.weights = None;
    let one = SheetFacts {
        headline: Subset::Test,
        evaluated: BTreeMap::from([(Subset::Test, 233), (Subset::Val, 101)]),
        looks: None,
        parameters: Some(4_690_000),
        ..facts(&whole, &[7])
    };
    let known = sheet(&one).into_iter().filter(|row| matches!(row.answer, Answer::Known(_)));
    insta::assert_snapshot!(lines(&known.collect::<Vec<_>>()));
}

#[test]
fn what_a_program_cannot_know_is_open_and_never_a_yes() {
    let whole = whole(&["0"], &[("st", 3)]);
    let rows = sheet(&facts(&whole, &[0, 1, 2]));
    let open: Vec<&Row> = rows.iter().filter(|row| matches!(row.answer, Answer::Open(_))).collect();
    assert_eq!(open.len(), PROMPTS.len() + 1);
    for row in &open {
        let text = row.answer.text();
        assert!(text.starts_with("*to be answered by the authors:* "), "{text}");
        assert!(!text.to_lowercase().split(|c: char| !c.is_alphabetic()).any(|word| word == "yes"), "{text}");
    }
}

#[test]
fn every_item_of_the_numbered_lists_is_asked() {
    let whole = whole(&["0"], &[("st", 3)]);
    let rows = sheet(&facts(&whole, &[0, 1, 2]));
    let asked = |list: &str| -> Vec<String> {
        let items = rows.iter().flat_map(|row| row.asked_by.split("; "));
        let items = items.filter_map(|items| items.strip_prefix(list)).flat_map(|items| items.split(", "));
        let mut items: Vec<String> = items.map(str::to_owned).collect();
        items.sort_by_key(|item| (item.len(), item.clone()));
        items.dedup();
        items
    };
    assert_eq!(asked("NeurIPS "), (1..=16).map(|item| item.to_string()).collect::<Vec<_>>());
    let letters = [("A", 3), ("B", 6), ("C", 4), ("D", 5), ("E", 1)];
    let all =
        letters.iter().flat_map(|(letter, last)| (1..=*last).map(move |item| format!("{letter}{item}")));
    assert_eq!(asked("ACL "), all.collect::<Vec<_>>());
    assert!(rows.iter().all(|row| !row.asked_by.is_empty()));
}

#[test]
fn the_table_has_a_row_per_question_and_names_no_place() {
    let whole = whole(&["0"], &[("st", 3)]);
    let rows = sheet(&facts(&whole, &[0, 1, 2]));
    let table = grid(&rows);
    assert_eq!(table.rows().len(), rows.len() + 1);
    assert!(!table.render().contains("/home"), "{}", table.render());
}

#[test]
fn the_order_of_code_versions_changes_nothing() {
    let one = whole(&["0"], &[("st", 3)]);
    let mut other = whole(&["0"], &[("st", 3)]);
    other.provenance.code.reverse();
    assert_eq!(sheet(&facts(&one, &[0, 1])), sheet(&facts(&other, &[0, 1])));
}

#[test]
fn nothing_is_said_of_weights_before_a_record_tells() {
    let mut whole = whole(&["0"], &[("st", 0)]);
    whole.provenance.weights = None;
    whole.provenance.code.clear();
    let rows = sheet(&SheetFacts { evaluated: BTreeMap::new(), ..facts(&whole, &[0, 1]) });
    let said = |question: &str| rows.iter().find(|row| row.question == question).unwrap().answer.text();
    assert!(said("network").ends_with("whether from pretrained weights is not recorded yet"));
    assert!(said("code").starts_with("no record yet"));
    assert!(said("runs").starts_with("0 of 2 (1 arm × 2 seeds × 1 split), 2 are missing"));
    assert!(said("evaluation").starts_with("mIoU on the val images; "));
}
