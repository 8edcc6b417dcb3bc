//! A study from its tables alone: what [`super::rows`] wrote, read back.
//!
//! So a report can be rendered again wherever its tables are, without the store: next to a paper, in an archive, in a
//! repository that holds no weights.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use super::query::Facts;
use super::rows::{FORMAT, FORMAT_FACT, MetricRow};
use super::study::{
    Design, Evaluation, ImageCells, ImageFact, LabelFacts, Look, RunFacts, SelectionFacts, StageFact, Study,
    Subset,
};
use crate::base::digest::Digest;
use crate::metric::Confusion;
use crate::metric::calibration::{BINS, Bin, Calibration};
use crate::metric::confusion::{Cell, MAX_CLASSES};
use crate::track::frame::{self, FrameError};
use crate::track::schema;
use crate::track::table::{Schema, Table, Value};

/// Tables from which no study can be read.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A file.
    #[error(transparent)]
    Table(#[from] FrameError),
    /// A row.
    #[error("read the table `{table}`: {what}")]
    Row {
        /// The table's name.
        table: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// Reads the tables of a folder.
///
/// # Errors
/// [`RestoreError`], naming the file or the table.
pub fn facts(folder: &Path) -> Result<Facts, RestoreError> {
    let rows = |schema| Rows::read(folder, schema);
    let design = design(&rows(&schema::STUDY)?)?;
    let classes = design.classes.len();
    let stages = stages(&rows(&schema::RUN_STAGES)?)?;
    let looks = looks(&rows(&schema::LOOKS)?)?;
    let selections = selections(&rows(&schema::IMAGES)?)?;
    let calibrations = calibrations(&rows(&schema::CALIBRATION)?)?;
    let confusion = rows(&schema::PSEUDO_CONFUSION)?;
    let labels = labels(&rows(&schema::PSEUDO_LABELS)?, &confusion, &calibrations, classes)?;
    let evaluations = evaluations(&rows(&schema::EVALUATED)?, &rows(&schema::CONFUSION)?, classes)?;
    let table = rows(&schema::RUNS)?;
    let mut runs = Vec::new();
    for row in table.rows() {
        let run_id: Digest = row.parse("run_id")?;
        let evaluated = |subset: Subset, column: &str| -> Result<_, RestoreError> {
            let Some(stage) = row.optional(column) else { return Ok(None) };
            let stage = row.digest(stage)?;
            let facts = evaluations.get(&(stage, subset)).cloned();
            Ok(Some((subset, facts.unwrap_or_else(|| Arc::new(Evaluation::new(stage, Vec::new()))))))
        };
        let selection = match row.optional("select_stage") {
            None => None,
            Some(stage) => {
                let stage = row.digest(stage)?;
                let empty = || Arc::new(SelectionFacts { stage, images: Vec::new() });
                Some(selections.get(&stage).cloned().unwrap_or_else(empty))
            }
        };
        runs.push(RunFacts {
            arm: row.text("arm")?,
            seed: row.count("seed")?,
            split: row.text("split")?,
            run_id,
            experiment_id: row.parse("experiment_id")?,
            spec_id: row.parse("spec_id")?,
            complete: row.flag("complete")?,
            stages: stages.get(&run_id).cloned().unwrap_or_default(),
            evaluations: [evaluated(Subset::Test, "test_stage")?, evaluated(Subset::Val, "val_stage")?]
                .into_iter()
                .flatten()
                .collect(),
            looks: looks.get(&run_id).cloned().unwrap_or_default(),
            selection,
            labels: labels.get(&run_id).cloned().unwrap_or_default(),
        });
    }
    let metrics = rows(&schema::METRICS)?.rows().map(|row| metric(&row)).collect::<Result<_, _>>()?;
    Ok(Facts { study: Study { design, runs }, metrics })
}

fn design(rows: &Rows) -> Result<Design, RestoreError> {
    let mut facts = serde_json::Map::new();
    for row in rows.rows() {
        if row.str("fact")? == FORMAT_FACT {
            let format = row.text("value")?;
            if format != FORMAT.to_string() {
                return Err(rows.error(format!("its format is {format}, and this program reads {FORMAT}")));
            }
            continue;
        }
        let value = serde_json::from_str(&row.text("value")?).map_err(|error| rows.error(error))?;
        facts.insert(row.text("fact")?, value);
    }
    let design: Design = serde_json::from_value(facts.into()).map_err(|error| rows.error(error))?;
    if !(1..=MAX_CLASSES).contains(&design.classes.len()) {
        return Err(rows.error(format!("it has {} classes", design.classes.len())));
    }
    let arms = || design.arms.iter().map(|arm| &arm.name);
    let regime = design.regime.iter().flat_map(|regime| [&regime.short, &regime.long, &regime.ceiling]);
    let claims = design.claims.iter().flat_map(|claim| [&claim.better, &claim.than]);
    let unknown = regime.chain(claims).chain([&design.baseline]).find(|name| !arms().any(|arm| arm == *name));
    if let Some(name) = unknown {
        return Err(rows.error(format!("it names the arm `{name}`, which is none of its arms")));
    }
    Ok(design)
}

fn stages(rows: &Rows) -> Result<BTreeMap<Digest, Vec<StageFact>>, RestoreError> {
    let mut found: BTreeMap<Digest, Vec<StageFact>> = BTreeMap::new();
    for row in rows.rows() {
        let inputs = row.str("inputs")?.split_whitespace().map(|key| row.digest(key));
        let fact = StageFact {
            kind: row.text("kind")?,
            role: row.text("role")?,
            key: row.parse("stage")?,
            inputs: inputs.collect::<Result<_, _>>()?,
        };
        found.entry(row.parse("run_id")?).or_default().push(fact);
    }
    Ok(found)
}

fn looks(rows: &Rows) -> Result<BTreeMap<Digest, Vec<Look>>, RestoreError> {
    let mut found: BTreeMap<Digest, Vec<Look>> = BTreeMap::new();
    for row in rows.rows() {
        let look = Look { step: row.count("step")?, miou: row.real("miou")? };
        found.entry(row.parse("run_id")?).or_default().push(look);
    }
    Ok(found)
}

fn metric(row: &Row) -> Result<MetricRow, RestoreError> {
    Ok(MetricRow {
        stage: row.parse("stage")?,
        key: row.text("key")?,
        step: row.count("step")?,
        value: row.real("value")?,
    })
}

fn selections(rows: &Rows) -> Result<BTreeMap<Digest, Arc<SelectionFacts>>, RestoreError> {
    let mut found: BTreeMap<Digest, Vec<ImageFact>> = BTreeMap::new();
    for row in rows.rows() {
        found.entry(row.parse("stage")?).or_default().push(ImageFact {
            id: row.text("image")?,
            score: row.optional_real("score"),
            selected: match row.value("selected") {
                Value::Flag(flag) => Some(*flag),
                _ => None,
            },
            kept_pixels: row.count("kept_pixels")?,
            pixels: row.count("pixels")?,
            truth_miou: row.optional_real("true_miou"),
        });
    }
    let facts = |(stage, images)| (stage, Arc::new(SelectionFacts { stage, images }));
    Ok(found.into_iter().map(facts).collect())
}

fn labels(
    rows: &Rows,
    confusion: &Rows,
    calibrations: &BTreeMap<(Digest, u64), Calibration>,
    classes: usize,
) -> Result<BTreeMap<Digest, Vec<LabelFacts>>, RestoreError> {
    let mut cells: BTreeMap<(Digest, u64), Confusion> = BTreeMap::new();
    for row in confusion.rows() {
        let key = (row.parse("run_id")?, row.count("position")?);
        let total = cells.entry(key).or_insert_with(|| Confusion::new(classes));
        let (truth, prediction) = (row.class("truth", classes)?, row.class("prediction", classes)?);
        total.add_pixels(usize::from(truth), usize::from(prediction), row.count("pixels")?);
    }
    let mut found: BTreeMap<Digest, Vec<LabelFacts>> = BTreeMap::new();
    for row in rows.rows() {
        let run: Digest = row.parse("run_id")?;
        let known = row.flag("truth")?;
        let place = (run, row.count("position")?);
        let total = cells.remove(&place);
        found.entry(run).or_default().push(LabelFacts {
            role: row.text("role")?,
            pixels: row.count("pixels")?,
            kept_pixels: row.count("kept_pixels")?,
            confusion: known.then(|| total.unwrap_or_else(|| Confusion::new(classes))),
            calibration: calibrations.get(&place).cloned(),
        });
    }
    Ok(found)
}

fn calibrations(rows: &Rows) -> Result<BTreeMap<(Digest, u64), Calibration>, RestoreError> {
    let mut found: BTreeMap<(Digest, u64), [Bin; BINS]> = BTreeMap::new();
    for row in rows.rows() {
        let bins = found.entry((row.parse("run_id")?, row.count("position")?)).or_default();
        let bin = usize::try_from(row.count("bin")?).ok().and_then(|bin| bins.get_mut(bin));
        let bin = bin.ok_or_else(|| row.error("bin"))?;
        *bin = Bin {
            pixels: row.count("pixels")?,
            right: row.count("right")?,
            confidence: row.count("confidence")?,
        };
    }
    Ok(found.into_iter().map(|(place, bins)| (place, Calibration::of_bins(bins))).collect())
}

type Evaluations = BTreeMap<(Digest, Subset), Arc<Evaluation>>;

/// Images come from one table, so that one without a pixel that counts is there, too, and their cells from another.
fn evaluations(images: &Rows, confusion: &Rows, classes: usize) -> Result<Evaluations, RestoreError> {
    let mut cells: BTreeMap<(&str, &str, &str), Vec<Cell>> = BTreeMap::new();
    for row in confusion.rows() {
        let pixels = row.count("pixels")?;
        let pixels = u32::try_from(pixels).map_err(|_| confusion.error("an image of 2^32 pixels or more"))?;
        let cell = Cell {
            truth: row.class("truth", classes)?,
            prediction: row.class("prediction", classes)?,
            pixels,
        };
        cells.entry((row.str("stage")?, row.str("subset")?, row.str("image")?)).or_default().push(cell);
    }
    let mut found: BTreeMap<(Digest, Subset), Vec<ImageCells>> = BTreeMap::new();
    for row in images.rows() {
        let (stage, subset, id) = (row.str("stage")?, row.str("subset")?, row.str("image")?);
        let key = (row.digest(stage)?, row.subset(subset)?);
        let cells = cells.remove(&(stage, subset, id)).unwrap_or_default().into_boxed_slice();
        found.entry(key).or_default().push(ImageCells { id: id.into(), cells });
    }
    let facts = |((stage, subset), images)| ((stage, subset), Arc::new(Evaluation::new(stage, images)));
    Ok(found.into_iter().map(facts).collect())
}

/// A table, to be read by the names of its columns.
struct Rows(Table);

impl Rows {
    fn read(folder: &Path, schema: &'static Schema) -> Result<Self, RestoreError> {
        Ok(Self(frame::read(folder, schema)?))
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.0.rows().iter().map(|values| Row { table: &self.0, values })
    }

    fn error(&self, what: impl ToString) -> RestoreError {
        RestoreError::Row { table: self.0.schema().name, what: what.to_string() }
    }
}

#[derive(Clone, Copy)]
struct Row<'a> {
    table: &'a Table,
    values: &'a [Value],
}

impl<'a> Row<'a> {
    fn value(&self, column: &str) -> &'a Value {
        &self.values[self.table.column(column)]
    }

    fn error(&self, column: &str) -> RestoreError {
        let what = format!("its column `{column}` holds {}", self.value(column));
        RestoreError::Row { table: self.table.schema().name, what }
    }

    fn optional(&self, column: &str) -> Option<&'a str> {
        match self.value(column) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn str(&self, column: &str) -> Result<&'a str, RestoreError> {
        self.optional(column).ok_or_else(|| self.error(column))
    }

    fn text(&self, column: &str) -> Result<String, RestoreError> {
        self.str(column).map(str::to_owned)
    }

    fn parse<T: FromStr>(&self, column: &str) -> Result<T, RestoreError> {
        self.str(column)?.parse().map_err(|_| self.error(column))
    }

    fn digest(&self, text: &str) -> Result<Digest, RestoreError> {
        let what = || RestoreError::Row {
            table: self.table.schema().name,
            what: format!("`{text}` is no key of a stage"),
        };
        text.parse().map_err(|_| what())
    }

    fn subset(&self, text: &str) -> Result<Subset, RestoreError> {
        match text {
            "test" => Ok(Subset::Test),
            "val" => Ok(Subset::Val),
            _ => Err(self.error("subset")),
        }
    }

    fn count(&self, column: &str) -> Result<u64, RestoreError> {
        match self.value(column) {
            Value::Integer(value) => u64::try_from(*value).map_err(|_| self.error(column)),
            _ => Err(self.error(column)),
        }
    }

    fn class(&self, column: &str, classes: usize) -> Result<u8, RestoreError> {
        let class = u8::try_from(self.count(column)?).map_err(|_| self.error(column))?;
        if usize::from(class) < classes { Ok(class) } else { Err(self.error(column)) }
    }

    fn flag(&self, column: &str) -> Result<bool, RestoreError> {
        match self.value(column) {
            Value::Flag(flag) => Ok(*flag),
            _ => Err(self.error(column)),
        }
    }

    fn real(&self, column: &str) -> Result<f64, RestoreError> {
        self.optional_real(column).ok_or_else(|| self.error(column))
    }

    fn optional_real(&self, column: &str) -> Option<f64> {
        match self.value(column) {
            Value::Real(value) => Some(*value),
            _ => None,
        }
    }
}
