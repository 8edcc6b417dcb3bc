//! `select`: which pseudo labels are trained on, by image or by pixel.

use serde::Serialize;

use super::label::{Quality, quality};
use super::{Context, Left, StageError, keep};
use crate::base::progress::{Interrupted, Progress};
use crate::data::decode::{decode_mask, encode_png_mask};
use crate::data::reader::Pixels;
use crate::method::record::ImageRecord;
use crate::method::select::image::select;
use crate::method::select::pixel::{LabelRecord, learn, rule};
use crate::plan::graph::Want;
use crate::plan::work::{ImageSelecting, PixelSelecting};
use crate::spec::method::PixelSelect;
use crate::store::pack::{Pack, PackWriter};

/// Image level, input 1: the scores. Pixel level, input 1: the labels; input 2: the selection that is matched.
const SOURCE: usize = 1;
const MATCHED: usize = 2;

/// Runs image-level selection. Outputs: `selection` (JSON). Values: `kept` and `pixels`, over all unlabeled images.
pub(super) fn images(work: &ImageSelecting, context: &Context<'_>) -> Result<Left, StageError> {
    let records: Vec<ImageRecord> = if work.needs_scores() {
        context.read_json(SOURCE, "scores")?
    } else {
        let ids = work.images.list().iter().enumerate();
        ids.map(|(position, id)| unscored(id, position)).collect()
    };
    let selection = select(&records, &work.rule, work.seed.unwrap_or_default())?;
    let pixels_of = |ids: &[String]| -> Result<u64, StageError> {
        let mut pixels = 0;
        for id in ids {
            let image = context.pixels().image(id)?;
            pixels += (image.width * image.height) as u64;
        }
        Ok(pixels)
    };
    let kept = pixels_of(&selection.reliable)?;
    let all = kept + pixels_of(&selection.unreliable)?;
    let headline = format!("{} of {} images", selection.reliable.len(), records.len());
    let mut left = Left { headline, ..Left::default() };
    left.outputs.insert("selection".to_owned(), keep(context.keeps, &to_json(&selection))?);
    left.values.insert("kept".to_owned(), kept as f64);
    left.values.insert("pixels".to_owned(), all as f64);
    Ok(left)
}

/// Runs pixel-level selection. Outputs: `masks` (a pack of PNGs, 255 where a pixel was dropped) and `quality`.
/// Values: `kept` and `pixels`, over all unlabeled images.
pub(super) fn pixels(
    work: &PixelSelecting,
    context: &Context<'_>,
    progress: &mut dyn Progress,
) -> Result<Left, StageError> {
    let labels = Labels::open(work, context)?;
    let budget = match &work.rule {
        PixelSelect::Matched { .. } => kept_by(context, MATCHED)?,
        _ => 0,
    };
    let ids = work.images.list();
    let cut = learn(rule(&work.rule, budget), |observe| -> Result<(), StageError> {
        for id in ids.iter() {
            if progress.stop_requested() {
                return Err(Interrupted.into());
            }
            observe(&labels.record(id)?)?;
        }
        Ok(())
    })?;
    let colours = context.colours();
    let mut masks = PackWriter::default();
    let mut qualities: Vec<Quality> = Vec::with_capacity(ids.len());
    for (done, id) in ids.iter().enumerate() {
        if progress.stop_requested() {
            return Err(Interrupted.into());
        }
        let mask = cut.decide(&labels.record(id)?)?;
        masks.add(id, &encode_png_mask(&mask, Some(&colours)));
        qualities.push(quality(id, &mask, context.truth(id)?.as_deref(), work.classes));
        progress.advance(done as u64 + 1, ids.len() as u64, "");
    }
    let kept: u64 = qualities.iter().map(|quality| quality.kept).sum();
    let all: u64 = qualities.iter().map(|quality| quality.pixels).sum();
    let headline = format!("{:.1} % of the pixels", 100.0 * kept as f64 / all.max(1) as f64);
    let mut left = Left { headline, ..Left::default() };
    left.outputs.insert("masks".to_owned(), keep(context.keeps, &masks.finish())?);
    left.outputs.insert("quality".to_owned(), keep(context.keeps, &to_json(&qualities))?);
    left.values.insert("kept".to_owned(), kept as f64);
    left.values.insert("pixels".to_owned(), all as f64);
    Ok(left)
}

/// The labels that pixels are dropped from, read image by image.
struct Labels<'a> {
    context: &'a Context<'a>,
    masks: Pack,
    confidence: Option<Pack>,
    entropy: Option<Pack>,
    /// Whether the rule may see the truth.
    oracle: bool,
}

impl<'a> Labels<'a> {
    fn open(work: &PixelSelecting, context: &'a Context<'a>) -> Result<Self, StageError> {
        let plane = |want: Want, needed: bool| {
            needed.then(|| context.read_pack(SOURCE, &want.to_string())).transpose()
        };
        let oracle = work.rule == PixelSelect::Oracle;
        let by_entropy = matches!(work.rule, PixelSelect::Entropy { .. });
        Ok(Self {
            context,
            masks: context.read_pack(SOURCE, "masks")?,
            confidence: plane(Want::Confidence, !oracle && !by_entropy)?,
            entropy: plane(Want::Entropy, by_entropy)?,
            oracle,
        })
    }

    fn record(&self, id: &str) -> Result<LabelRecord, StageError> {
        let lacks = |what: &str| self.context.bad(SOURCE, "masks", &format!("it has no {what} of {id}"));
        let mask = decode_mask(self.masks.get(id).ok_or_else(|| lacks("label"))?, id)?;
        let plane = |pack: &Option<Pack>, what: &str| -> Result<Option<Vec<u16>>, StageError> {
            let Some(pack) = pack else { return Ok(None) };
            let bytes = pack.get(id).ok_or_else(|| lacks(what))?;
            Ok(Some(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()))
        };
        let truth = if self.oracle { self.context.truth(id)? } else { None };
        Ok(LabelRecord {
            id: id.to_owned(),
            mask,
            confidence: plane(&self.confidence, "confidence")?,
            entropy: plane(&self.entropy, "entropy")?,
            truth: truth.map(|truth| (*truth).clone()),
        })
    }
}

/// The number of pixels that an image-level selection keeps.
fn kept_by(context: &Context<'_>, input: usize) -> Result<u64, StageError> {
    let kept = context.inputs[input].values.get("kept");
    kept.map(|kept| *kept as u64).ok_or_else(|| context.bad(input, "kept", "it is missing"))
}

/// A record for a criterion that reads nothing of it but its id.
fn unscored(id: &str, position: usize) -> ImageRecord {
    ImageRecord {
        id: id.to_owned(),
        pixels: 0,
        position,
        stability: Vec::new(),
        stability_mean: 0.0,
        stability_no_background: 0.0,
        confidence: 0.0,
        entropy: 0.0,
        truth_miou: None,
    }
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("a selection is plain data")
}
