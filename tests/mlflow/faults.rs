//! Whatever goes wrong with requests, and whenever a sender is stopped: the server has at the end what the store has.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use proptest::prelude::*;
use stpp::mlflow::audit::audit;
use stpp::mlflow::sync::{Options, Sync};
use stpp::mlflow::view::AtWork;
use stpp::plan::Kind;
use stpp::stage::metrics::{from_lines, to_lines};
use stpp::store::{Record, Store};

use crate::fake::{Fake, Fault};
use crate::studies::{Plain, Stored, bring_all, client, plain};

/// What a server shows to which nothing happened.
fn expected() -> &'static BTreeMap<String, Plain> {
    static EXPECTED: OnceLock<BTreeMap<String, Plain>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let (stored, fake) = (Stored::whole(), Fake::start());
        let client = client(&fake);
        let mut sync = Sync::new(&client, &stored.store, &stored.study, Options::default());
        bring_all(&mut sync, &AtWork::default());
        plain(&fake.state())
    })
}

#[test]
fn the_server_has_every_point_of_the_store_and_no_other() {
    let stored = Stored::whole();
    for member in &stored.study.members {
        let run = &expected()[&member.run_id.to_string()];
        let mut points = 0;
        for step in &member.chain.steps {
            let record = stored.store.record(step.kind, step.key).unwrap().unwrap();
            let Some(digest) = record.output("metrics") else { continue };
            let prefix = match (step.kind, step.role) {
                (Kind::Teacher | Kind::Retrain, Some(role)) => role.word(),
                (Kind::Evaluate, _) => "eval",
                other => panic!("{other:?} measures nothing"),
            };
            for point in from_lines(&stored.store.get(digest).unwrap()).unwrap() {
                let there = &run.metrics[&format!("{prefix}/{}", point.key)];
                let step = point.step as i64;
                assert!(there.contains(&(step, step, point.value.unwrap().to_bits())), "{point:?}");
                points += 1;
            }
        }
        let results = ["eval/miou", "eval/miou_val", "eval/miou_best", "eval/best_step", "eval/looks"];
        let others = run.metrics.iter().filter(|(key, _)| !results.contains(&key.as_str()));
        assert_eq!(others.map(|(_, points)| points.len()).sum::<usize>(), points);
        assert_eq!(run.status, "FINISHED");
    }
    assert_eq!(expected().len(), stored.study.members.len() + 1, "and the report");
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop_oneof![2 => Just(None), 1 => prop::sample::select(Fault::ALL.to_vec()).prop_map(Some)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_schedule_of_faults_ends_in_the_same_state(faults in prop::collection::vec(fault(), 0..160)) {
        let (stored, fake) = (Stored::whole(), Fake::start());
        let client = client(&fake);
        fake.fail_next(faults);
        let mut sync = Sync::new(&client, &stored.store, &stored.study, Options::default());
        bring_all(&mut sync, &AtWork::default());
        fake.fail_next([]);
        prop_assert!(&plain(&fake.state()) == expected());
        prop_assert_eq!(fake.state().runs.len(), expected().len(), "not even a deleted one");
        let audit = audit(&client, &stored.store, &stored.study, &AtWork::default()).unwrap();
        prop_assert_eq!(audit.differences, Vec::<String>::new());
        let (pending, _) = sync.pending(&AtWork::default()).unwrap();
        prop_assert_eq!(pending, 0);
    }

    /// A study that is being run: stages come one by one, their points before them, the sender dies again and again and
    /// may lose what it knew, and requests fail.
    #[test]
    fn a_study_that_is_followed_ends_in_the_same_state(
        faults in prop::collection::vec(fault(), 0..300),
        deaths in prop::collection::vec((any::<bool>(), 0..4), 64),
        cuts in prop::collection::vec(0.0f64..1.0, 64),
    ) {
        let whole = Stored::whole();
        let stored = Stored::before();
        let fake = Fake::start();
        let client = client(&fake);
        fake.fail_next(faults);
        let at_work = AtWork { here: true, ..AtWork::default() };
        let mut sync = Sync::new(&client, &stored.store, &stored.study, Options::default());
        let records = in_order(&whole);
        for (at, record) in records.iter().enumerate() {
            let (dies, forgets) = deaths[at % deaths.len()];
            under_way(&stored.store, record, cuts[at % cuts.len()]);
            drop(sync.so_far(&at_work));
            if dies {
                sync = Sync::new(&client, &stored.store, &stored.study, Options::default());
            }
            match forgets {
                0 => sync.forget().unwrap(),
                1 => drop(std::fs::remove_dir_all(stored.root().join("outbox-v1"))),
                _ => {}
            }
            stored.store.commit(record).unwrap();
            stored.store.running(record.kind, record.key).remove().unwrap();
            drop(sync.so_far(&at_work));
        }
        bring_all(&mut sync, &AtWork::default());
        prop_assert!(&plain(&fake.state()) == expected());
    }
}

/// The records of a study, each after those that it reads.
fn in_order(whole: &Stored) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for step in whole.study.members.iter().flat_map(|member| &member.chain.steps) {
        if records.iter().all(|record| record.key != step.key) {
            records.push(whole.store.record(step.kind, step.key).unwrap().unwrap());
        }
    }
    records
}

/// Writes the journal of a stage that has come so far.
fn under_way(store: &Store, record: &Record, share: f64) {
    let Some(digest) = record.output("metrics") else { return };
    let mut points = from_lines(&store.get(digest).unwrap()).unwrap();
    assert_eq!(to_lines(&points), store.get(digest).unwrap());
    points.sort_by_key(|point| point.step);
    let looks = points.iter().filter(|point| point.key == "val/miou");
    let wants = looks.map(|point| stpp::plan::graph::Want::Validation(point.step)).collect();
    let mut running = store.running(record.kind, record.key);
    running.begin(&wants).unwrap();
    let mut journal = running.journal().unwrap();
    journal.go_on(0, &[]).unwrap();
    let some = (points.len() as f64 * share) as usize;
    for point in points.into_iter().take(some) {
        journal.point(point).unwrap();
    }
}
