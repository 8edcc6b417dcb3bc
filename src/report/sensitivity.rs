//! What a design can show, before anything is trained and after: the smallest difference that it finds, and the smallest p.

use super::compare::LEVEL;
use super::findings::Findings;
use super::number::{counted, probability};
use super::stats::power::{MOST_UNITS, Test};
use super::stats::sign_flip::{fewest_units, smallest_after_holm};
use super::stats::{Unit, mean};
use super::study::Study;
use crate::spec::ablation::Ablation;

/// The chance with which a difference is to be found.
pub const POWER: f64 = 0.8;

/// A design, as the statistics see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sensitivity {
    /// What counts as an independent draw.
    pub unit: Unit,
    /// How many there are.
    pub units: usize,
    /// Arms that are compared with one baseline, oracles left out.
    pub arms: usize,
}

impl Sensitivity {
    /// Of so many seeds and splits, and arms beside the baseline.
    pub fn new(seeds: usize, splits: usize, arms: usize) -> Self {
        let (unit, units) = if splits > 1 { (Unit::Split, splits) } else { (Unit::Seed, seeds) };
        Self { unit, units, arms: arms.max(1) }
    }

    /// Of an ablation.
    pub fn of_ablation(ablation: &Ablation) -> Self {
        let arms = ablation.arms.iter().filter(|arm| !arm.oracle && arm.name != ablation.baseline);
        Self::new(ablation.seeds.len(), ablation.splits.len(), arms.count())
    }

    /// Of a study that was run.
    pub fn of_study(study: &Study) -> Self {
        let arms = study.arms.iter().filter(|arm| !arm.oracle && arm.name != study.baseline);
        Self::new(study.seeds.len(), study.splits.len(), arms.count())
    }

    fn test(self) -> Test {
        Test { alpha: 1.0 - LEVEL, arms: self.arms }
    }

    /// The smallest difference that is found with probability [`POWER`], in standard deviations of the paired differences
    /// between units; none of one unit.
    pub fn effect(self) -> Option<f64> {
        self.test().detectable_effect(self.units, POWER)
    }

    /// The smallest p of the exact test after Holm's correction.
    pub fn smallest_p(self) -> f64 {
        smallest_after_holm(self.units, self.arms)
    }

    /// The fewest units with which the exact test can reach 5 % after Holm's correction.
    pub fn units_for_p(self) -> Option<usize> {
        fewest_units(1.0 - LEVEL, self.arms)
    }

    /// Units that find a difference of `effect` standard deviations.
    pub fn units_for(self, effect: f64) -> Option<usize> {
        self.test().units_needed(effect, POWER)
    }

    /// In words: `3 seeds, 8 arms against one baseline`.
    pub fn words(self) -> String {
        format!(
            "{} {}, {} against one baseline",
            self.units,
            self.unit.word(self.units),
            counted(self.arms, "arm")
        )
    }

    /// What it finds, given the standard deviation of paired differences, in points and with where it is from.
    pub fn finds(self, sd: Option<(f64, &str)>) -> String {
        let Some(effect) = self.effect() else {
            return "one unit has no spread: no difference can be told from noise".to_owned();
        };
        let chance = format!("with probability {POWER:.2} (two-sided 5 %, Bonferroni over the arms)");
        match sd {
            Some((sd, source)) if effect * sd >= 100.0 => format!(
                "no difference that mIoU can have is found {chance}, where paired differences have a standard deviation of \
                 {sd:.2} points ({source})"
            ),
            Some((sd, source)) => {
                let half = self.units_for(effect / 2.0);
                let half = half.map_or_else(|| format!("more than {MOST_UNITS}"), |units| units.to_string());
                format!(
                    "a difference of {:.2} points is found {chance}, where paired differences have a standard deviation \
                     of {sd:.2} points ({source}); one half as large needs {half} {}",
                    effect * sd,
                    self.unit.word(2),
                )
            }
            None => format!(
                "a difference of {effect:.2} standard deviations of the paired differences is found {chance}; their \
                 standard deviation is not known"
            ),
        }
    }

    /// For programs, given the standard deviation of paired differences in points.
    pub fn to_json(self, sd: Option<f64>) -> serde_json::Value {
        serde_json::json!({
            "unit": self.unit.word(1),
            "units": self.units,
            "compared_arms": self.arms,
            "sd_points": sd,
            "detectable_effect_in_sd": self.effect(),
            "detectable_effect_points": self.effect().and_then(|effect| Some(effect * sd?)),
            "smallest_p_after_holm": self.smallest_p(),
            "units_for_5_percent": self.units_for_p(),
        })
    }

    /// What the exact test can reach.
    pub fn reaches(self) -> String {
        let needs = match self.units_for_p() {
            Some(units) if units > self.units => {
                format!("; 5 % takes {units} {} or more", self.unit.word(units))
            }
            _ => String::new(),
        };
        format!("the exact sign-flip test can reach p = {} after Holm{needs}", probability(self.smallest_p()))
    }
}

/// The standard deviation of the paired differences to the baseline, pooled over the methods: the root of the mean variance,
/// in points. None where no comparison has a spread.
pub fn pooled_sd(findings: &Findings) -> Option<f64> {
    let study = findings.study;
    let methods = study.arms.iter().filter(|arm| !arm.oracle && arm.name != study.baseline);
    let sd =
        |arm: &super::arm::ArmFacts| findings.compared.of(&arm.name, &study.baseline).procedure.as_ref()?.sd;
    let variances: Vec<f64> = methods.filter_map(sd).map(|sd| sd * sd).collect();
    Some(mean(&variances)?.sqrt() * 100.0)
}

/// What the design of a study could show, given the spread that was measured.
pub fn words(findings: &Findings) -> String {
    let design = Sensitivity::of_study(findings.study);
    let sd = pooled_sd(findings).map(|sd| (sd, "measured here, pooled over the arms"));
    format!("{}: {}; {}.", design.words(), design.finds(sd), design.reaches())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_splits_where_there_are_several() {
        assert_eq!(Sensitivity::new(9, 1, 7).units, 9);
        assert_eq!(Sensitivity::new(9, 3, 7), Sensitivity { unit: Unit::Split, units: 3, arms: 7 });
    }

    #[test]
    fn a_design_is_told_in_words() {
        let told = |design: Sensitivity, sd| {
            format!("{}\n{}\n{}", design.words(), design.finds(sd), design.reaches())
        };
        insta::assert_snapshot!(
            [
                told(Sensitivity::new(3, 1, 1), None),
                told(Sensitivity::new(3, 1, 7), Some((0.35, "[noise]"))),
                told(Sensitivity::new(9, 1, 7), Some((0.35, "[noise]"))),
                told(Sensitivity::new(1, 1, 7), Some((0.35, "[noise]"))),
            ]
            .join("\n\n")
        );
    }
}
