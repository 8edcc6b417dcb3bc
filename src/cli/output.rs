//! What is said: the only file that prints.

use std::io::{self, Write};

use comfy_table::Table;
use comfy_table::presets::NOTHING;

use super::failure::Failure;

/// Writes a result to standard output. A reader that went away (`| head`) ends nothing.
pub fn result(text: &str) {
    let mut out = io::stdout().lock();
    drop(
        out.write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { writeln!(out) }),
    );
}

/// Rows under a header, in columns.
pub fn columns<'a>(
    header: impl IntoIterator<Item = &'a str>,
    rows: impl Iterator<Item = impl IntoIterator<Item = String>>,
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(header.into_iter().map(str::to_owned).collect::<Vec<_>>());
    table.add_rows(rows.map(|row| row.into_iter().collect::<Vec<_>>()));
    table.trim_fmt()
}

/// Writes a remark to standard error.
pub fn remark(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes a failure to standard error.
pub fn failure(failure: &Failure) {
    let message = failure.message();
    // Problems of a spec come with their own heading each.
    let text = if message.starts_with("error") { message.to_owned() } else { format!("error: {message}") };
    remark(text.trim_end());
    for hint in failure.hints() {
        remark(&format!("hint: {hint}"));
    }
}

/// Says that something went wrong that should not be able to.
pub fn bug() {
    remark("error: this is a bug in stpp; what is finished is in the store. Please report the lines above.");
}
