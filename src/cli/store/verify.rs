//! `stpp store verify`: whether everything in a store is what was written.

use std::fmt::Write;

use super::args::VerifyArgs;
use super::size;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::output;
use crate::store::Store;
use crate::store::verify::{Damage, Survey, verify as survey};

/// How many of the experiments that need a file are named.
const NAMED: usize = 3;

/// Runs the command.
pub(super) fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.store.store)?;
    let survey = survey(&store)?;
    if args.json {
        output::result(&serde_json::to_string(&survey).expect("a survey is plain data"));
    } else {
        output::result(&words(&survey));
    }
    match survey.damage.len() {
        0 => Ok(()),
        count => {
            let files = if count == 1 { "1 file is".to_owned() } else { format!("{count} files are") };
            let mut message = format!("{files} damaged or gone in {}", store.root().display());
            for damage in &survey.damage {
                message.push_str(&line(damage));
            }
            let failure = Failure::new(FailureKind::Damage, message);
            if args.mend {
                let aside = set_aside(&store, &survey.damage)?;
                return Err(failure.hint(format!(
                    "{aside} of them were set aside: the next `stpp exp run` of these ablations makes anew what they held"
                )));
            }
            Err(failure.hint("`exp run` mends what it reads; with `--mend`, all of this is set aside for it"))
        }
    }
}

/// Sets every damaged file aside that is there; what is gone is missed by the run that makes it anew.
fn set_aside(store: &Store, damage: &[Damage]) -> Result<usize, Failure> {
    // Only who may write may do that.
    let store = Store::open(store.root())?;
    let mut aside = 0;
    for damage in damage {
        let path = store.root().join(&damage.path);
        aside += usize::from(store.quarantine(&path, &damage.what)? != path);
    }
    Ok(aside)
}

fn words(survey: &Survey) -> String {
    let rows = survey.counts.iter();
    let rows = rows.map(|count| [count.what.to_owned(), count.files.to_string(), size(count.bytes)]);
    let mut text = output::columns(["what", "files", "size"], rows);
    text.push('\n');
    if !survey.studies.is_empty() {
        let rows = survey.studies.iter().map(|study| {
            [study.name.clone(), format!("{} of {}", study.done, study.stages), study.numerics.clone()]
        });
        let table = output::columns(["ablation", "stages done and whole", "numerics class"], rows);
        let _ = writeln!(text, "\n{table}");
    }
    for line in &survey.quarantined {
        let _ = writeln!(text, "\nset aside before: {} as {}\n  {}", line.from, line.to, line.why);
    }
    for path in &survey.foreign {
        let _ = writeln!(text, "\nnot ours, and left alone: {path}");
    }
    if survey.damage.is_empty() {
        text.push_str("\neverything is what was written\n");
    }
    text
}

fn line(damage: &Damage) -> String {
    let mut text = format!("\n{}\n  {}", damage.path, damage.what);
    let mut names: Vec<&str> = damage.whose.iter().take(NAMED).map(String::as_str).collect();
    let more = damage.whose.len().saturating_sub(NAMED);
    let rest = format!("and {more} more");
    if more > 0 {
        names.push(&rest);
    }
    if !names.is_empty() {
        let _ = write!(text, "\n  of {}", names.join(", "));
    }
    let _ = write!(text, "\n  {}", damage.advice);
    text
}
