//! What a report says of an arm before it has run.

use serde::{Deserialize, Serialize};

use crate::spec::ablation::Arm;
use crate::spec::method::{ImageCriterion, ImageSelect, Labels, Method, PixelSelect, Select, Tta, Which};

/// An arm, as a reader needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmFacts {
    /// Unique in the ablation.
    pub name: String,
    /// What it is, in the author's words; may be empty.
    pub description: String,
    /// Uses true masks of unlabeled images: a ceiling, not a method.
    pub oracle: bool,
    /// The recipe in words, from its fields.
    pub method: String,
    /// Re-trainings on pseudo labels; 0 for supervised arms.
    pub retrainings: u64,
    /// How pseudo labels are selected, where they are.
    pub selection: Option<ArmSelection>,
}

/// How an arm selects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmSelection {
    /// Whole images, or pixels.
    pub level: Level,
    /// The criterion's name in the spec.
    pub criterion: String,
    /// A control that ignores quality: a random order.
    pub control: bool,
}

/// What is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Whole images.
    Image,
    /// Pixels of every image.
    Pixel,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Pixel => "pixel",
        }
    }
}

impl ArmFacts {
    /// The facts of an arm and its recipe.
    pub fn new(arm: &Arm, method: &Method) -> Self {
        Self {
            name: arm.name.clone(),
            description: arm.description.clone(),
            oracle: arm.oracle,
            method: words(method),
            retrainings: method.retrainings as u64,
            selection: if method.retrainings == 0 { None } else { selection(&method.select) },
        }
    }

    /// Whether it trains on pseudo labels and is a method rather than a ceiling.
    pub fn is_self_training(&self) -> bool {
        self.retrainings > 0 && !self.oracle
    }
}

fn selection(select: &Select) -> Option<ArmSelection> {
    let (level, criterion, control) = match select {
        Select::None => return None,
        Select::Image(image) => {
            (Level::Image, criterion(image.criterion), image.criterion == ImageCriterion::Random)
        }
        Select::Pixel(pixel) => (Level::Pixel, rule(pixel), false),
    };
    Some(ArmSelection { level, criterion: criterion.to_owned(), control })
}

fn criterion(criterion: ImageCriterion) -> &'static str {
    match criterion {
        ImageCriterion::Stability => "stability",
        ImageCriterion::Confidence => "confidence",
        ImageCriterion::Entropy => "entropy",
        ImageCriterion::Random => "random",
        ImageCriterion::Oracle => "oracle",
    }
}

fn rule(select: &PixelSelect) -> &'static str {
    match select {
        PixelSelect::Threshold { .. } => "threshold",
        PixelSelect::ClassBalanced { .. } => "class-balanced",
        PixelSelect::Entropy { .. } => "entropy",
        PixelSelect::Matched { .. } => "matched",
        PixelSelect::Oracle => "oracle",
    }
}

fn words(method: &Method) -> String {
    if method.retrainings == 0 {
        return match method.labels {
            Labels::Pseudo => "supervised: labeled images only".to_owned(),
            Labels::Truth => "supervised: true masks of the unlabeled images too".to_owned(),
        };
    }
    let first = match &method.select {
        Select::None => "every pseudo label".to_owned(),
        Select::Image(image) => images(image),
        Select::Pixel(pixel) => pixels(pixel),
    };
    let mut words = match (method.retrainings, &method.select) {
        (1, _) => format!("1 re-training on {first}"),
        (n, Select::None) => format!("{n} re-trainings on {first}"),
        (n, _) => format!("{n} re-trainings, the first on {first}, then on all"),
    };
    if method.relabel_reliable && method.retrainings > 1 {
        words += "; all labeled anew in between";
    }
    if method.teacher == Which::Best {
        words += "; labels by the best-on-val epoch";
    }
    if method.tta == Tta::none() {
        words += "; no TTA";
    }
    words
}

fn images(select: &ImageSelect) -> String {
    let mut words =
        format!("the top {} of images by {}", percent(select.fraction), criterion(select.criterion));
    if select.criterion == ImageCriterion::Random {
        words = format!("a random {} of images", percent(select.fraction));
    }
    if select.criterion == ImageCriterion::Stability && !select.background {
        words += " without background";
    }
    words
}

fn pixels(select: &PixelSelect) -> String {
    match select {
        PixelSelect::Threshold { threshold } => format!("pixels of confidence {threshold} or more"),
        PixelSelect::ClassBalanced { fraction } => {
            format!("the most confident {} of each class's pixels", percent(*fraction))
        }
        PixelSelect::Entropy { quantile } => {
            format!("pixels, less the {} of highest entropy", percent(*quantile))
        }
        PixelSelect::Matched { to } => format!("the most confident pixels, as many as in {}", images(to)),
        PixelSelect::Oracle => "pixels whose pseudo label is right".to_owned(),
    }
}

/// A fraction of the spec, with at most one decimal: `50 %`, `33.3 %`.
fn percent(fraction: f64) -> String {
    let tenths = (fraction * 1000.0).round();
    let decimals = usize::from(tenths % 10.0 != 0.0);
    format!("{:.decimals$} %", tenths / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::method::Ties;

    fn method(retrainings: usize, select: Select) -> Method {
        Method {
            retrainings,
            labels: Labels::Pseudo,
            teacher: Which::Last,
            checkpoints: 3,
            tta: Tta { scales: vec![0.5, 1.0], flip: true },
            select,
            relabel_reliable: false,
        }
    }

    fn stability() -> ImageSelect {
        let criterion = ImageCriterion::Stability;
        ImageSelect { criterion, fraction: 0.5, ties: Ties::Id, background: true }
    }

    #[test]
    fn a_recipe_is_told_in_words() {
        let random = ImageSelect { criterion: ImageCriterion::Random, fraction: 1.0 / 3.0, ..stability() };
        let relabelled = Method {
            relabel_reliable: true,
            ..method(2, Select::Pixel(PixelSelect::Matched { to: stability() }))
        };
        let truth = Method { labels: Labels::Truth, ..method(0, Select::None) };
        let bare = Method { tta: Tta::none(), teacher: Which::Best, ..method(1, Select::None) };
        let told: Vec<String> = [
            method(0, Select::None),
            truth,
            method(1, Select::None),
            bare,
            method(2, Select::Image(stability())),
            method(2, Select::Image(random)),
            method(1, Select::Pixel(PixelSelect::Threshold { threshold: 0.95 })),
            relabelled,
        ]
        .iter()
        .map(words)
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn a_supervised_arm_selects_nothing() {
        let arm = Arm { name: "a".to_owned(), description: String::new(), oracle: false };
        assert_eq!(ArmFacts::new(&arm, &method(0, Select::Image(stability()))).selection, None);
        let facts = ArmFacts::new(&arm, &method(2, Select::Image(stability())));
        assert_eq!(facts.selection.map(|selection| selection.level), Some(Level::Image));
    }
}
