//! What a measured value is on a server: the same whoever sends it, and whenever.

use std::collections::BTreeMap;

use super::cursor::Cursor;
use super::view::Sample;
use super::view::series::Unsent;
use super::wire::{Key, Metric, MetricValue, Millis, Step, Tag, TagValue};
use crate::base::canon;
use crate::base::digest::Digest;
use crate::stage::metrics::Point;

/// What metrics are called on a server. The last name is remembered: points come metric by metric.
#[derive(Debug, Default)]
pub struct Names {
    last: Option<(String, bool, Key)>,
}

impl Names {
    /// The name of a point's metric. A value that is no number is counted under another name.
    pub fn of(&mut self, prefix: &str, point: &Point) -> Key {
        let is_number = point.value.is_some();
        if let Some((key, known, name)) = &self.last
            && (key, *known) == (&point.key, is_number)
        {
            return name.clone();
        }
        let name = if is_number {
            Key::of(&format!("{prefix}/{}", point.key))
        } else {
            Key::of(&format!("{NOT_FINITE}{prefix}/{}", point.key))
        };
        self.last = Some((point.key.clone(), is_number, name.clone()));
        name
    }
}

/// What a point is on the server, in a run that began at `start`. Its time is the start and a millisecond per step: the
/// same whoever sends it, and whenever, so that a server that has it already keeps it once.
pub fn metric(key: Key, point: &Point, start: Millis) -> Metric {
    let step = Step::of(point.step);
    Metric { key, value: MetricValue(point.value.unwrap_or(1.0)), timestamp: start.after(step.0), step }
}

/// What a result of a whole run is on the server.
pub fn result(key: &Key, value: f64, start: Millis) -> Metric {
    Metric { key: key.clone(), value: MetricValue(value), timestamp: start, step: Step(0) }
}

pub fn sample(sample: &Sample) -> Metric {
    Metric {
        key: sample.key.clone(),
        value: MetricValue(sample.value),
        timestamp: Millis::of(sample.at),
        step: Step::of(sample.step),
    }
}

/// What tells one result from another.
pub fn of_value(value: f64) -> Digest {
    Digest::of(&value.to_bits().to_le_bytes())
}

/// The samples of each metric, in order.
pub fn by_key(samples: &[Sample]) -> BTreeMap<&Key, Vec<&Sample>> {
    let mut sorted: BTreeMap<&Key, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        sorted.entry(&sample.key).or_default().push(sample);
    }
    sorted
}

/// What tells one list of samples from another.
pub fn of_samples(samples: &[&Sample]) -> Digest {
    let said: Vec<_> =
        samples.iter().map(|sample| (sample.step, sample.at, sample.value.to_bits().to_string())).collect();
    canon::digest("stpp samples v1", &said)
}

/// How the names of metrics begin that count values which are no numbers.
pub const NOT_FINITE: &str = "stpp/nonfinite/";

/// How the names of tags begin that say where a metric was first no number.
pub const NONFINITE: &str = "stpp.nonfinite.";

/// The tag that says where a metric was first no number; none where that was said.
pub(super) fn nonfinite(prefix: &str, unsent: &Unsent, cursor: &Cursor) -> Option<Tag> {
    let key = Key::of(&format!("{NONFINITE}{prefix}/{}", unsent.point.key));
    if unsent.point.value.is_some() || cursor.tags.contains_key(key.as_str()) {
        return None;
    }
    Some(Tag { key, value: TagValue::cut(unsent.point.step.to_string(), "…") })
}
