//! The recipes of the paper as chains of stages.
//!
//! - supervised: prepare → teacher → evaluate
//! - plain, ST: prepare → teacher → label(all) → retrain → evaluate
//! - ST++: prepare → teacher → score → select(top R) → label(reliable) → retrain as `student_1`
//!   → label(unreliable, by `student_1`) → retrain(all) as `student` → evaluate
//! - pixel level: prepare → teacher → label(all) → select(pixels) → retrain → evaluate, or in two stages

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::bound::{Bound, Ids};
use super::cost::Cost;
use super::graph::{Graph, Node, Want};
use super::key::StageKey;
use super::kind::{Kind, Role};
use super::work::{
    Evaluating, ImageSelecting, Labelling, ModelState, Net, Part, PixelSelecting, Preparing, Scoring,
    Training, Unlabeled, Work,
};
use crate::base::share;
use crate::spec::augment::{Augment, Strong, StrongOn};
use crate::spec::experiment::Experiment;
use crate::spec::length::{marks, retrain_repeats, smallest_batch, teacher_repeats, total_steps};
use crate::spec::method::{ImageCriterion, ImageSelect, Labels, PixelSelect, Select, Ties, Which};
use crate::spec::model::Model;
use crate::spec::train::{Length, Train};

/// One stage of an experiment's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The kind of stage.
    pub kind: Kind,
    /// The model it trains or reads.
    pub role: Option<Role>,
    /// The stage.
    pub key: StageKey,
}

/// What one re-training saw of the unlabeled images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lesson {
    /// The model that was re-trained.
    pub role: Role,
    /// The stages that wrote its masks: label or select.
    pub masks: Vec<StageKey>,
}

/// The chain of one experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Every stage, in order.
    pub steps: Vec<Step>,
    /// Image- or pixel-level selection, where the recipe has one.
    pub select: Option<StageKey>,
    /// Scores of the unlabeled images, where the recipe has some.
    pub score: Option<StageKey>,
    /// The stages whose masks each re-training saw, first to last.
    pub taught: Vec<Lesson>,
    /// The training whose model is the experiment's result.
    pub result: Option<StageKey>,
    /// The steps after which the result was looked at on validation images.
    pub looks: Vec<u64>,
    /// Measurements of the result on validation images.
    pub val: Option<StageKey>,
    /// Measurements of the result on test images.
    pub test: Option<StageKey>,
}

/// A training that can't begin.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecipeError {
    /// `drop_last` leaves no step.
    #[error(
        "plan the {role}: {items} images make no batch of {batch} and `drop_last` is on, which is 0 steps; \
         lower `train.batch`, label more images, or set `drop_last = false`"
    )]
    NoSteps {
        /// The model.
        role: Role,
        /// Training items of one epoch.
        items: usize,
        /// Batch size.
        batch: usize,
    },
    /// Batch normalisation would see a single value per channel.
    #[error(
        "plan the {role}: {items} images in batches of {batch} leave one image to a step, and {why}, so that batch \
         normalisation would see one value per channel; set `drop_last = true`, or change `train.batch`"
    )]
    OneValue {
        /// The model.
        role: Role,
        /// Training items of one epoch.
        items: usize,
        /// Batch size.
        batch: usize,
        /// What is normalised there.
        why: String,
    },
    /// More checkpoints than the training is long.
    #[error(
        "plan the checkpoints: {asked} are asked for, but the teacher's length has only {there} distinct ones"
    )]
    TooManyCheckpoints {
        /// K.
        asked: usize,
        /// Distinct steps.
        there: usize,
    },
    /// Nothing is labeled.
    #[error("plan the teacher: the split leaves no labeled image; raise `split.labeled` or `split.fraction`")]
    NothingLabeled,
    /// Nothing is unlabeled.
    #[error("plan the re-training: the split leaves no unlabeled image to learn from")]
    NothingUnlabeled,
    /// Selection keeps nothing.
    #[error(
        "plan the selection: {fraction} of {images} unlabeled images is none; raise `method.select.fraction`"
    )]
    NothingReliable {
        /// R.
        fraction: f64,
        /// Unlabeled images.
        images: usize,
    },
}

/// A training, and what it is trained for.
#[derive(Clone)]
struct Trained {
    key: StageKey,
    role: Role,
    steps: u64,
    looks: Vec<u64>,
}

