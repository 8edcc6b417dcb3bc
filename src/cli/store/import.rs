//! `stpp store import`: an ablation from one file.

use super::args::ImportArgs;
use super::size;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::store::archive::import as read;

/// Runs the command.
pub(super) fn import(args: &ImportArgs) -> Result<(), Failure> {
    let imported = read(&args.store.store, &args.file, args.replace)?;
    output::result(&format!(
        "`{}` on {}: {} stages; {} files added ({}), {} were there\nreport: stpp report {}",
        imported.study,
        imported.numerics.join(", "),
        imported.stages,
        imported.added,
        size(imported.bytes),
        imported.there,
        imported.study
    ));
    Ok(())
}
