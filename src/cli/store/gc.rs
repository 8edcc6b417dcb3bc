//! `stpp store gc`: what may be removed, and its removal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use super::args::GcArgs;
use super::busy::busy;
use super::size;
use crate::base::suggest::nearest;
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::output;
use crate::store::Store;
use crate::store::gc::{Garbage, GcPlan, Policy, Why, collect, plan};
use crate::store::inventory::Inventory;
use crate::store::lease::{Leases, Pace, Taken};

/// Runs the command.
pub(super) fn gc(args: &GcArgs) -> Result<(), Failure> {
    let path = &args.store.store;
    let store = Store::open_to_read(path)?;
    let names = store.study_names()?;
    for name in &args.drop {
        if !names.contains(name) {
            let message = format!("failed to drop `{name}`: the store has no ablation of that name");
            let failure = Failure::new(FailureKind::Input, message);
            return Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean `{near}`?")),
                None => failure.hint("`stpp exp ls` lists what is there"),
            });
        }
    }
    let policy = Policy { drop: args.drop.iter().cloned().collect(), quarantine: args.quarantine };
    let plan = if args.delete {
        clean_up(path, &policy)?
    } else {
        planned(&store, &store.leases(Pace::default()), &policy)?
    };
    if args.json {
        output::result(&serde_json::to_string(&plan).expect("a plan is plain data"));
    } else {
        output::result(&words(&plan, args));
    }
    Ok(())
}

fn planned(store: &Store, leases: &Leases, policy: &Policy) -> Result<GcPlan, Failure> {
    // Before the store is looked through: whoever ends in between has named what it wrote.
    let busy = busy(leases)?;
    let inventory = Inventory::of(store).map_err(|error| {
        // What it needs is not known, so that nothing can be told from garbage.
        Failure::from(error)
            .hint("nothing is removed before it can be read; `stpp store verify` looks at everything")
    })?;
    Ok(plan(&inventory, policy, &busy))
}

/// Plans and removes.
fn clean_up(path: &Path, policy: &Policy) -> Result<GcPlan, Failure> {
    let store = Store::open(path)?;
    let leases = store.leases(Pace::default());
    let _lease = match leases.clearing()? {
        Taken::Ours(lease) => lease,
        Taken::Theirs(live) => {
            let message = format!("failed to clean up {}: {} is doing so", path.display(), live.words());
            return Err(Failure::new(FailureKind::Input, message));
        }
    };
    let plan = planned(&store, &leases, policy)?;
    collect(&store, &plan)?;
    Ok(plan)
}

fn words(plan: &GcPlan, args: &GcArgs) -> String {
    let mut text = String::new();
    if !plan.holdings.is_empty() {
        let rows = plan.holdings.iter().map(|holding| {
            let state = match (holding.dropped, holding.held && args.drop.contains(&holding.study)) {
                (true, _) => "dropped",
                (false, true) => "kept: a process works on it",
                (false, false) => "kept",
            };
            [holding.study.clone(), size(holding.bytes), size(holding.only), state.to_owned()]
        });
        let table = output::columns(["ablation", "needs", "that no other needs", ""], rows);
        let _ = writeln!(text, "{table}\n");
    }
    let _ = writeln!(text, "{} in {} stay", size(plan.kept_bytes), files(plan.kept_files));
    list(&mut text, if args.delete { "removed" } else { "to remove" }, &plan.remove, args.files);
    list(&mut text, "left alone while a process works in the store", &plan.waiting, args.files);
    for path in &plan.foreign {
        let _ = writeln!(text, "not ours, and left alone: {path}");
    }
    if !args.delete && !plan.remove.is_empty() {
        let _ = writeln!(text, "\nnothing was removed; this does it:\n  {}", command(args));
    }
    text
}

fn list(text: &mut String, head: &str, garbage: &[Garbage], each: bool) {
    let mut groups: BTreeMap<Why, (usize, u64)> = BTreeMap::new();
    for one in garbage {
        let group = groups.entry(one.why).or_default();
        group.0 += 1;
        group.1 += one.bytes;
    }
    let bytes = garbage.iter().map(|one| one.bytes).sum();
    if garbage.is_empty() {
        if !head.starts_with("left") {
            let _ = writeln!(text, "nothing {}", if head == "removed" { "was to be removed" } else { head });
        }
        return;
    }
    let _ = writeln!(text, "{head}: {} in {}", size(bytes), files(garbage.len()));
    for (why, (count, bytes)) in groups {
        let _ = writeln!(text, "  {why}: {} in {}", size(bytes), files(count));
        if each {
            for one in garbage.iter().filter(|one| one.why == why) {
                let _ = writeln!(text, "    {}", one.path);
            }
        }
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// The call that carries the plan out.
fn command(args: &GcArgs) -> String {
    let mut words = vec!["stpp store gc".to_owned()];
    let drop: BTreeSet<&String> = args.drop.iter().collect();
    words.extend(drop.iter().map(|name| format!("--drop {name}")));
    if args.quarantine {
        words.push("--quarantine".to_owned());
    }
    words.push(format!("--store {} --delete", args.store.store.display()));
    words.join(" ")
}
