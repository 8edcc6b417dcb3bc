//! Pseudo labels for the eye: image and label above, one over the other and the true mask, where it is known, below. About
//! square, since that is how trackers show pictures.
//!
//! A few images of every stage that writes pseudo labels. Which ones is a matter of their ids alone, so that stages over
//! overlapping sets of images show the same ones, and arms can be compared.

use crate::base::digest::Digest;
use crate::data::decode::{decode_mask, encode_png_rgb, encode_webp_rgb};
use crate::data::image::{IGNORE, Mask, Rgb};
use crate::data::reader::Pixels;
use crate::data::shrink;
use crate::plan::work::Work;
use crate::store::pack::{Pack, PackWriter};

use super::tile::{self, LONGEST, enlarged, painted};
use super::{Context, Left, StageError};

/// Images that are shown of a stage.
const SHOWN: usize = 6;
/// The longest side of a panel's version for grids.
const SMALL: usize = 640;
/// Between two pictures of a panel, in pixels.
const GAP: usize = 4;
const GAP_COLOUR: [u8; 3] = [128, 128, 128];

/// The pseudo labels among what a stage left; none of stages that write none.
pub fn masks(work: &Work, left: &Left) -> Option<Digest> {
    match work {
        Work::Label(_) | Work::SelectPixels(_) => left.outputs.get("masks").map(|masks| masks.digest),
        _ => None,
    }
}

/// Panels of some pseudo labels, as blobs `png/<image>` and `webp/<image>` of a pack.
///
/// # Errors
/// Labels or images that can't be read.
pub fn pack(context: &Context<'_>, masks: Digest) -> Result<Vec<u8>, StageError> {
    let unreadable = |what: &str| StageError::BadOutput {
        stage: context.key.short(),
        output: "masks".to_owned(),
        what: what.to_owned(),
    };
    let masks = Pack::read(context.keeps.get(masks)?).map_err(|error| unreadable(&error.to_string()))?;
    let colours = &context.dataset.palette;
    let mut pack = PackWriter::default();
    for id in shown(masks.ids()) {
        let label = decode_mask(masks.get(id).ok_or_else(|| unreadable("it lacks an image"))?, id)?;
        let image = context.pixels().image(id)?;
        let truth = context.truth(id)?;
        let panel = panel(&image, &label, truth.as_deref(), colours);
        pack.add(&format!("png/{id}"), &encode_png_rgb(&panel));
        pack.add(&format!("webp/{id}"), &encode_webp_rgb(&shrink::image(panel, SMALL)));
    }
    Ok(pack.finish())
}

/// The images that are shown of some, sorted by id: those whose ids have the lowest digests.
fn shown<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut ids: Vec<(Digest, &str)> = ids.map(|id| (Digest::of(id.as_bytes()), id)).collect();
    ids.sort_by(|one, other| one.0.as_bytes().cmp(other.0.as_bytes()));
    ids.truncate(SHOWN);
    let mut shown: Vec<&str> = ids.into_iter().map(|(_, id)| id).collect();
    shown.sort_unstable();
    shown
}

/// Image | label, and below them both | truth.
fn panel(image: &Rgb, label: &Mask, truth: Option<&Mask>, colours: &[[u8; 3]]) -> Rgb {
    let small = shrink::image(image.clone(), LONGEST);
    let small_label = shrink::mask(label.clone(), LONGEST);
    let both = over(&small, &painted(&small_label, colours), &small_label);
    let below = [Some(enlarged(both)), truth.map(|truth| tile::mask(truth, colours))];
    grid(&[[Some(enlarged(small)), Some(tile::mask(label, colours))], below])
}

/// The half of an image and the half of its label's colours; the image alone where there is no label.
fn over(image: &Rgb, colours: &Rgb, label: &Mask) -> Rgb {
    if (image.width, image.height) != (label.width, label.height) {
        return image.clone();
    }
    let mut data = image.data.clone();
    let pixels = data.chunks_exact_mut(3).zip(colours.data.chunks_exact(3)).zip(&label.data);
    for ((pixel, colour), _) in pixels.filter(|(_, class)| **class != IGNORE) {
        for (value, other) in pixel.iter_mut().zip(colour) {
            *value = u8::midpoint(*value, *other);
        }
    }
    Rgb::new(image.width, image.height, data)
}

