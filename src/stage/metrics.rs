//! The metrics of a stage as an artifact: one JSON line per value, sorted by key and step.

use std::collections::{BTreeMap, BTreeSet};

pub use crate::store::journal::Point;

/// The lines of some points.
pub fn to_lines(points: &[Point]) -> Vec<u8> {
    let sorted: BTreeMap<(&str, u64), &Point> =
        points.iter().map(|point| ((point.key.as_str(), point.step), point)).collect();
    let mut lines = Vec::new();
    for point in sorted.into_values() {
        serde_json::to_writer(&mut lines, point).expect("a point is plain data");
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
pub fn merge(old: Vec<Point>, new: &mut Vec<Point>) {
    let known: BTreeSet<(String, u64)> = new.iter().map(|point| (point.key.clone(), point.step)).collect();
    new.extend(old.into_iter().filter(|point| !known.contains(&(point.key.clone(), point.step))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_sorted_and_merged() {
        let point = |key: &str, step, value| Point { key: key.to_owned(), step, value };
        let mut new = vec![point("loss", 2, Some(0.5)), point("loss", 1, Some(0.75)), point("lr", 1, None)];
        let old = vec![point("val/miou", 1, Some(0.25)), point("loss", 1, Some(9.0))];
        merge(old, &mut new);
        let points = from_lines(&to_lines(&new)).unwrap();
        let seen: Vec<_> = points.iter().map(|p| (p.key.as_str(), p.step, p.value)).collect();
        assert_eq!(
            seen,
            [("loss", 1, Some(0.75)), ("loss", 2, Some(0.5)), ("lr", 1, None), ("val/miou", 1, Some(0.25))]
        );
    }
}
