//! What is said where: results on standard output, progress on standard error.

use crate::specs::{BASE, experiment};
use crate::support::{Ran, Test};

fn test() -> Test {
    Test::new().spec("st.toml", &experiment("st"))
}

#[test]
fn json_is_all_there_is_on_standard_output() {
    let ran = test().run(["exp", "run", "st.toml", "--json"]).success();
    let events = ran.events();
    let kinds = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert_eq!(kinds("planned"), 1);
    assert_eq!(
        (kinds("started"), kinds("finished")),
        (6, 6),
        "prepare, teacher, label, retrain, evaluate twice"
    );
    assert_eq!(
        kinds("started")
            + kinds("finished")
            + kinds("advanced")
            + kinds("measured")
            + kinds("planned")
            + kinds("noted"),
        events.len()
    );
    let losses = |event: &&serde_json::Value| event["event"] == "measured" && event["metric"] == "loss";
    assert_eq!(events.iter().filter(losses).count(), 8, "one per optimiser step");
    assert!(!ran.stderr().contains("prepare"), "progress is not told twice: {}", ran.stderr());
}

#[test]
fn a_log_has_a_line_per_stage_and_no_escapes() {
    let ran =
        test().run(["exp", "run", "st.toml"]).success().stderr_has("teacher").stderr_has("retrain student");
    assert!(!ran.stderr().contains('\u{1b}') && !ran.stderr().contains('\r'), "{:?}", ran.stderr());
    assert!(ran.stdout().lines().count() <= 3, "{}", ran.stdout());
}

#[test]
fn quiet_shows_no_progress() {
    let ran = test().run(["exp", "run", "st.toml", "--quiet", "--device", "cpu"]).success();
    assert_eq!(ran.stderr(), "");
    ran.stdout_has("report: reports/st/report.md");
}

#[test]
fn quiet_and_json_exclude_each_other() {
    test().run(["exp", "run", "st.toml", "--quiet", "--json"]).code(2).stderr_has("cannot be used with");
}

#[test]
fn a_store_can_come_from_the_environment_or_the_command() {
    let test = test();
    test.run(["exp", "run", "st.toml", "--store", "mine", "--out", "elsewhere"]).success();
    assert!(test.path("mine/stpp-store").exists() && test.path("elsewhere/report.md").exists());
    assert!(!test.path(".stpp").exists() && !test.path("reports").exists());
    test.run_with("STPP_STORE", "mine", ["exp", "run", "st.toml"])
        .success()
        .stdout_has("nothing was trained");
}

#[test]
fn data_can_be_checked_as_words_and_as_json() {
    let test = test();
    let words = test.run(["data", "check", "st.toml"]).success();
    words.stdout_has("4 classes").stdout_has("drawn: 4 labeled, seed 0").stdout_has("leaf");
    let json = test.run(["data", "check", "st.toml", "--json"]).success().json();
    assert_eq!(json["problems"].as_array().map(Vec::len), Some(0), "{json}");
    assert_eq!(json["groups"][0]["name"], "labeled");
    assert_eq!(json["groups"][0]["images"], 4);
    assert_eq!(json["groups"][1]["images"], 8);
}

#[test]
fn the_doctor_checks_device_store_and_bits() {
    let test = Test::new();
    let said = test.run(["doctor"]).success();
    let lines = [
        "program",
        "built from",
        "built by",
        "features",
        "system",
        "cpu",
        "device",
        "threads",
        "numerics class",
        "store",
        "golden trace",
    ];
    for line in lines {
        assert!(said.stdout().contains(line), "{line} is missing in\n{}", said.stdout());
    }
    for op in ["conv2d", "batch norm", "resize", "cross entropy"] {
        let shown = said.stdout();
        let row = shown.lines().find(|line| line.trim_start().starts_with(op)).unwrap_or_default();
        assert!(row.trim_end().ends_with("ok"), "{op} is missing or wrong in\n{shown}");
    }
    let trace =
        |ran: &Ran| ran.stdout().lines().find(|line| line.starts_with("golden trace")).map(str::to_owned);
    assert_eq!(trace(&test.run(["doctor", "--threads", "1"]).success()), trace(&said));
}

#[test]
fn the_doctor_tells_nothing_of_who_asks() {
    let test = Test::new();
    let mark = "marked-6f1d2c";
    for name in ["AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "USER", "HOME", "HOSTNAME"] {
        let said = test.run_with(name, mark, ["doctor"]).success();
        assert!(!said.stdout().contains(mark) && !said.stderr().contains(mark), "{name}: {}", said.stdout());
    }
}

#[cfg(not(feature = "failpoints"))]
#[test]
fn an_ordinary_build_has_no_places_for_faults() {
    let test = test();
    let killed = "artifact.begin#1=kill";
    test.run_with("STPP_FAILPOINT", killed, ["exp", "run", "st.toml"]).success();
    test.run_with("STPP_FAILPOINT", "read-only", ["exp", "run", "st.toml"]).success();
    test.run_with("STPP_FAILPOINT_LOG", "log", ["exp", "ls"]).success();
    assert!(!test.path("log").exists());
}

#[test]
fn a_call_without_words_explains_itself() {
    let test = Test::new().spec("base.toml", BASE);
    test.run(std::iter::empty::<&str>()).code(2).stderr_has("Usage: stpp");
    test.run(["--version"]).success().stdout_has(concat!("stpp ", env!("CARGO_PKG_VERSION")));
    test.run(["exp", "run"]).code(2).stderr_has("<SPEC>");
    test.run(["exp", "rum", "base.toml"]).code(2).stderr_has("run");
}
