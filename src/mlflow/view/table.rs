//! Tables as the page of a run shows them: columns and rows as JSON (`orient="split"`).

use serde_json::{Value as Json, json};

use crate::metric::Confusion;
use crate::report::study::{ImageCells, RunFacts, Subset};
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
pub fn images(run: &RunFacts, classes: usize) -> Vec<u8> {
    let mut rows = Vec::new();
    for (subset, evaluation) in &run.evaluations {
        rows.extend(evaluation.images().iter().map(|image| row(*subset, image, classes)));
    }
    to_bytes(&["subset", "image", "miou", "accuracy", "pixels"], &rows)
}

fn row(subset: Subset, image: &ImageCells, classes: usize) -> Vec<Json> {
    let mut confusion = Confusion::new(classes);
    confusion.add_cells(&image.cells);
    let pixels = confusion.total();
    let right: u64 = (0..confusion.classes()).map(|class| confusion.true_positives(class)).sum();
    let accuracy = (pixels > 0).then(|| right as f64 / pixels as f64);
    vec![json!(subset), json!(*image.id), json!(confusion.miou()), json!(accuracy), json!(pixels)]
}

fn to_bytes(columns: &[&str], rows: &[Vec<Json>]) -> Vec<u8> {
    json!({ "columns": columns, "data": rows }).to_string().into_bytes()
}
