//! One node to one checked value, or the problem that says why not.

use std::fmt;
use std::ops::RangeInclusive;

use crate::base::canon::MAX_SAFE_INTEGER;

use super::diagnostic::Problem;
use super::tree::{Node, Origin, Value};

/// The upper end for numbers of pixels, images, classes.
pub const MANY: u64 = u32::MAX as u64;

/// An enum whose values are words of a spec.
pub trait Choice: Copy + PartialEq + 'static {
    /// Every word with its value.
    const WORDS: &'static [(&'static str, Self)];

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, value)| *value == self)
            .map(|(word, _)| *word)
            .expect("every value of a choice has a word")
    }
}

/// Which numbers a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    low: f64,
    low_counts: bool,
    high: f64,
    high_counts: bool,
}

impl Bounds {
    /// Above 0.
    pub const POSITIVE: Self = Self { low_counts: false, ..Self::NOT_NEGATIVE };
    /// At least 0.
    pub const NOT_NEGATIVE: Self = Self { low: 0.0, low_counts: true, high: f64::MAX, high_counts: true };
    /// From 0 to 1, both included: a probability.
    pub const UNIT: Self = Self::up_to(1.0);
    /// Above 0, up to 1: a share of something.
    pub const SHARE: Self = Self { low_counts: false, ..Self::UNIT };
    /// A difference of two shares in points: from -100 to 100.
    pub const POINTS: Self = Self { low: -100.0, ..Self::up_to(100.0) };
    /// From 0 up to, but not including 1.
    pub const BELOW_ONE: Self = Self { high_counts: false, ..Self::UNIT };

    /// From 0 to `high`, both included.
    pub const fn up_to(high: f64) -> Self {
        Self { low: 0.0, low_counts: true, high, high_counts: true }
    }

    /// The same without 0.
    pub const fn without_zero(self) -> Self {
        Self { low_counts: false, ..self }
    }

    fn hold(&self, value: f64) -> bool {
        let above = if self.low_counts { value >= self.low } else { value > self.low };
        let below = if self.high_counts { value <= self.high } else { value < self.high };
        above && below
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.low_counts { "at least" } else { "above" }, self.low)?;
        match (self.high == f64::MAX, self.high_counts) {
            (true, _) => Ok(()),
            (false, true) => write!(f, " and at most {}", self.high),
            (false, false) => write!(f, " and below {}", self.high),
        }
    }
}

/// The value has another type than the key takes.
pub fn wrong_type(path: &str, expected: &str, node: &Node) -> Problem {
    Problem::new(format!("`{path}` must be {expected}, not {}", node.value.kind()))
        .at(&node.origin)
        .label(format!("{expected} is expected"))
}

fn out_of_range(path: &str, value: impl fmt::Display, range: impl fmt::Display, origin: &Origin) -> Problem {
    Problem::new(format!("`{path}` is {value}, but must be {range}")).at(origin).label(range.to_string())
}

/// A number in bounds; whole numbers count as numbers.
pub fn number(path: &str, node: &Node, bounds: Bounds) -> Result<f64, Problem> {
    let value = match &node.value {
        Value::Float(value) => *value,
        Value::Integer(value) => *value as f64,
        _ => return Err(quoted(wrong_type(path, "a number", node), node)),
    };
    if !value.is_finite() {
        let problem = Problem::new(format!("`{path}` must be a finite number")).at(&node.origin);
        return Err(problem.label(bounds.to_string()));
    }
    // -0.0 is written as 0 in canonical JSON; so it is here.
    let value = if value == 0.0 { 0.0 } else { value };
    if bounds.hold(value) { Ok(value) } else { Err(out_of_range(path, value, bounds, &node.origin)) }
}

/// A whole number in a range.
pub fn whole(path: &str, node: &Node, range: &RangeInclusive<u64>) -> Result<u64, Problem> {
    let value = match &node.value {
        Value::Integer(value) => *value,
        Value::Float(value) if *value == value.trunc() && value.abs() < 1e15 => {
            let problem = wrong_type(path, "a whole number", node);
            return Err(problem.help(format!("write {value} without a decimal point")));
        }
        _ => return Err(quoted(wrong_type(path, "a whole number", node), node)),
    };
    match u64::try_from(value) {
        Ok(value) if range.contains(&value) => Ok(value),
        _ if *range.end() == MAX_SAFE_INTEGER && value > 0 => {
            let problem = Problem::new(format!("`{path}` is too large")).at(&node.origin);
            Err(problem.label("at most 2^53 - 1 = 9007199254740991").help(
                "larger numbers would be rounded by other readers of the canonical JSON that is hashed",
            ))
        }
        _ => Err(out_of_range(path, value, Whole(range), &node.origin)),
    }
}

struct Whole<'a>(&'a RangeInclusive<u64>);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at least {}", self.0.start())?;
        if *self.0.end() < MANY { write!(f, " and at most {}", self.0.end()) } else { Ok(()) }
    }
}

fn quoted(problem: Problem, node: &Node) -> Problem {
    match node.text() {
        Some(text) if text.parse::<f64>().is_ok() => problem.help("take the quotation marks away"),
        _ => problem,
    }
}

/// `true` or `false`.
pub fn flag(path: &str, node: &Node) -> Result<bool, Problem> {
    match node.value {
        Value::Flag(value) => Ok(value),
        _ => Err(wrong_type(path, "true or false", node)),
    }
}

/// Text.
pub fn text(path: &str, node: &Node) -> Result<String, Problem> {
    node.text().map(str::to_owned).ok_or_else(|| wrong_type(path, "text", node))
}

/// A list.
pub fn list<'n>(path: &str, node: &'n Node, of: &str) -> Result<&'n [Node], Problem> {
    match &node.value {
        Value::Array(items) => Ok(items),
        _ => Err(wrong_type(path, &format!("a list of {of}"), node)),
    }
}

/// A list of texts.
pub fn texts(path: &str, node: &Node) -> Result<Vec<String>, Problem> {
    list(path, node, "texts")?.iter().map(|item| text(path, item)).collect()
}

/// A list of numbers in bounds.
pub fn numbers(path: &str, node: &Node, bounds: Bounds) -> Result<Vec<f64>, Problem> {
    list(path, node, "numbers")?.iter().map(|item| number(path, item, bounds)).collect()
}

/// `[low, high]`.
pub fn range(path: &str, node: &Node, bounds: Bounds) -> Result<[f64; 2], Problem> {
    let found = numbers(path, node, bounds)?;
    let Ok([low, high]) = <[f64; 2]>::try_from(found) else {
        let problem = Problem::new(format!("`{path}` must be a list of two numbers")).at(&node.origin);
        return Err(problem.label("[low, high] is expected"));
    };
    if low > high {
        let problem = Problem::new(format!("`{path}` starts at {low} and ends at {high}")).at(&node.origin);
        return Err(problem.label("the lower end comes first").help(format!("write [{high}, {low}]")));
    }
    Ok([low, high])
}

/// One of the words of a choice.
pub fn choice<T: Choice>(path: &str, node: &Node) -> Result<T, Problem> {
    let words = || T::WORDS.iter().map(|(word, _)| *word);
    let listed = words().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let Some(text) = node.text() else {
        return Err(wrong_type(path, "text", node).help(format!("one of {listed}")));
    };
    T::WORDS.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        Problem::new(format!("`{path}` has no value \"{text}\""))
            .at(&node.origin)
            .label(format!("one of {listed}"))
            .suggest(text, words())
    })
}
