//! Panels of images: what each arm made of those on which the arms differ most.
//!
//! Which images is a rule and no choice. Of the headline's images those whose mIoU differs most between the arms, and of the
//! unlabeled ones those whose pseudo labels differ most in their true mIoU; where no true mask is known, those whose ids have
//! the lowest digests. Oracles are drawn and have no say. All of it at the first seed and split.

use std::collections::BTreeMap;

use candle_core::Device;

use super::study::PlannedStudy;
use crate::base::digest::Digest;
use crate::data::image::{Mask, Rgb};
use crate::data::reader::Pixels;
use crate::plan::work::Work;
use crate::plan::{Kind, Node, StageKey};
use crate::stage::pixels::PreparedPixels;
use crate::stage::{Context, StageError, evaluate, label, tile};
use crate::store::study::StoredMember;
use crate::store::{Record, Store, StoreError};

/// Images of a kind.
const SHOWN: usize = 6;

/// One image, and what the arms made of it.
pub struct Panel {
    /// The image's id.
    pub image: String,
    /// The image.
    pub picture: Rgb,
    /// Its true mask, where it is known.
    pub truth: Option<Rgb>,
    /// By arm, in the order of [`Panels::arms`]: the mask and its mIoU, where there are any.
    pub masks: Vec<(Option<Rgb>, Option<f64>)>,
}

/// The panels of a study.
pub struct Panels {
    /// Names of the arms.
    pub arms: Vec<String>,
    /// `test` or `val`.
    pub subset: String,
    /// The seed whose runs are shown.
    pub seed: u64,
    /// Their split.
    pub split: String,
    /// Predictions for evaluated images.
    pub evaluated: Vec<Panel>,
    /// Pseudo labels of unlabeled images, those of the last re-training.
    pub unlabeled: Vec<Panel>,
}

/// Why there are no panels.
#[derive(Debug, thiserror::Error)]
pub enum PanelError {
    /// A stage that they need was not run, or not on this data.
    #[error("draw what {arm} predicts: its {stage} is not in the store; run the ablation first")]
    NotDone {
        /// The arm.
        arm: String,
        /// The kind of stage.
        stage: Kind,
    },
    /// A model or an image can't be read, or computing failed.
    #[error(transparent)]
    Stage(Box<StageError>),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StageError> for PanelError {
    fn from(error: StageError) -> Self {
        Self::Stage(Box::new(error))
    }
}

/// Draws the panels of a study that is done.
///
/// # Errors
/// [`PanelError`].
pub fn panels(store: &Store, study: &PlannedStudy, device: &Device) -> Result<Panels, PanelError> {
    let stored = &study.stored;
    let (seed, split) = (stored.ablation.seeds[0], stored.ablation.splits[0].clone());
    let members: Vec<&StoredMember> =
        stored.members.iter().filter(|member| member.seed == seed && member.split == split).collect();
    let atelier = Atelier { store, study, device };
    let oracles: Vec<&str> =
        stored.ablation.arms.iter().filter(|arm| arm.oracle).map(|arm| arm.name.as_str()).collect();
    let counts: Vec<bool> = members.iter().map(|member| !oracles.contains(&member.arm.as_str())).collect();
    Ok(Panels {
        arms: members.iter().map(|member| member.arm.clone()).collect(),
        subset: stored.data.headline.clone(),
        evaluated: atelier.evaluated(&members, &counts)?,
        unlabeled: atelier.unlabeled(&members, &counts)?,
        seed,
        split,
    })
}

struct Atelier<'a> {
    store: &'a Store,
    study: &'a PlannedStudy,
    device: &'a Device,
}

