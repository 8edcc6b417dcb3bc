//! Where on a server's pages one sees what.

use super::client::Client;
use super::fault::Fault;
use super::known::in_use;
use super::place;
use super::view::saved::VIEWS;
use super::view::{UID, report};
use crate::store::StoredStudy;

/// Shows the menu for training models, and not the one for conversations.
const TRAINING: &str = "workflowType=machine_learning";

/// What there is to see of a study, with its address; nothing where the server has nothing of it.
///
/// # Errors
/// [`Fault`].
pub fn links(client: &Client, study: &StoredStudy) -> Result<Vec<(&'static str, String)>, Fault> {
    let (_, Some(found)) = place::find(client, study)? else { return Ok(Vec::new()) };
    if found.lifecycle_stage == "deleted" {
        return Ok(Vec::new());
    }
    let id = &found.experiment_id;
    let page = format!("{}/#/experiments/{id}", client.server().address());
    let mut links = vec![("Runs", format!("{page}/runs?{TRAINING}"))];
    for (view, title) in VIEWS {
        let mode = if view == "stpp-table" { "" } else { "compareRunsMode=CHART&" };
        links.push((title, format!("{page}/runs?{mode}viewStateShareKey={view}&{TRAINING}")));
    }
    let runs = client.runs(id, Some(&format!("tags.`{UID}` = '{}'", report::uid(study))))?;
    if let Some(run) = in_use(&runs) {
        links.push((
            "Report",
            format!("{page}/runs/{}/artifacts/{}?{TRAINING}", run.info.run_id, report::FILE),
        ));
    }
    Ok(links)
}
