//! `stpp mlflow sync`: a server has what the store has.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::args::SyncArgs;
use super::follow::totals;
use crate::base::clock::Stopwatch;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::output;
use crate::mlflow::audit::{Audit, audit};
use crate::mlflow::client::Client;
use crate::mlflow::fault::Fault;
use crate::mlflow::patience::Patience;
use crate::mlflow::push::PushError;
use crate::mlflow::sync::{Options, Sync, at_work, sender};
use crate::store::lease::{Lease, Leases, Pace, Taken};
use crate::store::{Store, StoredStudy};

/// Between two words about a long sending.
const BETWEEN_WORDS: Duration = Duration::from_secs(15);

/// Differences that are named; the others are counted.
const NAMED: usize = 20;

/// What was done at all servers.
#[derive(Default)]
struct Totals {
    sent: u64,
    pending: u64,
    runs: usize,
    rejected: usize,
    audit: Audit,
    failure: Option<Failure>,
}

/// Runs the command.
pub(super) fn sync(args: &SyncArgs) -> Result<(), Failure> {
    let wait = super::seconds("--wait", args.wait)?;
    let to: Vec<&String> = args.to.iter().filter(|uri| !uri.trim().is_empty()).collect();
    if to.is_empty() {
        return Err(super::no_server());
    }
    let mut servers = to.into_iter().map(|uri| super::server(uri)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = BTreeSet::new();
    servers.retain(|server| seen.insert(server.fingerprint()));
    // Cursors are written into it.
    Store::open_to_read(&args.store.store)?;
    let store = Store::open(&args.store.store)?;
    let studies = super::studies(&store, &args.names)?;
    if studies.is_empty() {
        output::remark("the store has no ablation yet");
    }
    let leases = store.leases(Pace::default());
    let _presence = leases.presence(|live| {
        output::remark(&format!("waiting until {} has cleared the store", live.words()));
    })?;
    let mut totals = Totals::default();
    let many = servers.len() * studies.len() > 1;
    for server in servers {
        let address = server.address().to_owned();
        let client = match Client::new(server) {
            Ok(client) => client,
            Err(fault) => return Err(of_fault(&fault)),
        };
        let mut is_there = true;
        for study in &studies {
            let before = (totals.sent, totals.pending, totals.runs);
            let sending = Sending { client: &client, store: &store, study, leases: &leases, args, wait };
            // A server that is away, or refuses, would do so again.
            if is_there {
                is_there = sending.send(&mut totals)?;
            } else {
                sending.count(&sending.sync(), &mut totals)?;
            }
            if many {
                let (sent, pending, runs) =
                    (totals.sent - before.0, totals.pending - before.1, totals.runs - before.2);
                let line = super::follow::totals(sent, Some(pending), runs);
                output::result(&format!("{} to {address}: {line}", study.ablation.name));
            }
        }
    }
    if args.verify {
        output::result(&verified(&totals.audit));
    }
    output::result(&totals_line(&totals));
    end(totals)
}

fn totals_line(all: &Totals) -> String {
    totals(all.sent, Some(all.pending), all.runs)
}

fn verified(audit: &Audit) -> String {
    let Audit { equal, runs, differences } = audit;
    let mut text = String::new();
    for line in differences.iter().take(NAMED) {
        text.push_str(&format!("{line}\n"));
    }
    if differences.len() > NAMED {
        text.push_str(&format!("and {} differences more\n", differences.len() - NAMED));
    }
    text + &format!("verified {runs} runs: {equal} records are equal, {} differ", differences.len())
}

fn end(totals: Totals) -> Result<(), Failure> {
    if let Some(failure) = totals.failure {
        return Err(failure);
    }
    if !totals.audit.differences.is_empty() {
        return Err(Failure::new(FailureKind::Damage, "the server and the store differ")
            .hint("what the server lacks, `--again` sends again, and what was deleted there, `--restore` takes back")
            .hint("points that the server has too many can't be taken back: delete the run there, and sync again"));
    }
    if totals.rejected > 0 {
        let message = format!("the server did not accept {} records", totals.rejected);
        return Err(Failure::new(FailureKind::Stage, message)
            .hint("outbox-v1/<server>/rejected.jsonl in the store has the server's words"));
    }
    Ok(())
}

struct Sending<'a> {
    client: &'a Client,
    store: &'a Store,
    study: &'a StoredStudy,
    leases: &'a Leases,
    args: &'a SyncArgs,
    wait: Duration,
}

