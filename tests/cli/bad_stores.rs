//! A store that can't be used, and one that was damaged.

use std::path::Path;

use crate::folders::files;
use crate::specs::{ablation, experiment};
use crate::support::Test;

#[test]
fn a_store_that_cannot_be_written_is_named_before_anything_trains() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.write("file", b"not a folder");
    let mut stores = vec!["file", "file/inside"];
    if cfg!(target_os = "linux") {
        stores.push("/proc/stpp");
    }
    for store in stores {
        for command in [["exp", "run"], ["exp", "plan"], ["data", "check"]] {
            let ran = test.run([&command[..], &["study.toml", "--store", store]].concat()).code(2);
            ran.stderr_has(store).stderr_has("can't be written").stderr_has("--store");
        }
    }
    assert_eq!(test.text("file"), "not a folder");
    assert!(!test.path("reports").exists());
}

#[test]
fn a_folder_of_something_else_is_not_taken_for_a_store() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.write("thesis/chapter.tex", b"");
    test.run(["exp", "run", "study.toml", "--store", "thesis"])
        .code(2)
        .stderr_has("thesis")
        .stderr_has("not empty");
    assert_eq!(files(&test.path("thesis")).len(), 1);
}

#[test]
fn a_store_of_a_later_program_is_left_alone() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.write("later/stpp-store", b"stpp-store 99\n");
    for args in [&["exp", "run", "study.toml"][..], &["exp", "ls"], &["report", "study"], &["doctor"]] {
        let ran = test.run([args, &["--store", "later"]].concat()).code(2);
        ran.stderr_has("stpp-store 99").stderr_has("later");
    }
    assert_eq!(files(&test.path("later")).len(), 1);
}

#[test]
fn a_report_that_cannot_be_written_is_named() {
    let test = Test::new().spec("study.toml", &experiment("supervised"));
    test.write("taken", b"");
    test.run(["exp", "run", "study.toml", "--out", "taken"]).code(2).stderr_has("taken");
    assert_eq!(test.text("taken"), "");
}

/// The artifacts of a store, and one of them damaged at a time.
fn objects(test: &Test) -> Vec<String> {
    let of_store = files(&test.path(".stpp"));
    of_store
        .into_keys()
        .filter(|name| name.starts_with("objects-v1/"))
        .map(|name| format!(".stpp/{name}"))
        .collect()
}

fn flip_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_artifact_is_named_and_only_what_depended_on_it_is_computed_anew() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(["exp", "run", "study.toml"]).success();
    let report = test.text("reports/tiny/report.md");
    let mut found = 0;
    for object in objects(&test) {
        flip_a_byte(&test.path(&object));
        let told = test.run(["report", "tiny"]);
        // Not every artifact is read by a report: models and masks are for the stages.
        let is_read = told.exit_code() != Some(0);
        if is_read {
            found += 1;
            told.code(4).stderr_has(&object).stderr_has("run the ablation again");
        }
        std::fs::remove_file(test.path(&object)).unwrap();
        if is_read {
            test.run(["report", "tiny"]).code(4).stderr_has(&object).stderr_has("it is gone");
        }
        // It is computed again, and nobody can overlook that.
        let mended = test.run(["exp", "run", "study.toml"]).code(4);
        mended.stdout_has("ran ").stderr_has("the study is complete, and yet").stderr_has(&object);
        assert_eq!(test.text("reports/tiny/report.md"), report, "{object}");
        test.run(["exp", "run", "study.toml"]).success().stdout_has("nothing was trained");
    }
    assert!(found >= 4, "a report reads some artifacts: {found}");
}

#[test]
fn a_damaged_model_is_named_by_the_stage_that_needs_it() {
    let study = ablation("tiny", "[0]");
    let test = Test::new().spec("study.toml", &study);
    test.run(["exp", "run", "study.toml"]).success();
    for object in objects(&test) {
        flip_a_byte(&test.path(&object));
    }
    let more =
        format!("{study}\n[arm.entropy]\nmethod.name = \"stpp\"\nmethod.select.criterion = \"entropy\"\n");
    let test = test.spec("more.toml", &more.replace("\"tiny\"", "\"more\""));
    let ran = test.run(["exp", "run", "more.toml"]).code(4);
    ran.stderr_has(".stpp/objects-v1/").stderr_has("its bytes are not what was written");
    test.run(["exp", "run", "more.toml"]).success();
    // What was read, or was about to be written once more, is whole again.
    test.run(["store", "verify"]).success();
}

#[test]
fn a_record_that_was_edited_is_named() {
    let test = Test::new().spec("study.toml", &experiment("st"));
    test.run(["exp", "run", "study.toml"]).success();
    let records: Vec<_> =
        files(&test.path(".stpp")).into_iter().filter(|(name, _)| name.starts_with("records-v2/")).collect();
    assert_eq!(records.len(), 6);
    for (name, bytes) in records {
        let name = format!(".stpp/{name}");
        for wrong in [&b"{}"[..], b"", b"\xff\xfe", &bytes[..bytes.len() / 2]] {
            test.write(&name, wrong);
            test.run(["report", "study"]).code(4).stderr_has(&name);
            let mended = test.run(["exp", "run", "study.toml"]).code(4);
            mended.stderr_has(&name).stdout_has("ran 1 of");
            assert_eq!(std::fs::read(test.path(&name)).unwrap(), bytes, "the same record is written anew");
        }
    }
    test.run(["exp", "run", "study.toml"]).success().stdout_has("nothing was trained");
}

#[test]
fn a_loss_that_explodes_is_told_with_its_step_and_what_was_done_stays() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    let set = ["--set", "retrain.base_lr=1e30"];
    let ran = test.run([&["exp", "run", "study.toml"][..], &set].concat()).code(3);
    ran.stderr_has("retrain")
        .stderr_has("of 4")
        .stderr_has("learning rate")
        .stderr_has("base_lr")
        .stderr_has("step");
    let plan = test.run([&["exp", "plan", "study.toml", "--json"][..], &set].concat()).success();
    assert_eq!(plan.to_run().get("teacher"), None, "the teacher is committed");
    assert!(test.text("reports/tiny/report.md").contains("incomplete"));
    // With a sound rate the run goes on from the teacher.
    let ran = test.run(["exp", "run", "study.toml", "--replace", "--json"]).success();
    assert_eq!(ran.stages().get("teacher"), None);
}

#[test]
fn what_a_killed_call_left_half_written_is_not_seen() {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.write(".stpp/.tmp-marker", b"stpp");
    test.run(["exp", "run", "study.toml"]).success();
    let report = test.text("reports/tiny/report.md");
    for name in files(&test.path(".stpp")).into_keys() {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        test.write(&format!(".stpp/{folder}/.tmp-half"), b"{\"half\":");
    }
    test.run(["exp", "ls"]).success().stdout_has("tiny");
    // Another arm reads what the others left: records, labels, pixels.
    let more = format!("{}\n[arm.plain]\nmethod.name = \"plain\"\n", ablation("more", "[0]"));
    let test = test.spec("more.toml", &more);
    test.run(["exp", "run", "more.toml"]).success();
    std::fs::remove_dir_all(test.path(".stpp/records-v2/label")).unwrap();
    let ran = test.run(["exp", "run", "study.toml"]).code(4);
    ran.stderr_has(".stpp/records-v2/label/").stderr_has("its record is gone");
    test.run(["exp", "run", "study.toml"]).success();
    assert_eq!(test.text("reports/tiny/report.md"), report);
}
