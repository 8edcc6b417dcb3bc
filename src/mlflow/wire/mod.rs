//! What goes over the wire: [`message`]s of MLflow's REST API 2.0, and the [`value`]s in them.
//!
//! A server of MLflow stops reading a request at the first value that it can't parse, stores that entry as 0, drops what
//! follows, and answers 200. So every value is a type that has no such form: a number that is not finite is a text
//! ([`MetricValue`]), steps and times are integers ([`Step`], [`Millis`]), names hold only what the server accepts
//! ([`Key`]), and texts have the length up to which it keeps them ([`ParamValue`], [`TagValue`], [`NoteValue`]).

pub mod message;
pub mod value;

pub use message::*;
pub use value::*;
