//! Rows under a schema: checked, sorted by key, each key once, and hashed by what they say.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::base::digest::{ByteHasher, Digest, Hasher};

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text; digests are 64 lower-case hex digits.
    Text,
    /// A truth value.
    Flag,
    /// A 64-bit signed integer.
    Integer,
    /// A 64-bit float.
    Real,
}

impl Kind {
    /// The name of the type in the documentation, which is polars' own.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Flag => "Boolean",
            Self::Integer => "Int64",
            Self::Real => "Float64",
        }
    }
}

/// Whether a column takes part in the key, and whether it may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Part of the key; never null.
    Key,
    /// Never null.
    Fact,
    /// Null where it is unknown or undefined.
    Optional,
}

/// One column of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the file.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Key, fact, or optional fact.
    pub place: Place,
    /// The unit of its values, or what the text is.
    pub unit: &'static str,
}

/// The columns of a table. Key columns come first, in the order by which rows are sorted.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// The table's name, which is its file's stem.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
}

/// One value of a row. Cloning shares text.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Unknown, or undefined (an IoU of an absent class).
    Null,
    /// Text.
    Text(Arc<str>),
    /// A truth value.
    Flag(bool),
    /// An integer.
    Integer(i64),
    /// A float.
    Real(f64),
}

impl Value {
    /// The text of anything that can be displayed.
    pub fn text(value: impl ToString) -> Self {
        Self::Text(value.to_string().into())
    }

    /// A count.
    ///
    /// # Panics
    /// Above 2^63 - 1. Counts of pixels, steps and runs, and seeds (at most 2^53 - 1) are far below.
    pub fn count(value: u64) -> Self {
        Self::Integer(i64::try_from(value).expect("counts and seeds fit 63 bits"))
    }

    /// A float, or null.
    pub fn real(value: impl Into<Option<f64>>) -> Self {
        value.into().map_or(Self::Null, Self::Real)
    }

    fn fits(&self, column: &Column) -> bool {
        match self {
            Self::Null => column.place == Place::Optional,
            Self::Text(_) => column.kind == Kind::Text,
            Self::Flag(_) => column.kind == Kind::Flag,
            Self::Integer(_) => column.kind == Kind::Integer,
            // A float has no place in a key: equality of floats is no identity.
            Self::Real(_) => column.kind == Kind::Real && column.place != Place::Key,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Flag(_) => 1,
            Self::Integer(_) => 2,
            Self::Real(_) => 3,
            Self::Text(_) => 4,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Rows of one stage share its text.
            (Self::Text(a), Self::Text(b)) if Arc::ptr_eq(a, b) => Ordering::Equal,
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Flag(a), Self::Flag(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    /// The canonical bytes: what kind of value it is, and the value; a text after its length.
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.rank());
        match self {
            Self::Null => {}
            Self::Text(text) => {
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text.as_bytes());
            }
            Self::Flag(flag) => bytes.push(u8::from(*flag)),
            Self::Integer(value) => bytes.extend_from_slice(&value.to_le_bytes()),
            Self::Real(value) => bytes.extend_from_slice(&value.to_bits().to_le_bytes()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value:?}"),
        }
    }
}

/// Rows that no table can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A row has too few or too many values.
    #[error("fill the table `{table}`: a row has {found} values for {expected} columns")]
    Width {
        /// The table.
        table: &'static str,
        /// The row's length.
        found: usize,
        /// The schema's length.
        expected: usize,
    },
    /// A value is of another type than its column, is missing where it must not be, or is NaN.
    #[error("fill the table `{table}`: the column `{column}` ({kind}) cannot hold {value}")]
    Value {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The column's type.
        kind: &'static str,
        /// The value.
        value: String,
    },
    /// Two rows say different things about one key.
    #[error("fill the table `{table}`: two rows of the key ({key}) differ; run `stpp verify` on the store")]
    Conflict {
        /// The table.
        table: &'static str,
        /// The key's values.
        key: String,
    },
}

