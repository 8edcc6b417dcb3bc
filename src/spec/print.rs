//! A resolved spec as TOML that reads back as the same spec, each line with where its value came from.

use super::load::{Loaded, Shape};
use super::reader::Line;
use super::source::Sources;
use super::tree::Origin;

/// Prints what a spec resolved to.
pub fn resolved(loaded: &Loaded) -> String {
    let mut out = Vec::new();
    match loaded.shape() {
        Shape::Experiment { lines } => tables(&mut out, lines, loaded.sources()),
        Shape::Ablation { head, baseline, arms } => {
            let (inner, head): (Vec<_>, Vec<_>) =
                head.iter().cloned().partition(|line| line.key.contains('.'));
            let (claims, inner): (Vec<_>, Vec<_>) =
                inner.into_iter().partition(|line| line.key.starts_with("claim."));
            let body = baseline.iter().filter(|line| line.key != "description");
            let all: Vec<_> = head.iter().chain(body).cloned().collect();
            tables(&mut out, &all, loaded.sources());
            tables(&mut out, &inner, loaded.sources());
            for line in &claims {
                // Every claim is read from its first key on.
                if line.key == "claim.better" {
                    out.push(Row::Blank);
                    out.push(Row::Header("[[claim]]".to_owned()));
                }
                out.push(row(&line.key["claim.".len()..], line, loaded.sources()));
            }
            for arm in arms {
                out.push(Row::Blank);
                out.push(Row::Header(format!("[arm.{}]", arm.name)));
                if !arm.about.is_empty() {
                    out.push(Row::Header(format!("about = {}", toml::Value::from(arm.about.as_str()))));
                }
                for line in arm.lines.iter().filter(|line| !baseline.iter().any(|base| follows(base, line))) {
                    out.push(row(&line.key, line, loaded.sources()));
                }
            }
        }
    }
    render(&out)
}

/// Whether an arm's line is as the baseline's, or follows from the arm's other lines as the baseline's does.
fn follows(base: &Line, line: &Line) -> bool {
    let same_rule = matches!(line.origin, Origin::Follows(_)) && line.origin == base.origin;
    base.key == line.key && (base.value == line.value || same_rule)
}

enum Row {
    Blank,
    Header(String),
    Pair(String, String),
}

fn row(key: &str, line: &Line, sources: &Sources) -> Row {
    // What follows from other keys must go on doing so when the text is read again and changed.
    let mark = if matches!(line.origin, Origin::Follows(_)) { "# " } else { "" };
    Row::Pair(format!("{mark}{key} = {}", line.value), line.origin.show(sources))
}

fn tables(out: &mut Vec<Row>, lines: &[Line], sources: &Sources) {
    let table_of =
        |line: &Line| line.key.rsplit_once('.').map_or(String::new(), |(table, _)| table.to_owned());
    let mut order: Vec<String> = Vec::new();
    for line in lines {
        let table = table_of(line);
        if !order.contains(&table) {
            order.push(table);
        }
    }
    // Keys of the document itself come before its first table.
    order.sort_by_key(|table| !table.is_empty());
    for table in order {
        if !table.is_empty() {
            out.push(Row::Blank);
            out.push(Row::Header(format!("[{table}]")));
        }
        for line in lines.iter().filter(|line| table_of(line) == table) {
            let key = line.key.rsplit('.').next().unwrap_or(&line.key);
            out.push(row(key, line, sources));
        }
    }
}

/// Comments start in one column, but for lines that are longer.
const COLUMN: usize = 36;

fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        match row {
            Row::Blank => {}
            Row::Header(header) => text.push_str(header),
            Row::Pair(pair, origin) => text.push_str(&format!("{pair:<COLUMN$} # {origin}")),
        }
        text.push('\n');
    }
    text
}
