//! What is brought, to whom, and what is left out.

use std::collections::BTreeMap;

use stpp::mlflow::audit::audit;
use stpp::mlflow::client::Client;
use stpp::mlflow::sync::{Options, Sync};
use stpp::mlflow::view::AtWork;
use stpp::plan::Kind;
use stpp::stage::metrics::Point;
use stpp::store::layout;
use stpp::store::study::StoredMember;

use crate::fake::{Fake, Kind as ServerKind, Options as ServerOptions};
use crate::studies::{Plain, Stored, bring_all, client, plain};

fn nobody() -> AtWork {
    AtWork::default()
}

/// A study that is complete, and a server that shows it.
struct Shown {
    stored: Stored,
    fake: Fake,
    client: Client,
    whole: BTreeMap<String, Plain>,
    /// Of its first run.
    uid: String,
}

impl Shown {
    fn start() -> Self {
        let (stored, fake) = (Stored::whole(), Fake::start());
        let client = client(&fake);
        stored.bring(&client);
        let whole = plain(&fake.state());
        let uid = stored.study.members[0].run_id.to_string();
        Self { stored, fake, client, whole, uid }
    }
}

#[test]
fn a_second_time_sends_nothing_and_a_copy_of_the_store_adds_nothing() {
    let (stored, fake) = (Stored::whole(), Fake::start());
    let client = client(&fake);
    let mut sync = Sync::new(&client, &stored.store, &stored.study, Options::default());
    let (pending, runs) = sync.pending(&nobody()).unwrap();
    bring_all(&mut sync, &nobody());
    // The note says what is asked, until the report is there; and each time which note it is.
    assert_eq!((sync.tally.sent(), runs), (pending + 3, stored.study.members.len() + 1));
    let first = plain(&fake.state());

    let before = fake.requests().len();
    assert_eq!(stored.bring(&client).sent(), 0);
    let asked: Vec<String> = fake.requests()[before..].iter().map(|request| request.path()).collect();
    assert!(
        asked.iter().all(|path| path.ends_with("get-by-name") || path.ends_with("runs/search")),
        "{asked:?}"
    );

    let copy = Stored::whole();
    assert!(copy.bring(&client).sent() > 0, "it does not know what the server has of points and files");
    assert!(plain(&fake.state()) == first);

    let other = Fake::start();
    stored.bring(&crate::studies::client(&other));
    assert!(plain(&other.state()) == first, "each server has a cursor of its own");
}

#[test]
fn what_a_server_lost_is_found_and_sent_again_when_asked() {
    let Shown { stored, fake, client, whole, uid } = Shown::start();
    fake.alter(|state| {
        let run = state.runs.values_mut().find(|run| run.tags["stpp.run_uid"] == uid).unwrap();
        run.metrics.get_mut("teacher/loss").unwrap().pop_first();
        run.metrics.get_mut("teacher/lr").unwrap().insert((99, 1, 2));
        run.metrics.insert("strange".to_owned(), [(0, 0, 0)].into());
        run.params.remove("seed");
        run.tags.insert("mlflow.source.type".to_owned(), "other".to_owned());
        run.inputs.pop_first();
        run.artifacts.insert("spec.json".to_owned(), b"{}".to_vec());
        run.status = "RUNNING".to_owned();
    });
    let found = audit(&client, &stored.store, &stored.study, &nobody()).unwrap();
    insta::assert_snapshot!(found.differences.join("\n"));
    let mut sync = Sync::new(&client, &stored.store, &stored.study, Options::default());
    bring_all(&mut sync, &nobody());
    // What comes with every answer is mended at once; for the rest everything has to be read back.
    let found = audit(&client, &stored.store, &stored.study, &nobody()).unwrap();
    insta::assert_snapshot!("what_can_be_seen_only_by_reading_back", found.differences.join("\n"));
    sync.forget().unwrap();
    bring_all(&mut sync, &nobody());
    let mut now = plain(&fake.state());
    let run = now.get_mut(&uid).unwrap();
    assert!(run.metrics.remove("strange").is_some());
    assert!(run.metrics.get_mut("teacher/lr").unwrap().iter().any(|point| point.0 == 99));
    run.metrics.get_mut("teacher/lr").unwrap().retain(|point| point.0 != 99);
    assert!(now == whole);
}

