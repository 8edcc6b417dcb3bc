//! Claims from the spec to the verdict.

use crate::specs::ablation;
use crate::support::Test;

fn claiming(claims: &str) -> Test {
    let spec = ablation("tiny", "[0, 1]");
    // Claims are tables, so they stand after the keys of the ablation itself.
    Test::new().spec("study.toml", &format!("{spec}\n{claims}"))
}

const UNDECIDED: &str = "[[claim]]\nbetter = \"stpp\"\nthan = \"st\"\n";

#[test]
fn a_claim_that_is_false_on_the_data_ends_with_1() {
    // Four steps make nobody 90 points better: refuted where the two seeds agree closely enough.
    let test = claiming("[[claim]]\nbetter = \"stpp\"\nthan = \"st\"\nby = 99.0\non = \"val\"\n");
    test.run(["exp", "run", "study.toml"]).success();
    let ran = test.run(["report", "tiny", "--check-claims"]).code(1);
    ran.stdout_has("refuted: `stpp` is above `st` by more than 99.00 (val mIoU)")
        .stderr_has("1 of 1 claims refuted");
    assert!(test.text("reports/tiny/report.md").contains("**refuted**"));
    // From the tables alone, too.
    test.run(["report", "tiny", "--tables"]).success();
    std::fs::remove_dir_all(test.path(".stpp")).unwrap();
    test.run(["report", "tiny", "--check", "--check-claims"]).code(1).stderr_has("refuted");
}

#[test]
fn a_claim_that_the_design_cannot_decide_says_what_it_would_take() {
    let test = claiming(UNDECIDED);
    test.run(["exp", "run", "study.toml"]).success();
    let report = test.text("reports/tiny/report.md");
    assert!(report.contains("undecided: "), "{report}");
    assert!(report.contains("Registered before any of the runs was done"), "{report}");
    test.run(["report", "tiny", "--check-claims"]).success().stdout_has("undecided: `stpp` is above `st`");
    let single = claiming(UNDECIDED).spec("study.toml", &format!("{}\n{UNDECIDED}", ablation("tiny", "[0]")));
    single.run(["exp", "run", "study.toml"]).success();
    let ran = single.run(["report", "tiny", "--check-claims"]).success();
    ran.stdout_has("one seed has no spread, and it takes 1 more at least");
}

#[test]
fn claims_that_were_changed_afterwards_are_seen() {
    let test = claiming(UNDECIDED);
    test.run(["exp", "run", "study.toml"]).success();
    let changed = format!("{}\n{}", ablation("tiny", "[0, 1]"), UNDECIDED.replace("stpp", "pixels"));
    test.write("study.toml", changed.as_bytes());
    // What is written now is not what was registered.
    test.run(["report", "study.toml", "--check-claims"]).code(2).stderr_has("not those that were registered");
    let ran = test.run(["exp", "run", "study.toml"]).success();
    ran.stdout_has("nothing was trained").stderr_has("were changed after runs were known");
    test.run(["report", "tiny", "--check-claims"]).success().stderr_has("changed after they were registered");
    let report = test.text("reports/tiny/report.md");
    assert!(report.contains("Registered when 8 of 8 runs were done"), "{report}");
    assert!(report.contains("**The claims were changed.**"), "{report}");
    // Withdrawn is changed, too, and running again adds nothing.
    test.write("study.toml", ablation("tiny", "[0, 1]").as_bytes());
    for _ in 0..2 {
        test.run(["exp", "run", "study.toml"]).success();
    }
    let report = test.text("reports/tiny/report.md");
    assert!(report.contains("## Claims\n\nNone."), "{report}");
    assert_eq!(report.matches(" claim, ").count(), 2, "{report}");
    test.run(["report", "tiny", "--check-claims"]).code(1).stderr_has("withdrawn");
}

