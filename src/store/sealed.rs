//! Documents that carry the digest of their content, so that any flipped bit in them is found.
//!
//! ```text
//! {"blake3":"<digest of the bytes of …>",
//! "content":…}
//! ```
//!
//! It is JSON that any tool reads, but its first line and its end are as written here, and the digest is over the very
//! bytes of the content: a document is what was written, or it is damaged. Before this form there were [bare](Form::Bare)
//! documents, the content alone.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::base::digest::Digest;
use crate::base::fs;

const HEAD: &[u8] = b"{\"blake3\":\"";
const BETWEEN: &[u8] = b"\",\n\"content\":";
const END: &[u8] = b"}\n";

/// How a document is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON, and nothing that guards it: the first format.
    Bare,
    /// With the digest of its content.
    Sealed,
}

/// A document of the store, or why it can't be read.
#[derive(Debug)]
pub struct Found<T> {
    /// Where it lies.
    pub path: PathBuf,
    /// Its form.
    pub form: Form,
    /// What it says.
    pub content: Result<T, StoreError>,
}

/// The bytes of a sealed document.
pub fn seal<T: Serialize + ?Sized>(content: &T) -> Vec<u8> {
    let content = serde_json::to_vec_pretty(content).expect("documents are plain data");
    let digest = Digest::of(&content).to_string();
    [HEAD, digest.as_bytes(), BETWEEN, &content, END].concat()
}

/// Why the bytes of a document are not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is cut short, or something else wrote it.
    #[error("it is not in the form that stpp writes")]
    Form,
    /// Its content changed.
    #[error("its content is not what was written (expected {expected}, found {found})")]
    Broken {
        /// The digest that it carries.
        expected: String,
        /// The digest of its content.
        found: Digest,
    },
}

/// The content of a sealed document.
///
/// # Errors
/// [`SealError`] when a bit of it is not as it was written.
pub fn unseal(bytes: &[u8]) -> Result<&[u8], SealError> {
    let rest = bytes.strip_prefix(HEAD).ok_or(SealError::Form)?;
    let (expected, rest) = rest.split_at_checked(64).ok_or(SealError::Form)?;
    let content =
        rest.strip_prefix(BETWEEN).and_then(|rest| rest.strip_suffix(END)).ok_or(SealError::Form)?;
    let found = Digest::of(content);
    if expected != found.to_string().as_bytes() {
        let expected = String::from_utf8_lossy(expected).into_owned();
        return Err(SealError::Broken { expected, found });
    }
    Ok(content)
}

/// Reads a document, a `noun` such as "record"; none where there is no such file.
///
/// # Errors
/// A file that can't be read, or is not what was written.
pub fn read<T: DeserializeOwned>(path: &Path, form: Form, noun: &str) -> Result<Option<T>, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let unreadable = |what: String| StoreError::Unreadable { path: path.to_owned(), what };
    let content = match form {
        Form::Bare => &bytes[..],
        Form::Sealed => unseal(&bytes).map_err(|error| unreadable(error.to_string()))?,
    };
    let parsed = serde_json::from_slice(content);
    parsed.map(Some).map_err(|error| unreadable(format!("it is no {noun} ({error})")))
}

/// Reads every document directly in the folders, each with the form of its documents, sorted by path within a folder.
/// Of files with one name the first folder's counts, unless `all` are asked for.
///
/// # Errors
/// A folder that can't be listed.
pub fn read_all<T: DeserializeOwned>(
    folders: &[(PathBuf, Form)],
    noun: &str,
    all: bool,
) -> Result<Vec<Found<T>>, StoreError> {
    let mut names = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    for (folder, form) in folders {
        for path in fs::list(folder)? {
            let is_new = names.insert(path.file_name().map(ToOwned::to_owned));
            let is_document = path.extension().is_some_and(|extension| extension == "json");
            if !is_document || !(is_new || all) {
                continue;
            }
            let content = match read(&path, *form, noun) {
                Ok(Some(content)) => Ok(content),
                // Moved away between the listing and the reading.
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            found.push(Found { path, form: *form, content });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({ "key": "3f2a", "values": { "miou": 0.1 + 0.2, "small": 1e-30 }, "list": [1, null, true] })
    }

    #[test]
    fn what_was_sealed_comes_back_and_is_json() {
        let bytes = seal(&document());
        assert_eq!(serde_json::from_slice::<Value>(unseal(&bytes).unwrap()).unwrap(), document());
        let whole: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(whole["content"], document());
        assert_eq!(seal(&document()), bytes);
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let bytes = seal(&document());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                assert!(unseal(&wrong).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_folder_of_each_form_is_read_and_the_later_form_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        fs::write_atomically(&new.join("a.json"), &seal(&1)).unwrap();
        fs::write_atomically(&old.join("a.json"), b"2").unwrap();
        fs::write_atomically(&old.join("b.json"), b"3").unwrap();
        fs::write_atomically(&old.join("c.json"), b"no number").unwrap();
        let folders = [(new, Form::Sealed), (old, Form::Bare)];
        let numbers = |all| -> Vec<Option<i32>> {
            let found = read_all(&folders, "number", all).unwrap();
            found.into_iter().map(|found| found.content.ok()).collect()
        };
        assert_eq!(numbers(false), [Some(1), Some(3), None]);
        assert_eq!(numbers(true), [Some(1), Some(2), Some(3), None]);
    }

    proptest! {
        #[test]
        fn other_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(unseal(&bytes).is_err());
        }

        #[test]
        fn a_document_that_is_cut_is_refused(keep in 0usize..150) {
            let bytes = seal(&document());
            prop_assert!(unseal(&bytes[..keep.min(bytes.len() - 1)]).is_err());
        }
    }
}