#[test]
fn what_people_wrote_there_stays_and_what_is_ours_comes_back() {
    let Shown { stored, fake, client, .. } = Shown::start();
    let note = "mlflow.note.content";
    fake.alter(|state| {
        for run in state.runs.values_mut() {
            run.tags.insert(note.to_owned(), "this one goes into the paper".to_owned());
            run.tags.insert("team".to_owned(), "vision".to_owned());
            run.tags.remove("stpp.study");
        }
        state.experiments.get_mut("1").unwrap().tags.insert(note.to_owned(), "ours".to_owned());
    });
    for _ in 0..2 {
        stored.bring(&client);
        let state = fake.state();
        assert_eq!(state.experiments["1"].tags[note], "ours");
        for run in state.runs.values() {
            assert_eq!(
                (run.tags[note].as_str(), run.tags["team"].as_str()),
                ("this one goes into the paper", "vision")
            );
            assert_eq!(run.tags["stpp.study"], stored.study.digest.to_string());
        }
    }
    let found = audit(&client, &stored.store, &stored.study, &nobody()).unwrap();
    assert_eq!(found.differences, Vec::<String>::new());
}

#[test]
fn an_arm_that_was_renamed_is_another_run() {
    let Shown { mut stored, fake, client, .. } = Shown::start();
    let before = fake.state().runs.len();
    let study = &mut stored.study;
    for name in [
        study.members.iter_mut().map(|member| &mut member.arm).collect::<Vec<_>>(),
        study.ablation.arms.iter_mut().map(|arm| &mut arm.name).collect(),
        study.ablation.experiments.iter_mut().map(|member| &mut member.arm).collect(),
    ]
    .into_iter()
    .flatten()
    .filter(|name| *name == "stpp")
    {
        *name = "st-plus-plus".to_owned();
    }
    let tally = stored.bring(&client);
    assert_eq!(tally.rejected, []);
    let state = fake.state();
    let renamed =
        state.runs.values().filter(|run| run.params.get("arm").is_some_and(|arm| arm == "st-plus-plus"));
    assert_eq!((renamed.count(), state.runs.len()), (2, before + 2));
}

#[test]
fn a_split_that_lists_what_another_lists_has_a_run_of_its_own() {
    let (mut stored, fake) = (Stored::whole(), Fake::start());
    let client = client(&fake);
    let again = "again".to_owned();
    let study = &mut stored.study;
    let twin = StoredMember { split: again.clone(), ..study.members[0].clone() };
    study.members.push(twin);
    let mut twin = study.ablation.experiments[0].clone();
    twin.split = again;
    study.ablation.experiments.push(twin);
    stored.bring(&client);
    let runs = fake.state().runs.len();
    assert_eq!(runs, stored.study.members.len() + 1);
    let tally = stored.bring(&client);
    assert_eq!((tally.sent(), fake.state().runs.len()), (0, runs));
    let here = AtWork { here: true, ..AtWork::default() };
    let elsewhere = Fake::start();
    let there = crate::studies::client(&elsewhere);
    Sync::new(&there, &stored.store, &stored.study, Options::default()).so_far(&here).unwrap();
    assert!(elsewhere.state().runs.values().all(|run| run.status == "FINISHED"));
    assert_eq!(elsewhere.state().runs.len(), stored.study.members.len());
}

#[test]
fn a_server_that_begins_anew_is_filled_again() {
    let Shown { stored, fake, client, whole, .. } = Shown::start();
    fake.alter(|state| {
        state.experiments.clear();
        state.runs.clear();
    });
    stored.bring(&client);
    assert!(plain(&fake.state()) == whole);
    let tags = &fake.state().experiments["1"].tags;
    assert!(
        tags.contains_key("mlflow.sharedViewState.stpp-arm")
            && tags["mlflow.note.content"].contains("## Answer")
    );
}

