//! A name stands for one question.

use crate::specs::ablation;
use crate::support::{Test, counts};

#[test]
fn two_questions_of_one_name_are_refused_until_one_gives_way() {
    let other = ablation("tiny", "[1]");
    let test = Test::new().spec("one.toml", &ablation("tiny", "[0]")).spec("other.toml", &other);
    test.run(["exp", "run", "one.toml"]).success();
    let report = test.text("reports/tiny/report.md");
    let refused = test.run(["exp", "run", "other.toml"]).code(2);
    refused.stderr_has("`tiny`").stderr_has("--replace").stderr_has("--store");
    assert_eq!(test.text("reports/tiny/report.md"), report, "nothing is lost");
    test.run(["report", "tiny", "--check"]).success();
    test.run(["exp", "run", "other.toml", "--replace"]).success();
    assert_ne!(test.text("reports/tiny/report.md"), report);
    // What the first one trained is still there.
    let back = test.run(["exp", "run", "one.toml", "--replace", "--json"]).success();
    assert_eq!(back.stages(), counts(&[]));
    assert_eq!(test.text("reports/tiny/report.md"), report);
}

#[test]
fn a_question_in_other_words_is_the_same_question() {
    let study = ablation("tiny", "[0]");
    let test = Test::new().spec("one.toml", &study);
    test.run(["exp", "run", "one.toml"]).success();
    let words = study.replace("Does it go through?", "Would it go through?");
    let test = test.spec("words.toml", &words);
    test.run(["exp", "run", "words.toml"]).success().stdout_has("nothing was trained");
    assert!(test.text("reports/tiny/report.md").contains("Would it go through?"));
}

#[test]
fn a_name_becomes_a_folder_and_must_look_like_one() {
    for name in ["../up", "Big", "", "with space", "ünder"] {
        let test = Test::new().spec("study.toml", &ablation(name, "[0]"));
        test.run(["exp", "plan", "study.toml"]).code(2).stderr_has("study.toml:1:").stderr_has("name");
    }
}
