//! `evaluate`: a model on whole images, one confusion matrix per image.

use std::collections::BTreeMap;

use super::{Context, Desk, Left, StageError, keep, model, read_output};
use crate::data::image::Mask;
use crate::data::reader::Pixels;
use crate::metric::confusion::Confusion;
use crate::plan::work::Evaluating;
use crate::store::{Record, Store};
use crate::train::evaluate::{Evaluation, InferenceError, evaluate};
use crate::train::predict::{Looking, Prediction};

/// Input 1: the model.
const MODEL: usize = 1;

/// Runs the stage. Outputs: `confusion` (JSON, `[id, matrix]` per image in the order of ids).
/// Values: `miou` in [0, 1], over the dataset's summed matrix.
pub(super) fn run(work: &Evaluating, context: &Context<'_>, desk: &mut dyn Desk) -> Result<Left, StageError> {
    let network = model::load(context, MODEL, work.step)?;
    let ids = work.images.list();
    let pixels = &**context.pixels();
    let mut kept = desk.images(context.identity())?;
    let evaluation = Evaluation { ids, pixels, classes: work.classes, windows: work.windows };
    let confusions = evaluate(&network, evaluation, context.device, desk, &mut *kept)?;
    let mut total = Confusion::new(work.classes);
    confusions.iter().for_each(|confusion| total.merge(confusion));
    let images: Vec<(&String, &Confusion)> = ids.iter().zip(&confusions).collect();
    let mut left = Left::default();
    let bytes = serde_json::to_vec(&images).expect("a matrix is plain data");
    left.outputs.insert("confusion".to_owned(), keep(context.keeps, &bytes)?);
    let miou = total.miou().ok_or_else(|| StageError::NothingCounts { subset: work.subset.clone() })?;
    desk.metric(&format!("{}/miou", work.subset), work.step, miou);
    left.values.insert("miou".to_owned(), miou);
    left.headline = format!("{} mIoU {:.2}", work.subset, miou * 100.0);
    Ok(left)
}

/// What a model predicts for some images, as the stage looks at them.
///
/// # Errors
/// A model or an image that can't be read, or a failed computation.
pub fn predict(work: &Evaluating, context: &Context<'_>, ids: &[String]) -> Result<Vec<Mask>, StageError> {
    let network = model::load(context, MODEL, work.step)?;
    let looking = work.windows.map_or(Looking::Whole, Looking::Windows);
    let predict = |id: &String| {
        let image = context.pixels().image(id)?;
        let prediction = Prediction::of(&network, &image, looking, context.device)
            .map_err(|source| InferenceError::Compute { image: id.clone(), source })?;
        Ok(Mask::new(image.width, image.height, prediction.classes()))
    };
    ids.iter().map(predict).collect()
}

/// mIoU of each image alone, as the stage counted it; none of an image without a pixel that counts.
///
/// # Errors
/// An artifact that can't be read.
pub fn image_mious(store: &Store, record: &Record) -> Result<BTreeMap<String, Option<f64>>, StageError> {
    let images: Vec<(String, Confusion)> = read_output(store, record, "confusion")?;
    Ok(images.into_iter().map(|(id, confusion)| (id, confusion.miou())).collect())
}
