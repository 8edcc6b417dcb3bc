//! The tables of a study, column by column.
//!
//! Columns marked with `*` are the key: rows are sorted by it, in the order given, and each key is there once.
//! Columns marked with `?` are null where a value is unknown or undefined. Fractions are in [0, 1].
//! A stage's key joins `run_stages` with `metrics`, `images` and `confusion`; a run's id joins the rest.
//!
//! | table | column | type | unit |
//! |:--|:--|:--|:--|
//! | study | fact* | String | what the value is of |
//! | study | value | String | canonical JSON |
//! | runs | ablation* | String | name |
//! | runs | arm* | String | name |
//! | runs | split* | String | label |
//! | runs | seed* | Int64 | seed |
//! | runs | run_id | String | digest |
//! | runs | experiment_id | String | digest |
//! | runs | spec_id | String | digest |
//! | runs | oracle | Boolean | true masks of unlabeled images were used |
//! | runs | complete | Boolean | every stage is done |
//! | runs | headline | String | `test` or `val` |
//! | runs | miou? | Float64 | fraction, headline images, last epoch |
//! | runs | miou_val? | Float64 | fraction, validation images, last epoch |
//! | runs | miou_best? | Float64 | fraction, validation images, best look: an oracle selection |
//! | runs | best_step? | Int64 | optimiser steps, of the best look |
//! | runs | looks? | Int64 | validations that the best was chosen from |
//! | runs | select_stage? | String | stage key |
//! | runs | test_stage? | String | stage key |
//! | runs | val_stage? | String | stage key |
//! | run_stages | run_id* | String | digest |
//! | run_stages | position* | Int64 | place in the run's chain, from 0 |
//! | run_stages | kind | String | stage kind |
//! | run_stages | role | String | `teacher`, `student_1`, `student` or empty |
//! | run_stages | stage | String | stage key |
//! | run_stages | inputs | String | keys of the stages it read, separated by spaces |
//! | metrics | stage* | String | stage key |
//! | metrics | key* | String | metric |
//! | metrics | step* | Int64 | optimiser steps, from 1 |
//! | metrics | value | Float64 | of the metric |
//! | looks | run_id* | String | digest |
//! | looks | step* | Int64 | optimiser steps |
//! | looks | miou | Float64 | fraction, validation images |
//! | images | stage* | String | key of the selecting stage |
//! | images | image* | String | id of an unlabeled image |
//! | images | score? | Float64 | of the criterion; high is reliable |
//! | images | selected? | Boolean | reliable; null at pixel level |
//! | images | kept_pixels | Int64 | pixels whose pseudo label is kept |
//! | images | pixels | Int64 | pixels of the image |
//! | images | true_miou? | Float64 | fraction, pseudo label against true mask |
//! | pseudo_labels | run_id* | String | digest |
//! | pseudo_labels | position* | Int64 | place among the run's re-trainings, from 0 |
//! | pseudo_labels | role | String | `student_1` or `student`: the model trained on them |
//! | pseudo_labels | pixels | Int64 | pixels of all unlabeled images |
//! | pseudo_labels | kept_pixels | Int64 | pixels whose pseudo label is kept |
//! | pseudo_labels | truth | Boolean | true masks are known |
//! | pseudo_confusion | run_id* | String | digest |
//! | pseudo_confusion | position* | Int64 | place among the run's re-trainings, from 0 |
//! | pseudo_confusion | truth* | Int64 | class id |
//! | pseudo_confusion | prediction* | Int64 | class id of the kept pseudo label |
//! | pseudo_confusion | pixels | Int64 | pixels, above 0 |
//! | calibration | run_id* | String | digest |
//! | calibration | position* | Int64 | place among the run's re-trainings, from 0 |
//! | calibration | bin* | Int64 | of 15 bins of confidence, from 0 |
//! | calibration | pixels | Int64 | pixels with a known truth |
//! | calibration | right | Int64 | pixels whose pseudo label is right |
//! | calibration | confidence | Int64 | sum of confidences, each times 65535 |
//! | evaluated | stage* | String | key of the evaluating stage |
//! | evaluated | subset* | String | `test` or `val` |
//! | evaluated | image* | String | id of an evaluated image |
//! | evaluated | pixels | Int64 | pixels that count |
//! | evaluated | right | Int64 | pixels whose class is right |
//! | evaluated | miou? | Float64 | fraction, of this image alone: for a look, not for means |
//! | counts | stage* | String | key of the evaluating stage |
//! | counts | subset* | String | `test` or `val` |
//! | counts | image* | String | id of an evaluated image |
//! | counts | class* | Int64 | class id, of a class that the image or its prediction has |
//! | counts | tp | Int64 | pixels |
//! | counts | fp | Int64 | pixels |
//! | counts | fn | Int64 | pixels |
//! | confusion | stage* | String | key of the evaluating stage |
//! | confusion | subset* | String | `test` or `val` |
//! | confusion | image* | String | id of an evaluated image |
//! | confusion | truth* | Int64 | class id |
//! | confusion | prediction* | Int64 | class id |
//! | confusion | pixels | Int64 | pixels, above 0 |
//! | classes | run_id* | String | digest |
//! | classes | subset* | String | `test` or `val` |
//! | classes | class* | Int64 | class id |
//! | classes | name | String | class name |
//! | classes | iou? | Float64 | fraction; null where the class is absent |
//! | classes | tp | Int64 | pixels |
//! | classes | fp | Int64 | pixels |
//! | classes | fn | Int64 | pixels |

