//! The report's folder as an RO-Crate 1.2: `ro-crate-metadata.json`, which says what each file is and what it came from.
//!
//! The root dataset has every file of the report, with size and SHA-256. A `CreateAction` by this program links the
//! digests that the report is a function of (ablation, data, lists, weights, numerics class) to the files. Columns of
//! tables are documented in [`crate::track::schema`] and not here.
//!
//! The specification wants a date of publication and a licence of the root, an address of the software, and a time and
//! a person of the action. A report is a pure function of the store, which knows none of them; so the first three stand
//! there where they are given, and the others do not. Without a date the crate is a draft, says so
//! ([`creativeWorkStatus`]), and a validator tells what is to be added before it is published.
//!
//! [`creativeWorkStatus`]: https://schema.org/creativeWorkStatus

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{CSV, FIGURES, HTML, JSON, LATEX, MARKDOWN};
use crate::report::study::Provenance;

/// The file's name, which the specification sets.
pub const RO_CRATE: &str = "ro-crate-metadata.json";

const SPECIFICATION: &str = "https://w3id.org/ro/crate/1.2";
const ROOT: &str = "./";
const SOFTWARE: &str = "#stpp";
const ACTION: &str = "#report";

/// What is said of the report as a whole.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The study's name; not empty.
    pub name: &'a str,
    /// What the study asks; not empty.
    pub description: &'a str,
    /// The terms under which the report is given to others, where the authors say so.
    pub license: Option<License<'a>>,
    /// The day of publication, where the authors say so: `2026-03-01`.
    pub published: Option<&'a str>,
    /// The version of this program.
    pub version: &'a str,
    /// Where this program can be had, where that is known: `https://…`.
    pub home: Option<&'a str>,
    /// What the report was made of.
    pub provenance: &'a Provenance,
}

/// A licence.
#[derive(Debug, Clone, Copy)]
pub struct License<'a> {
    /// Its address: `https://spdx.org/licenses/CC-BY-4.0`.
    pub url: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it allows, in a sentence.
    pub description: &'a str,
}

/// Describes the files of a report, by their paths in its folder. The same input gives the same bytes; keys are sorted.
///
/// A file named [`RO_CRATE`] is left out, as the description of itself.
pub fn ro_crate(about: &About, files: &BTreeMap<String, Vec<u8>>) -> String {
    let files = || files.iter().filter(|(path, _)| *path != RO_CRATE);
    let paths: Vec<Value> = files().map(|(path, _)| link(&encoded(path, "/"))).collect();
    let inputs = inputs(about.provenance);
    let mut graph = vec![
        json!({
            "@id": RO_CRATE,
            "@type": "CreativeWork",
            "about": link(ROOT),
            "conformsTo": link(SPECIFICATION),
            "name": "Description of the report as an RO-Crate",
        }),
        root(about, &paths),
        json!({
            "@id": ACTION,
            "@type": "CreateAction",
            "description": format!("`stpp report {}`: a function of the records of this ablation alone", about.name),
            "instrument": link(SOFTWARE),
            "name": "The report was computed from the records of the runs",
            "object": inputs.iter().map(|input| json!({ "@id": input["@id"] })).collect::<Vec<_>>(),
            "result": paths,
        }),
        software(about),
    ];
    graph.extend(files().map(|(path, bytes)| file(path, bytes)));
    graph.extend(inputs);
    graph.extend(about.license.map(license));
    let document = json!({ "@context": format!("{SPECIFICATION}/context"), "@graph": graph });
    serde_json::to_string_pretty(&document).expect("a value is plain data") + "\n"
}

/// Files whose bytes are not those that the metadata of a report states, in the order of their paths. Without metadata that can
/// be read nothing is known.
pub fn altered(metadata: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let metadata: Value = serde_json::from_slice(metadata).unwrap_or_default();
    let entities = metadata["@graph"].as_array().map_or(&[][..], Vec::as_slice);
    let stated = |path: &str| entities.iter().find(|entity| entity["name"] == path)?["sha256"].as_str();
    let differs = |(path, bytes): &(&String, &Vec<u8>)| {
        stated(path).is_some_and(|stated| stated != hex(&Sha256::digest(bytes)))
    };
    files.iter().filter(differs).map(|(path, _)| path.clone()).collect()
}