/// A table: valid rows in the order of their keys, each key once.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    schema: &'static Schema,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// A table from rows in any order. A row that is there twice counts once: arms that share a stage report it alike.
    ///
    /// # Errors
    /// [`TableError`] when a row does not fit the schema, or two rows contradict each other.
    pub fn new(schema: &'static Schema, mut rows: Vec<Vec<Value>>) -> Result<Self, TableError> {
        for row in &rows {
            check(schema, row)?;
        }
        rows.sort_by(|a, b| order(a, b));
        rows.dedup();
        let keys = schema.columns.iter().filter(|column| column.place == Place::Key).count();
        for pair in rows.windows(2) {
            if pair[0][..keys] == pair[1][..keys] {
                return Err(conflict(schema, &pair[0][..keys]));
            }
        }
        Ok(Self { schema, rows })
    }

    /// The columns.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// The rows, sorted by key.
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }

    /// Checks that its keys come after those of another.
    ///
    /// # Errors
    /// [`TableError::Conflict`] where they do not: two parts of a table share a key, or stand in the wrong order.
    pub fn follows(&self, before: &Self) -> Result<(), TableError> {
        let (Some(last), Some(first)) = (before.rows.last(), self.rows.first()) else { return Ok(()) };
        let keys = self.keys();
        match order(&last[..keys], &first[..keys]) {
            Ordering::Less => Ok(()),
            _ => Err(conflict(self.schema, &first[..keys])),
        }
    }

    fn keys(&self) -> usize {
        self.schema.columns.iter().filter(|column| column.place == Place::Key).count()
    }

    /// What is cited of it.
    pub fn cited(&self) -> TableDigest {
        let mut citation = Citation::new(self.schema);
        citation.add(self.rows.len(), &self.canonical());
        citation.finish()
    }

    /// The rows as the bytes that a digest is over.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.rows.len() * self.schema.columns.len() * 32);
        self.rows.iter().flatten().for_each(|value| value.write(&mut bytes));
        bytes
    }

    /// The place of a column.
    ///
    /// # Panics
    /// When the schema has no such column: names of columns are part of the program.
    pub fn column(&self, name: &str) -> usize {
        let found = self.schema.columns.iter().position(|column| column.name == name);
        found.unwrap_or_else(|| panic!("the table `{}` has no column `{name}`", self.schema.name))
    }
}

/// What a report cites of a table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableDigest {
    /// The table's name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// blake3 over the schema and the canonical rows. It depends on what the table says, not on how a file encodes it, and
    /// so outlives an upgrade of the Parquet writer.
    pub digest: Digest,
}

/// A table's digest under way, rows in the order of their keys, in any parts.
pub struct Citation {
    schema: &'static Schema,
    rows: u64,
    content: ByteHasher,
}

impl Citation {
    /// Of a table without rows so far.
    pub fn new(schema: &'static Schema) -> Self {
        Self { schema, rows: 0, content: ByteHasher::default() }
    }

    /// Adds the next rows, by their canonical bytes.
    pub fn add(&mut self, rows: usize, canonical: &[u8]) {
        self.rows += rows as u64;
        self.content.add(canonical);
    }

    /// The digest of all that was added.
    pub fn finish(self) -> TableDigest {
        let mut hasher = Hasher::new("stpp table v2").field(self.schema.name.as_bytes());
        hasher = hasher.number(self.schema.columns.len() as u64);
        for column in self.schema.columns {
            hasher = hasher.field(column.name.as_bytes()).field(column.kind.name().as_bytes());
        }
        let digest = hasher.number(self.rows).field(self.content.finish().as_bytes()).finish();
        TableDigest { name: self.schema.name.to_owned(), rows: self.rows, digest }
    }
}

/// Makes the rows of a part of a table.
pub type Part<'a> = Box<dyn Fn() -> Vec<Vec<Value>> + Send + Sync + 'a>;

/// A table that is made part by part, since the whole of it may be larger than memory. The keys of a part follow those of
/// the part before it.
pub struct LongTable<'a> {
    schema: &'static Schema,
    parts: Vec<Part<'a>>,
}

