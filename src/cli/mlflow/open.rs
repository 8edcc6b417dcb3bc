//! `stpp mlflow open`: where on a server one sees what.

use super::args::OpenArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::output;
use crate::mlflow::client::Client;
use crate::mlflow::links::links;
use crate::store::Store;

/// Runs the command.
pub(super) fn open(args: &OpenArgs) -> Result<(), Failure> {
    let uri = args.to.as_deref().filter(|uri| !uri.trim().is_empty()).ok_or_else(super::no_server)?;
    let server = super::server(uri)?;
    let store = Store::open_to_read(&args.store.store)?;
    let address = server.address().to_owned();
    let client = Client::new(server)
        .map_err(|fault| Failure::new(FailureKind::Input, format!("failed to ask the server: {fault}")))?;
    let mut shown = false;
    for study in super::studies(&store, &args.names)? {
        let found = links(&client, &study).map_err(|fault| {
            Failure::new(FailureKind::Input, format!("failed to ask the server: {fault}"))
        })?;
        let name = &study.ablation.name;
        if found.is_empty() {
            output::remark(&format!(
                "{name}: {address} has nothing of it, or it was deleted there; `stpp mlflow sync {name}` sends it, and takes it back with --restore"
            ));
            continue;
        }
        shown = true;
        let mut text = format!("{name}\n");
        for (what, link) in found {
            text.push_str(&format!("  {what:<14} {link}\n"));
        }
        output::result(&text);
    }
    if shown {
        Ok(())
    } else {
        Err(Failure::new(FailureKind::Input, format!("failed to find anything on {address}")))
    }
}
