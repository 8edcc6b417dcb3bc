//! Reads one table, and goes on after every problem: a spec's problems are told all at once.
//!
//! A value that is wrong is replaced by its default, so that what comes after can still be checked.
//! Every value that is read leaves a [`Line`], from which the resolved spec is printed and explained.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::convert::{self, Bounds, Choice};
use super::diagnostic::Problem;
use super::environment::Environment;
use super::schema;
use super::source::Sources;
use super::tree::{Node, Origin, Table, Value};

/// One resolved key: what `exp show --resolved` prints.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The dotted key.
    pub key: String,
    /// The resolved value.
    pub value: toml::Value,
    /// Where the value came from.
    pub origin: Origin,
}

/// What all readers of one spec share.
pub struct Context<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// Variables, and whether locations must exist.
    pub environment: &'a dyn Environment,
    problems: RefCell<Vec<Problem>>,
    lines: RefCell<Vec<Line>>,
}

impl<'a> Context<'a> {
    /// A context without problems.
    pub fn new(sources: &'a Sources, environment: &'a dyn Environment) -> Self {
        Self { sources, environment, problems: RefCell::default(), lines: RefCell::default() }
    }

    /// Notes a problem.
    pub fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Notes a resolved value.
    pub fn line(&self, key: String, value: impl Into<toml::Value>, origin: Origin) {
        self.lines.borrow_mut().push(Line { key, value: value.into(), origin });
    }

    /// Takes the problems so far.
    pub fn problems(&self) -> Vec<Problem> {
        self.problems.take()
    }

    /// Takes the lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.lines.take()
    }
}

static NOTHING: Table = Table::new();