#[test]
fn runs_that_were_made_twice_become_one() {
    let Shown { stored, fake, client, whole, uid } = Shown::start();
    fake.alter(|state| {
        let mut twin = state.runs.values().find(|run| run.tags["stpp.run_uid"] == uid).unwrap().clone();
        twin.start_time += 5;
        twin.metrics.clear();
        state.runs.insert("f".repeat(32), twin);
    });
    let tally = stored.bring(&client);
    assert!(plain(&fake.state()) == whole);
    let twin = &fake.state().runs[&"f".repeat(32)];
    assert!(twin.deleted && twin.tags.contains_key("stpp.duplicate_of"));
    assert!(tally.notes.iter().any(|note| note.contains("is there twice")), "{:?}", tally.notes);
}

#[test]
fn what_someone_deleted_stays_so_until_it_is_taken_back() {
    let Shown { stored, fake, client, whole, uid } = Shown::start();
    fake.alter(|state| {
        state.runs.values_mut().find(|run| run.tags["stpp.run_uid"] == uid).unwrap().deleted = true;
    });
    let tally = stored.bring(&client);
    assert!(tally.notes.iter().any(|note| note.contains("--restore")), "{:?}", tally.notes);
    assert!(!plain(&fake.state()).contains_key(&uid));
    let found = audit(&client, &stored.store, &stored.study, &nobody()).unwrap();
    assert!(found.differences.len() == 1 && found.differences[0].contains("not on the server"), "{found:?}");
    let mut sync = Sync::new(&client, &stored.store, &stored.study, Options { restore: true });
    bring_all(&mut sync, &nobody());
    assert!(plain(&fake.state()) == whole);

    fake.alter(|state| state.experiments.values_mut().for_each(|experiment| experiment.deleted = true));
    let mut sync = Sync::new(&client, &stored.store, &stored.study, Options::default());
    let words = sync.all(&nobody()).unwrap_err().to_string();
    assert!(words.contains("was deleted on http://127.0.0.1") && words.contains("--restore"), "{words}");
    let mut sync = Sync::new(&client, &stored.store, &stored.study, Options { restore: true });
    bring_all(&mut sync, &nobody());
    assert!(plain(&fake.state()) == whole);
}

#[test]
fn a_record_that_a_server_does_not_accept_stands_in_nobodys_way() {
    let rejecting =
        ServerOptions { reject_metric: Some("student/val/miou".to_owned()), ..ServerOptions::default() };
    let (stored, fake) = (Stored::whole(), Fake::with(rejecting));
    let client = client(&fake);
    let tally = stored.bring(&client);
    assert!(!tally.rejected.is_empty());
    let state = plain(&fake.state());
    assert!(
        state.values().all(|run| run.status == "FINISHED" && !run.metrics.contains_key("student/val/miou"))
    );
    assert!(state.values().any(|run| run.metrics.contains_key("student/loss")));
    let path = layout::rejected(&stored.root(), &client.server().fingerprint());
    let lines = std::fs::read_to_string(path).unwrap();
    assert_eq!(lines.lines().count(), tally.rejected.len());
    assert!(
        lines.contains("metric student/val/miou at step") && lines.contains("is not wanted here"),
        "{lines}"
    );
    let again = stored.bring(&client);
    assert_eq!((again.sent(), again.rejected.len()), (0, 0), "it is not tried again and again");
}

