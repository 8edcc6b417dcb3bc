//! `stpp store export`: an ablation as one file.

use super::args::ExportArgs;
use super::size;
use crate::base::suggest::nearest;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::output;
use crate::store::Store;
use crate::store::archive::export as write;

/// Runs the command.
pub(super) fn export(args: &ExportArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.store.store)?;
    let names = store.study_names()?;
    if !names.contains(&args.name) {
        let message = format!("failed to find the ablation `{}` in the store", args.name);
        let failure = Failure::new(FailureKind::Input, message);
        return Err(match nearest(&args.name, names.iter().map(String::as_str)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`stpp exp ls` lists what is there"),
        });
    }
    let exported = write(&store, &args.name, &args.to)?;
    output::result(&format!(
        "{}: `{}`, {} of {} stages done, {} entries, {}",
        args.to.display(),
        args.name,
        exported.done,
        exported.stages,
        exported.entries,
        size(exported.bytes)
    ));
    if exported.done < exported.stages {
        output::remark("the ablation is not finished: its report says *incomplete* there as well");
    }
    Ok(())
}
