//! `stpp exp weights`: a trained model as a file that PyTorch loads into the official network.

use crate::base::fs;
use crate::cli::args::WeightsArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::find;
use crate::cli::output;
use crate::plan::graph::Want;
use crate::plan::work::Work;
use crate::store::Store;

/// Runs the command.
pub fn weights(args: &WeightsArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.store.store)?;
    let (_, member) = find::run(&store, &args.run)?;
    let trainings: Vec<_> = member.chain.steps.iter().filter(|step| step.kind.trains()).collect();
    let step = match &args.role {
        None => trainings.iter().find(|step| Some(step.key) == member.chain.result),
        Some(role) => trainings.iter().find(|step| step.role.is_some_and(|r| r.word() == role)),
    };
    let Some(step) = step else {
        let roles: Vec<_> = trainings.iter().filter_map(|step| step.role).map(|r| r.word()).collect();
        let asked = args.role.as_deref().unwrap_or("result");
        let message =
            format!("failed to find the {asked} of run {}: it trains no such model", member.run_id.short());
        return Err(
            Failure::new(FailureKind::Input, message).hint(format!("its models: {}", roles.join(", ")))
        );
    };
    let role = step.role.expect("a training has a role");
    let unfinished = || {
        let message =
            format!("failed to read the {role} of run {}: it is not trained yet", member.run_id.short());
        Failure::new(FailureKind::Input, message).hint("`stpp exp run` trains what is missing")
    };
    let record = store.record(step.kind, step.key)?.ok_or_else(unfinished)?;
    let Ok(Work::Train(training)) = serde_json::from_value(record.work.clone()) else {
        let message =
            format!("failed to read the record of {} {}: it is of no training", step.kind, step.key.short());
        return Err(Failure::new(FailureKind::Damage, message).hint("move the record away and run again"));
    };
    let digest = record.output(&Want::Model(training.steps).to_string()).ok_or_else(unfinished)?;
    fs::write_atomically(&args.to, &store.get(digest)?)?;
    let net = &training.net;
    output::result(&format!(
        "{}: {role} after {} steps, {} with {}, width {}, output stride {}, {} classes\n",
        args.to.display(),
        training.steps,
        net.backbone,
        net.head,
        net.width,
        net.output_stride,
        net.classes,
    ));
    Ok(())
}
