//! What was measured, as a table and as numbers.

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use serde::Serialize;

use crate::case::Target;
use crate::talk::{Memory, Turn};

/// One case.
#[derive(Serialize)]
pub struct Row {
    /// As it is asked for.
    pub name: &'static str,
    /// What is asked of it.
    pub target: Target,
    /// What came of it.
    pub measured: Measured,
}

/// What came of a case. Of two, the first is ours and the second PyTorch's.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Measured {
    /// Nothing.
    Skipped {
        /// Why.
        reason: String,
    },
    /// Turns, side by side.
    Pairs {
        /// Of either side.
        threads: usize,
        /// In one turn.
        repetitions: u32,
        /// Of what.
        versions: [String; 2],
        /// In the order they were taken.
        pairs: Vec<Pair>,
        /// Of the workers.
        memory: [Memory; 2],
    },
}

/// Two turns, one after the other.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Pair {
    /// stpp.
    pub ours: Turn,
    /// PyTorch.
    pub theirs: Turn,
}

impl Pair {
    /// Our time over theirs.
    pub fn ratio(&self) -> f64 {
        self.ours.seconds / self.theirs.seconds
    }

    fn cpu_ratio(&self) -> f64 {
        self.ours.cpu_seconds / self.theirs.cpu_seconds
    }

    fn others(&self) -> f64 {
        self.ours.others.max(self.theirs.others)
    }
}

/// The rows as a Markdown table, under a line that says what was compared.
pub fn markdown(rows: &[Row], threads: usize) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "case",
        "ours, ms",
        "PyTorch, ms",
        "time ratio",
        "from–to",
        "CPU ratio",
        "others",
        "asked",
        "",
        "peak MB, ours",
        "PyTorch",
        "ratio",
        "of the work",
        "asked",
        "",
    ]);
    for row in rows {
        table.add_row(cells(row));
    }
    let versions = rows.iter().find_map(|row| match &row.measured {
        Measured::Pairs { versions, .. } => Some(versions.join(" against ")),
        Measured::Skipped { .. } => None,
    });
    let (versions, cpu) = (versions.unwrap_or_default(), processor());
    format!(
        "{versions}, {threads} threads, {cpu}; ratios are ours over PyTorch's, medians of the pairs\n\n{table}"
    )
}

fn cells(row: &Row) -> Vec<String> {
    let (pairs, [ours, theirs]) = match &row.measured {
        Measured::Skipped { reason } => return vec![row.name.to_owned(), format!("skipped: {reason}")],
        Measured::Pairs { pairs, memory, .. } => (pairs, memory),
    };
    let of = |value: fn(&Pair) -> f64| median(pairs.iter().map(value).collect());
    let ratios: Vec<f64> = pairs.iter().map(Pair::ratio).collect();
    let (low, high) =
        (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
    let ratio = median(ratios);
    let memory = ours.peak as f64 / theirs.peak as f64;
    let megabytes = |memory: &Memory| format!("{:.0}", memory.peak as f64 / f64::from(1 << 20));
    vec![
        row.name.to_owned(),
        format!("{:.1}", of(|pair| pair.ours.seconds) * 1e3),
        format!("{:.1}", of(|pair| pair.theirs.seconds) * 1e3),
        format!("{ratio:.2}"),
        format!("{low:.2}–{high:.2}"),
        format!("{:.2}", of(Pair::cpu_ratio)),
        format!("{:.0} %", of(Pair::others) * 100.0),
        row.target.time.map_or_else(|| "–".to_owned(), |most| format!("≤ {most:.2}")),
        row.target.time.map_or("", |most| verdict(ratio, most)).to_owned(),
        megabytes(ours),
        megabytes(theirs),
        format!("{memory:.2}"),
        format!("{:.2}", ours.of_work() / theirs.of_work()),
        format!("≤ {:.2}", row.target.memory),
        verdict(memory, row.target.memory).to_owned(),
    ]
}

fn verdict(ratio: f64, most: f64) -> &'static str {
    if ratio <= most { "pass" } else { "short" }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

/// What the system calls the processor.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "a processor without a name".to_owned(), |(_, name)| name.to_owned())
}
