//! The forms of a report: the same findings for reading, for a paper, for a notebook, and for programs.
//!
//! | file | for |
//! |---|---|
//! | `report.html` | reading, on a screen or on paper, from one file: [`mod@html`] |
//! | `report.md` | reading as text, and diffing: [`mod@markdown`] |
//! | `figures/*.svg` | the pictures of both: [`figures`](super::figures) |
//! | `results.tex` | a paper: the main tables for LaTeX with booktabs: [`mod@latex`] |
//! | `results.csv` | a spreadsheet: a row per comparison, at full precision: [`mod@csv`] |
//! | `report.json` | programs: every number with the digests that it came from: [`mod@json`] |
//! | `ro-crate-metadata.json` | archives: what each file is, and of what it was made: [`mod@ro_crate`] |

pub mod csv;
pub mod html;
pub mod json;
pub mod latex;
pub mod markdown;
pub mod ro_crate;

use std::collections::BTreeMap;

use super::figures::figures;
use super::findings::Findings;
use html::Embedded;

pub use csv::csv;
pub use html::html;
pub use json::json;
pub use latex::latex;
pub use markdown::markdown;
pub use ro_crate::ro_crate;

/// The report as a page of its own.
pub const HTML: &str = "report.html";
/// The report as Markdown.
pub const MARKDOWN: &str = "report.md";
/// The report for programs.
pub const JSON: &str = "report.json";
/// The main tables for LaTeX.
pub const LATEX: &str = "results.tex";
/// The comparisons for a spreadsheet.
pub const CSV: &str = "results.csv";

/// The folder of pictures in a report's folder.
pub const FIGURES: &str = "figures";

/// Files by their path in a report's folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Every file of a report, by its path in the report's folder. A pure function: the same findings give the same bytes.
///
/// `beside` are files that lie there, too, such as tables: the metadata for archives list them.
pub fn files(findings: &Findings, beside: &Files) -> Files {
    let figures = figures(findings);
    let text = markdown(findings, &figures);
    let mut files = BTreeMap::new();
    let mut add = |name: &str, text: String| files.insert(name.to_owned(), text.into_bytes());
    let pictures =
        figures.iter().map(|(_, figure)| (figure.path(), Embedded::Svg(figure.picture.svg.clone())));
    add(HTML, html(&text, &findings.study.name, &pictures.collect()));
    for (_, figure) in &figures {
        add(&figure.path(), figure.picture.svg.clone());
    }
    add(JSON, json(findings));
    add(LATEX, latex(findings));
    add(CSV, csv(findings));
    add(MARKDOWN, text);
    let mut listed = files.clone();
    listed.extend(beside.iter().map(|(name, bytes)| (name.clone(), bytes.clone())));
    files.insert(ro_crate::RO_CRATE.to_owned(), ro_crate(&about(findings), &listed).into_bytes());
    files
}

fn about<'a>(findings: &Findings<'a>) -> ro_crate::About<'a> {
    let study = findings.study;
    let provenance = &study.provenance;
    ro_crate::About {
        name: &study.name,
        description: if study.question.is_empty() { &study.name } else { &study.question },
        license: None,
        published: None,
        version: provenance.code.iter().max().map_or("", |code| code.trim_start_matches("stpp ")),
        home: None,
        provenance,
    }
}
