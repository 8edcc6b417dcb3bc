//! `score`: one single-scale pass of the teacher's checkpoints over the unlabeled images.

use super::{Context, Desk, Left, StageError, keep, model, statistics};
use crate::data::reader::Pixels;
use crate::method::record::{ImageRecord, PixelStatistics};
use crate::plan::work::Scoring;
use crate::train::evaluate::{InferenceError, Portable, for_each_image};
use crate::train::predict::{Looking, Prediction};

/// Input 1: the teacher.
const TEACHER: usize = 1;

/// Runs the stage. Outputs: `scores` (JSON, [`ImageRecord`]s in the order of the list).
pub(super) fn run(work: &Scoring, context: &Context<'_>, desk: &mut dyn Desk) -> Result<Left, StageError> {
    let networks = work
        .checkpoints
        .iter()
        .map(|&step| model::load(context, TEACHER, step))
        .collect::<Result<Vec<_>, _>>()?;
    let pixels = context.pixels();
    let classes = work.classes;
    let ids = work.images.list();
    let mut kept = desk.images(context.identity())?;
    let records = for_each_image(ids, &**pixels, desk, &mut *kept, |id| {
        let image = pixels.image(id)?;
        let truth = pixels.truth(id)?;
        let mut masks = Vec::with_capacity(networks.len());
        let mut last = None;
        for network in &networks {
            let prediction = Prediction::of(network, &image, Looking::Whole, context.device)
                .map_err(|source| InferenceError::Compute { image: id.to_owned(), source })?;
            let statistics = PixelStatistics::join(prediction.strips(statistics::of));
            masks.push(statistics.mask.clone());
            last = Some(statistics);
        }
        let last = last.expect("the reader refuses fewer than two checkpoints");
        ImageRecord::new(id, 0, &masks, &last, classes, truth.as_deref())
            .map_err(|error| InferenceError::from(crate::data::reader::PixelError::new(id, error)))
    })?;
    let records: Vec<ImageRecord> = records
        .into_iter()
        .enumerate()
        .map(|(position, record)| ImageRecord { position, ..record })
        .collect();
    let mut left = Left::default();
    let bytes = serde_json::to_vec(&records).expect("a record is plain data");
    left.outputs.insert("scores".to_owned(), keep(context.keeps, &bytes)?);
    left.headline = format!("{} images", records.len());
    Ok(left)
}

impl Portable for ImageRecord {
    fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record is plain data")
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