use super::table::Kind::{Flag, Integer, Real, Text};
use super::table::Place::{Fact, Key, Optional};
use super::table::{Column, Kind, Place, Schema};

const fn column(name: &'static str, place: Place, kind: Kind, unit: &'static str) -> Column {
    Column { name, kind, place, unit }
}

/// What is known of the study beside its runs: question, arms, claims, protocol, provenance.
pub static STUDY: Schema = Schema {
    name: "study",
    columns: &[
        column("fact", Key, Text, "what the value is of"),
        column("value", Fact, Text, "canonical JSON"),
    ],
};

/// One row per arm, split and seed.
pub static RUNS: Schema = Schema {
    name: "runs",
    columns: &[
        column("ablation", Key, Text, "name"),
        column("arm", Key, Text, "name"),
        column("split", Key, Text, "label"),
        column("seed", Key, Integer, "seed"),
        column("run_id", Fact, Text, "digest"),
        column("experiment_id", Fact, Text, "digest"),
        column("spec_id", Fact, Text, "digest"),
        column("oracle", Fact, Flag, "true masks of unlabeled images were used"),
        column("complete", Fact, Flag, "every stage is done"),
        column("headline", Fact, Text, "`test` or `val`"),
        column("miou", Optional, Real, "fraction, headline images, last epoch"),
        column("miou_val", Optional, Real, "fraction, validation images, last epoch"),
        column("miou_best", Optional, Real, "fraction, validation images, best look: an oracle selection"),
        column("best_step", Optional, Integer, "optimiser steps, of the best look"),
        column("looks", Optional, Integer, "validations that the best was chosen from"),
        column("select_stage", Optional, Text, "stage key"),
        column("test_stage", Optional, Text, "stage key"),
        column("val_stage", Optional, Text, "stage key"),
    ],
};

/// Which stages a run is made of.
pub static RUN_STAGES: Schema = Schema {
    name: "run_stages",
    columns: &[
        column("run_id", Key, Text, "digest"),
        column("position", Key, Integer, "place in the run's chain, from 0"),
        column("kind", Fact, Text, "stage kind"),
        column("role", Fact, Text, "`teacher`, `student_1`, `student` or empty"),
        column("stage", Fact, Text, "stage key"),
        column("inputs", Fact, Text, "keys of the stages it read, separated by spaces"),
    ],
};

/// What stages measured along the way.
pub static METRICS: Schema = Schema {
    name: "metrics",
    columns: &[
        column("stage", Key, Text, "stage key"),
        column("key", Key, Text, "metric"),
        column("step", Key, Integer, "optimiser steps, from 1"),
        column("value", Fact, Real, "of the metric"),
    ],
};

/// The looks at the validation images along the way of a run's result.
pub static LOOKS: Schema = Schema {
    name: "looks",
    columns: &[
        column("run_id", Key, Text, "digest"),
        column("step", Key, Integer, "optimiser steps"),
        column("miou", Fact, Real, "fraction, validation images"),
    ],
};

/// One row per unlabeled image of a selecting stage.
pub static IMAGES: Schema = Schema {
    name: "images",
    columns: &[
        column("stage", Key, Text, "key of the selecting stage"),
        column("image", Key, Text, "id of an unlabeled image"),
        column("score", Optional, Real, "of the criterion; high is reliable"),
        column("selected", Optional, Flag, "reliable; null at pixel level"),
        column("kept_pixels", Fact, Integer, "pixels whose pseudo label is kept"),
        column("pixels", Fact, Integer, "pixels of the image"),
        column("true_miou", Optional, Real, "fraction, pseudo label against true mask"),
    ],
};

/// The pseudo labels that each re-training of a run is given.
pub static PSEUDO_LABELS: Schema = Schema {
    name: "pseudo_labels",
    columns: &[
        column("run_id", Key, Text, "digest"),
        column("position", Key, Integer, "place among the run's re-trainings, from 0"),
        column("role", Fact, Text, "`student_1` or `student`: the model trained on them"),
        column("pixels", Fact, Integer, "pixels of all unlabeled images"),
        column("kept_pixels", Fact, Integer, "pixels whose pseudo label is kept"),
        column("truth", Fact, Flag, "true masks are known"),
    ],
};

