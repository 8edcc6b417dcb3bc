use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::base::digest::Digest;

fn provenance(splits: &[&str]) -> Provenance {
    let digest = |text: &str| Digest::of(text.as_bytes());
    Provenance {
        ablation: digest("ablation"),
        data: digest("data"),
        splits: splits.iter().map(|label| ((*label).to_owned(), digest(label))).collect(),
        weights: Some(digest("weights")),
        numerics: "cpu x86_64 avx2+fma f32 engine 1".to_owned(),
        code: vec!["0.1.0 32899ba".to_owned()],
        stages: BTreeMap::from([("teacher".to_owned(), 1)]),
    }
}

fn about(provenance: &Provenance) -> About<'_> {
    About {
        name: "selection",
        description: "Does image-level selection beat pixel-level selection?",
        license: None,
        published: None,
        version: "0.1.0",
        home: None,
        provenance,
    }
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let names = [HTML, MARKDOWN, JSON, LATEX, CSV, "figures/curves.svg", "tables/runs.parquet"];
    names.iter().map(|name| ((*name).to_owned(), format!("{name}\n").into_bytes())).collect()
}

/// The entities of a document, by their ids.
fn graph(text: &str) -> BTreeMap<String, Value> {
    let document: Value = serde_json::from_str(text).unwrap();
    let entities = document["@graph"].as_array().unwrap().iter();
    entities.map(|entity| (entity["@id"].as_str().unwrap().to_owned(), entity.clone())).collect()
}

/// Every id that an entity links to, its own left out.
fn links(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| links(item, found)),
        Value::Object(map) if map.len() == 1 && map.contains_key("@id") => {
            found.insert(map["@id"].as_str().unwrap().to_owned());
        }
        Value::Object(map) => map.values().for_each(|value| links(value, found)),
        _ => {}
    }
}

#[test]
fn a_draft() {
    insta::assert_snapshot!(ro_crate(&about(&provenance(&["1_8/split_0"])), &files()));
}

#[test]
fn what_the_authors_give_stands_there() {
    let provenance = provenance(&["0"]);
    let license = License {
        url: "https://spdx.org/licenses/CC-BY-4.0",
        name: "Creative Commons Attribution 4.0 International",
        description: "Use is free to all who name the authors.",
    };
    let about = About {
        license: Some(license),
        published: Some("2026-03-01"),
        home: Some("https://example.org/stpp"),
        ..about(&provenance)
    };
    let graph = graph(&ro_crate(&about, &files()));
    assert_eq!(graph[ROOT]["datePublished"], "2026-03-01");
    assert_eq!(graph[ROOT]["license"]["@id"], license.url);
    assert_eq!(graph[ROOT]["creativeWorkStatus"], Value::Null);
    assert_eq!(graph[license.url]["name"], license.name);
    assert_eq!(graph[SOFTWARE]["url"], "https://example.org/stpp");
}

#[test]
fn what_they_do_not_give_is_not_invented() {
    let text = ro_crate(&about(&provenance(&[])), &files());
    for word in ["datePublished", "license", "endTime", "startTime", "agent", "url"] {
        assert!(!text.contains(&format!("\"{word}\":")), "{word}");
    }
    assert_eq!(graph(&text)[ROOT]["creativeWorkStatus"], "Draft");
}

#[test]
fn a_hash_is_the_known_one() {
    let files = BTreeMap::from([("a.txt".to_owned(), b"abc".to_vec())]);
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let graph = graph(&ro_crate(&about(&provenance(&[])), &files));
    assert_eq!((&graph["a.txt"]["sha256"], &graph["a.txt"]["contentSize"]), (&json!(known), &json!("3")));
}

#[test]
fn the_description_does_not_describe_itself() {
    let provenance = provenance(&["0"]);
    let before = ro_crate(&about(&provenance), &files());
    let mut with_itself = files();
    with_itself.insert(RO_CRATE.to_owned(), before.clone().into_bytes());
    assert_eq!(ro_crate(&about(&provenance), &with_itself), before);
}

#[test]
fn names_that_are_no_uris_are_encoded() {
    let files = BTreeMap::from([("figures/a b#ä.svg".to_owned(), Vec::new())]);
    let graph = graph(&ro_crate(&about(&provenance(&["splits/1 8"])), &files));
    assert_eq!(graph["figures/a%20b%23%C3%A4.svg"]["name"], "figures/a b#ä.svg");
    assert_eq!(graph["#split-splits%2F1%208"]["name"], "split splits/1 8");
}

proptest! {
    #[test]
    fn links_lead_somewhere_and_files_are_listed_once(
        names in proptest::collection::btree_set("[a-zA-Z0-9 #%/äµ.]{1,12}", 0..6),
        splits in proptest::collection::btree_set("[a-z0-9/ #%]{1,6}", 0..4),
    ) {
        let labels: Vec<&str> = splits.iter().map(String::as_str).collect();
        let provenance = provenance(&labels);
        let files: BTreeMap<String, Vec<u8>> =
            names.iter().map(|name| (name.clone(), name.clone().into_bytes())).collect();
        let text = ro_crate(&about(&provenance), &files);
        prop_assert_eq!(&text, &ro_crate(&about(&provenance), &files));
        let document: Value = serde_json::from_str(&text).unwrap();
        let graph = graph(&text);
        prop_assert_eq!(document["@graph"].as_array().unwrap().len(), graph.len(), "an id is given twice");
        prop_assert_eq!(graph[ROOT]["hasPart"].as_array().unwrap().len(), files.len());
        let mut found = BTreeSet::new();
        graph.values().for_each(|entity| links(entity, &mut found));
        let outside = |id: &&String| !graph.contains_key(*id);
        let foreign: Vec<&String> = found.iter().filter(outside).collect();
        prop_assert_eq!(foreign, [SPECIFICATION]);
    }
}
