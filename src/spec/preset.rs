//! What is agreed upon for well-known datasets: class names, colours, and the official training settings
//! (ST++, `main.py` and `utils.py`).

/// A well-known dataset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preset {
    /// `pascal` or `cityscapes`.
    pub name: &'static str,
    /// Class names, in the order of their ids.
    pub classes: &'static [&'static str],
    /// A colour per class.
    pub palette: &'static [[u8; 3]],
    /// The long side that random resizing is relative to, in pixels.
    pub base_size: usize,
    /// Side of the training crop, in pixels.
    pub crop: usize,
    /// Passes over the training list.
    pub epochs: u64,
    /// Learning rate at batch 16.
    pub base_lr: f64,
}

/// Every preset, by name.
pub const PRESETS: [Preset; 2] = [CITYSCAPES, PASCAL];

/// The preset of a name.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

/// PASCAL VOC 2012, 21 classes.
pub const PASCAL: Preset = Preset {
    name: "pascal",
    classes: &[
        "background",
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
        "horse",
        "motorbike",
        "person",
        "pottedplant",
        "sheep",
        "sofa",
        "train",
        "tvmonitor",
    ],
    palette: &VOC_21,
    base_size: 400,
    crop: 321,
    epochs: 80,
    base_lr: 0.001,
};

/// Cityscapes, the 19 classes that are trained on, by trainId.
pub const CITYSCAPES: Preset = Preset {
    name: "cityscapes",
    classes: &[
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ],
    palette: &[
        [128, 64, 128],
        [244, 35, 232],
        [70, 70, 70],
        [102, 102, 156],
        [190, 153, 153],
        [153, 153, 153],
        [250, 170, 30],
        [220, 220, 0],
        [107, 142, 35],
        [152, 251, 152],
        [70, 130, 180],
        [220, 20, 60],
        [255, 0, 0],
        [0, 0, 142],
        [0, 0, 70],
        [0, 60, 100],
        [0, 80, 100],
        [0, 0, 230],
        [119, 11, 32],
    ],
    base_size: 2048,
    crop: 721,
    epochs: 240,
    base_lr: 0.004,
};

const VOC_21: [[u8; 3]; 21] = {
    let mut palette = [[0; 3]; 21];
    let mut class = 0;
    while class < palette.len() {
        palette[class] = voc_colour(class as u8);
        class += 1;
    }
    palette
};

/// The colour of a class in the palette of PASCAL VOC, which is defined for any number of classes: bits 0, 3 and 6
/// of the class id are the highest bits of red, bits 1, 4 and 7 of green, bits 2 and 5 of blue.
pub const fn voc_colour(class: u8) -> [u8; 3] {
    let mut colour = [0; 3];
    let mut bit = 0;
    while bit < 8 {
        colour[bit % 3] |= ((class >> bit) & 1) << (7 - bit / 3);
        bit += 1;
    }
    colour
}

/// A colour for each of `classes` classes (at most 256): the palette of PASCAL VOC.
pub fn default_palette(classes: usize) -> Vec<[u8; 3]> {
    (0..=u8::MAX).take(classes).map(voc_colour).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_voc_palette_is_the_known_one() {
        let known = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]];
        assert_eq!(default_palette(5), known);
        assert_eq!(voc_colour(20), [0, 64, 128]);
        assert_eq!(voc_colour(255), [224, 224, 192]);
    }

    #[test]
    fn every_class_has_a_colour_of_its_own() {
        for preset in PRESETS {
            assert_eq!(preset.classes.len(), preset.palette.len());
            let mut colours = preset.palette.to_vec();
            colours.sort_unstable();
            colours.dedup();
            assert_eq!(colours.len(), preset.classes.len(), "{}", preset.name);
        }
    }

    #[test]
    fn presets_are_found_by_name() {
        assert_eq!(preset("pascal").map(|p| (p.classes.len(), p.crop)), Some((21, 321)));
        assert_eq!(preset("cityscapes").map(|p| (p.classes.len(), p.crop)), Some((19, 721)));
        assert_eq!(preset("camvid"), None);
    }
}