#[test]
fn a_server_without_datasets_or_files_gets_the_rest() {
    for (kind, note) in [(ServerKind::Old, "too old"), (ServerKind::Remote, "--serve-artifacts")] {
        let fake = Fake::with(ServerOptions { kind, ..ServerOptions::default() });
        let (stored, client) = (Stored::whole(), client(&fake));
        let mut sync = Sync::new(&client, &stored.store, &stored.study, Options::default());
        bring_all(&mut sync, &nobody());
        assert!(sync.tally.notes.iter().any(|said| said.contains(note)), "{:?}", sync.tally.notes);
        assert!(plain(&fake.state()).values().all(|run| run.status == "FINISHED"));
        assert_eq!(sync.pending(&nobody()).unwrap().0, 0);
    }
}

#[test]
fn a_value_that_is_no_number_is_counted_under_another_name() {
    let (stored, fake) = (Stored::before(), Fake::start());
    let client = client(&fake);
    let member = &stored.study.members[0];
    let teacher = member.chain.steps.iter().find(|step| step.kind == Kind::Teacher).unwrap();
    let mut running = stored.store.running(teacher.kind, teacher.key);
    running.begin(&Default::default()).unwrap();
    let mut journal = running.journal().unwrap();
    for (step, value) in [(1, Some(0.5)), (2, None), (3, None), (4, Some(f64::MIN_POSITIVE))] {
        journal.point(Point { key: "loss".to_owned(), step, value }).unwrap();
    }
    running.note_failure("failed to train: the loss is not finite").unwrap();
    stored.bring(&client);
    let run = &plain(&fake.state())[&member.run_id.to_string()];
    let steps = |key: &str| run.metrics[key].iter().map(|point| point.0).collect::<Vec<_>>();
    assert_eq!((steps("teacher/loss"), steps("stpp/nonfinite/teacher/loss")), (vec![1, 4], vec![2, 3]));
    assert_eq!(run.tags["stpp.nonfinite.teacher/loss"], "2");
    assert_eq!(
        (run.status.as_str(), run.tags["stpp.failure"].as_str()),
        ("FAILED", "failed to train: the loss is not finite")
    );
    let found = audit(&client, &stored.store, &stored.study, &nobody()).unwrap();
    assert_eq!(found.differences, Vec::<String>::new());
}

#[test]
fn a_run_whose_process_died_is_closed_and_goes_on_as_the_same_run() {
    let whole = Stored::whole();
    let stored = Stored::before();
    let fake = Fake::start();
    let client = client(&fake);
    let member = &stored.study.members[0];
    let uid = member.run_id.to_string();
    let teacher = member.chain.steps.iter().find(|step| step.kind == Kind::Teacher).unwrap();
    drop(stored.store.running(teacher.kind, teacher.key).journal().unwrap());
    let status = || plain(&fake.state())[&uid].status.clone();
    let here = AtWork { here: true, ..AtWork::default() };
    Sync::new(&client, &stored.store, &stored.study, Options::default()).so_far(&here).unwrap();
    assert_eq!(status(), "RUNNING");
    // Nobody says that it ended; the next one who looks does.
    Sync::new(&client, &stored.store, &stored.study, Options::default()).all(&nobody()).unwrap();
    assert_eq!(status(), "KILLED");
    Sync::new(&client, &stored.store, &stored.study, Options::default()).so_far(&here).unwrap();
    assert_eq!(status(), "RUNNING");
    for step in &member.chain.steps {
        stored.store.commit(&whole.store.record(step.kind, step.key).unwrap().unwrap()).unwrap();
    }
    Sync::new(&client, &stored.store, &stored.study, Options::default()).so_far(&here).unwrap();
    assert_eq!(status(), "FINISHED");
    // A copy that stands where this one stood takes nothing back.
    let behind = Stored::before();
    drop(behind.store.running(teacher.kind, teacher.key).journal().unwrap());
    Sync::new(&client, &behind.store, &behind.study, Options::default()).all(&nobody()).unwrap();
    assert_eq!(status(), "FINISHED");
    let mut uids: BTreeMap<String, usize> = BTreeMap::new();
    for run in fake.state().runs.values() {
        *uids.entry(run.tags["stpp.run_uid"].clone()).or_default() += 1;
    }
    assert!(uids.values().all(|count| *count == 1), "{uids:?}");
}
