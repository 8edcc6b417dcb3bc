//! An explanation for people: the cause first, with its place; then what goes back to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::Explained;
use super::causes::{Told, words};
use crate::cli::output;
use crate::plan::explain::Why;
use crate::plan::{Kind, Role, StageKey};
use crate::report::number::counted;

/// The text of an explanation.
pub(super) fn of(explained: &Explained<'_>) -> String {
    let (all, missing) = (explained.study.graph.nodes().len(), explained.missing.len());
    let name = &explained.study.stored.ablation.name;
    let state = match missing {
        0 => format!("all {} are in the store", counted(all, "stage")),
        missing => format!("{} in the store, {missing} to run", counted(all - missing, "stage")),
    };
    let mut text = format!("{name} on {}: {state}\n", explained.study.stored.numerics);
    for told in &explained.told {
        cause(&mut text, explained, told);
    }
    let done = done(explained);
    if !done.is_empty() {
        let rows = done.into_iter().map(|(stage, (count, whose))| [stage, count.to_string(), whose]);
        let _ = write!(text, "\n{}", output::columns(["in the store", "stages", "whose work"], rows));
    }
    text
}

fn cause(text: &mut String, explained: &Explained<'_>, told: &Told) {
    let named = &told.cause;
    text.push('\n');
    if !named.from.is_empty() {
        let _ = write!(text, "{}: ", named.from.join(", "));
    }
    text.push_str(&named.what);
    match &named.new {
        Some(new) => {
            let _ = write!(text, " = {new}");
        }
        None if !told.listed.is_empty() => {
            let _ = write!(text, " = {}", some(&told.listed));
        }
        None => {}
    }
    if !told.old.is_empty() {
        let _ = write!(text, ", not {}", some(&told.old));
    }
    if !told.lacking.is_empty() {
        let _ = write!(text, ", for which records lack {}", some(&told.lacking));
    }
    text.push('\n');
    let _ = writeln!(text, "  to run   {}", stages(explained, &told.stages));
    if !told.follow.is_empty() {
        let _ = writeln!(text, "  then     {}", stages(explained, &told.follow));
    }
    if let Some(nearest) = nearest(explained, &told.stages) {
        let _ = writeln!(text, "  nearest  {nearest}");
    }
}

/// `2 × retrain student, for st/0/0, stpp/0/0`
fn stages(explained: &Explained<'_>, keys: &[StageKey]) -> String {
    let mut counts: BTreeMap<(Kind, Option<Role>), (usize, String)> = BTreeMap::new();
    for key in keys {
        let node = explained.study.graph.node(*key).expect("a missing stage is one of the plan");
        counts.entry((node.kind, node.role)).or_insert_with(|| (0, words(node))).0 += 1;
    }
    let counted = counts.values().map(|(count, words)| match count {
        1 => words.clone(),
        count => format!("{count} × {words}"),
    });
    format!("{}, for {}", counted.collect::<Vec<_>>().join(", "), some(&explained.owners.serving(keys)))
}

/// `st/0/0, stpp/0/0 and 3 more`
fn some<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    const SHOWN: usize = 2;
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        rest => format!("{} and {rest} more", names[..SHOWN].join(", ")),
    }
}

/// The first nearest stage, and whose it is.
fn nearest(explained: &Explained<'_>, keys: &[StageKey]) -> Option<String> {
    let first = keys.first()?;
    let stage = explained.missing.iter().find(|missing| missing.key == *first)?;
    let Why::Differs { nearest, .. } = &stage.why else { return None };
    let node = explained.study.graph.node(stage.key)?;
    Some(format!("{} {} of {}", node.kind, nearest.short(), whose(explained, &[*nearest])))
}

/// `tiny: st/0/0 and 3 more; other: st/1/0`
fn whose(explained: &Explained<'_>, keys: &[StageKey]) -> String {
    let studies = explained.owners.stored(keys);
    if studies.is_empty() {
        return "no ablation that the store still has".to_owned();
    }
    let told = studies.iter().map(|(study, members)| format!("{study}: {}", some(members)));
    told.collect::<Vec<_>>().join("; ")
}

/// The stages that are in the store, by kind and by the studies that have them: their number, and whose work they are.
fn done(explained: &Explained<'_>) -> Vec<(String, (usize, String))> {
    let missing: BTreeSet<StageKey> = explained.missing.iter().map(|missing| missing.key).collect();
    type Group<'a> = (Kind, Option<Role>, Vec<&'a str>);
    let mut groups: BTreeMap<Group<'_>, (String, Vec<StageKey>)> = BTreeMap::new();
    for node in explained.study.graph.nodes().iter().filter(|node| !missing.contains(&node.key)) {
        let studies = explained.owners.stored(&[node.key]).into_keys().collect();
        let group =
            groups.entry((node.kind, node.role, studies)).or_insert_with(|| (words(node), Vec::new()));
        group.1.push(node.key);
    }
    let row = |(words, keys): (String, Vec<StageKey>)| (words, (keys.len(), whose(explained, &keys)));
    groups.into_values().map(row).collect()
}