/// The cells above 0 of the confusion matrix of pseudo labels, over all images.
pub static PSEUDO_CONFUSION: Schema = Schema {
    name: "pseudo_confusion",
    columns: &[
        column("run_id", Key, Text, "digest"),
        column("position", Key, Integer, "place among the run's re-trainings, from 0"),
        column("truth", Key, Integer, "class id"),
        column("prediction", Key, Integer, "class id of the kept pseudo label"),
        column("pixels", Fact, Integer, "pixels, above 0"),
    ],
};

/// Confidence of pseudo labels against their accuracy, over all images.
pub static CALIBRATION: Schema = Schema {
    name: "calibration",
    columns: &[
        column("run_id", Key, Text, "digest"),
        column("position", Key, Integer, "place among the run's re-trainings, from 0"),
        column("bin", Key, Integer, "of 15 bins of confidence, from 0"),
        column("pixels", Fact, Integer, "pixels with a known truth"),
        column("right", Fact, Integer, "pixels whose pseudo label is right"),
        column("confidence", Fact, Integer, "sum of confidences, each times 65535"),
    ],
};

/// One row per evaluated image of an evaluating stage.
pub static EVALUATED: Schema = Schema {
    name: "evaluated",
    columns: &[
        column("stage", Key, Text, "key of the evaluating stage"),
        column("subset", Key, Text, "`test` or `val`"),
        column("image", Key, Text, "id of an evaluated image"),
        column("pixels", Fact, Integer, "pixels that count"),
        column("right", Fact, Integer, "pixels whose class is right"),
        column("miou", Optional, Real, "fraction, of this image alone: for a look, not for means"),
    ],
};

/// Of every evaluated image, the classes that it or its prediction has.
pub static COUNTS: Schema = Schema {
    name: "counts",
    columns: &[
        column("stage", Key, Text, "key of the evaluating stage"),
        column("subset", Key, Text, "`test` or `val`"),
        column("image", Key, Text, "id of an evaluated image"),
        column("class", Key, Integer, "class id, of a class that the image or its prediction has"),
        column("tp", Fact, Integer, "pixels"),
        column("fp", Fact, Integer, "pixels"),
        column("fn", Fact, Integer, "pixels"),
    ],
};

/// The cells above 0 of every evaluated image's confusion matrix.
pub static CONFUSION: Schema = Schema {
    name: "confusion",
    columns: &[
        column("stage", Key, Text, "key of the evaluating stage"),
        column("subset", Key, Text, "`test` or `val`"),
        column("image", Key, Text, "id of an evaluated image"),
        column("truth", Key, Integer, "class id"),
        column("prediction", Key, Integer, "class id"),
        column("pixels", Fact, Integer, "pixels, above 0"),
    ],
};

/// One row per run, evaluated subset and class, over the whole subset.
pub static CLASSES: Schema = Schema {
    name: "classes",
    columns: &[
        column("run_id", Key, Text, "digest"),
        column("subset", Key, Text, "`test` or `val`"),
        column("class", Key, Integer, "class id"),
        column("name", Fact, Text, "class name"),
        column("iou", Optional, Real, "fraction; null where the class is absent"),
        column("tp", Fact, Integer, "pixels"),
        column("fp", Fact, Integer, "pixels"),
        column("fn", Fact, Integer, "pixels"),
    ],
};

/// All tables, in the order in which they are written.
pub static ALL: [&Schema; 13] = [
    &STUDY,
    &RUNS,
    &RUN_STAGES,
    &METRICS,
    &LOOKS,
    &IMAGES,
    &PSEUDO_LABELS,
    &PSEUDO_CONFUSION,
    &CALIBRATION,
    &EVALUATED,
    &COUNTS,
    &CONFUSION,
    &CLASSES,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_is_the_schema() {
        let documented: Vec<&str> = include_str!("schema.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! | "))
            .filter(|line| !line.starts_with("table "))
            .collect();
        let actual: Vec<String> = ALL
            .iter()
            .flat_map(|schema| schema.columns.iter().map(move |column| (schema.name, column)))
            .map(|(table, column)| {
                let mark = match column.place {
                    Place::Key => "*",
                    Place::Fact => "",
                    Place::Optional => "?",
                };
                format!("{table} | {}{mark} | {} | {} |", column.name, column.kind.name(), column.unit)
            })
            .collect();
        assert_eq!(documented, actual);
    }

    #[test]
    fn keys_come_first() {
        for schema in ALL {
            let keys = schema.columns.iter().take_while(|column| column.place == Key).count();
            assert!(
                keys > 0 && schema.columns[keys..].iter().all(|column| column.place != Key),
                "{}",
                schema.name
            );
        }
    }
}
