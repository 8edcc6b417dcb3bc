//! The metrics of a stage as an artifact: one JSON line per value, sorted by key and step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// What: `loss`, `val/miou`.
    pub key: String,
    /// At which optimiser step.
    pub step: u64,
    /// The value; JSON has no NaN, which is null here.
    pub value: Option<f64>,
}

/// The lines of some metrics.
pub fn to_lines(metrics: &[(String, u64, f64)]) -> Vec<u8> {
    let sorted: BTreeMap<(&str, u64), f64> =
        metrics.iter().map(|(key, step, value)| ((key.as_str(), *step), *value)).collect();
    let mut lines = Vec::new();
    for ((key, step), value) in sorted {
        let point = Point { key: key.to_owned(), step, value: value.is_finite().then_some(value) };
        serde_json::to_writer(&mut lines, &point).expect("a point is plain data");
        lines.push(b'\n');
    }
    lines
}

/// The points of some lines.
///
/// # Errors
/// The first line that is none.
pub fn from_lines(lines: &[u8]) -> Result<Vec<Point>, serde_json::Error> {
    lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(serde_json::from_slice).collect()
}

/// The points of both, those of `new` where both have one.
pub fn merge(old: Vec<Point>, new: &mut Vec<(String, u64, f64)>) {
    let known: std::collections::BTreeSet<(String, u64)> =
        new.iter().map(|(key, step, _)| (key.clone(), *step)).collect();
    for point in old {
        if !known.contains(&(point.key.clone(), point.step)) {
            new.push((point.key, point.step, point.value.unwrap_or(f64::NAN)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_sorted_and_merged() {
        let mut new =
            vec![("loss".to_owned(), 2, 0.5), ("loss".to_owned(), 1, 0.75), ("lr".to_owned(), 1, f64::NAN)];
        let old = vec![
            Point { key: "val/miou".to_owned(), step: 1, value: Some(0.25) },
            Point { key: "loss".to_owned(), step: 1, value: Some(9.0) },
        ];
        merge(old, &mut new);
        let points = from_lines(&to_lines(&new)).unwrap();
        let seen: Vec<_> = points.iter().map(|p| (p.key.as_str(), p.step, p.value)).collect();
        assert_eq!(
            seen,
            [("loss", 1, Some(0.75)), ("loss", 2, Some(0.5)), ("lr", 1, None), ("val/miou", 1, Some(0.25))]
        );
    }
}
