//! Tables as the page of a run shows them: columns and rows as JSON (`orient="split"`).

use serde_json::{Value as Json, json};

use crate::metric::Confusion;
use crate::report::study::{Evaluation, RunFacts, Subset};
use crate::track::table::{Table, Value};

/// Columns that say whose rows they are, which the page of a run says already.
const OWNERS: [&str; 2] = ["run_id", "stage"];

/// The columns and rows of a table that is about one run.
pub fn split(table: &Table) -> Vec<u8> {
    let shown = |at: &usize| !OWNERS.contains(&table.schema().columns[*at].name);
    let shown: Vec<usize> = (0..table.schema().columns.len()).filter(shown).collect();
    let columns: Vec<&str> = shown.iter().map(|&at| table.schema().columns[at].name).collect();
    let cells = |row: &Vec<Value>| shown.iter().map(|&at| cell(&row[at])).collect();
    let rows: Vec<Vec<Json>> = table.rows().iter().map(cells).collect();
    to_bytes(&columns, &rows)
}

fn cell(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => json!(&**text),
        Value::Flag(flag) => json!(flag),
        Value::Integer(integer) => json!(integer),
        Value::Real(real) => json!(real),
    }
}

/// How well each evaluated image was segmented: mIoU over the classes that occur in it, for a look. The score of a run is
/// over all images at once, and no mean of these.
pub fn images(run: &RunFacts) -> Vec<u8> {
    let mut rows = Vec::new();
    for (subset, Evaluation { images, .. }) in &run.evaluations {
        let mut scored: Vec<_> =
            images.iter().map(|image| row(*subset, &image.id, &image.confusion)).collect();
        scored.sort_by(|one, other| one.0.cmp(&other.0));
        rows.extend(scored.into_iter().map(|(_, row)| row));
    }
    to_bytes(&["subset", "image", "miou", "accuracy", "pixels"], &rows)
}

fn row(subset: Subset, id: &str, confusion: &Confusion) -> (String, Vec<Json>) {
    let pixels: u64 = confusion.counts().iter().sum();
    let right: u64 = (0..confusion.classes()).map(|class| confusion.true_positives(class)).sum();
    let accuracy = (pixels > 0).then(|| right as f64 / pixels as f64);
    let row = vec![json!(subset), json!(id), json!(confusion.miou()), json!(accuracy), json!(pixels)];
    (id.to_owned(), row)
}

fn to_bytes(columns: &[&str], rows: &[Vec<Json>]) -> Vec<u8> {
    json!({ "columns": columns, "data": rows }).to_string().into_bytes()
}