/// Adds an experiment's chain to the graph.
///
/// # Errors
/// [`RecipeError`] for a training without steps, a selection without images.
pub fn add(
    graph: &mut Graph,
    experiment: &Experiment,
    bound: &Bound,
    numerics: &str,
) -> Result<Chain, RecipeError> {
    Recipe { graph, experiment, bound, numerics, chain: Chain::default() }.write()
}

struct Recipe<'a> {
    graph: &'a mut Graph,
    experiment: &'a Experiment,
    bound: &'a Bound,
    numerics: &'a str,
    chain: Chain,
}

impl Recipe<'_> {
    fn write(mut self) -> Result<Chain, RecipeError> {
        let method = &self.experiment.method;
        let prepare = self.prepare();
        let teacher = self.teacher(prepare)?;
        let result = match (method.retrainings, &method.select) {
            (0, _) => teacher,
            (retrainings, select) => {
                if self.bound.unlabeled.is_empty() {
                    return Err(RecipeError::NothingUnlabeled);
                }
                match select {
                    Select::None => self.all_at_once(prepare, &teacher, retrainings)?,
                    Select::Image(rule) => self.reliable_first(prepare, &teacher, rule, retrainings)?,
                    Select::Pixel(rule) => self.pixels_first(prepare, &teacher, rule, retrainings)?,
                }
            }
        };
        self.evaluate(prepare, &result);
        Ok(self.chain)
    }

    /// ST: everything that the teacher labelled; twice where two re-trainings are asked for (iterative ST).
    fn all_at_once(
        &mut self,
        prepare: StageKey,
        teacher: &Trained,
        retrainings: usize,
    ) -> Result<Trained, RecipeError> {
        let all = self.bound.unlabeled.len();
        let labels = self.label(prepare, teacher, Part::All, None, &[]);
        if retrainings == 1 {
            return self.retrain(prepare, Role::Student, &[labels], all);
        }
        let first = self.retrain(prepare, Role::Student1, &[labels], all)?;
        let again = self.label(prepare, &first, Part::All, None, &[]);
        self.retrain(prepare, Role::Student, &[again], all)
    }

    /// ST++ (paper §3.3): reliable images first, then the others, relabelled by the better model.
    fn reliable_first(
        &mut self,
        prepare: StageKey,
        teacher: &Trained,
        rule: &ImageSelect,
        retrainings: usize,
    ) -> Result<Trained, RecipeError> {
        let all = self.bound.unlabeled.len();
        let reliable = reliable_count(rule.fraction, all)?;
        let select = self.select_images(prepare, teacher, rule)?;
        self.chain.select = Some(select);
        let trusted = self.label(prepare, teacher, Part::Reliable, Some(select), &[]);
        if retrainings == 1 {
            return self.retrain(prepare, Role::Student, &[trusted], reliable);
        }
        let first = self.retrain(prepare, Role::Student1, &[trusted], reliable)?;
        let masks = if self.experiment.method.relabel_reliable {
            vec![self.label(prepare, &first, Part::All, None, &[])]
        } else {
            vec![trusted, self.label(prepare, &first, Part::Unreliable, Some(select), &[])]
        };
        self.retrain(prepare, Role::Student, &masks, all)
    }

    /// Pixel level: the pixels a rule keeps; then, in two stages, everything, relabelled by the better model.
    fn pixels_first(
        &mut self,
        prepare: StageKey,
        teacher: &Trained,
        rule: &PixelSelect,
        retrainings: usize,
    ) -> Result<Trained, RecipeError> {
        let all = self.bound.unlabeled.len();
        let needs: &[Want] = match rule {
            PixelSelect::Entropy { .. } => &[Want::Entropy],
            PixelSelect::Oracle => &[],
            _ => &[Want::Confidence],
        };
        let labels = self.label(prepare, teacher, Part::All, None, needs);
        let mut inputs = vec![prepare, labels];
        if let PixelSelect::Matched { to } = rule {
            inputs.push(self.select_images(prepare, teacher, to)?);
        }
        let work = Work::SelectPixels(PixelSelecting {
            rule: rule.clone(),
            images: self.bound.unlabeled.clone(),
            classes: self.bound.classes,
        });
        let select = self.stage(Kind::Select, Some(teacher.role), work, inputs, [], Cost::default());
        self.chain.select = Some(select);
        if retrainings == 1 {
            return self.retrain(prepare, Role::Student, &[select], all);
        }
        let first = self.retrain(prepare, Role::Student1, &[select], all)?;
        let again = self.label(prepare, &first, Part::All, None, &[]);
        self.retrain(prepare, Role::Student, &[again], all)
    }

    fn prepare(&mut self) -> StageKey {
        let work = Work::Prepare(Preparing { manifest: self.bound.manifest });
        self.stage(Kind::Prepare, None, work, vec![], [], Cost::default())
    }

    fn teacher(&mut self, prepare: StageKey) -> Result<Trained, RecipeError> {
        if self.bound.labeled.is_empty() {
            return Err(RecipeError::NothingLabeled);
        }
        let train = &self.experiment.train;
        let truth = self.experiment.method.labels == Labels::Truth;
        let unlabeled = if truth { Unlabeled::Truth(self.bound.unlabeled.clone()) } else { Unlabeled::None };
        let labeled = self.bound.labeled.len();
        let beside = if truth { self.bound.unlabeled.len() } else { 0 };
        let repeats = teacher_repeats(labeled + beside, train.oversample);
        let items = (labeled + beside) * repeats;
        let mut augment = self.experiment.augment.clone();
        // A teacher has labeled images only: what strong augmentation does to others is not its affair.
        if matches!(augment.strong.on, StrongOn::None | StrongOn::Unlabeled) {
            augment.strong = Strong::none();
        }
        self.train(prepare, Role::Teacher, train, augment, unlabeled, repeats, items, &[])
    }

    fn retrain(
        &mut self,
        prepare: StageKey,
        role: Role,
        masks: &[StageKey],
        unlabeled: usize,
    ) -> Result<Trained, RecipeError> {
        self.chain.taught.push(Lesson { role, masks: masks.to_vec() });
        let train = &self.experiment.retrain;
        let labeled = self.bound.labeled.len();
        let repeats = retrain_repeats(labeled, unlabeled, train.oversample);
        let items = labeled * repeats + unlabeled;
        let mut augment = self.experiment.augment.clone();
        if augment.strong.on == StrongOn::None {
            augment.strong = Strong::none();
        }
        self.train(prepare, role, train, augment, Unlabeled::Pseudo(unlabeled), repeats, items, masks)
    }

    #[expect(clippy::too_many_arguments, reason = "the two callers above are its only readers")]
    fn train(
        &mut self,
        prepare: StageKey,
        role: Role,
        train: &Train,
        augment: Augment,
        unlabeled: Unlabeled,
        repeats: usize,
        items: usize,
        masks: &[StageKey],
    ) -> Result<Trained, RecipeError> {
        let steps = total_steps(items, train);
        if steps == 0 {
            return Err(RecipeError::NoSteps { role, items, batch: train.batch });
        }
        let model = &self.experiment.model;
        if smallest_batch(items, train) == 1
            && let Some(why) = one_value(model, train.crop)
        {
            return Err(RecipeError::OneValue { role, items, batch: train.batch, why });
        }
        let work = Work::Train(Box::new(Training {
            seed: self.experiment.seed,
            net: Net {
                backbone: model.backbone,
                head: model.head,
                width: model.width,
                output_stride: model.output_stride,
                weights: self.bound.weights,
                classes: self.bound.classes,
            },
            train: Train { length: Length::Iterations(steps), ..train.clone() },
            steps,
            augment,
            labeled: self.bound.labeled.clone(),
            repeats,
            unlabeled,
        }));
        let looks = marks(self.experiment.evaluate.points, items, train);
        let wants = looks.iter().map(|&step| Want::Validation(step)).chain([Want::Model(steps)]);
        let cost = Cost {
            steps,
            forwards: (steps * train.batch as u64 + looks.len() as u64 * self.bound.val.len() as u64) as f64,
        };
        let kind = if role == Role::Teacher { Kind::Teacher } else { Kind::Retrain };
        let inputs = std::iter::once(prepare).chain(masks.iter().copied()).collect();
        let key = self.stage(kind, Some(role), work, inputs, wants, cost);
        Ok(Trained { key, role, steps, looks })
    }

    fn select_images(
        &mut self,
        prepare: StageKey,
        teacher: &Trained,
        rule: &ImageSelect,
    ) -> Result<StageKey, RecipeError> {
        let images = self.bound.unlabeled.clone();
        reliable_count(rule.fraction, images.len())?;
        let mut inputs = vec![prepare];
        let random = rule.criterion == ImageCriterion::Random;
        // Random images are scored all the same: the report sets every selection against the truth.
        let score = self.score(prepare, teacher)?;
        if !random {
            inputs.push(score);
        }
        let work = Work::SelectImages(ImageSelecting {
            order: (rule.ties == Ties::List).then(|| images.order_digest()),
            rule: rule.clone(),
            images,
            seed: random.then_some(self.experiment.seed),
        });
        Ok(self.stage(Kind::Select, Some(teacher.role), work, inputs, [], Cost::default()))
    }

    fn score(&mut self, prepare: StageKey, teacher: &Trained) -> Result<StageKey, RecipeError> {
        let asked = self.experiment.method.checkpoints;
        let items = self.bound.labeled.len()
            * teacher_repeats(self.bound.labeled.len(), self.experiment.train.oversample);
        let checkpoints = marks(asked as u64, items, &self.experiment.train);
        if checkpoints.len() < asked {
            return Err(RecipeError::TooManyCheckpoints { asked, there: checkpoints.len() });
        }
        self.graph.want(teacher.key, checkpoints.iter().map(|&step| Want::Model(step)));
        let cost = Cost { steps: 0, forwards: (checkpoints.len() * self.bound.unlabeled.len()) as f64 };
        let work = Work::Score(Scoring {
            checkpoints,
            images: self.bound.unlabeled.clone(),
            classes: self.bound.classes,
        });
        let key = self.stage(Kind::Score, Some(teacher.role), work, vec![prepare, teacher.key], [], cost);
        self.chain.score = Some(key);
        Ok(key)
    }

    fn label(
        &mut self,
        prepare: StageKey,
        model: &Trained,
        part: Part,
        select: Option<StageKey>,
        wants: &[Want],
    ) -> StageKey {
        let state = match self.experiment.method.teacher {
            Which::Last => ModelState::At(model.steps),
            Which::Best => {
                self.graph.want(model.key, model.looks.iter().map(|&step| Want::Model(step)));
                ModelState::BestOf(model.looks.clone())
            }
        };
        let images = self.bound.unlabeled.clone();
        let all = images.len() as u64;
        let count = match (part, &self.experiment.method.select) {
            (Part::Reliable, Select::Image(rule)) => share::floor(rule.fraction, all),
            (Part::Unreliable, Select::Image(rule)) => all - share::floor(rule.fraction, all),
            _ => all,
        };
        let tta = self.experiment.method.tta.clone();
        let cost = Cost { steps: 0, forwards: count as f64 * tta.forwards() };
        let work = Work::Label(Labelling { model: state, tta, images, part, classes: self.bound.classes });
        let inputs = [prepare, model.key].into_iter().chain(select).collect();
        self.stage(Kind::Label, Some(model.role), work, inputs, wants.iter().cloned(), cost)
    }

    fn evaluate(&mut self, prepare: StageKey, model: &Trained) {
        let subsets: [(&str, Ids); 2] = [("val", self.bound.val.clone()), ("test", self.bound.test.clone())];
        for (subset, images) in subsets {
            if images.is_empty() {
                continue;
            }
            let cost = Cost { steps: 0, forwards: images.len() as f64 };
            let work = Work::Evaluate(Evaluating {
                step: model.steps,
                subset: subset.to_owned(),
                images,
                classes: self.bound.classes,
                windows: self.experiment.evaluate.windows,
            });
            let key = self.stage(Kind::Evaluate, Some(model.role), work, vec![prepare, model.key], [], cost);
            match subset {
                "val" => self.chain.val = Some(key),
                _ => self.chain.test = Some(key),
            }
        }
        self.chain.result = Some(model.key);
        self.chain.looks = model.looks.clone();
    }

    fn stage(
        &mut self,
        kind: Kind,
        role: Option<Role>,
        work: Work,
        inputs: Vec<StageKey>,
        wants: impl IntoIterator<Item = Want>,
        cost: Cost,
    ) -> StageKey {
        let key = StageKey::of(kind, role, &work, &inputs, self.numerics);
        let wants: BTreeSet<Want> = wants.into_iter().collect();
        let key = self.graph.add(Node { key, kind, role, work, inputs, wants, cost });
        self.chain.steps.push(Step { kind, role, key });
        key
    }
}

fn reliable_count(fraction: f64, images: usize) -> Result<usize, RecipeError> {
    match share::floor(fraction, images as u64) {
        0 => Err(RecipeError::NothingReliable { fraction, images }),
        reliable => Ok(reliable as usize),
    }
}

/// Why a channel of a single image can be a single value somewhere in a network.
fn one_value(model: &Model, crop: usize) -> Option<String> {
    let stride = model.output_stride;
    if crop <= stride {
        Some(format!("a crop of {crop} pixels is one pixel at the output stride of {stride}"))
    } else {
        model.head.normalises_averages().then(|| "the head averages over images".to_owned())
    }
}