impl Atelier<'_> {
    fn evaluated(&self, members: &[&StoredMember], counts: &[bool]) -> Result<Vec<Panel>, PanelError> {
        let headline = |member: &StoredMember| match self.study.stored.data.headline.as_str() {
            "test" => member.chain.test,
            _ => member.chain.val,
        };
        let mut nodes = Vec::new();
        let mut scores: Vec<BTreeMap<String, Option<f64>>> = Vec::new();
        for member in members {
            let key = headline(member).expect("an ablation that was planned has images for its headline");
            let record = self.record(member, Kind::Evaluate, key)?;
            scores.push(evaluate::image_mious(self.store, &record)?);
            nodes.push(self.study.graph.node(key).expect("a planned stage is in its graph"));
        }
        let chosen = most_different(&scores, counts);
        let mut masks: Vec<Vec<Mask>> = Vec::new();
        for (member, node) in members.iter().zip(&nodes) {
            let Work::Evaluate(work) = &node.work else { continue };
            let inputs = self.inputs(member, node)?;
            let wants = node.wants.clone();
            masks.push(evaluate::predict(work, &self.context(node, &inputs, &wants)?, &chosen)?);
        }
        let pixels = self.pixels(members[0], nodes[0])?;
        let masks_of = |at: usize| masks.iter().map(|of_arm| Some(&of_arm[at])).collect::<Vec<_>>();
        self.draw(&pixels, &chosen, &scores, masks_of)
    }

    fn unlabeled(&self, members: &[&StoredMember], counts: &[bool]) -> Result<Vec<Panel>, PanelError> {
        let mut scores: Vec<BTreeMap<String, Option<f64>>> = Vec::new();
        let mut records: Vec<Vec<Record>> = Vec::new();
        for member in members {
            let (mut of_arm, mut left) = (BTreeMap::new(), Vec::new());
            for key in member.chain.taught.last().map_or(&[][..], |lesson| &lesson.masks) {
                let kind = self.study.graph.node(*key).expect("a planned stage is in its graph").kind;
                let record = self.record(member, kind, *key)?;
                of_arm.extend(label::image_mious(self.store, &record)?);
                left.push(record);
            }
            scores.push(of_arm);
            records.push(left);
        }
        let Some(first) = records.iter().position(|left| !left.is_empty()) else { return Ok(Vec::new()) };
        let mut chosen = most_different(&scores, counts);
        if chosen.is_empty() {
            let mut ids: Vec<&String> = scores[first].keys().collect();
            ids.sort_by_key(|id| Digest::of(id.as_bytes()).to_string());
            chosen = ids.into_iter().take(SHOWN).cloned().collect();
            chosen.sort();
        }
        let mut masks: Vec<Vec<Option<Mask>>> = Vec::new();
        for left in &records {
            masks.push(label::read_masks(self.store, left, &chosen)?);
        }
        let key = members[first].chain.steps.last().expect("a chain has stages").key;
        let node = self.study.graph.node(key).expect("a planned stage is in its graph");
        let pixels = self.pixels(members[first], node)?;
        let masks_of = |at: usize| masks.iter().map(|of_arm| of_arm[at].as_ref()).collect::<Vec<_>>();
        self.draw(&pixels, &chosen, &scores, masks_of)
    }

    fn draw<'m>(
        &self,
        pixels: &PreparedPixels,
        chosen: &[String],
        scores: &[BTreeMap<String, Option<f64>>],
        masks: impl Fn(usize) -> Vec<Option<&'m Mask>>,
    ) -> Result<Vec<Panel>, PanelError> {
        let colours = &self.study.stored.data.palette;
        let mut panels = Vec::new();
        for (at, id) in chosen.iter().enumerate() {
            let image = pixels.image(id).map_err(StageError::from)?;
            let truth = pixels.truth(id).map_err(StageError::from)?;
            let masks = masks(at).into_iter().zip(scores).map(|(mask, of_arm)| {
                (mask.map(|mask| tile::mask(mask, colours)), of_arm.get(id).copied().flatten())
            });
            panels.push(Panel {
                image: id.clone(),
                picture: tile::image(&image),
                truth: truth.map(|truth| tile::mask(&truth, colours)),
                masks: masks.collect(),
            });
        }
        Ok(panels)
    }

    fn record(&self, member: &StoredMember, kind: Kind, key: StageKey) -> Result<Record, PanelError> {
        let missing = || PanelError::NotDone { arm: member.arm.clone(), stage: kind };
        self.store.record(kind, key)?.ok_or_else(missing)
    }

    fn inputs(&self, member: &StoredMember, node: &Node) -> Result<Vec<Record>, PanelError> {
        let input = |key: &StageKey| {
            let kind = self.study.graph.node(*key).expect("the inputs of a node are in its graph").kind;
            self.record(member, kind, *key)
        };
        node.inputs.iter().map(input).collect()
    }

    fn pixels(
        &self,
        member: &StoredMember,
        node: &Node,
    ) -> Result<std::sync::Arc<PreparedPixels>, PanelError> {
        let inputs = self.inputs(member, node)?;
        Ok(PreparedPixels::open(self.store, &self.study.data[&node.inputs[0]], &inputs[0])?)
    }

    fn context<'c>(
        &'c self,
        node: &'c Node,
        inputs: &'c [Record],
        wants: &'c std::collections::BTreeSet<crate::plan::graph::Want>,
    ) -> Result<Context<'c>, PanelError> {
        let dataset = &self.study.data[&node.inputs[0]];
        Ok(Context {
            store: self.store,
            keeps: self.store,
            key: node.key,
            dataset,
            pixels: Some(PreparedPixels::open(self.store, dataset, &inputs[0])?),
            device: self.device,
            weights: &self.study.weights,
            role: node.role,
            wants,
            inputs: inputs.iter().collect(),
        })
    }
}

/// The images whose scores differ most between the arms that count, largest first; equal ones by id.
fn most_different(scores: &[BTreeMap<String, Option<f64>>], counts: &[bool]) -> Vec<String> {
    let mut ranges: BTreeMap<&String, (f64, f64, usize)> = BTreeMap::new();
    for (of_arm, _) in scores.iter().zip(counts).filter(|(_, counts)| **counts) {
        for (id, score) in of_arm.iter().filter_map(|(id, score)| Some((id, (*score)?))) {
            let range = ranges.entry(id).or_insert((score, score, 0));
            *range = (range.0.min(score), range.1.max(score), range.2 + 1);
        }
    }
    let mut found: Vec<(f64, &String)> = ranges
        .into_iter()
        .filter(|(_, (low, high, arms))| *arms > 1 && high > low)
        .map(|(id, (low, high, _))| (high - low, id))
        .collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    found.into_iter().take(SHOWN).map(|(_, id)| id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scores: &[(&str, Option<f64>)]) -> BTreeMap<String, Option<f64>> {
        scores.iter().map(|(id, score)| ((*id).to_owned(), *score)).collect()
    }

    #[test]
    fn images_are_chosen_by_how_much_the_arms_differ() {
        let arms = [
            of(&[("a", Some(0.5)), ("b", Some(0.1)), ("c", Some(0.3)), ("d", None), ("e", Some(0.0))]),
            of(&[("a", Some(0.6)), ("b", Some(0.9)), ("c", Some(0.2)), ("d", Some(1.0)), ("e", Some(0.0))]),
            of(&[("a", Some(0.5)), ("b", Some(0.1)), ("c", Some(0.9)), ("f", Some(1.0))]),
        ];
        assert_eq!(most_different(&arms, &[true, true, false]), ["b", "a", "c"], "an oracle has no say");
        assert_eq!(most_different(&arms, &[true, true, true]), ["b", "c", "a"]);
        assert!(most_different(&arms[..1], &[true]).is_empty());
    }
}
