//! Numbers that others published, to stand beside a study of the same protocol.
//!
//! They are kept in `published.json`, one entry per number, with its setting and where it was read. A number is shown
//! only where dataset, network, crop, geometry, convention and the numbers of labeled and of all training images agree
//! with the study's; the latter two tell the *original* lists of PASCAL VOC (92 to 1,464 images, all of the
//! high-quality set) from the *blended* ones (a share of 10,582). They do not tell the blended lists from others of the
//! same length, such as U2PL's *priority* lists at 662 and 1,323 images; [`NOTE`] says so to the reader.
//!
//! Nothing here was measured by this program, so that no comparison, test or claim may use it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::LazyLock;

use serde::Deserialize;

use super::grid::{Align, Grid, code};
use super::number::listed;
use super::study::{Protocol, SplitSize};

const FILE: &str = include_str!("published.json");

static PUBLISHED: LazyLock<File> =
    LazyLock::new(|| serde_json::from_str(FILE).expect("the file is part of the program, and tests read it"));

/// What a reader must know of every published number.
pub const NOTE: &str = "These numbers were not measured here: other code, unknown seeds; one split, one seed and the \
    best epoch on the validation images, unless the source says otherwise; *published (source)* stands at each. The \
    number of labeled images agrees, which images they are is not known: other lists of the same length are in use \
    (at 662 and 1,323 images of PASCAL VOC those of U2PL), and numbers on them are not comparable. Initial weights, \
    length of training and the images that the study evaluates are not compared either.";

/// A published number that a study may show.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Labels of the study's splits that have the number's sizes, in the order of their labels.
    pub splits: Vec<String>,
    /// `ST` or `ST++`.
    pub method: &'static str,
    /// mIoU on the validation images, in points, with one decimal.
    pub miou: f64,
    /// How the labeled images were chosen.
    pub lists: Lists,
    /// Where the number was read, with its version.
    pub source: &'static str,
    /// What else is known of it.
    pub remark: Option<&'static str>,
}

/// Families of lists of labeled images; numbers across them are not comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lists {
    /// PASCAL VOC, from the 1,464 images of the original training set.
    Original,
    /// PASCAL VOC, from all 10,582 images of the augmented training set.
    Blended,
    /// Cityscapes, as the official code of ST++ has them.
    Official,
}

impl fmt::Display for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Original => "original",
            Self::Blended => "blended",
            Self::Official => "official",
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// How mIoU was computed, as [`Protocol::convention`] has it.
    convention: String,
    /// Where the settings are from.
    settings: String,
    numbers: Vec<Entry>,
}

/// A number and its setting.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    method: String,
    miou: f64,
    dataset: String,
    lists: Lists,
    labeled: u64,
    /// Labeled and unlabeled images together.
    training: u64,
    backbone: String,
    head: String,
    output_stride: u64,
    crop: u64,
    geometry: String,
    source: String,
    remark: Option<String>,
}

impl Entry {
    /// The network as [`Protocol::network`] has it.
    fn network(&self) -> String {
        format!("{} {}, output stride {}", self.backbone, self.head, self.output_stride)
    }

    fn has_setting_of(&self, protocol: &Protocol) -> bool {
        self.dataset == protocol.dataset
            && self.network() == protocol.network
            && self.crop == protocol.crop
            && self.geometry == protocol.geometry
    }

    fn has_size(&self, size: SplitSize) -> bool {
        size.labeled == self.labeled && size.labeled.checked_add(size.unlabeled) == Some(self.training)
    }
}

/// The published numbers of a study's protocol: by labeled images, and ST before ST++; none where nothing fits.
///
/// They are of validation images: a study that evaluates others must not show them.
pub fn published(protocol: &Protocol) -> Vec<Row> {
    if protocol.convention != PUBLISHED.convention {
        return Vec::new();
    }
    let mut fitting: Vec<&Entry> =
        PUBLISHED.numbers.iter().filter(|entry| entry.has_setting_of(protocol)).collect();
    fitting.sort_by_key(|entry| (entry.labeled, &entry.method));
    let row = |entry: &'static Entry| {
        let sized = protocol.splits.iter().filter(|(_, size)| entry.has_size(**size));
        let splits: Vec<String> = sized.map(|(label, _)| label.clone()).collect();
        (!splits.is_empty()).then(|| Row {
            splits,
            method: &entry.method,
            miou: entry.miou,
            lists: entry.lists,
            source: &entry.source,
            remark: entry.remark.as_deref(),
        })
    };
    fitting.into_iter().filter_map(row).collect()
}

/// Where output stride, crop, geometry and convention of the published numbers are from.
pub fn settings() -> &'static str {
    &PUBLISHED.settings
}

/// The numbers as a table; [`NOTE`] belongs below it.
pub fn grid(rows: &[Row]) -> Grid {
    let remarked = rows.iter().any(|row| row.remark.is_some());
    let mut header = vec![
        ("split", Align::Left),
        ("method", Align::Left),
        ("val mIoU", Align::Right),
        ("lists", Align::Left),
        ("from", Align::Left),
    ];
    header.extend(remarked.then_some(("remark", Align::Left)));
    let mut grid = Grid::new(header);
    for row in rows {
        let splits: Vec<String> = row.splits.iter().map(code).collect();
        let mut cells = vec![
            listed(&splits),
            row.method.to_owned(),
            format!("{:.1}", row.miou),
            row.lists.to_string(),
            format!("*published ({})*", row.source),
        ];
        cells.extend(remarked.then(|| row.remark.unwrap_or_default().to_owned()));
        grid.row(cells);
    }
    grid
}