#[test]
fn a_study_that_was_changed_after_its_claims_is_registered_anew() {
    let test = claiming(UNDECIDED);
    test.run(["exp", "run", "study.toml"]).success();
    let wider = format!("{}\n{UNDECIDED}", ablation("tiny", "[0, 1, 2]"));
    test.write("study.toml", wider.as_bytes());
    test.run(["report", "study.toml"]).success().stderr_has("is not what was run as `tiny`");
    test.run(["exp", "run", "study.toml", "--replace"]).success();
    let report = test.text("reports/tiny/report.md");
    assert!(report.contains("Registered when 8 of 12 runs were done"), "{report}");
    assert!(report.contains("**The study was changed: its arms, seeds, splits or data.**"), "{report}");
}

#[test]
fn claims_that_cannot_be_are_told_with_their_place() {
    for (claim, words) in [
        ("better = \"stp\"\nthan = \"st\"", ["there is no arm \"stp\"", "did you mean `stpp`?"]),
        ("better = \"st\"\nthan = \"st\"", ["better than itself", "name two arms"]),
        ("better = \"stpp\"\nthan = \"st\"\nby = nan", ["claim.by", "finite"]),
        ("better = \"stpp\"\nthan = \"st\"\nsplit = 7", ["split \"7\"", "splits: 0"]),
        ("better = \"stpp\"\nthan = \"st\"\nmetric = \"iou\"", ["claim.metric", "pixel_accuracy"]),
        ("better = \"stpp\"\nthan = \"st\"\nover = 1", ["unknown key `claim.over`", "study.toml:"]),
        (
            "better = \"stpp\"\nthan = \"st\"\n[[claim]]\nbetter = \"stpp\"\nthan = \"st\"",
            ["the same is claimed twice", "keep one of them"],
        ),
        ("than = \"st\"", ["`claim.better` is missing", "study.toml:"]),
    ] {
        let test = claiming(&format!("[[claim]]\n{claim}\n"));
        let ran = test.run(["exp", "run", "study.toml"]).code(2);
        words.iter().fold(ran, |ran, word| ran.stderr_has(word));
    }
    claiming("claim = 3\n").run(["exp", "plan", "study.toml"]).code(2);
}

#[test]
fn a_resolved_spec_with_claims_reads_back() {
    let test = claiming(
        "[noise]\nsd = 0.35\n[[claim]]\nbetter = \"stpp\"\nthan = \"st\"\nby = 0.5\n[[claim]]\nbetter = \"st\"\nthan = \"supervised\"\non = \"val\"\nsplit = 0\n",
    );
    let resolved = test.run(["exp", "show", "study.toml"]).success().stdout().to_owned();
    assert_eq!(resolved.matches("[[claim]]").count(), 2, "{resolved}");
    test.write("again.toml", resolved.as_bytes());
    let again = test.run(["exp", "show", "again.toml"]).success().stdout().to_owned();
    let values = |text: &str| {
        text.lines().map(|line| line.split(" # ").next().unwrap().trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&resolved), values(&again));
}

#[test]
fn a_plan_says_what_the_design_can_show() {
    let test = claiming("[noise]\nsd = 0.35\n");
    let ran = test.run(["exp", "plan", "study.toml"]).success();
    ran.stdout_has("design: 2 seeds, 3 arms against one baseline")
        .stdout_has("0.35 points (from [noise])")
        .stdout_has("the exact sign-flip test can reach p =");
    test.write("study.toml", ablation("tiny", "[0, 1, 2]").as_bytes());
    test.run(["exp", "plan", "study.toml"])
        .success()
        .stdout_has("standard deviations of the paired differences");
    test.run(["exp", "run", "study.toml"]).success();
    let later = format!("{}\n[noise]\nstudy = \"tiny\"\n", ablation("later", "[0, 1, 2, 3, 4]"));
    test.write("later.toml", later.as_bytes());
    test.run(["exp", "plan", "later.toml"]).success().stdout_has("as `tiny` measured it");
    test.write("later.toml", later.replace("study = \"tiny\"", "study = \"tinny\"").as_bytes());
    test.run(["exp", "plan", "later.toml"]).code(2).stderr_has("did you mean `tiny`?").stderr_has("[noise]");
}
