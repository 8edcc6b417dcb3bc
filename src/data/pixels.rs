//! Looks at every pixel of a dataset once: what is damaged, and how often each class occurs.

use rayon::prelude::*;

use crate::base::progress::Progress;

use super::dataset::Dataset;
use super::image::Mask;
use super::problem::Problem;

/// Images looked at between two signs of progress.
const AT_ONCE: usize = 64;

/// What the pixels of a dataset are.
#[derive(Debug)]
pub(super) struct Scan {
    /// For every entry of the manifest: pixels per class id 0 to 255, where it has a sound mask.
    pub histograms: Vec<Option<Box<[u64; 256]>>>,
    /// In the order of the manifest.
    pub problems: Vec<Problem>,
}

/// Decodes every image and mask.
pub(super) fn scan(dataset: &Dataset, progress: &mut dyn Progress) -> Scan {
    let entries = &dataset.manifest.entries;
    let mut scan = Scan { histograms: Vec::with_capacity(entries.len()), problems: Vec::new() };
    for some in entries.chunks(AT_ONCE) {
        let (done, total) = (scan.histograms.len(), entries.len());
        progress.advance(done as u64, total as u64, "");
        if progress.stop_requested() {
            scan.problems.push(Problem::Interrupted { done, total });
            return scan;
        }
        let read: Vec<_> =
            some.par_iter().map(|entry| dataset.read(entry).map(|(_, mask)| mask.map(count))).collect();
        for result in read {
            match result {
                Ok(histogram) => scan.histograms.push(histogram),
                Err(problems) => {
                    scan.histograms.push(None);
                    scan.problems.extend(problems);
                }
            }
        }
    }
    progress.advance(entries.len() as u64, entries.len() as u64, "");
    scan
}

fn count(mask: Mask) -> Box<[u64; 256]> {
    let mut histogram = Box::new([0; 256]);
    mask.data.iter().for_each(|class| histogram[usize::from(*class)] += 1);
    histogram
}
