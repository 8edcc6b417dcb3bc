//! The forms of a report for papers and programs, of a study that is small enough to read.

use std::collections::BTreeMap;

use stpp::report::findings::Findings;
use stpp::report::form::{self, Files};
use stpp::report::scores::Scores;
use stpp::report::study::{Study, Subset};
use stpp::spec::claim::{Claim, Measure, claims_digest};
use stpp::store::study::Registration;
use stpp::track::table::TableDigest;

use crate::studies::{ceiling, digest, retrained, study, supervised};

fn small() -> Study {
    let lanes = [
        supervised("supervised", &[150, 158, 154]),
        retrained("st", &[131, 141, 136]),
        ceiling("fully-supervised", &[80, 84, 83]),
    ];
    let mut study = study(&lanes, &[0, 1, 2], &["0"]);
    study.claims = vec![claim("st", "supervised", 1.0)];
    let digest = claims_digest(&study.claims);
    study.registrations =
        vec![Registration { digest, study: None, claims: study.claims.clone(), finished: 0, planned: 9 }];
    study
}

fn claim(better: &str, than: &str, by: f64) -> Claim {
    Claim {
        better: better.to_owned(),
        than: than.to_owned(),
        metric: Measure::Miou,
        by,
        on: None,
        split: None,
    }
}

fn files(study: &Study) -> Files {
    let tables = [TableDigest { name: "runs".to_owned(), rows: 9, digest: digest("runs") }];
    let scores = Scores::new(study);
    form::files(&Findings::new(study, &scores, &tables), &BTreeMap::new())
}

fn text(study: &Study, file: &str) -> String {
    String::from_utf8(files(study).remove(file).unwrap()).unwrap()
}

#[test]
fn rows_for_a_spreadsheet() {
    insta::assert_snapshot!(text(&small(), form::CSV));
}

#[test]
fn tables_for_a_paper() {
    insta::assert_snapshot!(text(&small(), form::LATEX));
}

#[test]
fn numbers_for_programs() {
    insta::assert_snapshot!(text(&small(), form::JSON));
}

#[test]
fn every_file_is_there_and_every_link_leads_to_one() {
    let files = files(&small());
    let page = String::from_utf8(files[form::MARKDOWN].clone()).unwrap();
    let links: Vec<&str> =
        page.split("](figures/").skip(1).map(|rest| rest.split([' ', ')']).next().unwrap()).collect();
    assert!(!links.is_empty());
    for link in &links {
        assert!(files.contains_key(&format!("figures/{link}")), "{link} leads nowhere");
    }
    let pictures = files.keys().filter(|name| name.starts_with("figures/")).count();
    assert_eq!(links.len(), pictures, "every picture is on the page");
    let html = String::from_utf8(files[form::HTML].clone()).unwrap();
    assert_eq!(html.matches("<svg").count(), pictures);
}

/// The verdicts of claims, in their order.
fn verdicts(claims: Vec<Claim>) -> Vec<String> {
    let mut study = small();
    study.claims = claims;
    let json: serde_json::Value = serde_json::from_str(&text(&study, form::JSON)).unwrap();
    let claims = json["claims"].as_array().unwrap().iter();
    claims.map(|claim| claim["verdict"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_claim_is_supported_refuted_or_undecided() {
    // About 3.9 points, give or take a tenth.
    let by = |by| verdicts(vec![claim("st", "supervised", by)]);
    assert_eq!(by(1.0), ["supported"]);
    assert_eq!(by(3.9), ["undecided"]);
    assert_eq!(by(8.0), ["refuted"]);
    assert_eq!(by(-1.0), ["supported"], "not worse by more than a point");
}

#[test]
fn where_holm_stops_the_rest_is_undecided() {
    // The second alone would be supported; beside one that nobody can tell it is read at a stricter level.
    let near = claim("st", "supervised", 3.4);
    assert_eq!(verdicts(vec![near.clone()]), ["supported"]);
    let many: Vec<Claim> = (0..9).map(|_| near.clone()).collect();
    assert!(verdicts(many).iter().all(|verdict| verdict == "undecided"));
    let clear = claim("st", "supervised", 0.0);
    assert_eq!(verdicts(vec![claim("st", "supervised", 3.9), clear]), ["undecided", "supported"]);
}

#[test]
fn an_incomplete_design_decides_nothing() {
    let mut study = small();
    study.runs.iter_mut().find(|run| run.arm == "st").unwrap().complete = false;
    let page = text(&study, form::MARKDOWN);
    assert!(page.contains("undecided: 2 of 3 pairs are there"), "{page}");
    study.runs.retain(|run| run.arm != "st");
    let page = text(&study, form::MARKDOWN);
    assert!(page.contains("undecided: no pair of runs"), "{page}");
}

#[test]
fn a_claim_about_images_that_were_not_evaluated_is_undecided() {
    let mut study = small();
    for run in &mut study.runs {
        run.evaluations.remove(&Subset::Val);
    }
    study.claims[0].on = Some(stpp::spec::claim::Images::Val);
    assert!(text(&study, form::MARKDOWN).contains("undecided: no pair of runs"));
}
