//! Reads what only an ablation has: its name and question, factors, seeds, and the list of arms.

use super::claim::{self, ClaimHead};
use crate::base::canon::MAX_SAFE_INTEGER;
use crate::spec::ablation::Regime;
use crate::spec::claim::Noise;
use crate::spec::convert;
use crate::spec::diagnostic::Problem;
use crate::spec::reader::{Context, Reader, whole_line};
use crate::spec::schema;
use crate::spec::source::SourceKind;
use crate::spec::tree::{Node, Origin, Table, Value};

/// The keys of an ablation itself.
pub struct Head {
    /// Unique in a store.
    pub name: String,
    /// In one sentence.
    pub question: String,
    /// One or two lines more.
    pub description: String,
    /// The baseline arm's name.
    pub baseline: String,
    /// Keys and tables that arms may differ in.
    pub factors: Vec<String>,
    /// `None` when the spec's own seed is meant.
    pub seeds: Option<Vec<u64>>,
    /// `None` when the spec's own split is meant.
    pub splits: Option<Vec<Node>>,
    /// `[regime]`.
    pub regime: Option<Regime>,
    /// `[[claim]]`.
    pub claims: Vec<ClaimHead>,
    /// `[noise]`.
    pub noise: Option<Noise>,
    /// In the order in which they are written, base files first.
    pub arms: Vec<ArmHead>,
    /// Where `factors` stands.
    pub factors_origin: Origin,
}

/// An arm before it is laid over the base.
pub struct ArmHead {
    /// Unique in the ablation.
    pub name: String,
    /// What it is, for people.
    pub about: String,
    /// Where its table starts.
    pub key: Origin,
    /// What it sets.
    pub layer: Table,
}

