//! Content digests: the only door to blake3.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 256-bit blake3 digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Files above this many bytes are mapped and hashed on all cores.
const MAP_ABOVE: u64 = 1 << 20;

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest of a file's content.
    ///
    /// # Errors
    /// Whatever opening or reading the file reports.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        if file.metadata()?.len() > MAP_ABOVE {
            hasher.update_mmap_rayon(path)?;
        } else {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            hasher.update(&bytes);
        }
        Ok(Self(*hasher.finalize().as_bytes()))
    }

    /// The 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 hex digits: enough to name a run to a person.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        f.write_str(std::str::from_utf8(&text).expect("hex digits are ASCII"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// The text was not 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read `{0}` as a digest: 64 hex digits are expected")]
pub struct ParseDigestError(String);

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseDigestError(text.to_owned());
        let hash = blake3::Hash::from_hex(text).map_err(|_| bad())?;
        Ok(Self(*hash.as_bytes()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The digest of bytes that come one after the other; as a writer it takes them all.
#[derive(Default)]
pub struct ByteHasher(blake3::Hasher);

impl ByteHasher {
    /// Adds bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

impl Write for ByteHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A running digest whose domain keeps values of different meaning apart.
///
/// Every field is framed by its length, so that `("ab", "c")` and `("a", "bc")` differ.
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Starts a digest in a domain such as `"stpp stream"`.
    pub fn new(domain: &str) -> Self {
        Self(blake3::Hasher::new_derive_key(domain))
    }

    /// Adds one field, framed by its length.
    #[must_use]
    pub fn field(mut self, bytes: &[u8]) -> Self {
        self.add(bytes);
        self
    }

    /// Adds one field in place: a hasher is two kilobytes, which is much to pass on for each of a million fields.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds one number.
    #[must_use]
    pub fn number(self, value: u64) -> Self {
        self.field(&value.to_le_bytes())
    }

    /// The digest of all fields so far.
    pub fn finish(self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        let digest = Digest::of(b"stpp");
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        assert!("xyz".parse::<Digest>().is_err());
    }

    #[test]
    fn fields_are_framed() {
        let pair = |a: &[u8], b: &[u8]| Hasher::new("test").field(a).field(b).finish();
        assert_ne!(pair(b"ab", b"c"), pair(b"a", b"bc"));
        assert_ne!(Hasher::new("one").field(b"x").finish(), Hasher::new("two").field(b"x").finish());
    }

    #[test]
    fn bytes_one_after_the_other_have_the_digest_of_all() {
        let mut hasher = ByteHasher::default();
        hasher.write_all(b"st").unwrap();
        hasher.write_all(b"pp").unwrap();
        assert_eq!(hasher.finish(), Digest::of(b"stpp"));
    }

    #[test]
    fn a_mapped_file_has_the_digest_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large");
        let bytes = vec![7u8; (MAP_ABOVE as usize) + 3];
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Digest::of_file(&path).unwrap(), Digest::of(&bytes));
    }
}
