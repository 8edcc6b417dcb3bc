//! From what a network says to what the method may know.

use crate::method::record::PixelStatistics;
use crate::train::predict::Strip;

/// The statistics of some rows.
pub(super) fn of(strip: Strip) -> PixelStatistics {
    PixelStatistics::of(&strip.probabilities, strip.classes, strip.rows.len(), strip.width)
}