fn link(id: &str) -> Value {
    json!({ "@id": id })
}

fn root(about: &About, paths: &[Value]) -> Value {
    let mut root = json!({
        "@id": ROOT,
        "@type": "Dataset",
        "description": about.description,
        "hasPart": paths,
        "mentions": link(ACTION),
        "name": about.name,
    });
    match about.published {
        Some(day) => root["datePublished"] = json!(day),
        None => root["creativeWorkStatus"] = json!("Draft"),
    }
    if let Some(license) = about.license {
        root["license"] = link(license.url);
    }
    root
}

fn software(about: &About) -> Value {
    let mut software = json!({
        "@id": SOFTWARE,
        "@type": "SoftwareApplication",
        "description": "Reproducible experiments for self-training in semi-supervised semantic segmentation",
        "name": "stpp",
        "version": about.version,
    });
    if let Some(home) = about.home {
        software["url"] = json!(home);
    }
    software
}

fn license(license: License) -> Value {
    let License { url, name, description } = license;
    json!({ "@id": url, "@type": "CreativeWork", "description": description, "name": name })
}

fn file(path: &str, bytes: &[u8]) -> Value {
    json!({
        "@id": encoded(path, "/"),
        "@type": "File",
        "contentSize": bytes.len().to_string(),
        "description": role(path),
        "encodingFormat": format(path),
        "name": path,
        "sha256": hex(&Sha256::digest(bytes)),
    })
}

/// What a file of a report is for.
fn role(path: &str) -> &'static str {
    match path {
        HTML => "The report for reading, in one file",
        MARKDOWN => "The report for reading, as text",
        JSON => "Every number of the report for programs, with the digests that it came from",
        LATEX => "The main tables for a paper, as LaTeX with booktabs",
        CSV => "The comparisons for a spreadsheet, a row each, at full precision",
        _ if path.split('/').next() == Some(FIGURES) => "A picture of the report",
        _ if path.ends_with(".parquet") => "A table of the study",
        _ => "A file that belongs to the report",
    }
}

/// The media type that a file's ending stands for.
fn format(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "csv" => "text/csv",
        "html" => "text/html",
        "json" => "application/json",
        "md" => "text/markdown",
        "parquet" => "application/vnd.apache.parquet",
        "svg" => "image/svg+xml",
        "tex" => "application/x-tex",
        "txt" => "text/plain",
        _ => "application/octet-stream",
    }
}

/// What the report is a function of, as named values.
fn inputs(provenance: &Provenance) -> Vec<Value> {
    let digest = |id: &str, name: &str, description: &str, value: &dyn ToString| {
        json!({
            "@id": format!("#{id}"),
            "@type": "PropertyValue",
            "description": description,
            "name": name,
            "propertyID": "BLAKE3",
            "value": value.to_string(),
        })
    };
    let mut inputs = vec![
        digest(
            "ablation",
            "ablation",
            "Digest of the resolved ablation: every setting",
            &provenance.ablation,
        ),
        digest("data", "data", "Digest of the manifest: every image and mask", &provenance.data),
    ];
    for (label, lists) in &provenance.splits {
        let id = format!("split-{}", encoded(label, ""));
        let name = format!("split {label}");
        inputs.push(digest(&id, &name, "Digest of the lists of labeled and unlabeled images", lists));
    }
    if let Some(weights) = &provenance.weights {
        inputs.push(digest(
            "weights",
            "pretrained weights",
            "Digest of the weights that training started from",
            weights,
        ));
    }
    inputs.push(json!({
        "@id": "#numerics",
        "@type": "PropertyValue",
        "description": "All that may change bits: in the same class a run gives the same ones",
        "name": "numerics class",
        "value": provenance.numerics,
    }));
    inputs
}

/// Text as a part of a URI, in which `kept` stands for itself (RFC 3986).
fn encoded(text: &str, kept: &str) -> String {
    let mut uri = String::new();
    for byte in text.bytes() {
        let plain = char::from(byte);
        if plain.is_ascii_alphanumeric() || "-._~".contains(plain) || kept.contains(plain) {
            uri.push(plain);
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
