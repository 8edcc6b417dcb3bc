//! `stpp exp diff`: two experiments side by side: what was meant, what they share, what came out.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::args::DiffArgs;
use crate::cli::failure::Failure;
use crate::cli::{find, output};
use crate::plan::explain::flat::{Difference, differences, flat};
use crate::report::duel::{Duel, Measured};
use crate::report::number::{NONE, interval, or_none, points, signed};
use crate::report::query;
use crate::spec::identity::identity;
use crate::store::study::StoredMember;
use crate::store::{Store, StoredStudy};

/// Runs the command.
pub fn diff(args: &DiffArgs) -> Result<(), Failure> {
    let store = Store::open_to_read(&args.store.store)?;
    let sides = [Side::find(&store, &args.one)?, Side::find(&store, &args.other)?];
    let [one, other] = &sides;
    let mut spec = differences(&flat(&identity(&one.experiment())), &flat(&identity(&other.experiment())));
    spec.extend(bound(&sides));
    let facts = [
        query::study(&store, &one.study.only(&one.member))?,
        query::study(&store, &other.study.only(&other.member))?,
    ];
    let duel = Duel::new(&facts[0], &facts[1]);
    output::result(&if args.json {
        json(&sides, &spec, &duel).to_string()
    } else {
        text(&sides, &spec, &duel)
    });
    Ok(())
}

/// One of the two.
struct Side {
    study: StoredStudy,
    member: StoredMember,
}

impl Side {
    fn find(store: &Store, what: &str) -> Result<Self, Failure> {
        let (study, member) = find::run(store, what)?;
        Ok(Self { study, member })
    }

    fn experiment(&self) -> crate::spec::experiment::Experiment {
        let StoredMember { arm, seed, split, .. } = &self.member;
        let mut all = self.study.ablation.experiments.iter();
        let own = all.find(|one| (&one.arm, one.seed, &one.split) == (arm, *seed, split));
        own.expect("a stored member is one of its ablation's experiments").experiment.clone()
    }

    fn words(&self) -> String {
        let StoredMember { arm, seed, split, run_id, .. } = &self.member;
        format!("{}  {}/{arm}, seed {seed}, split {split}", run_id.short(), self.study.ablation.name)
    }
}

/// What differs in what the specs were bound to: content that is in no spec.
fn bound(sides: &[Side; 2]) -> Vec<Difference> {
    let [one, other] = sides;
    let lists = |side: &Side| {
        let split = side.study.data.splits.get(&side.member.split)?;
        Some(format!("{} + {}", split.labeled_digest.short(), split.unlabeled_digest.short()))
    };
    let data = |side: &Side| Some(side.study.data.manifest.short());
    let numerics = |side: &Side| Some(side.study.numerics.clone());
    let found = [
        ("(images and masks)", data(one), data(other)),
        ("(lists of the split)", lists(one), lists(other)),
        ("(numerics class)", numerics(one), numerics(other)),
    ];
    let differ = found.into_iter().filter(|(_, here, there)| here != there);
    differ
        .map(|(path, here, there)| Difference {
            path: path.to_owned(),
            old: here.map(Value::from),
            new: there.map(Value::from),
        })
        .collect()
}

fn text(sides: &[Side; 2], spec: &[Difference], duel: &Duel) -> String {
    let mut text = format!("A  {}\nB  {}\n\nspec\n", sides[0].words(), sides[1].words());
    if spec.is_empty() {
        text += "  the same\n";
    }
    let rows = spec.iter().map(|found| [format!("  {}", found.path), shown(&found.old), shown(&found.new)]);
    if !spec.is_empty() {
        text += &output::columns(["  key", "A", "B"], rows);
        text.push('\n');
    }
    text += "\nstages\n";
    let rows = duel.stages.iter().map(|stage| {
        let whose = match stage.of {
            [true, true] => "shared",
            [true, false] => "only A",
            _ => "only B",
        };
        [format!("  {whose}"), stage.kind.clone(), stage.role.clone(), stage.key.short()]
    });
    text += &output::columns(["  whose", "stage", "model", "key"], rows);
    text += "\n\nresults, in points\n";
    let rows = duel.measured.iter().map(|found| {
        let Measured { what, values: [one, other], models } = found;
        let difference = one.zip(*other).filter(|_| duel.alike).map(|(one, other)| other - one);
        let models = models.map_or_else(String::new, |found| interval(found.interval));
        [
            format!("  {what}"),
            or_none(*one, points),
            or_none(*other, points),
            or_none(difference, signed),
            models,
        ]
    });
    text += &output::columns(["  measure", "A", "B", "B − A", "these models, 95 %"], rows);
    let _ = write!(
        text,
        "\n\n{}One pair says nothing of the procedure: `stpp report` has the intervals over seeds and splits.{}",
        if duel.alike {
            ""
        } else {
            "They were measured on other images or in another way, so that no difference is shown. "
        },
        if duel.measured.iter().any(|found| found.values.contains(&None)) {
            format!(" {NONE} is what is not there.")
        } else {
            String::new()
        }
    );
    text
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| NONE.to_owned(), Value::to_string)
}

fn json(sides: &[Side; 2], spec: &[Difference], duel: &Duel) -> Value {
    let side = |side: &Side| {
        let StoredMember { arm, seed, split, run_id, experiment_id, spec_id, .. } = &side.member;
        json!({
            "ablation": side.study.ablation.name, "arm": arm, "seed": seed, "split": split,
            "run_id": run_id, "experiment_id": experiment_id, "spec_id": spec_id,
        })
    };
    let spec: BTreeMap<&str, [&Option<Value>; 2]> =
        spec.iter().map(|found| (found.path.as_str(), [&found.old, &found.new])).collect();
    let stages = duel.stages.iter().map(|stage| {
        json!({ "kind": stage.kind, "role": stage.role, "key": stage.key, "a": stage.of[0], "b": stage.of[1] })
    });
    let measured = duel.measured.iter().map(|found| {
        json!({
            "measure": found.what, "a": found.values[0], "b": found.values[1],
            "models": found.models.map(|models| json!({
                "low": models.interval.low, "high": models.interval.high, "level": models.interval.level,
                "replicates": models.replicates,
            })),
        })
    });
    json!({
        "a": side(&sides[0]), "b": side(&sides[1]), "spec": spec,
        "stages": stages.collect::<Vec<_>>(), "results": measured.collect::<Vec<_>>(),
    })
}
