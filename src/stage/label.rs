//! `label`: a pseudo label for some of the unlabeled images, shared between all who ask for the same one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Context, Desk, Left, StageError, keep, model, read_output, statistics};
use crate::base::canon;
use crate::base::digest::Digest;
use crate::data::decode::{decode_mask, encode_png_mask};
use crate::data::image::Mask;
use crate::data::reader::Pixels;
use crate::method::record::PixelStatistics;
use crate::method::select::image::Selection;
use crate::method::select::pixel::LabelRecord;
use crate::metric::calibration::Calibration;
use crate::metric::confusion::Confusion;
use crate::plan::graph::Want;
use crate::plan::work::{Labelling, Part};
use crate::plan::{Kind, StageKey};
use crate::store::labels::LabelIndex;
use crate::store::pack::{Pack, PackWriter};
use crate::store::{Record, Store, StoreError};
use crate::train::evaluate::{InferenceError, Portable, for_each_image};
use crate::train::predict::{Looking, Prediction};

/// Input 1: the model. Input 2: the image selection, where only a part is labelled.
const MODEL: usize = 1;
const SELECTION: usize = 2;

/// How good a pseudo label is: diagnostics, where the true mask is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The image.
    pub id: String,
    /// Its pixels.
    pub pixels: u64,
    /// Pixels that carry a label.
    pub kept: u64,
    /// Truth against label, over the pixels that carry one.
    pub confusion: Option<Confusion>,
    /// Confidence against accuracy, where labels come with their confidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// What is written of one image.
struct Label {
    mask: Vec<u8>,
    confidence: Option<Vec<u8>>,
    entropy: Option<Vec<u8>>,
    quality: Quality,
}

impl Portable for Label {
    fn to_bytes(&self) -> Vec<u8> {
        let mut pack = PackWriter::default();
        pack.add("mask", &self.mask);
        pack.add("quality", &serde_json::to_vec(&self.quality).expect("a quality is plain data"));
        for (name, plane) in [("confidence", &self.confidence), ("entropy", &self.entropy)] {
            if let Some(plane) = plane {
                pack.add(name, plane);
            }
        }
        pack.finish()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let pack = Pack::read(bytes.to_vec()).ok()?;
        let plane = |name: &str| pack.get(name).map(<[u8]>::to_vec);
        Some(Self {
            mask: plane("mask")?,
            confidence: plane("confidence"),
            entropy: plane("entropy"),
            quality: serde_json::from_slice(pack.get("quality")?).ok()?,
        })
    }
}

/// Labels that another stage wrote with the same model and augmentation.
struct Known {
    masks: Pack,
    confidence: Option<Pack>,
    entropy: Option<Pack>,
    quality: BTreeMap<String, Quality>,
}

/// Runs the stage. Outputs: `masks` (a pack of PNGs by image id), `quality` (JSON), and where someone wants them
/// `confidence` and `entropy` (packs of u16, little-endian).
pub(super) fn run(work: &Labelling, context: &Context<'_>, desk: &mut dyn Desk) -> Result<Left, StageError> {
    let record = context.inputs[MODEL];
    let step = model::step_of(record, &work.model)?;
    let network = model::load(context, MODEL, step)?;
    let ids = part(work, context)?;
    let want_confidence = context.wants.contains(&Want::Confidence);
    let want_entropy = context.wants.contains(&Want::Entropy);
    let weights = record.output(&Want::Model(step).to_string());
    let labeller = labeller(context.inputs[0].key, weights, work);
    let known = known(context, labeller)?;

    let colours = context.colours();
    let mut kept = desk.images(context.identity())?;
    let labels = for_each_image(&ids, &**context.pixels(), desk, &mut *kept, |id| {
        if let Some(label) = reuse(&known, id, want_confidence, want_entropy) {
            return Ok(label);
        }
        let image = context.pixels().image(id)?;
        let prediction = Prediction::of(&network, &image, Looking::Augmented(&work.tta), context.device)
            .map_err(|source| InferenceError::Compute { image: id.to_owned(), source })?;
        let statistics = PixelStatistics::join(prediction.strips(statistics::of));
        let record = LabelRecord::new(id, statistics, work.classes);
        let truth = context.truth(id)?;
        let mut quality = quality(id, &record.mask, truth.as_deref(), work.classes);
        quality.calibration = truth.zip(record.confidence.as_ref()).map(|(truth, confidence)| {
            let mut calibration = Calibration::default();
            calibration.add(work.classes, &truth.data, &record.mask.data, confidence);
            calibration
        });
        let plane = |values: Option<Vec<u16>>, wanted: bool| {
            values.filter(|_| wanted).map(|v| v.iter().flat_map(|q| q.to_le_bytes()).collect())
        };
        Ok(Label {
            mask: encode_png_mask(&record.mask, Some(&colours)),
            confidence: plane(record.confidence, want_confidence),
            entropy: plane(record.entropy, want_entropy),
            quality,
        })
    })?;
    write(labels, &ids, context, labeller)
}

