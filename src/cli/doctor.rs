//! `stpp doctor`: what this machine and this program are, whether every operation computes what it should here, and
//! whether training gives the bits it should.

use super::args::DoctorArgs;
use super::failure::{Failure, FailureKind};
use super::{output, target};
use crate::nn::selftest::{BOUND, Finding, selftest};
use crate::plan::Kind;
use crate::run::capture::Environment;
use crate::run::device::Chosen;
use crate::run::golden;
use crate::spec::experiment::RunOn;
use crate::store::{Store, layout};

/// Runs the command.
pub fn doctor(args: &DoctorArgs) -> Result<(), Failure> {
    let chosen = target::machine(&args.device, &RunOn::default())?;
    let Environment { program, machine } = Environment::of(&chosen.device);
    line("program", &program.version);
    line("built from", &format!("{}, Cargo.lock {}", program.source(), program.lock.short()));
    line("built by", &format!("{} for {}, {}", program.rustc, program.target, program.profile));
    let features = program.features.join(", ");
    line("features", if features.is_empty() { "cpu only" } else { &features });
    let known = |fact: &Option<String>| fact.clone().unwrap_or_else(|| "unknown".to_owned());
    line("system", &format!("{} {}, {}", machine.system, known(&machine.kernel), known(&machine.libc)));
    line("cpu", &format!("{} ({})", known(&machine.cpu), machine.cpu_features.join(", ")));
    if let Some(name) = &machine.accelerator {
        line("accelerator", &format!("{name}, driver {}", known(&machine.driver)));
    }
    let reason = chosen.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    line("device", &format!("{}{reason}", chosen.name));
    line("threads", &rayon::current_num_threads().to_string());
    line("numerics class", &machine.numerics);
    let versions: Vec<String> = Kind::ALL.iter().map(|kind| format!("{kind} {}", kind.version())).collect();
    line("stages", &versions.join(", "));
    let store = Store::open(&args.store.store)?;
    line("store", &format!("{} ({}, writable)", store.root().display(), layout::FORMAT));
    operations(&chosen)?;
    bits(&chosen)
}

/// Runs every operation on the device and compares it with double precision on the CPU.
fn operations(chosen: &Chosen) -> Result<(), Failure> {
    let findings = selftest(&chosen.device);
    let error = |error: f64| format!("{error:.1e}");
    let rows = findings.iter().map(|finding| {
        let gradients = finding.gradients.map_or_else(|| "-".to_owned(), error);
        let verdict = if finding.problems.is_empty() { "ok" } else { "wrong" };
        [
            finding.op.to_owned(),
            finding.cases.to_string(),
            error(finding.values),
            gradients,
            verdict.to_owned(),
        ]
    });
    let table = output::columns(["operation", "cases", "values", "gradients", ""], rows);
    output::result(&format!(
        "\nlargest errors on {}, relative to the largest value, against double precision (bound {BOUND:.0e})\n{table}\n",
        chosen.name
    ));
    let named = |f: &Finding| f.problems.iter().map(|p| format!("\n  {}: {p}", f.op)).collect::<String>();
    let problems: String = findings.iter().map(named).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Damage,
        format!("{} does not compute what it should:{problems}", chosen.name),
    )
    .hint("don't train on this device; report the lines above with its name and driver"))
}

/// Trains a little on the device and compares the trace with the known one.
fn bits(chosen: &Chosen) -> Result<(), Failure> {
    let golden = golden::golden(&chosen.device).map_err(|error| Failure::of(FailureKind::Stage, &error))?;
    let found = golden.found.short();
    match golden.expected {
        Some(expected) if expected == golden.found => {
            line("golden trace", &format!("{found}: the expected bits after {} steps", golden::STEPS));
            Ok(())
        }
        Some(expected) => Err(Failure::new(
            FailureKind::Damage,
            format!(
                "the golden trace is {}, and {expected} is expected of this numerics class: training on this \
                 machine does not give the bits that others get",
                golden.found
            ),
        )),
        None => {
            line("golden trace", &format!("{found}: no other trace of this numerics class is known yet"));
            Ok(())
        }
    }
}

fn line(name: &str, value: &str) {
    output::result(&format!("{name:<14} {value}"));
}
