//! One snapshot per kind of problem: what a user sees.

use super::fixture;

fn problems(name: &str, sets: &[&str]) -> String {
    let problems = fixture(name, sets).expect_err("the fixture has problems");
    format!("{}\n\n{problems}", problems.render(false))
}

#[test]
fn every_kind_of_problem_is_shown_at_its_place_with_a_way_out() {
    let folder = std::path::Path::new("tests/fixtures/spec/problems");
    for path in crate::base::fs::list(folder).unwrap() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        // These two are read through others.
        if ["circle_back", "broken_base"].contains(&stem) {
            continue;
        }
        insta::assert_snapshot!(stem, problems(&format!("problems/{stem}.toml"), &[]));
    }
}

#[test]
fn a_set_argument_is_shown_like_a_file() {
    let sets = [
        "train.batch=0",
        "train.bach=8",
        "method.name=supervise",
        "evaluate.points=[1,",
        "seed",
        "split.labeled = 3",
    ];
    insta::assert_snapshot!(
        "set_values",
        problems("good.toml", &["train.batch=0", "train.bach=8", "method.name=supervise"])
    );
    insta::assert_snapshot!("set_syntax", problems("good.toml", &sets[3..]));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    insta::assert_snapshot!("no_such_spec", problems("no_such_spec.toml", &[]));
}

#[test]
fn problems_are_told_in_the_order_of_the_file_and_the_same_every_time() {
    let told = || fixture("problems/out_of_range.toml", &[]).unwrap_err().lines();
    let line = |text: &String| text.split(':').nth(1).unwrap().parse::<usize>().unwrap();
    let lines: Vec<usize> = told().iter().map(line).collect();
    assert!(lines.is_sorted() && lines.len() > 15, "{lines:?}");
    assert_eq!(told(), told());
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let problems = fixture("problems/variants.toml", &[]).unwrap_err();
    assert!(!problems.render(false).contains('\u{1b}'));
    assert!(problems.render(true).contains('\u{1b}'));
}