/// Reads the head of an ablation from the tree of its own keys.
pub fn head(context: &Context<'_>, tree: &Table) -> Head {
    let reader = Reader::new(context, tree);
    let name = name(&reader);
    let question = reader.text("question", "");
    let description = reader.text("description", "");
    let arms = arms(&reader);
    let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
    let baseline = arm_named(&reader, "baseline", &names, "name the arm that the others are compared with");
    let head = Head {
        name,
        question,
        description,
        baseline,
        factors: factors(&reader),
        seeds: seeds(&reader),
        splits: splits(&reader),
        regime: regime(reader.table("regime"), &names),
        claims: claim::claims(&reader, &names),
        noise: claim::noise(reader.table("noise")),
        factors_origin: reader.origin("factors"),
        arms,
    };
    reader.finish();
    head
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn bad_name(what: &str, origin: &Origin) -> Problem {
    let problem = Problem::new(format!("{what} is no name")).at(origin);
    problem
        .label("lower-case letters, digits and - are allowed")
        .help("it becomes part of file names and tables")
}

fn name(reader: &Reader<'_>) -> String {
    if !reader.has("name") {
        reader.missing("name", "an ablation has a name that is unique in its store: name = \"selection\"");
    }
    let name = reader.text("name", "");
    let origin = reader.origin("name");
    if reader.has("name") && !is_name(&name) {
        reader.report(bad_name(&format!("\"{name}\""), &origin));
    }
    // The first source is the file that was asked for; a name from a file it extends would stand for two ablations.
    if let Some(place) = origin.place()
        && place.source != 0
        && matches!(reader.context.sources.of(place).kind, SourceKind::File(_))
    {
        let problem = Problem::new("`name` is that of the ablation this one extends").at(&origin);
        reader.report(problem.label("taken").help("give this ablation a name of its own"));
    }
    name
}

fn arms(reader: &Reader<'_>) -> Vec<ArmHead> {
    let table = match reader.node("arm") {
        Some(Node { value: Value::Table(table), .. }) => table,
        Some(node) => {
            let problem = convert::wrong_type("arm", "a table of arms", node);
            reader.report(problem.help("write [arm.st], and below it what the arm sets"));
            return vec![];
        }
        None => &Table::new(),
    };
    if table.is_empty() {
        let problem = Problem::new("an ablation needs arms");
        reader.report(problem.help("write [arm.st], and below it what the arm sets: method.name = \"st\""));
    }
    let mut written: Vec<_> = table.iter().collect();
    written
        .sort_by_key(|(_, node)| node.key.place().map(|place| reader.context.sources.reading_order(place)));
    written.into_iter().filter_map(|(name, node)| arm(reader, name, node)).collect()
}

fn arm(reader: &Reader<'_>, name: &str, node: &Node) -> Option<ArmHead> {
    if !is_name(name) {
        reader.report(bad_name(&format!("\"{name}\""), &node.key));
    }
    let Some(table) = node.table() else {
        let problem = convert::wrong_type(&format!("arm.{name}"), "a table", node);
        reader.report(problem.help(format!("write [arm.{name}], and below it what the arm sets")));
        return None;
    };
    let mut layer = table.clone();
    let about = layer.remove("about").map(|node| convert::text(&format!("arm.{name}.about"), &node));
    let about = about.transpose().unwrap_or_else(|problem| {
        reader.report(problem);
        None
    });
    Some(ArmHead { name: name.to_owned(), about: about.unwrap_or_default(), key: node.key.clone(), layer })
}

/// A key whose value is the name of an arm.
pub(super) fn arm_named(reader: &Reader<'_>, key: &'static str, arms: &[&str], help: &str) -> String {
    if !reader.has(key) {
        reader.missing(key, help);
    }
    let name = reader.text(key, "");
    if reader.has(key) && !arms.contains(&name.as_str()) {
        let problem = Problem::new(format!("`{}`: there is no arm \"{name}\"", reader.full(key)));
        let problem = problem.at(&reader.origin(key)).label("no such arm");
        let near = problem.clone().suggest(&name, arms.iter().copied());
        let listed = || format!("arms: {}", arms.join(", "));
        reader.report(if near == problem { problem.help(listed()) } else { near });
    }
    name
}

fn factors(reader: &Reader<'_>) -> Vec<String> {
    if !reader.has("factors") {
        reader.missing(
            "factors",
            "list the keys that arms may differ in: factors = [\"method\", \"augment.strong\"]",
        );
    }
    let factors = reader.texts("factors");
    let items = match reader.node("factors").map(|node| &node.value) {
        Some(Value::Array(items)) => items.as_slice(),
        _ => &[],
    };
    for (factor, item) in factors.iter().zip(items) {
        if !schema::factors().any(|known| known == factor) {
            let problem = Problem::new(format!("`factors`: an experiment has no key \"{factor}\""));
            let problem = problem.at(&item.origin).label("no such key or table");
            reader.report(problem.suggest(factor, schema::factors()));
        }
    }
    factors
}

fn seeds(reader: &Reader<'_>) -> Option<Vec<u64>> {
    let seeds = reader.read("seeds", |path, node| {
        let items = convert::list(path, node, "seeds")?;
        let mut seeds = Vec::new();
        for item in items {
            let seed = convert::whole(path, item, &(0..=MAX_SAFE_INTEGER))?;
            if seeds.contains(&seed) {
                return Err(twice(path, &seed.to_string(), &item.origin));
            }
            seeds.push(seed);
        }
        if seeds.is_empty() { Err(empty(path, node)) } else { Ok(seeds) }
    })?;
    let line: Vec<_> = seeds.iter().map(|seed| whole_line(*seed)).collect();
    reader.line("seeds", line, &Origin::Default);
    Some(seeds)
}

fn splits(reader: &Reader<'_>) -> Option<Vec<Node>> {
    let (items, line) = reader.read("splits", |path, node| {
        let items = convert::list(path, node, "seeds or folders")?;
        let mut line: Vec<toml::Value> = Vec::new();
        for item in items {
            let value = match &item.value {
                Value::Text(text) => toml::Value::from(text.as_str()),
                _ => whole_line(convert::whole(path, item, &(0..=MAX_SAFE_INTEGER))?),
            };
            if line.contains(&value) {
                return Err(twice(path, &value.to_string(), &item.origin));
            }
            line.push(value);
        }
        if items.is_empty() { Err(empty(path, node)) } else { Ok((items.to_vec(), line)) }
    })?;
    reader.line("splits", line, &Origin::Default);
    Some(items)
}

fn twice(path: &str, what: &str, origin: &Origin) -> Problem {
    Problem::new(format!("`{path}` has {what} twice")).at(origin).label("again")
}

fn empty(path: &str, node: &Node) -> Problem {
    let problem = Problem::new(format!("`{path}` is empty")).at(&node.origin).label("at least one");
    problem.help("leave the key out to use the spec's own")
}

fn regime(reader: Reader<'_>, arms: &[&str]) -> Option<Regime> {
    let regime = (!reader.is_empty()).then(|| {
        let arm = |key, help| arm_named(&reader, key, arms, help);
        Regime {
            short: arm("short", "name the supervised arm of the teacher's own length"),
            long: arm("long", "name the supervised arm of a re-training's length"),
            ceiling: arm("ceiling", "name the arm with true masks everywhere"),
        }
    });
    if regime.is_none() {
        reader.ignore(&["short", "long", "ceiling"]);
    }
    reader.finish();
    regime
}