impl<'a> LongTable<'a> {
    /// A table in one part.
    pub fn whole(schema: &'static Schema, rows: impl Fn() -> Vec<Vec<Value>> + Send + Sync + 'a) -> Self {
        Self { schema, parts: vec![Box::new(rows)] }
    }

    /// A table in several parts, in the order of their keys.
    pub fn of_parts(schema: &'static Schema, parts: Vec<Part<'a>>) -> Self {
        Self { schema, parts }
    }

    /// The columns.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// One part.
    ///
    /// # Errors
    /// See [`Table::new`].
    ///
    /// # Panics
    /// Beyond the last part.
    pub fn part(&self, part: usize) -> Result<Table, TableError> {
        Table::new(self.schema, self.parts[part]())
    }

    /// All of it in memory.
    ///
    /// # Errors
    /// See [`Table::new`].
    pub fn table(&self) -> Result<Table, TableError> {
        Table::new(self.schema, self.parts.iter().flat_map(|part| part()).collect())
    }
}

fn conflict(schema: &'static Schema, key: &[Value]) -> TableError {
    let key: Vec<String> = key.iter().map(Value::to_string).collect();
    TableError::Conflict { table: schema.name, key: key.join(", ") }
}

fn check(schema: &'static Schema, row: &[Value]) -> Result<(), TableError> {
    let expected = schema.columns.len();
    if row.len() != expected {
        return Err(TableError::Width { table: schema.name, found: row.len(), expected });
    }
    for (column, value) in schema.columns.iter().zip(row) {
        let nan = matches!(value, Value::Real(real) if real.is_nan());
        if nan || !value.fits(column) {
            return Err(TableError::Value {
                table: schema.name,
                column: column.name,
                kind: column.kind.name(),
                value: value.to_string(),
            });
        }
    }
    Ok(())
}

/// Keys come first in a row, so comparing whole rows sorts by key.
fn order(a: &[Value], b: &[Value]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.order(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    static SCHEMA: Schema = Schema {
        name: "scores",
        columns: &[
            Column { name: "image", kind: Kind::Text, place: Place::Key, unit: "id" },
            Column { name: "step", kind: Kind::Integer, place: Place::Key, unit: "steps" },
            Column { name: "score", kind: Kind::Real, place: Place::Optional, unit: "fraction" },
        ],
    };

    fn row(image: &str, step: u64, score: impl Into<Option<f64>>) -> Vec<Value> {
        vec![Value::text(image), Value::count(step), Value::real(score)]
    }

    #[test]
    fn rows_are_sorted_by_key_and_said_once() {
        let rows = vec![row("b", 2, 0.5), row("b", 10, None), row("a", 3, 0.1), row("b", 2, 0.5)];
        let table = Table::new(&SCHEMA, rows).unwrap();
        assert_eq!(table.rows(), [row("a", 3, 0.1), row("b", 2, 0.5), row("b", 10, None)]);
    }

    #[test]
    fn the_logical_digest_follows_content_and_not_order() {
        let digest = |rows| Table::new(&SCHEMA, rows).unwrap().cited().digest;
        let here = digest(vec![row("a", 1, 0.5), row("b", 1, None)]);
        assert_eq!(here, digest(vec![row("b", 1, None), row("a", 1, 0.5)]));
        assert_ne!(here, digest(vec![row("a", 1, 0.5), row("b", 1, 0.0)]));
        assert_ne!(here, digest(vec![row("a", 1, 0.5)]));
    }

    #[test]
    fn contradicting_rows_are_refused() {
        let error = Table::new(&SCHEMA, vec![row("a", 1, 0.5), row("a", 1, 0.6)]).unwrap_err();
        insta::assert_snapshot!(error);
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let wrong = vec![Value::text("a"), Value::Real(1.0), Value::Null];
        let error = Table::new(&SCHEMA, vec![wrong]).unwrap_err();
        insta::assert_snapshot!(error);
        assert!(Table::new(&SCHEMA, vec![row("a", 1, f64::NAN)]).is_err());
        assert!(Table::new(&SCHEMA, vec![vec![Value::Null; 3]]).is_err());
        assert!(Table::new(&SCHEMA, vec![vec![Value::Null; 2]]).is_err());
    }
}
