//! A table as a polars frame, and as a Parquet file whose bytes depend on its rows alone.
//!
//! One chunk, zstd level 3, row groups of a fixed number of rows, no categorical columns, no parallel encoding.
//! The columns and their units are documented in [`super::schema`].

use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::table::{Kind, Schema, Table, Value};
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
    /// The file could not be written.
    #[error("store a table")]
    File(#[from] FileError),
}

/// Writes each table to `<folder>/<name>.parquet`, whole or not at all.
///
/// # Errors
/// [`FrameError`], naming the table or the path.
pub fn write(folder: &Path, tables: &[Table]) -> Result<Vec<PathBuf>, FrameError> {
    let mut written = Vec::with_capacity(tables.len());
    for table in tables {
        let path = folder.join(table.schema().name).with_extension("parquet");
        fs::write_if_changed(&path, &parquet(table)?)?;
        written.push(path);
    }
    Ok(written)
}

/// A table as the bytes of a Parquet file.
///
/// # Errors
/// [`FrameError::Encode`].
pub fn parquet(table: &Table) -> Result<Vec<u8>, FrameError> {
    encode(table).map_err(|source| FrameError::Encode { table: table.schema().name, source })
}

fn encode(table: &Table) -> PolarsResult<Vec<u8>> {
    let frame = frame(table)?;
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(&mut bytes)
        // No level means zstd's default, which is 3; polars does not export the type that would say so.
        .with_compression(ParquetCompression::Zstd(None))
        .with_statistics(StatisticsOptions::full())
        .set_parallel(false);
    let mut batches = writer.batched(frame.schema())?;
    for start in (0..frame.height()).step_by(ROW_GROUP) {
        batches.write_batch(&frame.slice(start as i64, ROW_GROUP))?;
    }
    batches.finish()?;
    drop(batches);
    Ok(bytes)
}

/// A table as a frame of one chunk.
///
/// # Errors
/// Whatever polars reports; for a valid table it is a bug.
pub fn frame(table: &Table) -> PolarsResult<DataFrame> {
    let schema: &Schema = table.schema();
    let columns = schema.columns.iter().enumerate().map(|(i, column)| {
        let name = PlSmallStr::from_static(column.name);
        let values = table.rows().iter().map(|row| &row[i]);
        match column.kind {
            Kind::Text => Column::new(name, values.map(text).collect::<Vec<_>>()),
            Kind::Flag => Column::new(name, values.map(flag).collect::<Vec<_>>()),
            Kind::Integer => Column::new(name, values.map(integer).collect::<Vec<_>>()),
            Kind::Real => Column::new(name, values.map(real).collect::<Vec<_>>()),
        }
    });
    DataFrame::new(table.rows().len(), columns.collect())
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
    use std::io::Cursor;

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