/// Reads one table.
pub struct Reader<'a> {
    /// What all readers share.
    pub context: &'a Context<'a>,
    path: String,
    table: &'a Table,
    origin: Origin,
    asked: RefCell<BTreeSet<&'static str>>,
    unused: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Reader<'a> {
    fn at(context: &'a Context<'a>, path: String, table: &'a Table, origin: Origin) -> Self {
        Self { context, path, table, origin, asked: RefCell::default(), unused: RefCell::default() }
    }

    /// Reads the whole tree.
    pub fn new(context: &'a Context<'a>, table: &'a Table) -> Self {
        Self::at(context, String::new(), table, Origin::Default)
    }

    /// Reads a table in this one; a missing one reads as empty.
    pub fn table(&self, key: &'static str) -> Self {
        let node = self.node(key);
        let (table, origin) = match node.map(|node| (node, &node.value)) {
            Some((node, Value::Table(table))) => (table, node.origin.clone()),
            Some((node, _)) => {
                self.report(convert::wrong_type(&self.full(key), "a table", node));
                (&NOTHING, Origin::Default)
            }
            None => (&NOTHING, Origin::Default),
        };
        Self::at(self.context, self.full(key), table, origin)
    }

    /// Reads a list of tables in this one; a missing one reads as empty.
    pub fn tables(&self, key: &'static str, help: &str) -> Vec<Self> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let Value::Array(items) = &node.value else {
            self.report(convert::wrong_type(&self.full(key), "a list of tables", node).help(help));
            return Vec::new();
        };
        let reader = |item: &'a Node| match &item.value {
            Value::Table(table) => Some(Self::at(self.context, self.full(key), table, item.origin.clone())),
            _ => {
                self.report(convert::wrong_type(&self.full(key), "a list of tables", item).help(help));
                None
            }
        };
        items.iter().filter_map(reader).collect()
    }

    /// The dotted path of a key of this table.
    pub fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Whether the key is written; this does not count as reading it.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether anything is written in this table.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The node of a key, which counts as reading it.
    pub fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().insert(key);
        debug_assert!(schema::is_key(&self.full(key)), "`{}` is missing in schema.rs", self.full(key));
        self.table.get(key)
    }

    /// Where the key is written, or else its table.
    pub fn origin(&self, key: &str) -> Origin {
        self.table.get(key).map_or_else(|| self.origin.clone(), |node| node.origin.clone())
    }

    /// Notes a problem.
    pub fn report(&self, problem: Problem) {
        self.context.report(problem);
    }

    /// Notes a problem with a key that nobody wrote, where its table stands.
    pub fn missing(&self, key: &str, help: &str) {
        let message = format!("`{}` is missing", self.full(key));
        self.report(Problem::new(message).at(&self.origin).label("in this table").help(help));
    }

    /// Reads a value; `None` when the key is absent, or wrong and reported.
    pub fn read<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str, &Node) -> Result<T, Problem>,
    ) -> Option<T> {
        let node = self.node(key)?;
        match read(&self.full(key), node) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.report(problem);
                None
            }
        }
    }

    /// Notes the resolved value of a key; `otherwise` is its origin when it is not written.
    pub fn line(&self, key: &str, value: impl Into<toml::Value>, otherwise: &Origin) {
        let origin = self.table.get(key).map_or_else(|| otherwise.clone(), |node| node.origin.clone());
        self.context.line(self.full(key), value, origin);
    }

    /// A number.
    pub fn number(&self, key: &'static str, default: f64, bounds: Bounds) -> f64 {
        self.number_or(key, default, bounds, &Origin::Default)
    }

    /// A number whose default has an origin of its own.
    pub fn number_or(&self, key: &'static str, default: f64, bounds: Bounds, otherwise: &Origin) -> f64 {
        let value = self.read(key, |path, node| convert::number(path, node, bounds)).unwrap_or(default);
        self.line(key, value, otherwise);
        value
    }

    /// A whole number.
    pub fn whole(&self, key: &'static str, default: u64, range: RangeInclusive<u64>) -> u64 {
        self.whole_or(key, default, range, &Origin::Default)
    }

    /// A whole number whose default has an origin of its own.
    pub fn whole_or(
        &self,
        key: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
        otherwise: &Origin,
    ) -> u64 {
        let value = self.read(key, |path, node| convert::whole(path, node, &range)).unwrap_or(default);
        self.line(key, whole_line(value), otherwise);
        value
    }

    /// A number of pixels, images, classes: at least `least`.
    pub fn count(&self, key: &'static str, default: usize, least: u64) -> usize {
        self.whole(key, default as u64, least..=convert::MANY) as usize
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str, default: bool) -> bool {
        self.flag_or(key, default, &Origin::Default)
    }

    /// `true` or `false`, with a default that has an origin of its own.
    pub fn flag_or(&self, key: &'static str, default: bool, otherwise: &Origin) -> bool {
        let value = self.read(key, convert::flag).unwrap_or(default);
        self.line(key, value, otherwise);
        value
    }

    /// One of several words.
    pub fn choice<T: Choice>(&self, key: &'static str, default: T) -> T {
        let value = self.read(key, convert::choice::<T>).unwrap_or(default);
        self.line(key, value.word(), &Origin::Default);
        value
    }

    /// A lower and an upper end.
    pub fn range(&self, key: &'static str, default: [f64; 2], bounds: Bounds) -> [f64; 2] {
        let value = self.read(key, |path, node| convert::range(path, node, bounds)).unwrap_or(default);
        self.line(key, value.to_vec(), &Origin::Default);
        value
    }

    /// Free text.
    pub fn text(&self, key: &'static str, default: &str) -> String {
        let value = self.read(key, convert::text).unwrap_or_else(|| default.to_owned());
        self.line(key, value.clone(), &Origin::Default);
        value
    }

    /// Several texts.
    pub fn texts(&self, key: &'static str) -> Vec<String> {
        let value = self.read(key, convert::texts).unwrap_or_default();
        self.line(key, value.clone(), &Origin::Default);
        value
    }

    /// Reports that two keys of this table exclude each other, when both are written.
    pub fn exclusive(&self, first: &'static str, second: &'static str) {
        if let (Some(a), Some(b)) = (self.table.get(first), self.table.get(second)) {
            let message = format!("`{}` and `{}` exclude each other", self.full(first), self.full(second));
            let problem = Problem::new(message).at(&b.key).label("or this one");
            self.report(problem.context(&a.key, "this one").help("keep one of them"));
        }
    }

    /// Reports keys that are known but mean nothing here, such as `threshold` with `level = "image"`.
    pub fn unused(&self, keys: &[&'static str], why: &str) {
        for key in keys {
            self.unused.borrow_mut().insert(key);
            if let Some(node) = self.table.get(*key) {
                let problem = Problem::new(format!("`{}` is not used {why}", self.full(key)));
                self.report(problem.at(&node.key).label("this key changes nothing"));
            }
        }
    }

    /// Takes keys as they are, checked or not: they mean nothing here and do no harm.
    pub fn ignore(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// Reports every key that nothing asked for.
    pub fn finish(self) {
        let (asked, unused) = (self.asked.borrow(), self.unused.borrow());
        let known = |key: &str| asked.contains(key) || unused.contains(key);
        for (key, node) in self.table.iter().filter(|(key, _)| !known(key)) {
            let message = format!("unknown key `{}`", self.full(key));
            let place = if self.path.is_empty() { "a spec".to_owned() } else { format!("[{}]", self.path) };
            let problem = Problem::new(message).at(&node.key).label(format!("{place} has no such key"));
            self.report(explain_unknown(problem, key, &self.path, &asked));
        }
    }
}

/// Help for an unknown key: a near one here, the same one elsewhere, or else the list of keys.
fn explain_unknown(problem: Problem, key: &str, path: &str, asked: &BTreeSet<&'static str>) -> Problem {
    let others: &[&str] = if path.is_empty() { schema::OF_ABLATIONS } else { &[] };
    let with_near = problem.clone().suggest(key, asked.iter().chain(others).copied());
    if with_near != problem {
        return with_near;
    }
    let elsewhere = schema::tables_with(key);
    if !elsewhere.is_empty() {
        let tables: Vec<_> = elsewhere.iter().map(|table| format!("[{table}]")).collect();
        return problem.help(format!("`{key}` is a key of {}", tables.join(", ")));
    }
    let keys: Vec<_> = asked.iter().map(|known| format!("`{known}`")).collect();
    problem.help(format!("known here: {}", keys.join(", ")))
}

/// A whole number as TOML has it: the reader lets nothing above 2^53 - 1 through.
pub fn whole_line(value: u64) -> toml::Value {
    toml::Value::Integer(i64::try_from(value).expect("whole numbers of a spec are at most 2^53 - 1"))
}
