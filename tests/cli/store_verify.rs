//! `stpp store verify` names whatever is not as it was written.

use std::path::Path;

use crate::folders::{assert_same_files, files};
use crate::formats::with_store;
use crate::specs::ablation;
use crate::support::Test;

/// The documents and artifacts of a store.
pub fn guarded(test: &Test) -> Vec<String> {
    let buckets = ["objects-v1/", "records-v2/", "studies-v2/", "labels-v2/"];
    let names = files(&test.path(".stpp")).into_keys();
    names.filter(|name| buckets.iter().any(|bucket| name.starts_with(bucket))).collect()
}

/// Overwrites a file, which may be read-only.
pub fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_store_after_a_run_is_sound_and_is_only_looked_at() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(["exp", "run", "study.toml"]).success();
    let before = files(&test.path(".stpp"));
    let told = test.run(["store", "verify"]).success();
    told.stdout_has("everything is what was written").stdout_has("tiny").stdout_has("20 of 20");
    let survey = test.run(["store", "verify", "--json"]).success().json();
    assert_eq!(survey["damage"], serde_json::json!([]));
    assert_eq!(survey["foreign"], serde_json::json!([]));
    assert_same_files(&files(&test.path(".stpp")), &before);
}

#[test]
fn every_file_that_is_damaged_or_gone_is_named_with_those_who_need_it() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(["exp", "run", "study.toml"]).success();
    let names = guarded(&test);
    assert!(names.len() > 50, "{names:?}");
    for (at, name) in names.iter().enumerate() {
        let path = test.path(".stpp").join(name);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        let place = (at * 7919) % bad.len();
        bad[place] ^= 1 << (at % 8);
        let worse = match at % 3 {
            0 => bad,
            1 => good[..good.len() / 2].to_vec(),
            _ => Vec::new(),
        };
        overwrite(&path, &worse);
        let told = test.run(["store", "verify"]).code(4).stderr_has(&format!("\n{name}\n"));
        if !name.starts_with("labels-v2/") {
            told.stderr_has("tiny");
        }
        if name.starts_with("objects-v1/") {
            std::fs::remove_file(&path).unwrap();
            test.run(["store", "verify"])
                .code(4)
                .stderr_has(name)
                .stderr_has("it is gone")
                .stderr_has("tiny: ");
            std::fs::write(&path, &good).unwrap();
        } else {
            overwrite(&path, &good);
        }
    }
    test.run(["store", "verify"]).success();
}

#[test]
fn a_store_of_the_first_format_is_held_against_the_keys_of_its_stages() {
    let test = with_store("v1");
    test.run(["store", "verify"]).success().stdout_has("10 of 10");
    let folder = test.path(".stpp/records-v1/teacher");
    let record = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&record).unwrap();
    let edited = text.replacen("\"steps\": 2", "\"steps\": 3", 1);
    assert_ne!(text, edited);
    std::fs::write(&record, edited).unwrap();
    let told = test.run(["store", "verify"]).code(4);
    told.stderr_has("records-v1/teacher/")
        .stderr_has("not that of its key")
        .stderr_has("first: selecting/0/0");
}

#[test]
fn what_no_run_reads_is_set_aside_on_request_and_made_anew() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(["exp", "run", "study.toml"]).success();
    let objects = || {
        let of_store = files(&test.path(".stpp")).into_iter();
        of_store
            .filter(|(name, _)| name.starts_with("objects-v1/"))
            .max_by_key(|(_, bytes)| bytes.len())
            .unwrap()
    };
    let (largest, mut bytes) = objects();
    let whole = bytes.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    overwrite(&test.path(&format!(".stpp/{largest}")), &bytes);
    // A finished study reads no model.
    test.run(["exp", "run", "study.toml"]).success().stdout_has("nothing was trained");
    test.run(["store", "verify"]).code(4).stderr_has(&largest).stderr_has("--mend");
    test.run(["store", "verify", "--mend"]).code(4).stderr_has("1 of them were set aside");
    test.run(["exp", "run", "study.toml"]).code(4).stderr_has(&largest).stdout_has("ran ");
    assert_eq!(std::fs::read(test.path(&format!(".stpp/{largest}"))).unwrap(), whole);
    test.run(["store", "verify"]).success();
    test.run(["exp", "run", "study.toml"]).success();
}

#[test]
fn a_record_that_is_gone_is_missed_by_those_who_read_it() {
    let test = with_store("v1");
    std::fs::remove_dir_all(test.path(".stpp/records-v1/teacher")).unwrap();
    let told = test.run(["store", "verify"]).code(4);
    told.stdout_has("9 of 10")
        .stderr_has("records-v2/teacher/")
        .stderr_has("it is gone")
        .stderr_has("read it");
    // What nothing was made of is only to be done.
    let test = with_store("v1");
    std::fs::remove_dir_all(test.path(".stpp/records-v1/evaluate")).unwrap();
    test.run(["store", "verify"]).success().stdout_has("6 of 10");
}

#[test]
fn what_lies_about_is_counted_and_is_no_damage() {
    let test = with_store("v1");
    test.write(".stpp/notes.txt", b"mine");
    test.write(".stpp/objects-v1/ab/.tmp-x", b"half");
    let told = test.run(["store", "verify"]).success();
    told.stdout_has("not ours, and left alone: notes.txt").stdout_has("not finished");
}

#[test]
fn what_is_no_store_is_said_so() {
    let test = Test::new();
    test.run(["store", "verify"]).code(2).stderr_has("there is none");
    test.write("thesis/chapter.tex", b"");
    test.run(["store", "verify", "--store", "thesis"]).code(2).stderr_has("thesis").stderr_has("not empty");
    test.write("later/stpp-store", b"stpp-store 3\n");
    test.run(["store", "verify", "--store", "later"]).code(2).stderr_has("stpp-store 3");
    test.write("half/records-v2/teacher/x.json", b"");
    test.run(["store", "verify", "--store", "half"]).code(4).stderr_has("no stpp-store file");
}
