//! A table as a polars frame, and as a Parquet file whose bytes depend on its rows alone.
//!
//! One chunk, zstd level 3, row groups of a fixed number of rows, no categorical columns, no parallel encoding.
//! The columns and their units are documented in [`super::schema`].

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;
use rayon::prelude::*;

use super::table::{Citation, Kind, LongTable, Schema, Table, TableDigest, TableError, Value};
use crate::base::fs::{self, FileError};

/// Rows of a row group; the last one of a file is shorter.
const ROW_GROUP: usize = 1 << 16;

/// A table that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Polars could not encode it.
    #[error("encode the table `{table}` as Parquet")]
    Encode {
        /// The table's name.
        table: &'static str,
        /// Polars' word.
        #[source]
        source: PolarsError,
    },
    /// A file that is not such a table.
    #[error("read the table {}: {what}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Rows that no table can hold.
    #[error(transparent)]
    Rows(#[from] TableError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Writes each table to `<folder>/<name>.parquet`, whole or not at all, and says what is to be cited of it.
///
/// # Errors
/// [`FrameError`], naming the table or the path.
pub fn write(folder: &Path, tables: &[LongTable<'_>]) -> Result<Vec<TableDigest>, FrameError> {
    let mut cited = Vec::with_capacity(tables.len());
    for table in tables {
        let (bytes, digest) = long_parquet(table)?;
        fs::write_if_changed(&path_of(folder, table.schema()), &bytes)?;
        cited.push(digest);
    }
    Ok(cited)
}

/// Where a table lies in a folder of tables.
pub fn path_of(folder: &Path, schema: &Schema) -> PathBuf {
    folder.join(schema.name).with_extension("parquet")
}

/// What is to be cited of each table, without writing any.
///
/// # Errors
/// [`FrameError::Rows`].
pub fn cite(tables: &[LongTable<'_>]) -> Result<Vec<TableDigest>, FrameError> {
    tables.iter().map(|table| parts(table, |_| Ok(()))).collect()
}

/// A table as the bytes of a Parquet file.
///
/// # Errors
/// [`FrameError::Encode`].
pub fn parquet(table: &Table) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    let mut file = File::new(table.schema(), &mut bytes)?;
    file.add(table)?;
    file.finish()?;
    Ok(bytes)
}

/// A table that is made part by part, as the bytes of a Parquet file: those of [`parquet`] of the whole.
///
/// # Errors
/// [`FrameError`].
pub fn long_parquet(table: &LongTable<'_>) -> Result<(Vec<u8>, TableDigest), FrameError> {
    let mut bytes = Vec::new();
    let mut file = File::new(table.schema(), &mut bytes)?;
    let digest = parts(table, |part| file.add(part))?;
    file.finish()?;
    Ok((bytes, digest))
}

/// Parts that are made at the same time.
const AT_ONCE: usize = 16;

/// A part with its canonical bytes.
type Made = Result<(Vec<u8>, Table), TableError>;

/// Makes every part, some at a time, and takes them in their order: while some are taken, the next are made.
fn parts(
    table: &LongTable<'_>,
    mut take: impl FnMut(&Table) -> Result<(), FrameError> + Send,
) -> Result<TableDigest, FrameError> {
    let make = |start: usize| -> Vec<Made> {
        let parts = start..(start + AT_ONCE).min(table.parts());
        parts.into_par_iter().map(|part| table.part(part).map(|part| (part.canonical(), part))).collect()
    };
    let mut citation = Citation::new(table.schema());
    let mut last: Option<Table> = None;
    let mut take_all = |made: Vec<Made>| -> Result<(), FrameError> {
        for part in made {
            let (canonical, part) = part?;
            if let Some(last) = &last {
                part.follows(last)?;
            }
            citation.add(part.rows().len(), &canonical);
            take(&part)?;
            if !part.rows().is_empty() {
                last = Some(part);
            }
        }
        Ok(())
    };
    let mut made = make(0);
    for start in (AT_ONCE..table.parts()).step_by(AT_ONCE) {
        let (taken, next) = rayon::join(|| take_all(made), || make(start));
        taken?;
        made = next;
    }
    take_all(made)?;
    Ok(citation.finish())
}

/// A Parquet file under way. Rows wait until they fill a row group.
struct File<'a> {
    table: &'static str,
    batches: BatchedWriter<&'a mut Vec<u8>>,
    waiting: DataFrame,
}

impl<'a> File<'a> {
    fn new(schema: &'static Schema, bytes: &'a mut Vec<u8>) -> Result<Self, FrameError> {
        let begin = || {
            let waiting = frame_of(schema, &[])?;
            // No level means zstd's default, which is 3; polars does not export the type that would say so.
            let writer = ParquetWriter::new(bytes)
                .with_compression(ParquetCompression::Zstd(None))
                .with_statistics(StatisticsOptions::full())
                .set_parallel(false);
            Ok(Self { table: schema.name, batches: writer.batched(waiting.schema())?, waiting })
        };
        begin().map_err(|source| FrameError::Encode { table: schema.name, source })
    }

    fn add(&mut self, part: &Table) -> Result<(), FrameError> {
        let mut add = || {
            self.waiting.vstack_mut_owned(frame(part)?)?;
            if self.waiting.height() >= ROW_GROUP {
                self.waiting.rechunk_mut();
                let whole = self.waiting.height() / ROW_GROUP * ROW_GROUP;
                for start in (0..whole).step_by(ROW_GROUP) {
                    self.batches.write_batch(&self.waiting.slice(start as i64, ROW_GROUP))?;
                }
                self.waiting = self.waiting.slice(whole as i64, ROW_GROUP);
            }
            Ok(())
        };
        add().map_err(|source| FrameError::Encode { table: self.table, source })
    }

    fn finish(mut self) -> Result<(), FrameError> {
        let mut finish = || {
            if self.waiting.height() > 0 {
                self.waiting.rechunk_mut();
                self.batches.write_batch(&self.waiting)?;
            }
            self.batches.finish()
        };
        finish().map(drop).map_err(|source| FrameError::Encode { table: self.table, source })
    }
}

/// Reads a table back.
///
/// # Errors
/// [`FrameError`]: a file that is none, has other columns, or rows that no table can hold.
pub fn read(folder: &Path, schema: &'static Schema) -> Result<Table, FrameError> {
    let path = path_of(folder, schema);
    let bytes = fs::read(&path)?;
    let unreadable = |what: String| FrameError::Decode { path: path.clone(), what };
    let frame = ParquetReader::new(Cursor::new(bytes))
        .finish()
        .map_err(|error| unreadable(format!("it is no Parquet file that can be read ({error})")))?;
    let names: Vec<&str> = schema.columns.iter().map(|column| column.name).collect();
    if frame.get_column_names() != names {
        return Err(unreadable(format!("its columns are not {}", names.join(", "))));
    }
    let mut columns = Vec::with_capacity(names.len());
    for column in schema.columns {
        let values = frame.column(column.name).and_then(|series| values(series, column.kind));
        columns.push(
            values.map_err(|error| unreadable(format!("the column `{}`: {error}", column.name)))?.into_iter(),
        );
    }
    let rows = (0..frame.height()).map(|_| {
        columns.iter_mut().map(|column| column.next().expect("columns of a frame are equally long")).collect()
    });
    Ok(Table::new(schema, rows.collect())?)
}

/// The values of a column. Equal texts that follow each other share their bytes.
fn values(column: &Column, kind: Kind) -> PolarsResult<Vec<Value>> {
    Ok(match kind {
        Kind::Text => {
            let mut last: Option<Arc<str>> = None;
            let mut shared = |text: &str| match &last {
                Some(last) if &**last == text => last.clone(),
                _ => {
                    let new: Arc<str> = text.into();
                    last = Some(new.clone());
                    new
                }
            };
            column
                .str()?
                .iter()
                .map(|text| text.map_or(Value::Null, |text| Value::Text(shared(text))))
                .collect()
        }
        Kind::Flag => column.bool()?.iter().map(|flag| flag.map_or(Value::Null, Value::Flag)).collect(),
        Kind::Integer => {
            column.i64()?.iter().map(|value| value.map_or(Value::Null, Value::Integer)).collect()
        }
        Kind::Real => column.f64()?.iter().map(Value::real).collect(),
    })
}

/// A table as a frame of one chunk.
///
/// # Errors
/// Whatever polars reports; for a valid table it is a bug.
pub fn frame(table: &Table) -> PolarsResult<DataFrame> {
    frame_of(table.schema(), table.rows())
}

fn frame_of(schema: &'static Schema, rows: &[Vec<Value>]) -> PolarsResult<DataFrame> {
    let columns = schema.columns.iter().enumerate().map(|(i, column)| {
        let name = PlSmallStr::from_static(column.name);
        let values = rows.iter().map(|row| &row[i]);
        match column.kind {
            Kind::Text => Column::new(name, values.map(text).collect::<Vec<_>>()),
            Kind::Flag => Column::new(name, values.map(flag).collect::<Vec<_>>()),
            Kind::Integer => Column::new(name, values.map(integer).collect::<Vec<_>>()),
            Kind::Real => Column::new(name, values.map(real).collect::<Vec<_>>()),
        }
    });
    DataFrame::new(rows.len(), columns.collect())
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Flag(flag) => Some(*flag),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(integer) => Some(*integer),
        _ => None,
    }
}

fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Real(real) => Some(*real),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{self, Place};
    use super::*;

    static SCHEMA: Schema = Schema {
        name: "steps",
        columns: &[
            table::Column { name: "step", kind: Kind::Integer, place: Place::Key, unit: "steps" },
            table::Column { name: "note", kind: Kind::Text, place: Place::Optional, unit: "text" },
            table::Column { name: "even", kind: Kind::Flag, place: Place::Optional, unit: "" },
            table::Column { name: "loss", kind: Kind::Real, place: Place::Optional, unit: "nats" },
        ],
    };

    fn steps(rows: u64) -> Table {
        let row = |step: u64| {
            let third = !step.is_multiple_of(3);
            vec![
                Value::count(step),
                if third { Value::text(step % 7) } else { Value::Null },
                if third { Value::Flag(step.is_multiple_of(2)) } else { Value::Null },
                Value::real(third.then_some(1.0 / (step + 1) as f64)),
            ]
        };
        Table::new(&SCHEMA, (0..rows).map(row).collect()).unwrap()
    }

    #[test]
    fn what_was_written_is_read_back_in_row_groups_of_fixed_size() {
        let rows = ROW_GROUP as u64 + 5;
        let table = steps(rows);
        let mut reader = ParquetReader::new(Cursor::new(parquet(&table).unwrap()));
        let groups: Vec<usize> =
            reader.get_metadata().unwrap().row_groups.iter().map(|group| group.num_rows()).collect();
        assert_eq!(groups, [ROW_GROUP, 5]);
        let read = reader.finish().unwrap();
        assert!(read.equals_missing(&frame(&table).unwrap()));
        assert_eq!(read.column("note").unwrap().null_count() as u64, rows.div_ceil(3));
    }

    #[test]
    fn a_table_without_rows_keeps_its_columns() {
        let read = ParquetReader::new(Cursor::new(parquet(&steps(0)).unwrap())).finish().unwrap();
        assert_eq!((read.height(), read.width()), (0, 4));
    }
}
