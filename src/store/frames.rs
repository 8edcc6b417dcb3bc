//! A file that only grows, in frames that can be told from damage.
//!
//! ```text
//! "stpp-frames 1\n" | frame | frame | …
//! frame: length u32 | check of the head u32 | check of the payload u64 | payload        (little-endian)
//! ```
//!
//! Checks are the first bytes of a blake3 over the frame's number and what it holds, so that a frame in another's place
//! is none. A process that dies in the middle of a write leaves a *torn tail*: that is cut, and said. Bytes that are
//! wrong before the end are *damage*: nothing behind them can be believed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::StoreError;
use crate::base::digest::Hasher;
use crate::base::failpoint;
use crate::base::fs::{self, FileError};

const MAGIC: &[u8] = b"stpp-frames 1\n";
/// Length, check of the head, check of the payload.
const HEAD: usize = 4 + 4 + 8;

/// How a file of frames ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a whole frame.
    Whole,
    /// In the middle of a frame; this many bytes of it are there.
    Torn(u64),
    /// Before bytes that were never written so.
    Damaged,
}

/// What is in a file of frames.
#[derive(Debug, PartialEq, Eq)]
pub struct Frames {
    /// The payloads of all whole frames before the end.
    pub payloads: Vec<Vec<u8>>,
    /// Bytes up to the end of the last of them.
    pub length: u64,
    /// What comes after it.
    pub end: End,
}

/// How far a reader of a growing file has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    bytes: u64,
    frames: u64,
}

/// The payloads of the whole frames that a file has behind a place, which moves behind them. A file that another process
/// is appending to may end in half a frame, which is read the next time. Where the file is not the one that was read
/// before, it is read from its beginning.
///
/// # Errors
/// Whatever the file system reports.
pub fn read_on(path: &Path, place: &mut Place) -> Result<Vec<Vec<u8>>, StoreError> {
    let fail = |source| FileError::new("read", path, source);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            *place = Place::default();
            return Ok(Vec::new());
        }
        Err(error) => return Err(fail(error).into()),
    };
    if file.metadata().map_err(fail)?.len() < place.bytes {
        *place = Place::default();
    }
    let mut bytes = Vec::new();
    if place.bytes == 0 {
        file.read_to_end(&mut bytes).map_err(fail)?;
        let found = Frames::of(&bytes);
        *place = Place { bytes: found.length, frames: found.payloads.len() as u64 };
        return Ok(found.payloads);
    }
    file.seek(SeekFrom::Start(place.bytes)).map_err(fail)?;
    file.read_to_end(&mut bytes).map_err(fail)?;
    let mut rest = &bytes[..];
    let mut payloads = Vec::new();
    while !rest.is_empty() {
        match frame(rest, place.frames) {
            Ok(payload) => {
                let length = HEAD + payload.len();
                payloads.push(payload.to_vec());
                *place = Place { bytes: place.bytes + length as u64, frames: place.frames + 1 };
                rest = &rest[length..];
            }
            Err(End::Damaged) => {
                *place = Place::default();
                break;
            }
            Err(_) => break,
        }
    }
    Ok(payloads)
}

/// A file of frames that is being written.
#[derive(Debug)]
pub struct FrameFile {
    path: PathBuf,
    file: File,
    frames: u64,
}

impl Frames {
    /// Reads frames from bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut found = Self { payloads: Vec::new(), length: 0, end: End::Whole };
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            let torn = MAGIC.starts_with(bytes) || is_blank(bytes);
            found.end = match (bytes.len(), torn) {
                (0, _) => End::Whole,
                (length, true) => End::Torn(length as u64),
                (_, false) => End::Damaged,
            };
            return found;
        };
        found.length = MAGIC.len() as u64;
        while !rest.is_empty() {
            match frame(rest, found.payloads.len() as u64) {
                Ok(payload) => {
                    rest = &rest[HEAD + payload.len()..];
                    found.length += (HEAD + payload.len()) as u64;
                    found.payloads.push(payload.to_vec());
                }
                Err(end) => {
                    found.end = end;
                    break;
                }
            }
        }
        found
    }
}

