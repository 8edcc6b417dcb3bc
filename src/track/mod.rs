//! What runs leave behind for others to read: tables, and (later) a projection to a tracking server.
//!
//! - [`table`]: rows under a schema: checked, sorted by their key, hashed by content
//! - [`schema`]: the tables of a study, column by column
//! - [`frame`]: a table as a polars frame and as a Parquet file
//!
//! Which rows a study has is decided above, in [`crate::report::rows`].

pub mod frame;
pub mod schema;
pub mod table;
