//! A row per comparison, at full precision, for a spreadsheet or `read.csv`.

use crate::report::compare::Comparison;
use crate::report::contrast::Contrast;
use crate::report::findings::{Findings, references};
use crate::report::sections::holm;

const HEADER: [&str; 20] = [
    "table",
    "arm",
    "against",
    "oracle",
    "difference",
    "procedure_low",
    "procedure_high",
    "level",
    "models_low",
    "models_high",
    "replicates",
    "unit",
    "units",
    "pairs",
    "planned_pairs",
    "p",
    "p_holm",
    "p_above",
    "shared_teachers",
    "reading",
];

/// Every comparison of a report. Differences are fractions: 0.01 is one point of mIoU.
pub fn csv(findings: &Findings) -> String {
    let study = findings.study;
    let mut text = HEADER.join(",") + "\n";
    for against in references(study) {
        let arms: Vec<_> = study.arms.iter().filter(|arm| arm.name != against).collect();
        let compared: Vec<&Comparison> =
            arms.iter().map(|arm| findings.compared.of(&arm.name, against)).collect();
        for ((comparison, arm), holm) in compared.iter().zip(&arms).zip(holm(&arms, &compared)) {
            text += &row("differences", comparison, arm.oracle, holm);
        }
    }
    for contrasted in &findings.contrasts {
        let table = match contrasted.contrast {
            Contrast::Levels => "image against pixel level",
            Contrast::Chance => "criterion against chance",
        };
        text += &row(table, &contrasted.comparison, false, None);
    }
    text
}

fn row(table: &str, comparison: &Comparison, oracle: bool, holm: Option<f64>) -> String {
    let procedure = comparison.procedure.as_ref();
    let interval = comparison.interval();
    let models = comparison.models;
    let real = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let cells = [
        field(table),
        field(comparison.arm),
        field(comparison.against),
        oracle.to_string(),
        real(comparison.mean()),
        real(interval.map(|found| found.low)),
        real(interval.map(|found| found.high)),
        real(interval.map(|found| found.level)),
        real(models.map(|found| found.interval.low)),
        real(models.map(|found| found.interval.high)),
        models.map_or_else(String::new, |found| found.replicates.to_string()),
        procedure.map_or_else(String::new, |found| found.unit.word(1).to_owned()),
        comparison.units().to_string(),
        comparison.pairs.to_string(),
        comparison.planned.to_string(),
        real(comparison.p()),
        real(holm),
        real(comparison.superiority.map(|found| found.share)),
        comparison.shared_teachers.to_string(),
        comparison.reading().key().to_owned(),
    ];
    cells.join(",") + "\n"
}

/// A text that cannot break its row (RFC 4180).
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
