//! The tables are for other programs: a notebook opens them and comes to the same numbers.

use std::path::Path;
use std::process::Command;

use crate::specs::ablation;
use crate::support::Test;

#[test]
fn a_notebook_opens_the_tables_and_recomputes_every_headline() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import polars"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        println!("skipped: `{python} -c 'import polars'` does not work; PYTHON names another Python");
        return;
    }
    let test = Test::new().spec("study.toml", &ablation("tiny", "[0, 1]"));
    test.run(["exp", "run", "study.toml"]).success();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/open.py");
    let read = Command::new(&python).arg(script).arg(test.path(".stpp/tables/tiny")).output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    assert!(read.status.success(), "{said}\n{wrong}");
    assert!(said.contains("every headline follows from counted pixels"), "{said}");
}
