//! `stpp store export` and `import`: a study on another machine says the same.

use std::path::Path;

use crate::folders::{assert_same_files, files};
use crate::formats::with_store;
use crate::specs::ablation;
use crate::store_verify::overwrite;
use crate::support::Test;

/// A user with an ablation that was run and exported.
fn exported() -> Test {
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0]"));
    test.run(["exp", "run", "study.toml"]).success();
    test.run(["store", "export", "tiny", "--to", "tiny.stpp"]).success().stdout_has("20 of 20");
    test
}

/// The small store of the first format, exported: quick, for what is tried many times.
fn small() -> Test {
    let test = with_store("v1");
    test.run(["store", "export", "first", "--to", "first.stpp"]).success();
    test
}

/// Another machine that was sent a file.
fn sent(from: &Path) -> Test {
    let test = Test::new();
    test.write("sent", &std::fs::read(from).unwrap());
    test
}

#[test]
fn a_report_on_another_machine_has_the_same_bytes() {
    let here = exported();
    let there = sent(&here.path("tiny.stpp"));
    there.run(["store", "import", "sent"]).success().stdout_has("20 stages").stdout_has("stpp report tiny");
    there.run(["store", "verify"]).success().stdout_has("20 of 20");
    there.run(["report", "tiny"]).success();
    assert_eq!(there.text("reports/tiny/report.md"), here.text("reports/tiny/report.md"));
    assert_same_files(&files(&there.path(".stpp/tables")), &files(&here.path(".stpp/tables")));
    // With the spec, nothing is left to do.
    let there = there.spec("study.toml", &ablation("tiny", "[0]"));
    there.run(["exp", "run", "study.toml"]).success().stdout_has("nothing was trained");
    // And another arm goes on from what came.
    let more = format!("{}\n[arm.plain]\nmethod.name = \"plain\"\n", ablation("more", "[0]"));
    let there = there.spec("more.toml", &more);
    assert_eq!(there.run(["exp", "run", "more.toml", "--json"]).success().stages().get("teacher"), None);
}

#[test]
fn the_same_study_is_the_same_file_wherever_it_is() {
    let here = exported();
    here.run(["store", "export", "tiny", "--to", "again.stpp"]).success();
    let bytes = std::fs::read(here.path("tiny.stpp")).unwrap();
    assert!(std::fs::read(here.path("again.stpp")).unwrap() == bytes, "exporting again gives other bytes");
    let there = sent(&here.path("tiny.stpp"));
    there.run(["store", "import", "sent"]).success();
    let once = files(&there.path(".stpp"));
    there.run(["store", "import", "sent"]).success().stdout_has("0 files added");
    assert_same_files(&files(&there.path(".stpp")), &once);
    there.run(["store", "export", "tiny", "--to", "back.stpp"]).success();
    assert!(std::fs::read(there.path("back.stpp")).unwrap() == bytes, "the way there and back changes bytes");
    // Importing where it came from changes nothing.
    let before = files(&here.path(".stpp"));
    here.run(["store", "import", "tiny.stpp"]).success().stdout_has("0 files added");
    assert_same_files(&files(&here.path(".stpp")), &before);
}

#[test]
fn a_study_of_the_first_format_can_be_moved() {
    let there = sent(&small().path("first.stpp"));
    there.run(["store", "import", "sent"]).success();
    there.run(["report", "first"]).success();
    let here = with_store("v1");
    assert_eq!(there.text("reports/first/report.md"), here.text("fixture/report.md"));
    // The store that it came from has the same in the earlier format.
    let before = files(&here.path(".stpp"));
    here.write("sent", &std::fs::read(there.path("sent")).unwrap());
    here.run(["store", "import", "sent"]).success().stdout_has("0 files added");
    let mut after = files(&here.path(".stpp"));
    after.remove("cache-v1/.writable");
    after.insert("stpp-store".to_owned(), b"stpp-store 1\n".to_vec());
    assert_same_files(&after, &before);
}

#[test]
fn an_archive_that_was_tampered_with_is_refused_and_nothing_changes() {
    let test = small();
    let good = std::fs::read(test.path("first.stpp")).unwrap();
    test.run(["store", "import", "first.stpp", "--store", "sound"]).success();
    let sound = files(&test.path("sound"));
    let mut refused = 0;
    for at in 0..60 {
        let mut bad = good.clone();
        let place = (at * 99_991 + at * at * 17) % bad.len();
        bad[place] ^= 1 << (at % 8);
        test.write("bad", &bad);
        let ran = test.run(["store", "import", "bad", "--store", "there"]);
        if ran.exit_code() == Some(0) {
            // A bit that says nothing, such as one of the zeros that fill a block.
            assert_same_files(&files(&test.path("there")), &sound);
            std::fs::remove_dir_all(test.path("there")).unwrap();
        } else {
            refused += 1;
            ran.code(4).stderr_has("bad").stderr_has("nothing was imported");
            assert!(!test.path("there").exists(), "byte {place}");
        }
    }
    assert!(refused >= 50, "{refused} of 60");
    for keep in [0, 1, 511, 512, 700, 5000, good.len() / 2, good.len() - 3000] {
        test.write("bad", &good[..keep]);
        let ran = test.run(["store", "import", "bad", "--store", "there"]).code(4);
        ran.stderr_has("bad").stderr_has("nothing was imported");
        assert!(!test.path("there").exists(), "{keep} bytes");
    }
    // A store that is there is left as it was.
    let before = files(&test.path(".stpp"));
    test.run(["store", "import", "bad"]).code(4);
    assert_same_files(&files(&test.path(".stpp")), &before);
    test.run(["store", "import", "study.toml"]).code(4).stderr_has("study.toml").stderr_has("no archive");
    test.run(["store", "import", "nothing.stpp"]).code(2).stderr_has("nothing.stpp");
}

#[test]
fn two_studies_of_one_name_are_kept_apart() {
    let here = exported();
    let there = sent(&here.path("tiny.stpp")).spec("study.toml", &ablation("tiny", "[1]"));
    there.run(["exp", "run", "study.toml"]).success();
    let before = files(&there.path(".stpp"));
    let refused = there.run(["store", "import", "sent"]).code(2);
    refused.stderr_has("`tiny`").stderr_has("--replace").stderr_has("--store");
    assert_same_files(&files(&there.path(".stpp")), &before);
    there.run(["store", "import", "sent", "--replace"]).success();
    there.run(["report", "tiny"]).success();
    assert_eq!(there.text("reports/tiny/report.md"), here.text("reports/tiny/report.md"));
}

#[test]
fn damage_is_neither_exported_nor_kept() {
    let test = small();
    let object = files(&test.path(".stpp")).into_keys().find(|name| name.starts_with("objects-v1/")).unwrap();
    let path = test.path(".stpp").join(&object);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[0] ^= 1;
    overwrite(&path, &bytes);
    test.run(["store", "export", "first", "--to", "new.stpp"]).code(4).stderr_has(&object);
    assert!(!test.path("new.stpp").exists());
    // What comes from elsewhere takes the place of what is damaged here, which is set aside.
    test.run(["store", "import", "first.stpp"]).success().stdout_has("1 files added");
    test.run(["store", "verify"]).success().stdout_has("set aside before").stdout_has(&object);
    std::fs::remove_file(&path).unwrap();
    test.run(["store", "export", "first", "--to", "new.stpp"])
        .code(4)
        .stderr_has(&object)
        .stderr_has("it is gone");
    test.run(["store", "export", "fist", "--to", "new.stpp"]).code(2).stderr_has("did you mean `first`?");
}