impl Sending<'_> {
    /// Sends a study. Whether the server was there.
    fn send(&self, totals: &mut Totals) -> Result<bool, Failure> {
        let Some(_lease) = self.turn()? else {
            totals.failure = Some(
                Failure::new(FailureKind::Interrupted, "another process sends to this server at the moment")
                    .hint("an `stpp exp run` sends what it measures; try again when it has ended"),
            );
            self.count(&self.sync(), totals)?;
            return Ok(true);
        };
        let mut sync = self.sync();
        if self.args.again {
            sync.forget()?;
        }
        let brought = {
            let _progress = Progress::of(&sync.tally.sent, &self.study.ablation.name);
            self.bring(&mut sync)
        };
        for note in &sync.tally.notes {
            output::remark(&format!("mlflow: {note}"));
        }
        totals.sent += sync.tally.sent();
        for rejected in &sync.tally.rejected {
            output::remark(&format!("not accepted: {}: {}: {}", rejected.run, rejected.what, rejected.words));
        }
        totals.rejected += sync.tally.rejected.len();
        match &brought {
            Ok(shown) => totals.runs += shown,
            Err(_) => self.count(&sync, totals)?,
        }
        let is_there = brought.is_ok();
        match brought {
            Err(failure) => totals.failure = Some(failure),
            Ok(_) if self.args.verify => {
                let found = audit(self.client, self.store, self.study, &at_work(self.leases, false)?);
                match found {
                    Ok(found) => {
                        totals.audit.equal += found.equal;
                        totals.audit.runs += found.runs;
                        totals.audit.differences.extend(found.differences);
                    }
                    Err(error) => totals.failure = Some(of_error(error)?),
                }
            }
            Ok(_) => {}
        }
        Ok(is_there)
    }

    fn sync(&self) -> Sync<'_> {
        Sync::new(self.client, self.store, self.study, Options { restore: self.args.restore })
    }

    fn count(&self, sync: &Sync<'_>, totals: &mut Totals) -> Result<(), Failure> {
        let (pending, runs) = sync.pending(&at_work(self.leases, false)?)?;
        totals.pending += pending;
        totals.runs += runs;
        Ok(())
    }

    /// Waits until no other process sends the study to the server; none if one still does.
    fn turn(&self) -> Result<Option<Lease>, Failure> {
        let watch = Stopwatch::start();
        loop {
            match self.leases.take(&sender(self.client.server(), self.study))? {
                Taken::Ours(lease) => return Ok(Some(lease)),
                Taken::Theirs(_) if watch.elapsed() >= self.wait => return Ok(None),
                Taken::Theirs(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// Brings the study, as often as it takes while something gets through. How many runs the server shows then.
    fn bring(&self, sync: &mut Sync<'_>) -> Result<usize, Failure> {
        let mut patience = Patience::default();
        let mut away: Option<Stopwatch> = None;
        loop {
            let before = sync.tally.sent();
            let asked = match sync.all(&at_work(self.leases, false)?) {
                Ok(shown) => return Ok(shown),
                Err(PushError::Fault(Fault::Away { words, retry_after })) => {
                    if sync.tally.sent() > before {
                        away = None;
                        patience.reset();
                    }
                    if away.get_or_insert_with(Stopwatch::start).elapsed() >= self.wait {
                        return Err(Failure::new(
                            FailureKind::Interrupted,
                            format!("failed to send everything: {words}"),
                        )
                        .hint("is the server up? the same command goes on where this one stopped"));
                    }
                    retry_after
                }
                Err(error) => return Err(of_error(error)?),
            };
            let left = self.wait.saturating_sub(away.map_or(Duration::ZERO, |away| away.elapsed()));
            std::thread::sleep(patience.next(asked).min(left.max(Duration::from_millis(10))));
        }
    }
}

/// Says now and then how much was sent, until it is dropped.
struct Progress(Option<Sender<()>>, Option<JoinHandle<()>>);

impl Progress {
    fn of(sent: &Arc<AtomicU64>, name: &str) -> Self {
        let (sent, name) = (Arc::clone(sent), name.to_owned());
        let (end, ended) = channel::<()>();
        let thread = std::thread::spawn(move || {
            while ended.recv_timeout(BETWEEN_WORDS) == Err(RecvTimeoutError::Timeout) {
                output::remark(&format!("{name}: {} records sent so far", sent.load(Ordering::Relaxed)));
            }
        });
        Self(Some(end), Some(thread))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.0.take());
        if let Some(thread) = self.1.take() {
            // It only speaks; a panic in there has been reported.
            drop(thread.join());
        }
    }
}

/// What a server said, as the end of a command; the store's own errors end it at once.
fn of_error(error: PushError) -> Result<Failure, Failure> {
    match error {
        PushError::Store(error) => Err(error.into()),
        PushError::Fault(fault) => Ok(of_fault(&fault)),
    }
}

fn of_fault(fault: &Fault) -> Failure {
    let kind =
        if matches!(fault, Fault::Away { .. }) { FailureKind::Interrupted } else { FailureKind::Input };
    Failure::new(kind, format!("failed to send: {fault}"))
}
