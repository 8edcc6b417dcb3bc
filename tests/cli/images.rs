//! A dataset of tiny files: training images 0 to 7, of which 0 to 3 are labeled, and two validation images.

use std::io::Cursor;

use stpp::data::decode::{encode_png_mask, encode_png_rgb};
use stpp::data::image::{Mask, Rgb};

use crate::support::Test;

/// Side of every image.
pub const SIDE: usize = 32;

/// Writes the dataset under a folder, with its lists and class names, and returns the test.
pub fn dataset(test: Test, root: &str) -> Test {
    for index in 0..10 {
        let (image, mask) = picture(index);
        test.write(&format!("{root}/images/{index}.png"), &encode_png_rgb(&image));
        test.write(&format!("{root}/masks/{index}.png"), &encode_png_mask(&mask, None));
    }
    test.write(&format!("{root}/classes.txt"), b"ground\nblock\nsky\n");
    test.write(&format!("{root}/train.txt"), list(0..8).as_bytes());
    test.write(&format!("{root}/val.txt"), list(8..10).as_bytes());
    test.write(&format!("{root}/split/labeled.txt"), list(0..4).as_bytes());
    test.write(&format!("{root}/split/unlabeled.txt"), list(4..8).as_bytes());
    test
}

/// The lines of a list.
pub fn list(images: impl IntoIterator<Item = usize>) -> String {
    images.into_iter().map(|index| format!("images/{index}.png masks/{index}.png\n")).collect()
}

/// A spec of the dataset under a folder.
pub fn spec(root: &str, method: &str) -> String {
    format!(
        r#"
[data]
kind = "listed"
root = "{root}"
val = "val.txt"
classes = "classes.txt"

[split]
lists = "split"

[model]
backbone = "resnet18"
width = 0.125
output_stride = 16

[train]
iterations = 2
batch = 2
base_lr = 0.02
head_lr = 1.0
crop = 32
base_size = 32

[evaluate]
points = 1

[method]
name = "{method}"
checkpoints = 2

[method.tta]
scales = [1.0]
flip = false
"#
    )
}

/// A grey block on coloured ground under the sky; its place and size depend on the index.
pub fn picture(index: usize) -> (Rgb, Mask) {
    let (left, top, side) = (2 + index, 20 - index, 6 + index % 3);
    let mut colours = Vec::with_capacity(SIDE * SIDE * 3);
    let mut classes = Vec::with_capacity(SIDE * SIDE);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let in_block = (left..left + side).contains(&x) && (top..top + side).contains(&y);
            let (class, colour) = match (in_block, y < 8) {
                (true, _) => (1, [90, 90, 90 + index as u8]),
                (false, true) => (2, [120, 160, 250]),
                (false, false) => (0, [40 + x as u8, 120, 30 + index as u8]),
            };
            classes.push(class);
            colours.extend(colour);
        }
    }
    (Rgb::new(SIDE, SIDE, colours), Mask::new(SIDE, SIDE, classes))
}

/// An image as JPEG.
pub fn jpeg(image: &Rgb) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let buffer = image::RgbImage::from_raw(image.width as u32, image.height as u32, image.data.clone());
    let buffer = buffer.expect("three bytes per pixel");
    buffer.write_to(&mut bytes, image::ImageFormat::Jpeg).expect("memory can be written");
    bytes.into_inner()
}
