//! A server beside `stpp exp run`: how it is named, what is said of it.

use std::path::Path;
use std::time::Duration;

use super::args::TrackArgs;
use crate::cli::args::RunArgs;
use crate::cli::failure::Failure;
use crate::mlflow::follow::{End, Follow};
use crate::run::signal::Stop;
use crate::run::{Event, Sink};
use crate::store::{Store, StoredStudy};

/// A screen, beside which a study is brought to a server.
pub struct Tracked {
    screen: Box<dyn Sink>,
    follow: Option<Follow>,
    /// The command that sends what is pending.
    later: String,
    /// Whether a server was named.
    is_named: bool,
}

/// How long the end of a run waits for a server.
///
/// # Errors
/// What was typed is no time.
pub fn patience(args: &TrackArgs) -> Result<Duration, Failure> {
    super::seconds("--mlflow-wait", args.mlflow_wait)
}

impl Tracked {
    /// Begins to bring a study to the server that was named, if one was. An address that leads to none is told, and ends
    /// nothing.
    pub fn begin(args: &RunArgs, mut screen: Box<dyn Sink>, store: &Store, study: &StoredStudy) -> Self {
        let uri = args.track.mlflow.as_ref().map(|uri| uri.to_string_lossy());
        let uri = uri.filter(|uri| !uri.trim().is_empty());
        let is_named = uri.is_some();
        let mut later = format!("stpp mlflow sync {}", study.ablation.name);
        // What stands in the variables need not be typed.
        if args.store.store != Path::new(".stpp") && std::env::var_os("STPP_STORE").is_none() {
            later.push_str(&format!(" --store {}", args.store.store.display()));
        }
        let follow = uri.and_then(|uri| {
            let begun =
                super::server(&uri).map_err(|failure| failure.message().to_owned()).and_then(|server| {
                    if std::env::var_os("MLFLOW_TRACKING_URI").is_none() {
                        later.push_str(&format!(" --to {}", server.address()));
                    }
                    Follow::begin(server, store, study).map_err(|error| format!("no thread for it ({error})"))
                });
            let told = |words| {
                let message = format!("mlflow: {words}; training goes on, and nothing is lost");
                screen.take(&Event::Noted { message });
            };
            begun.map_err(told).ok()
        });
        Self { screen, follow, later, is_named }
    }

    /// Waits for the server, unless the user gives up, and says what it has. Whether a server was named.
    pub fn finish(mut self, wait: Duration, stop: &Stop) -> bool {
        let Some(follow) = self.follow.take() else { return self.is_named };
        // Whoever has stopped the training has not yet said anything about the wait for the server.
        let was_stopped = stop.requested();
        let end = follow.finish(wait, &|| !was_stopped && stop.requested());
        for message in follow.notes() {
            self.screen.take(&Event::Noted { message });
        }
        self.screen.take(&Event::Noted { message: words(&end, &self.later) });
        true
    }
}

impl Sink for Tracked {
    fn take(&mut self, event: &Event) {
        self.screen.take(event);
        for message in self.follow.iter().flat_map(Follow::notes) {
            self.screen.take(&Event::Noted { message });
        }
    }
}

fn words(end: &End, later: &str) -> String {
    if end.elsewhere {
        return "mlflow: another process sends this study to the server".to_owned();
    }
    let mut words = format!("mlflow: {}", totals(end.sent, end.pending, end.runs));
    if let Some(trouble) = &end.trouble {
        words.push_str(&format!(" ({trouble})"));
    }
    if end.pending != Some(0) {
        words.push_str(&format!(": `{later}` sends them"));
    }
    if end.rejected > 0 {
        words.push_str(&format!(
            "; the server did not accept {} records: see outbox-v1 in the store",
            end.rejected
        ));
    }
    words
}

/// The line that every sending ends with.
pub(super) fn totals(sent: u64, pending: Option<u64>, runs: usize) -> String {
    let pending = pending.map_or_else(|| "some".to_owned(), |pending| pending.to_string());
    format!("sent {sent} records, {pending} pending, {runs} runs")
}
