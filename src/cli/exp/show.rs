//! `stpp exp show`: a resolved spec, an ablation, a run.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::cli::args::ShowArgs;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::find;
use crate::cli::{output, target};
use crate::run::capture::Environment;
use crate::spec::{Process, load};
use crate::store::study::StoredMember;
use crate::store::{Store, StoredStudy};

/// Runs the command.
pub fn show(args: &ShowArgs) -> Result<(), Failure> {
    let path = Path::new(&args.what);
    if path.extension().is_some_and(|extension| extension == "toml") {
        let loaded = load(path, &args.sets, &Process)?;
        output::result(&loaded.to_toml());
        return Ok(());
    }
    let Some(store) = target::store_to_look(&args.store)? else {
        let message = format!(
            "failed to find `{}`: it is no spec file, ablation or run, and there is no store at {}",
            args.what,
            args.store.store.display()
        );
        return Err(Failure::new(FailureKind::Input, message).hint("`stpp exp run` makes one"));
    };
    let studies = store.studies(&args.what)?;
    if !studies.is_empty() {
        for study in &studies {
            output::result(&of_study(&store, study)?);
        }
        return Ok(());
    }
    let (study, member) = find::run(&store, &args.what)?;
    output::result(&of_member(&store, &study, &member)?);
    Ok(())
}

fn of_study(store: &Store, study: &StoredStudy) -> Result<String, Failure> {
    let mut text = format!(
        "{}  {}\n{}\nnumerics {}, data {} ({}), baseline {}\n\n",
        study.ablation.name,
        study.digest.short(),
        study.ablation.question,
        study.numerics,
        study.data.name,
        study.data.manifest.short(),
        study.ablation.baseline,
    );
    for member in &study.members {
        let miou = headline(store, study, member)?;
        let miou = miou.map_or_else(|| "not done".to_owned(), |miou| format!("{:.2}", miou * 100.0));
        let _ = writeln!(
            text,
            "{}  {:<24} seed {:<4} split {:<12} {} mIoU {miou}",
            member.run_id.short(),
            member.arm,
            member.seed,
            member.split,
            study.data.headline
        );
    }
    Ok(text)
}

fn of_member(store: &Store, study: &StoredStudy, member: &StoredMember) -> Result<String, Failure> {
    let mut text = format!(
        "run {}\nexperiment {}\nspec {}\nablation {}, arm {}, seed {}, split {}\n\n",
        member.run_id,
        member.experiment_id,
        member.spec_id,
        study.ablation.name,
        member.arm,
        member.seed,
        member.split
    );
    let mut environments = BTreeSet::new();
    for step in &member.chain.steps {
        let record = store.record(step.kind, step.key)?;
        let state = match &record {
            None => match store.running(step.kind, step.key).failure()? {
                Some(why) => format!("not done: {why}"),
                None => "not done".to_owned(),
            },
            Some(record) => record
                .values
                .iter()
                .filter(|(name, _)| name.as_str() == "miou" || name.as_str() == "kept")
                .map(|(name, value)| format!("{name} {value:.4}"))
                .collect::<Vec<_>>()
                .join(" "),
        };
        let role = step.role.map_or("", |role| role.word());
        let _ = writeln!(text, "{}  {:<9} {role:<10} {state}", step.key.short(), step.kind);
        if let Some(environment) = store.environment(step.kind, step.key)?
            && let Ok(environment) = serde_json::from_value::<Environment>(environment)
        {
            environments.insert(environment.to_string());
        }
    }
    for environment in environments {
        let _ = write!(text, "\nexecuted by {environment}");
    }
    Ok(text)
}

fn headline(store: &Store, study: &StoredStudy, member: &StoredMember) -> Result<Option<f64>, Failure> {
    let key = match study.data.headline.as_str() {
        "test" => member.chain.test,
        _ => member.chain.val,
    };
    let Some(key) = key else { return Ok(None) };
    let record = store.record(crate::plan::Kind::Evaluate, key)?;
    Ok(record.and_then(|record| record.values.get("miou").copied()))
}
