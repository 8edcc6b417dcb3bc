//! `prepare`: checks every pixel, and packs what is drawn or shrunk.

use rayon::prelude::*;

use super::{Context, Left, StageError, keep};
use crate::base::progress::{Interrupted, Progress};
use crate::data::decode::{encode_png_mask, encode_png_rgb};
use crate::data::reader::PixelError;
use crate::store::pack::PackWriter;

/// Images between two looks at the stop button.
const CHUNK: usize = 64;

/// Runs the stage. Outputs: `images` (a pack of `image/<id>` and `mask/<id>`) where the data is drawn or shrunk;
/// nothing where the files serve as they are.
pub(super) fn run(context: &Context<'_>, progress: &mut dyn Progress) -> Result<Left, StageError> {
    let dataset = context.dataset;
    let colours = context.colours();
    let mut left = Left::default();
    dataset.validate_pixels(progress)?;
    let entries = &dataset.manifest.entries;
    if dataset.needs_pixels_packed() {
        let mut pack = PackWriter::default();
        let mut done = 0;
        for chunk in entries.chunks(CHUNK) {
            if progress.stop_requested() {
                return Err(Interrupted.into());
            }
            let encoded: Vec<Result<_, PixelError>> = chunk
                .par_iter()
                .map(|entry| {
                    let (image, mask) =
                        dataset.load(&entry.id).map_err(|error| PixelError::new(&entry.id, error))?;
                    let mask = mask.map(|mask| encode_png_mask(&mask, Some(&colours)));
                    Ok((encode_png_rgb(&image), mask))
                })
                .collect();
            for (entry, encoded) in chunk.iter().zip(encoded) {
                let (image, mask) = encoded?;
                pack.add(&format!("image/{}", entry.id), &image);
                if let Some(mask) = mask {
                    pack.add(&format!("mask/{}", entry.id), &mask);
                }
            }
            done += chunk.len();
            progress.advance(done as u64, entries.len() as u64, "packed");
        }
        left.outputs.insert("images".to_owned(), keep(context.keeps, &pack.finish())?);
    }
    left.values.insert("images".to_owned(), entries.len() as f64);
    left.headline = format!("{} images", entries.len());
    Ok(left)
}
