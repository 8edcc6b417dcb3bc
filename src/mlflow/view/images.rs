//! Previews of pseudo labels as the page of a run shows images: one slider per image, over the re-trainings.
//!
//! An image is two files, whose names say which it is, at which step, when, and a number that tells two of the same apart:
//! `images/<key>+step+<step>+timestamp+<ms>+<uuid>.png`, and the same name with `+compressed.webp` for grids, which show nothing without it.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::digest::Digest;
use crate::plan::StageKey;
use crate::store::study::StoredMember;
use crate::store::{Store, StoreError, StoredStudy};

/// The files that show what each re-training of an experiment was taught, by path.
///
/// # Errors
/// What can't be read of the store.
pub fn of(store: &Store, member: &StoredMember) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let mut files = BTreeMap::new();
    for (at, lesson) in member.chain.taught.iter().enumerate() {
        // A slider begins at 0.
        let step = at as u64;
        for key in &lesson.masks {
            let Some(stage) = member.chain.steps.iter().find(|stage| stage.key == *key) else { continue };
            let Some(previews) = store.previews(stage.kind, stage.key)? else { continue };
            for id in previews.ids() {
                let Some((form, image)) = id.split_once('/') else { continue };
                let name = name(member.run_id, image, step);
                let path = match form {
                    "png" => format!("{name}.png"),
                    "webp" => format!("{name}+compressed.webp"),
                    _ => continue,
                };
                if let Some(bytes) = previews.get(id) {
                    files.insert(path, bytes.to_vec());
                }
            }
        }
    }
    Ok(files)
}

/// The keys of the images that a study shows: those of its first run that has some.
///
/// # Errors
/// What can't be read of the store.
pub fn keys(store: &Store, study: &StoredStudy) -> Result<Vec<String>, StoreError> {
    let mut keys = BTreeSet::new();
    for member in &study.members {
        let taught: Vec<StageKey> =
            member.chain.taught.iter().flat_map(|lesson| lesson.masks.clone()).collect();
        for stage in member.chain.steps.iter().filter(|stage| taught.contains(&stage.key)) {
            let Some(previews) = store.previews(stage.kind, stage.key)? else { continue };
            keys.extend(
                previews
                    .ids()
                    .filter_map(|id| id.strip_prefix("png/"))
                    .map(|id| format!("pseudo/{}", plain(id))),
            );
        }
        if !keys.is_empty() {
            break;
        }
    }
    Ok(keys.into_iter().collect())
}

/// The path of an image without its ending. It has the same time and number whoever sends it.
fn name(run: Digest, image: &str, step: u64) -> String {
    let key = format!("pseudo~{}", plain(image));
    let number = Digest::of(format!("{run}\n{image}\n{step}").as_bytes()).to_string();
    let uuid = format!(
        "{}-{}-5{}-8{}-{}",
        &number[..8],
        &number[8..12],
        &number[13..16],
        &number[17..20],
        &number[20..32]
    );
    format!("images/{key}+step+{step}+timestamp+{step}+{uuid}")
}

/// An image's id as a part of a file's name: what a server refuses in paths, or reads as a part of the form above, becomes
/// `_`, and then eight digits of the id's own digest keep two ids apart.
fn plain(image: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' };
    let name: String = image.chars().map(kept).take(150).collect();
    if name == image && !name.starts_with('.') {
        return name;
    }
    format!("{}_{}", name.trim_start_matches('.'), &Digest::of(image.as_bytes()).to_string()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_a_name_of_its_own_that_a_server_accepts() {
        assert_eq!(plain("2007_000032.jpg"), "2007_000032.jpg");
        for id in ["JPEGImages/a#1.jpg", "../a", "ä.png", "a+step+1", ""] {
            let name = plain(id);
            assert!(
                name.is_ascii() && !name.contains(['#', '/', '+', '%']) && !name.starts_with('.'),
                "{name}"
            );
        }
        assert_ne!(plain("a#b"), plain("a+b"));
        let run = Digest::of(b"run");
        assert_ne!(name(run, "a", 1), name(run, "a", 2));
        insta::assert_snapshot!(name(run, "leaves/a.png", 2));
    }
}
