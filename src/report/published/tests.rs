use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// A study with the official settings.
fn official(dataset: &str, backbone: &str, crop: u64, splits: &[(&str, u64, u64)]) -> Protocol {
    let sized = |&(label, labeled, unlabeled): &(&str, u64, u64)| {
        (label.to_owned(), SplitSize { labeled, unlabeled })
    };
    Protocol {
        dataset: dataset.to_owned(),
        splits: splits.iter().map(sized).collect(),
        geometry: "whole images".to_owned(),
        convention: PUBLISHED.convention.clone(),
        network: format!("{backbone} deeplabv3plus, output stride 8"),
        crop,
    }
}

fn blended() -> Protocol {
    official("pascal", "resnet101", 321, &[("1_8", 1323, 9259)])
}

fn values(protocol: &Protocol) -> Vec<(&'static str, f64)> {
    published(protocol).iter().map(|row| (row.method, row.miou)).collect()
}

#[test]
fn every_number_has_a_source_and_a_whole_setting() {
    assert!(!settings().is_empty());
    assert_eq!(PUBLISHED.convention, crate::report::query::CONVENTION, "else no number would ever be shown");
    for entry in &PUBLISHED.numbers {
        assert!(["ST", "ST++"].contains(&entry.method.as_str()), "{entry:?}");
        assert!((50.0..90.0).contains(&entry.miou), "{entry:?}");
        assert!(format!("{:.1}", entry.miou).parse() == Ok(entry.miou), "a decimal would be lost: {entry:?}");
        let versioned = entry.source.contains(" at ") || entry.source.contains(", issue ");
        assert!(versioned && !entry.source.contains("recalled"), "{entry:?}");
        assert!(entry.remark.as_ref().is_none_or(|remark| !remark.is_empty()), "{entry:?}");
        let (training, crop, lists) = match entry.dataset.as_str() {
            "pascal" => (10_582, 321, [Lists::Original, Lists::Blended].as_slice()),
            "cityscapes" => (2_975, 721, [Lists::Official].as_slice()),
            other => panic!("`{other}` is no preset"),
        };
        assert_eq!((entry.training, entry.crop), (training, crop), "{entry:?}");
        assert!(lists.contains(&entry.lists) && entry.labeled < entry.training, "{entry:?}");
        assert!(["resnet50", "resnet101"].contains(&entry.backbone.as_str()), "{entry:?}");
        assert_eq!((entry.head.as_str(), entry.output_stride), ("deeplabv3plus", 8), "{entry:?}");
        assert_eq!(entry.geometry, "whole images", "{entry:?}");
    }
}

#[test]
fn lists_are_known_by_their_lengths() {
    for entry in PUBLISHED.numbers.iter().filter(|entry| entry.dataset == "pascal") {
        let original = [92, 183, 366, 732, 1464].contains(&entry.labeled);
        let blended = [662, 1323, 2645].contains(&entry.labeled);
        assert_eq!((entry.lists == Lists::Original, entry.lists == Lists::Blended), (original, blended));
    }
}

#[test]
fn a_method_has_one_number_per_setting() {
    let key = |entry: &Entry| (entry.dataset.clone(), entry.network(), entry.labeled, entry.method.clone());
    let keys: BTreeSet<_> = PUBLISHED.numbers.iter().map(key).collect();
    assert_eq!(keys.len(), PUBLISHED.numbers.len());
}

#[test]
fn official_settings_find_their_numbers() {
    assert_eq!(values(&blended()), [("ST", 75.7), ("ST++", 76.3)]);
    let few = official("pascal", "resnet101", 321, &[("92", 92, 10_490)]);
    assert_eq!(values(&few), [("ST", 61.3), ("ST++", 65.2)]);
    let small = official("pascal", "resnet50", 321, &[("1_16", 662, 9920)]);
    assert_eq!(values(&small), [("ST++", 72.6)]);
    let streets = official("cityscapes", "resnet50", 721, &[("1_4", 744, 2231)]);
    assert_eq!(values(&streets), [("ST++", 73.8)]);
}

#[test]
fn another_setting_finds_none_whatever_differs() {
    type Change = (&'static str, fn(&mut Protocol));
    let changes: [Change; 10] = [
        ("dataset", |other| other.dataset = "scenes".to_owned()),
        ("geometry", |other| other.geometry = "windows of 321, every 160 pixels".to_owned()),
        ("convention", |other| other.convention = "mean over images".to_owned()),
        ("backbone", |other| other.network = "resnet18 deeplabv3plus, output stride 8".to_owned()),
        ("head", |other| other.network = "resnet101 pspnet, output stride 8".to_owned()),
        ("stride", |other| other.network = "resnet101 deeplabv3plus, output stride 16".to_owned()),
        ("width", |other| other.network += ", width 0.5"),
        ("crop", |other| other.crop = 513),
        ("labeled", |other| resize(other, 1322, 9260)),
        ("training images", |other| resize(other, 1323, 9260)),
    ];
    for (what, change) in changes {
        let mut other = blended();
        change(&mut other);
        assert_eq!(published(&other), [], "another {what}");
    }
}

fn resize(protocol: &mut Protocol, labeled: u64, unlabeled: u64) {
    protocol.splits.values_mut().for_each(|size| *size = SplitSize { labeled, unlabeled });
}

#[test]
fn protocols_are_not_mixed() {
    // 2,646 labeled images are a list of U2PL; 1,464 of 1,464 have no unlabeled ones.
    let other = official("pascal", "resnet101", 321, &[("u2pl", 2646, 7936), ("alone", 1464, 0)]);
    assert_eq!(published(&other), []);
}

#[test]
fn splits_of_one_size_share_a_row() {
    let splits = [("1_8/0", 1323, 9259), ("1_8/1", 1323, 9259), ("1_4/0", 2645, 7937), ("own", 100, 10_482)];
    let rows = published(&official("pascal", "resnet101", 321, &splits));
    let splits: Vec<&[String]> = rows.iter().map(|row| row.splits.as_slice()).collect();
    assert_eq!(splits, [&["1_8/0", "1_8/1"][..], &["1_8/0", "1_8/1"], &["1_4/0"], &["1_4/0"]]);
}

#[test]
fn the_table_names_the_source_at_each_number() {
    let splits = [("1_16", 662, 9920), ("1_4", 2645, 7937)];
    let rows = published(&official("pascal", "resnet101", 321, &splits));
    let unremarked = published(&official("pascal", "resnet50", 321, &splits[..1]));
    let text = format!("{}\n\n{NOTE}\n\n{}", grid(&rows).render(), grid(&unremarked).render());
    insta::assert_snapshot!(text);
    assert!(grid(&[]).is_empty());
}

proptest! {
    #[test]
    fn sizes_that_nobody_published_find_none(labeled in any::<u64>(), unlabeled in any::<u64>()) {
        let mut protocol = blended();
        protocol.splits = BTreeMap::from([("any".to_owned(), SplitSize { labeled, unlabeled })]);
        for row in published(&protocol) {
            prop_assert_eq!(labeled + unlabeled, 10_582);
            prop_assert!([92, 183, 366, 732, 1464, 662, 1323, 2645].contains(&labeled), "{:?}", row);
        }
    }
}
