//! `stpp doctor`: what this machine and this program are, and whether training gives the bits it should.

use super::args::DoctorArgs;
use super::failure::{Failure, FailureKind};
use super::{output, target};
use crate::plan::Kind;
use crate::run::{executor, golden, numerics};
use crate::spec::experiment::RunOn;
use crate::store::{Store, layout};

/// Runs the command.
pub fn doctor(args: &DoctorArgs) -> Result<(), Failure> {
    let chosen = target::machine(&args.device, &RunOn::default())?;
    let line = |name: &str, value: &str| output::result(&format!("{name:<14} {value}"));
    line("program", executor::CODE);
    line(
        "features",
        if cfg!(feature = "cudnn") {
            "cuda, cudnn"
        } else if cfg!(feature = "cuda") {
            "cuda"
        } else {
            "cpu only"
        },
    );
    let reason = chosen.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    line("device", &format!("{}{reason}", chosen.name));
    line("threads", &rayon::current_num_threads().to_string());
    line("numerics class", &numerics::class(&chosen.device));
    let versions: Vec<String> = Kind::ALL.iter().map(|kind| format!("{kind} {}", kind.version())).collect();
    line("stages", &versions.join(", "));
    let store = Store::open(&args.store.store)?;
    line("store", &format!("{} ({}, writable)", store.root().display(), layout::FORMAT));
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
