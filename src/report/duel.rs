//! Two runs against each other: which stages they share, and what each reached.
//!
//! What one pair of runs can't say is left to [`super::compare`]: here stand two models, and images to look at them with.

use super::compare::LEVEL;
use super::resampled::counts;
use super::stats::{ImageInterval, REPLICATES, Resamples, Score, difference_over_images};
use super::study::{RunFacts, Study, Subset};
use crate::base::digest::Digest;
use crate::metric::Confusion;

/// Two runs, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Duel {
    /// The stages of both, in the order of their chains: those of the first, then what only the other has.
    pub stages: Vec<Staged>,
    /// What each reached.
    pub measured: Vec<Measured>,
    /// Whether both were measured on the same data in the same way, so that their numbers may be compared.
    pub alike: bool,
}

/// A stage of one run or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Its kind.
    pub kind: String,
    /// The model it trains or reads, or empty.
    pub role: String,
    /// Its key.
    pub key: Digest,
    /// Whether the first and the other need it.
    pub of: [bool; 2],
}

/// One measure of two runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What is measured: `test mIoU`, `test IoU of ball`.
    pub what: String,
    /// The first run's value and the other's, as fractions; none of a run that is not done, or of an absent class.
    pub values: [Option<f64>; 2],
    /// The interval over images of the other less the first; none where the two saw different images.
    pub models: Option<ImageInterval>,
}

impl Duel {
    /// Compares the only run of one study with the only run of another.
    pub fn new(one: &Study, other: &Study) -> Self {
        let runs = [one.runs.first(), other.runs.first()];
        let alike = one.provenance.data == other.provenance.data
            && one.protocol.geometry == other.protocol.geometry
            && one.protocol.convention == other.protocol.convention;
        let classes = [&one.classes, &other.classes];
        let mut measured = Vec::new();
        for subset in [Subset::Test, Subset::Val] {
            if runs.iter().flatten().any(|run| run.evaluations.contains_key(&subset)) {
                measured.extend(on(subset, runs, classes, alike));
            }
        }
        let best = runs.map(|run| run.and_then(RunFacts::best).map(|best| best.miou));
        measured.push(Measured {
            what: "best val mIoU (oracle selection)".to_owned(),
            values: best,
            models: None,
        });
        Self { stages: stages(runs), measured, alike }
    }
}

fn stages(runs: [Option<&RunFacts>; 2]) -> Vec<Staged> {
    let mut found: Vec<Staged> = Vec::new();
    for (side, run) in runs.iter().enumerate() {
        for stage in run.iter().flat_map(|run| &run.stages) {
            if let Some(known) = found.iter_mut().find(|known| known.key == stage.key) {
                known.of[side] = true;
            } else {
                let of = [side == 0, side == 1];
                found.push(Staged { kind: stage.kind.clone(), role: stage.role.clone(), key: stage.key, of });
            }
        }
    }
    found
}

fn on(
    subset: Subset,
    runs: [Option<&RunFacts>; 2],
    classes: [&Vec<String>; 2],
    alike: bool,
) -> Vec<Measured> {
    let evaluations = runs.map(|run| run.and_then(|run| run.evaluations.get(&subset)));
    let totals: [Option<Confusion>; 2] =
        [0, 1].map(|side| Some(evaluations[side]?.total(classes[side].len())));
    let replicates = match evaluations {
        [Some(one), Some(other)]
            if alike && classes[0] == classes[1] && one.images().len() == other.images().len() =>
        {
            let images = one.images().len();
            (images > 0).then(|| {
                let resamples = Resamples::new(images, REPLICATES);
                [one, other].map(|evaluation| resamples.scores(&counts(evaluation, classes[0].len())))
            })
        }
        _ => None,
    };
    let models = |score: Score| {
        let [one, other] = replicates.as_ref()?;
        difference_over_images(&[(one, other)], score, LEVEL).ok().flatten()
    };
    let value = |of: &dyn Fn(&Confusion) -> Option<f64>| [0, 1].map(|side| of(totals[side].as_ref()?));
    let mut measured = vec![
        Measured {
            what: format!("{subset} mIoU"),
            values: value(&Confusion::miou),
            models: models(Score::Miou),
        },
        Measured {
            what: format!("{subset} pixel accuracy"),
            values: value(&Confusion::pixel_accuracy),
            models: None,
        },
    ];
    if classes[0] == classes[1] {
        for (class, name) in classes[0].iter().enumerate() {
            measured.push(Measured {
                what: format!("{subset} IoU of {name}"),
                values: value(&|total| total.iou()[class]),
                models: models(Score::Iou(class)),
            });
        }
    }
    measured
}