/// Tells apart whose labels may be shared: version of the stage, prepared data, model, augmentation.
fn labeller(prepare: StageKey, weights: Option<Digest>, work: &Labelling) -> Digest {
    canon::digest("stpp labeller v2", &(Kind::Label.version(), prepare, weights, &work.tta))
}

/// Notes anew which packs a stage wrote that is done, if no index names them: it may have been damaged.
///
/// # Errors
/// An index that can't be read, or whatever writing reports.
pub fn note_again(
    store: &Store,
    work: &Labelling,
    (prepare, model): (StageKey, &Record),
    record: &Record,
) -> Result<(), StageError> {
    let weights = model.output(&Want::Model(model::step_of(model, &work.model)?).to_string());
    let labeller = labeller(prepare, weights, work);
    let Some(masks) = record.output("masks") else { return Ok(()) };
    if store.label_indices(labeller)?.iter().all(|index| index.masks != masks) {
        let plane = |want: Want| record.output(&want.to_string());
        let (confidence, entropy) = (plane(Want::Confidence), plane(Want::Entropy));
        let quality = record.output("quality");
        store.note_labels(labeller, &LabelIndex { masks, confidence, entropy, quality })?;
    }
    Ok(())
}

/// How good a label is, against the true mask where there is one.
pub(super) fn quality(
    id: &str,
    mask: &crate::data::image::Mask,
    truth: Option<&crate::data::image::Mask>,
    classes: usize,
) -> Quality {
    Quality {
        id: id.to_owned(),
        pixels: mask.data.len() as u64,
        kept: crate::method::select::pixel::kept(mask),
        confusion: truth.map(|truth| Confusion::of(classes, &truth.data, &mask.data)),
        calibration: None,
    }
}

/// The images that are labelled, in the order of the list.
fn part(work: &Labelling, context: &Context<'_>) -> Result<Vec<String>, StageError> {
    let all = work.images.list().to_vec();
    let selection: Selection = match work.part {
        Part::All => return Ok(all),
        Part::Reliable | Part::Unreliable => context.read_json(SELECTION, "selection")?,
    };
    let chosen = if work.part == Part::Reliable { selection.reliable } else { selection.unreliable };
    let chosen: BTreeSet<String> = chosen.into_iter().collect();
    Ok(all.into_iter().filter(|id| chosen.contains(id)).collect())
}

fn known(context: &Context<'_>, labeller: Digest) -> Result<Vec<Known>, StageError> {
    let mut found = Vec::new();
    for index in context.keeps.label_indices(labeller)? {
        // What is gone is computed again, since its own stage is run again; damage is told.
        let open = |digest: Option<Digest>| -> Result<Option<Pack>, StageError> {
            match digest.map(|digest| context.keeps.get(digest)) {
                None | Some(Err(StoreError::Lost { .. })) => Ok(None),
                Some(bytes) => Ok(Pack::read(bytes?).ok()),
            }
        };
        if let Some(masks) = open(Some(index.masks))? {
            let (confidence, entropy) = (open(index.confidence)?, open(index.entropy)?);
            let quality = qualities(context, index.quality)?;
            found.push(Known { masks, confidence, entropy, quality });
        }
    }
    Ok(found)
}

/// How good known labels are; a label of which that is not known is written anew.
fn qualities(context: &Context<'_>, digest: Option<Digest>) -> Result<BTreeMap<String, Quality>, StageError> {
    let bytes = match digest.map(|digest| context.keeps.get(digest)) {
        None | Some(Err(StoreError::Lost { .. })) => return Ok(BTreeMap::new()),
        Some(bytes) => bytes?,
    };
    let qualities: Vec<Quality> = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(qualities.into_iter().map(|quality| (quality.id.clone(), quality)).collect())
}

