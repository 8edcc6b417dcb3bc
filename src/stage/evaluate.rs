//! `evaluate`: a model on whole images, one confusion matrix per image.

use super::{Context, Desk, Left, StageError, keep, model};
use crate::metric::confusion::Confusion;
use crate::plan::work::Evaluating;
use crate::train::evaluate::{Evaluation, evaluate};

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
