//! Pseudo labels for the eye: image, label, one over the other, and the true mask where it is known, side by side.
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

use super::{Context, Left, StageError};

/// Images that are shown of a stage.
const SHOWN: usize = 6;
/// The longest side of one picture of a panel, in pixels.
const LONGEST: usize = 320;
/// Smaller pictures are enlarged by a whole number, up to this side and this number.
const SMALLEST: usize = 96;
const MOST_ENLARGED: usize = 4;
/// Columns of a panel's small version.
const SMALL: usize = 256;
/// Between two pictures of a panel, in pixels.
const GAP: usize = 4;
const GAP_COLOUR: [u8; 3] = [128, 128, 128];
/// Of pixels that carry no label.
const IGNORED_COLOUR: [u8; 3] = [230, 230, 230];

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
        pack.add(&format!("webp/{id}"), &encode_webp_rgb(&shrunk(&panel, SMALL)));
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

/// Image | label | both | truth.
fn panel(image: &Rgb, label: &Mask, truth: Option<&Mask>, colours: &[[u8; 3]]) -> Rgb {
    let painted = |mask: &Mask| {
        let colour = |class: &u8| match *class {
            IGNORE => IGNORED_COLOUR,
            class => colours.get(usize::from(class)).copied().unwrap_or_default(),
        };
        Rgb::new(mask.width, mask.height, mask.data.iter().flat_map(colour).collect())
    };
    // Masks are shrunk before they are painted: no colour is invented.
    let tile = |mask: &Mask| enlarged(painted(&shrink::mask(mask.clone(), LONGEST)));
    let small = shrink::image(image.clone(), LONGEST);
    let small_label = shrink::mask(label.clone(), LONGEST);
    let both = over(&small, &painted(&small_label), &small_label);
    let mut tiles = vec![enlarged(small), tile(label), enlarged(both)];
    tiles.extend(truth.map(tile));
    beside(&tiles)
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

/// A picture that is large enough to be seen, every pixel as a square.
fn enlarged(picture: Rgb) -> Rgb {
    let factor = SMALLEST.div_ceil(picture.width.max(picture.height).max(1)).min(MOST_ENLARGED);
    if factor <= 1 {
        return picture;
    }
    let (width, height) = (picture.width * factor, picture.height * factor);
    let mut data = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            data.extend_from_slice(&picture.at(x / factor, y / factor));
        }
    }
    Rgb::new(width, height, data)
}

fn beside(tiles: &[Rgb]) -> Rgb {
    let height = tiles.iter().map(|tile| tile.height).max().unwrap_or(0);
    let width = tiles.iter().map(|tile| tile.width + GAP).sum::<usize>().saturating_sub(GAP);
    let mut panel = Rgb::filled(width, height, GAP_COLOUR);
    let mut left = 0;
    for tile in tiles {
        for y in 0..tile.height {
            let from = y * tile.width * 3;
            let to = (y * width + left) * 3;
            panel.data[to..to + tile.width * 3].copy_from_slice(&tile.data[from..from + tile.width * 3]);
        }
        left += tile.width + GAP;
    }
    panel
}

fn shrunk(panel: &Rgb, width: usize) -> Rgb {
    let side = (panel.width.max(panel.height) * width).div_ceil(panel.width.max(1));
    shrink::image(panel.clone(), side.min(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOURS: [[u8; 3]; 2] = [[0, 0, 0], [200, 0, 0]];

    #[test]
    fn a_panel_shows_image_label_both_and_truth() {
        let image = Rgb::filled(100, 60, [100, 100, 100]);
        let mut label = Mask::filled(100, 60, 1);
        label.data[0] = IGNORE;
        let panel_of = |truth: Option<&Mask>| panel(&image, &label, truth, &COLOURS);
        let panel = panel_of(Some(&Mask::filled(100, 60, 0)));
        assert_eq!((panel.width, panel.height), (4 * 100 + 3 * GAP, 60));
        assert_eq!(panel.at(50, 30), [100, 100, 100]);
        assert_eq!(panel.at(101, 30), GAP_COLOUR);
        assert_eq!(panel.at(104, 0), IGNORED_COLOUR);
        assert_eq!(panel.at(154, 30), [200, 0, 0]);
        assert_eq!(panel.at(208, 0), [100, 100, 100], "nothing lies over what carries no label");
        assert_eq!(panel.at(258, 30), [150, 50, 50]);
        assert_eq!(panel.at(400, 30), [0, 0, 0]);
        assert_eq!(panel_of(None).width, 3 * 100 + 2 * GAP);
    }

    #[test]
    fn large_images_are_shrunk_and_tiny_ones_enlarged() {
        let of = |width, height| {
            let (image, label) = (Rgb::filled(width, height, [1, 2, 3]), Mask::filled(width, height, 1));
            let panel = panel(&image, &label, None, &COLOURS);
            (panel.width, panel.height, encode_webp_rgb(&shrunk(&panel, SMALL)).len())
        };
        assert_eq!((of(1000, 500).0, of(1000, 500).1), (3 * 320 + 2 * GAP, 160));
        assert_eq!((of(32, 31).0, of(32, 31).1), (3 * 96 + 2 * GAP, 93));
        assert_eq!((of(1, 1).0, of(1, 1).1), (3 * 4 + 2 * GAP, 4));
        assert!(of(1, 1000).2 > 0 && of(777, 3).2 > 0);
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
