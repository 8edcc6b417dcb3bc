//! Every key of a spec by its dotted path, for suggestions across tables and for checking factors.

/// Every key that holds a value.
pub const KEYS: &[&str] = &[
    "augment.strong.blur.p",
    "augment.strong.blur.sigma",
    "augment.strong.cutout.area",
    "augment.strong.cutout.aspect",
    "augment.strong.cutout.p",
    "augment.strong.grayscale.p",
    "augment.strong.jitter.brightness",
    "augment.strong.jitter.contrast",
    "augment.strong.jitter.hue",
    "augment.strong.jitter.p",
    "augment.strong.jitter.saturation",
    "augment.strong.on",
    "augment.weak.flip",
    "augment.weak.scale",
    "baseline",
    "claim.better",
    "claim.by",
    "claim.metric",
    "claim.on",
    "claim.split",
    "claim.than",
    "data.classes",
    "data.difficulty",
    "data.height",
    "data.ignore",
    "data.kind",
    "data.long_side",
    "data.name",
    "data.palette",
    "data.preset",
    "data.root",
    "data.seed",
    "data.test",
    "data.train",
    "data.val",
    "data.width",
    "description",
    "evaluate.on",
    "evaluate.points",
    "evaluate.stride",
    "evaluate.window",
    "extends",
    "factors",
    "method.checkpoints",
    "method.labels",
    "method.name",
    "method.relabel_reliable",
    "method.retrainings",
    "method.select.background",
    "method.select.criterion",
    "method.select.fraction",
    "method.select.level",
    "method.select.quantile",
    "method.select.rule",
    "method.select.threshold",
    "method.select.ties",
    "method.select.to.background",
    "method.select.to.criterion",
    "method.select.to.fraction",
    "method.select.to.ties",
    "method.teacher",
    "method.tta.flip",
    "method.tta.scales",
    "model.backbone",
    "model.head",
    "model.output_stride",
    "model.weights",
    "model.width",
    "name",
    "noise.sd",
    "noise.study",
    "question",
    "regime.ceiling",
    "regime.long",
    "regime.short",
    "retrain.base_lr",
    "retrain.base_size",
    "retrain.batch",
    "retrain.crop",
    "retrain.drop_last",
    "retrain.epochs",
    "retrain.head_lr",
    "retrain.iterations",
    "retrain.momentum",
    "retrain.oversample",
    "retrain.power",
    "retrain.weight_decay",
    "run.device",
    "run.threads",
    "seed",
    "seeds",
    "split.fraction",
    "split.labeled",
    "split.lists",
    "split.seed",
    "splits",
    "tags",
    "train.base_lr",
    "train.base_size",
    "train.batch",
    "train.crop",
    "train.drop_last",
    "train.epochs",
    "train.head_lr",
    "train.iterations",
    "train.momentum",
    "train.oversample",
    "train.power",
    "train.weight_decay",
];

/// Every table, `arm` being the one that holds the arms.
pub const TABLES: &[&str] = &[
    "arm",
    "augment",
    "augment.strong",
    "augment.strong.blur",
    "augment.strong.cutout",
    "augment.strong.grayscale",
    "augment.strong.jitter",
    "augment.weak",
    "claim",
    "data",
    "evaluate",
    "method",
    "method.select",
    "method.select.to",
    "method.tta",
    "model",
    "noise",
    "regime",
    "retrain",
    "run",
    "split",
    "train",
];

/// Keys that only an ablation has.
pub const OF_ABLATIONS: &[&str] =
    &["name", "question", "baseline", "factors", "seeds", "splits", "arm", "regime", "claim", "noise"];

/// Whether a dotted path is a key or a table.
pub fn is_key(path: &str) -> bool {
    KEYS.binary_search(&path).is_ok() || TABLES.binary_search(&path).is_ok()
}

/// The tables that have a key of this name.
pub fn tables_with(key: &str) -> Vec<&'static str> {
    let split = |path: &'static str| path.rsplit_once('.').filter(|(_, last)| *last == key);
    KEYS.iter().filter_map(|path| split(path)).map(|(table, _)| table).collect()
}

/// What arms may differ in: keys and tables of an experiment.
pub fn factors() -> impl Iterator<Item = &'static str> {
    let of_experiments = |path: &&str| {
        let first = path.split('.').next().unwrap_or(path);
        !OF_ABLATIONS.contains(&first) && !["description", "tags", "extends", "run", "seed"].contains(&first)
    };
    KEYS.iter().chain(TABLES).copied().filter(of_experiments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_sorted_for_the_search() {
        assert!(KEYS.is_sorted() && TABLES.is_sorted());
        assert!(is_key("train.batch") && is_key("method.select") && !is_key("train.bach"));
    }

    #[test]
    fn a_key_finds_its_tables() {
        assert_eq!(tables_with("momentum"), ["retrain", "train"]);
        assert!(factors().all(|path| !path.starts_with("arm") && path != "name"));
    }
}
