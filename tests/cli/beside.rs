//! What stands beside records and is compared with nothing: what stages took, and why one failed.

use serde_json::Value;

use crate::folders::files;
use crate::images::{self, picture};
use crate::specs::experiment;
use crate::support::Test;

/// The files of a bucket of the store, by kind and key.
fn bucket(test: &Test, name: &str) -> Vec<(String, Vec<u8>)> {
    let inside = |(path, bytes): (String, Vec<u8>)| Some((path.strip_prefix(name)?.to_owned(), bytes));
    files(&test.path(".stpp")).into_iter().filter_map(inside).collect()
}

#[test]
fn costs_say_when_a_stage_ran_and_what_it_used() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.run(["exp", "run", "study.toml"]).success();
    let costs = bucket(&test, "costs-v1/");
    assert_eq!(costs.len(), 6, "{costs:?}");
    for (name, bytes) in &costs {
        let costs: Value = serde_json::from_slice(bytes).unwrap();
        let number = |name: &str| costs[name].as_f64().unwrap_or_else(|| panic!("no {name} in {costs}"));
        let (started, finished) = (number("started"), number("finished"));
        // 2024, in milliseconds.
        assert!(started > 1.7e12 && finished >= started, "{name}: {costs}");
        if cfg!(target_os = "linux") {
            assert!(number("cpu_seconds") <= 1.0 + number("seconds") * 256.0, "{name}: {costs}");
            assert!(number("peak_memory") > 1.0, "{name}: {costs}");
        }
    }
    let told = test.run(["report", "study", "--costs"]).success();
    if cfg!(target_os = "linux") {
        told.stdout_has(" MB ").stdout_has(" % CPU");
    }
    // Costs as they were written before are read, and say nothing of what they do not know.
    for (name, _) in &costs {
        test.write(&format!(".stpp/costs-v1/{name}"), br#"{"seconds":2.5,"threads":2}"#);
    }
    let told = test.run(["report", "study", "--costs"]).success().stdout();
    assert!(told.contains("2.5 s\n") && told.contains("in all 15.0 s") && !told.contains("MB"), "{told}");
}

#[test]
fn why_a_stage_failed_is_known_until_it_is_tried_again() {
    let test = images::dataset(Test::new(), "pictures").spec("study.toml", &images::spec("pictures", "st"));
    let image = "pictures/images/5.png";
    let run = ["exp", "run", "study.toml", "--set", "train.iterations=60"];
    // An unlabeled image goes while the teacher learns from the labeled ones. (The signal does nothing.)
    let failed = test.signalled(run, "CONT", |event| {
        let is_now = event["event"] == "started" && event["stage"]["kind"] == "teacher";
        if is_now {
            std::fs::remove_file(test.path(image)).unwrap();
        }
        is_now
    });
    failed.code(3).stderr_has("images/5.png");
    let words: Vec<_> =
        bucket(&test, "running-v1/").into_iter().filter(|(name, _)| name.ends_with("/failed")).collect();
    let [(name, words)] = &words[..] else { panic!("{words:?}") };
    let words = String::from_utf8(words.clone()).unwrap();
    assert!(
        name.starts_with("label-") && words.starts_with("failed to run label teacher"),
        "{name}: {words}"
    );
    assert!(
        words.contains("images/5.png") && words.contains("; because: ") && !words.contains('\n'),
        "{words}"
    );

    let shown = test.run(["exp", "show", "study"]).success().stdout();
    let id =
        shown.lines().find(|line| line.contains("mIoU")).and_then(|line| line.split(' ').next()).unwrap();
    test.run(["exp", "show", id]).success().stdout_has(&format!("not done: {words}"));
    // It takes nothing but the image to go on, and then nothing is said of it any more.
    test.write(image, &stpp::data::decode::encode_png_rgb(&picture(5).0));
    test.run(run).success();
    let shown = test.run(["exp", "show", id]).success().stdout();
    assert!(!shown.contains("not done"), "{shown}");
}
