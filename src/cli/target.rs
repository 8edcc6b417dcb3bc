//! What a command is about: the ablation of a spec, on a device, in a store.

use std::path::{Path, PathBuf};

use super::args::{DeviceArgs, SpecArgs, StoreArgs};
use super::failure::{Failure, FailureKind};
use crate::run::device::{Chosen, choose};
use crate::spec::ablation::Ablation;
use crate::spec::experiment::RunOn;
use crate::spec::{Process, Spec, load};
use crate::store::{Store, StoreError};

/// Reads a spec; a single experiment becomes a study of one arm, named after its file.
pub(super) fn ablation(args: &SpecArgs) -> Result<Ablation, Failure> {
    Ok(study_of(args, load(&args.spec, &args.sets, &Process)?.spec))
}

/// A spec that was read, as a study.
pub(super) fn study_of(args: &SpecArgs, spec: Spec) -> Ablation {
    match spec {
        Spec::Ablation(ablation) => *ablation,
        Spec::Experiment(experiment) => Ablation::of_experiment(&name_of(&args.spec), *experiment),
    }
}

/// `experiments/synthetic/st.toml` is the experiment `synthetic-st`: file name and folder, as a name may be written.
pub(super) fn name_of(path: &Path) -> String {
    let part = |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned());
    let stem = part(path.file_stem()).unwrap_or_default();
    let folder = part(path.parent().and_then(Path::file_name));
    let name = match folder {
        Some(folder) if folder != "experiments" => format!("{folder}-{stem}"),
        _ => stem,
    };
    name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Chooses the device and sizes the pool of worker threads: what was typed, else what the spec says.
pub(super) fn device(args: &DeviceArgs, ablation: &Ablation) -> Result<Chosen, Failure> {
    machine(args, &ablation.experiments[0].experiment.run)
}

/// Chooses the device and sizes the pool of worker threads: what was typed, else what `run` says.
pub(super) fn machine(args: &DeviceArgs, run: &RunOn) -> Result<Chosen, Failure> {
    let threads = args.threads.unwrap_or(run.threads);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(|error| {
        Failure::new(FailureKind::Input, format!("failed to start {threads} threads: {error}"))
    })?;
    Ok(choose(args.device.as_deref().unwrap_or(&run.device))?)
}

/// A store to plan in: one that is there is only read, and where there is none yet one is made.
pub(super) fn store_to_plan(args: &StoreArgs) -> Result<Store, StoreError> {
    match Store::open_to_read(&args.store) {
        Err(StoreError::Missing { .. } | StoreError::File(_)) => Store::open(&args.store),
        opened => opened,
    }
}

/// A store to look into; none where there is none yet.
pub(super) fn store_to_look(args: &StoreArgs) -> Result<Option<Store>, StoreError> {
    match Store::open_to_read(&args.store) {
        Err(StoreError::Missing { .. }) => Ok(None),
        opened => opened.map(Some),
    }
}

/// The folder of a report.
pub(super) fn report_folder(out: Option<&Path>, name: &str) -> PathBuf {
    out.map_or_else(|| Path::new("reports").join(name), Path::to_owned)
}
