//! How large the images of a dataset are, from their headers alone.

use rayon::prelude::*;

use super::dataset::{Dataset, Source};
use super::decode;
use super::shrink;

/// An image's size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSize {
    /// The image.
    pub id: String,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl ImageSize {
    /// The shorter side in pixels.
    pub fn shortest(&self) -> usize {
        self.width.min(self.height)
    }
}

impl Dataset {
    /// The image with the shortest side, as it is after shrinking; of equal ones the first by id.
    ///
    /// What can't be read is passed over: it is reported where pixels are.
    pub fn smallest(&self) -> Option<ImageSize> {
        let size = |id: &str| match &self.source {
            Source::Scenes(scenes) => Some((scenes.width, scenes.height)),
            Source::Files(files) => decode::size(&files[id].image),
        };
        let sizes = self.manifest.entries.par_iter().filter_map(|entry| {
            let (width, height) = size(&entry.id)?;
            let (width, height) = match self.manifest.long_side {
                Some(side) => shrink::size(width, height, side),
                None => (width, height),
            };
            Some(ImageSize { id: entry.id.clone(), width, height })
        });
        sizes.min_by(|a, b| (a.shortest(), &a.id).cmp(&(b.shortest(), &b.id)))
    }
}

#[cfg(test)]
mod tests {
    use crate::data::decode::encode_png_rgb;
    use crate::data::image::Rgb;
    use crate::data::testing::Files;

    #[test]
    fn the_shortest_side_is_found_after_shrinking() {
        let mut files = Files::new();
        files.write("c.png", encode_png_rgb(&Rgb::filled(30, 5, [3; 3])));
        files.write("d.png", "no picture");
        let smallest = |files: &Files| {
            let image = files.open().unwrap().0.smallest().unwrap();
            (image.id, image.width, image.height)
        };
        assert_eq!(smallest(&files), ("a.png".to_owned(), 6, 4));
        files.data.long_side = Some(15);
        assert_eq!(smallest(&files), ("c.png".to_owned(), 15, 3));
    }
}
