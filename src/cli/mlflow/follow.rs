//! A server beside `stpp exp run`: how it is named, what is said of it.

use std::time::Duration;

use super::args::TrackArgs;
use crate::cli::failure::Failure;
use crate::mlflow::follow::{End, Follow};
use crate::run::{Event, Sink};
use crate::store::{Store, StoredStudy};

/// A screen, beside which a study is brought to a server.
pub struct Tracked {
    screen: Box<dyn Sink>,
    follow: Option<Follow>,
    name: String,
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
    pub fn begin(args: &TrackArgs, mut screen: Box<dyn Sink>, store: &Store, study: &StoredStudy) -> Self {
        let uri = args.mlflow.as_ref().map(|uri| uri.to_string_lossy());
        let follow = uri.filter(|uri| !uri.trim().is_empty()).and_then(|uri| {
            let begun =
                super::server(&uri).map_err(|failure| failure.message().to_owned()).and_then(|server| {
                    Follow::begin(server, store, study).map_err(|error| format!("no thread for it ({error})"))
                });
            let told = |words| {
                let message = format!("mlflow: {words}; training goes on, and nothing is lost");
                screen.take(&Event::Noted { message });
            };
            begun.map_err(told).ok()
        });
        Self { screen, follow, name: study.ablation.name.clone() }
    }

    /// Waits for the server, and says what it has; nothing where there is none.
    pub fn finish(mut self, wait: Duration) -> Option<String> {
        let follow = self.follow.take()?;
        let end = follow.finish(wait);
        for message in follow.notes() {
            self.screen.take(&Event::Noted { message });
        }
        Some(words(&end, &self.name))
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

fn words(end: &End, name: &str) -> String {
    let later = format!("`stpp mlflow sync {name}` sends them");
    let mut words = format!("mlflow: {}", totals(end.sent, end.pending, end.runs));
    if let Some(trouble) = &end.trouble {
        words.push_str(&format!(" ({trouble})"));
    }
    if end.pending != Some(0) {
        words.push_str(&format!(": {later}"));
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