/// The payload of the frame that `bytes` begin with.
fn frame(bytes: &[u8], number: u64) -> Result<&[u8], End> {
    let torn = End::Torn(bytes.len() as u64);
    // A file system that lost power may have the length of a file and not yet its bytes.
    let broken = if is_blank(bytes) { torn } else { End::Damaged };
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else { return Err(torn) };
    let length = u32::from_le_bytes(head[..4].try_into().expect("a head has four bytes of length"));
    if head[4..8] != check_of_head(number, length) {
        return Err(broken);
    }
    let Some(payload) = rest.get(..length as usize) else { return Err(torn) };
    if head[8..] == check(number, payload) {
        Ok(payload)
    } else if rest.len() == length as usize || is_blank(&rest[length as usize..]) {
        Err(torn)
    } else {
        Err(End::Damaged)
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

fn check_of_head(number: u64, length: u32) -> [u8; 4] {
    let digest = Hasher::new("stpp frame head v1").number(number).number(u64::from(length)).finish();
    digest.as_bytes()[..4].try_into().expect("a digest has four bytes")
}

fn check(number: u64, payload: &[u8]) -> [u8; 8] {
    let digest = Hasher::new("stpp frame v1").number(number).field(payload).finish();
    digest.as_bytes()[..8].try_into().expect("a digest has eight bytes")
}

impl FrameFile {
    /// Opens a file of frames, or makes one, and cuts a torn tail. A damaged file is left as it is: see [`Frames::end`].
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn open(path: &Path) -> Result<(Self, Frames), StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_folder(folder)?;
        }
        let fail = |source| FileError::new("open", path, source);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let frames = Frames::of(&bytes);
        if frames.end != End::Damaged {
            file.set_len(frames.length).map_err(fail)?;
            file.seek(SeekFrom::End(0)).map_err(fail)?;
            if frames.length == 0 {
                file.write_all(MAGIC).map_err(fail)?;
            }
        }
        let opened = Self { path: path.to_owned(), file, frames: frames.payloads.len() as u64 };
        Ok((opened, frames))
    }

    /// Appends frames, in one write.
    ///
    /// # Errors
    /// Whatever the file system reports; a part of a frame may then be there, which the next opening cuts.
    ///
    /// # Panics
    /// For a payload of 4 GiB and more.
    pub fn append(&mut self, payloads: &[&[u8]]) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(payloads.iter().map(|payload| HEAD + payload.len()).sum());
        for (number, payload) in (self.frames..).zip(payloads) {
            let length = u32::try_from(payload.len()).expect("a frame is smaller than 4 GiB");
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&check_of_head(number, length));
            bytes.extend_from_slice(&check(number, payload));
            bytes.extend_from_slice(payload);
        }
        self.write(&bytes).map_err(|source| FileError::new("append to", &self.path, source))?;
        self.frames += payloads.len() as u64;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let what = self.path.file_name().unwrap_or_default().to_string_lossy();
        failpoint::io(format_args!("{what}.begin"))?;
        if cfg!(feature = "failpoints") {
            let (first, rest) = bytes.split_at(bytes.len() / 2);
            self.file.write_all(first)?;
            failpoint::io(format_args!("{what}.half"))?;
            self.file.write_all(rest)?;
        } else {
            self.file.write_all(bytes)?;
        }
        failpoint::io(format_args!("{what}.appended"))
    }

    /// Makes what was appended survive a power cut.
    ///
    /// # Errors
    /// Whatever the file system reports.
    pub fn sync(&self) -> Result<(), StoreError> {
        Ok(self.file.sync_data().map_err(|source| FileError::new("sync", &self.path, source))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(payloads: &[Vec<u8>]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames");
        let (mut file, _) = FrameFile::open(&path).unwrap();
        for payload in payloads {
            file.append(&[payload]).unwrap();
        }
        std::fs::read(&path).unwrap()
    }

    fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..30), 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_went_in_comes_out(payloads in payloads()) {
            let found = Frames::of(&written(&payloads));
            prop_assert_eq!(found.end, End::Whole);
            prop_assert_eq!(found.payloads, payloads);
        }

        #[test]
        fn a_tail_that_is_cut_anywhere_is_torn_and_what_was_whole_stays(payloads in payloads(), cut in any::<prop::sample::Index>()) {
            let bytes = written(&payloads);
            let cut = cut.index(bytes.len());
            let found = Frames::of(&bytes[..cut]);
            prop_assert_ne!(found.end, End::Damaged);
            prop_assert!(payloads.starts_with(&found.payloads));
            prop_assert_eq!(found.end == End::Whole, found.length == cut as u64);
        }

        #[test]
        fn a_flipped_bit_is_never_believed(payloads in payloads(), at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut bytes = written(&payloads);
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            let found = Frames::of(&bytes);
            prop_assert_ne!(found.end, End::Whole);
            prop_assert!(payloads.starts_with(&found.payloads));
            prop_assert!(found.payloads.len() < payloads.len());
        }

        #[test]
        fn a_file_that_was_cut_goes_on(payloads in payloads(), cut in any::<prop::sample::Index>(), more in payloads()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("frames");
            let bytes = written(&payloads);
            std::fs::write(&path, &bytes[..cut.index(bytes.len())]).unwrap();
            let (mut file, before) = FrameFile::open(&path).unwrap();
            file.append(&more.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
            let found = Frames::of(&std::fs::read(&path).unwrap());
            prop_assert_eq!(found.end, End::Whole);
            prop_assert_eq!(found.payloads, [before.payloads, more].concat());
        }
    }

    #[test]
    fn a_reader_follows_a_file_that_grows_and_one_that_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames");
        let mut place = Place::default();
        assert!(read_on(&path, &mut place).unwrap().is_empty());
        let (mut file, _) = FrameFile::open(&path).unwrap();
        assert!(read_on(&path, &mut place).unwrap().is_empty());
        file.append(&[b"one", b"two"]).unwrap();
        assert_eq!(read_on(&path, &mut place).unwrap(), [b"one", b"two"]);
        file.append(&[b"three"]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 2]).unwrap();
        assert!(read_on(&path, &mut place).unwrap().is_empty(), "half a frame is none");
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(read_on(&path, &mut place).unwrap(), [b"three"]);
        std::fs::write(&path, written(&[b"other".to_vec()])).unwrap();
        assert_eq!(read_on(&path, &mut place).unwrap(), [b"other"], "a shorter file is another one");
        let longer = vec![vec![7; 40], vec![8; 40]];
        std::fs::write(&path, written(&longer)).unwrap();
        let (first, second) = (read_on(&path, &mut place).unwrap(), read_on(&path, &mut place).unwrap());
        assert_eq!([first, second].concat(), longer, "and so is one whose bytes don't fit");
    }

    #[test]
    fn blocks_that_a_power_cut_left_empty_are_a_torn_tail() {
        let mut bytes = written(&[b"one".to_vec(), b"two".to_vec()]);
        let whole = bytes.len() as u64;
        bytes.extend_from_slice(&[0; 4096]);
        let found = Frames::of(&bytes);
        assert_eq!((found.end, found.length), (End::Torn(4096), whole));
    }

    #[test]
    fn a_flipped_bit_before_the_last_frame_is_damage() {
        let mut bytes = written(&[b"one".to_vec(), b"two".to_vec()]);
        bytes[MAGIC.len() + HEAD] ^= 1;
        let found = Frames::of(&bytes);
        assert_eq!((found.end, found.payloads.len()), (End::Damaged, 0));
    }
}