/// Pictures in rows of two, on gray.
fn grid(rows: &[[Option<Rgb>; 2]; 2]) -> Rgb {
    let all = || rows.iter().flatten().flatten();
    let width = all().map(|tile| tile.width).max().unwrap_or(0);
    let height = all().map(|tile| tile.height).max().unwrap_or(0);
    let mut panel = Rgb::filled(2 * width + GAP, 2 * height + GAP, GAP_COLOUR);
    for (row, tiles) in rows.iter().enumerate() {
        for (column, tile) in tiles.iter().enumerate() {
            let Some(tile) = tile else { continue };
            for y in 0..tile.height {
                let from = y * tile.width * 3;
                let to = ((row * (height + GAP) + y) * panel.width + column * (width + GAP)) * 3;
                panel.data[to..to + tile.width * 3].copy_from_slice(&tile.data[from..from + tile.width * 3]);
            }
        }
    }
    panel
}

#[cfg(test)]
mod tests {
    use super::super::tile::IGNORED_COLOUR;
    use super::*;

    const COLOURS: [[u8; 3]; 2] = [[0, 0, 0], [200, 0, 0]];

    #[test]
    fn a_panel_shows_image_label_both_and_truth() {
        let image = Rgb::filled(220, 60, [100, 100, 100]);
        let mut label = Mask::filled(220, 60, 1);
        label.data[0] = IGNORE;
        let panel_of = |truth: Option<&Mask>| panel(&image, &label, truth, &COLOURS);
        let panel = panel_of(Some(&Mask::filled(220, 60, 0)));
        assert_eq!((panel.width, panel.height), (2 * 220 + GAP, 2 * 60 + GAP));
        assert_eq!(panel.at(50, 30), [100, 100, 100]);
        assert_eq!(panel.at(221, 30), GAP_COLOUR);
        assert_eq!(panel.at(224, 0), IGNORED_COLOUR);
        assert_eq!(panel.at(300, 30), [200, 0, 0]);
        assert_eq!(panel.at(0, 64), [100, 100, 100], "nothing lies over what carries no label");
        assert_eq!(panel.at(50, 100), [150, 50, 50]);
        assert_eq!(panel.at(300, 100), [0, 0, 0]);
        assert_eq!(panel_of(None).at(300, 100), GAP_COLOUR);
    }

    #[test]
    fn large_images_are_shrunk_and_tiny_ones_enlarged() {
        let of = |width, height| {
            let (image, label) = (Rgb::filled(width, height, [1, 2, 3]), Mask::filled(width, height, 1));
            let panel = panel(&image, &label, None, &COLOURS);
            let small = shrink::image(panel.clone(), SMALL);
            assert!(!encode_webp_rgb(&small).is_empty());
            (panel.width, panel.height, small.width)
        };
        assert_eq!(of(1000, 500), (2 * 320 + GAP, 2 * 160 + GAP, 640));
        assert_eq!(of(32, 31), (2 * 224 + GAP, 2 * 217 + GAP, 2 * 224 + GAP));
        assert_eq!(of(1, 1), (2 * 8 + GAP, 2 * 8 + GAP, 2 * 8 + GAP));
        of(1, 1000);
        of(777, 3);
    }

    #[test]
    fn overlapping_sets_show_the_same_images() {
        let ids: Vec<String> = (0..100).map(|at| format!("image {at}")).collect();
        let all = shown(ids.iter().map(String::as_str));
        assert_eq!(all.len(), SHOWN);
        let half: Vec<&str> =
            ids.iter().map(String::as_str).filter(|id| all[..3].contains(id) || id.ends_with('7')).collect();
        let of_half = shown(half.iter().copied());
        assert!(all[..3].iter().all(|id| of_half.contains(id)), "{all:?} {of_half:?}");
        assert_eq!(shown(half.iter().rev().copied()), of_half);
    }
}