fn reuse(known: &[Known], id: &str, confidence: bool, entropy: bool) -> Option<Label> {
    let plane = |pack: &Option<Pack>, wanted: bool| -> Option<Option<Vec<u8>>> {
        if !wanted {
            return Some(None);
        }
        pack.as_ref()?.get(id).map(|bytes| Some(bytes.to_vec()))
    };
    known.iter().find_map(|known| {
        Some(Label {
            mask: known.masks.get(id)?.to_vec(),
            confidence: plane(&known.confidence, confidence)?,
            entropy: plane(&known.entropy, entropy)?,
            quality: known.quality.get(id)?.clone(),
        })
    })
}

fn write(
    labels: Vec<Label>,
    ids: &[String],
    context: &Context<'_>,
    labeller: Digest,
) -> Result<Left, StageError> {
    let mut masks = PackWriter::default();
    let mut confidence = PackWriter::default();
    let mut entropy = PackWriter::default();
    let mut qualities = Vec::with_capacity(labels.len());
    let mut total: Option<Confusion> = None;
    for (id, label) in ids.iter().zip(labels) {
        masks.add(id, &label.mask);
        if let Some(plane) = &label.confidence {
            confidence.add(id, plane);
        }
        if let Some(plane) = &label.entropy {
            entropy.add(id, plane);
        }
        if let Some(confusion) = &label.quality.confusion {
            total.get_or_insert_with(|| Confusion::new(confusion.classes())).merge(confusion);
        }
        qualities.push(label.quality);
    }
    let mut left = Left::default();
    let masks = keep(context.keeps, &masks.finish())?;
    let mut index = LabelIndex { masks: masks.digest, confidence: None, entropy: None, quality: None };
    left.outputs.insert("masks".to_owned(), masks);
    if context.wants.contains(&Want::Confidence) {
        let artifact = keep(context.keeps, &confidence.finish())?;
        index.confidence = Some(artifact.digest);
        left.outputs.insert(Want::Confidence.to_string(), artifact);
    }
    if context.wants.contains(&Want::Entropy) {
        let artifact = keep(context.keeps, &entropy.finish())?;
        index.entropy = Some(artifact.digest);
        left.outputs.insert(Want::Entropy.to_string(), artifact);
    }
    let quality = serde_json::to_vec(&qualities).expect("a quality is plain data");
    let quality = keep(context.keeps, &quality)?;
    index.quality = Some(quality.digest);
    left.outputs.insert("quality".to_owned(), quality);
    context.keeps.note_labels(labeller, &index)?;
    let miou = total.and_then(|total| total.miou());
    left.headline = match miou {
        Some(miou) => format!("{} labels, true mIoU {:.2}", ids.len(), miou * 100.0),
        None => format!("{} labels", ids.len()),
    };
    Ok(left)
}

/// mIoU of each image's label alone, of a `label` or `select` stage; none where the true mask is not known.
///
/// # Errors
/// An artifact that can't be read.
pub fn image_mious(store: &Store, record: &Record) -> Result<BTreeMap<String, Option<f64>>, StageError> {
    let qualities: Vec<Quality> = read_output(store, record, "quality")?;
    let miou = |quality: &Quality| quality.confusion.as_ref().and_then(Confusion::miou);
    Ok(qualities.into_iter().map(|quality| (quality.id.clone(), miou(&quality))).collect())
}

/// The labels of some images from the stages that wrote them; none of an image that none of them labelled.
///
/// # Errors
/// An artifact that can't be read.
pub fn read_masks(
    store: &Store,
    records: &[Record],
    ids: &[String],
) -> Result<Vec<Option<Mask>>, StageError> {
    let mut found = vec![None; ids.len()];
    for record in records {
        let bad = |what: String| StageError::BadOutput {
            stage: format!("{} {}", record.kind, record.key.short()),
            output: "masks".to_owned(),
            what,
        };
        let digest = record.output("masks").ok_or_else(|| bad("its record does not name it".to_owned()))?;
        let pack = Pack::read(store.get(digest)?).map_err(|error| bad(error.to_string()))?;
        for (mask, id) in found.iter_mut().zip(ids) {
            if let Some(bytes) = pack.get(id) {
                *mask = Some(decode_mask(bytes, id)?);
            }
        }
    }
    Ok(found)
}
