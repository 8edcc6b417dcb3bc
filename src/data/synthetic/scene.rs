//! One scene from its address.

use crate::base::stream::Stream;
use crate::data::image::{Mask, Rgb};
use crate::data::subset::Subset;
use crate::spec::data::Synthetic;

use super::canvas::{Canvas, Colour, mix, scale};
use super::kind::{KINDS, Kind};
use super::light::Light;
use super::pigment::{self, pick};
use super::shape::{Pose, Shape, Vec2, direction};
use super::texture::{Surface, Texture, value_noise};

/// Changes whenever the same parameters give other pixels.
pub const VERSION: u32 = 1;

/// The smallest side of a scene, in pixels.
pub const MIN_SIDE: usize = 16;

/// The name of a scene: `train/0007`.
pub fn id(subset: Subset, index: usize) -> String {
    format!("{subset}/{index:04}")
}

/// Draws scene `index` of a subset: an image `(H, W, 3)` and its class ids `(H, W)`, none of them ignored.
///
/// Size, number of classes and difficulty must be in range ([`MIN_SIDE`], [`super::MIN_CLASSES`],
/// [`super::MAX_CLASSES`], 0 to 1); opening the dataset checks that.
pub fn render(params: &Synthetic, subset: Subset, index: usize) -> (Rgb, Mask) {
    let mut stream = Stream::at(params.seed, "scene", subset.name(), 0, &id(subset, index));
    let hardness = hardness(params.difficulty as f32, &mut stream);
    let mut painter = Painter::new(params.width, params.height, hardness, stream);
    painter.ground();
    painter.scraps(0.5);
    painter.things(&KINDS[..params.classes - 1]);
    painter.scraps(0.35);
    painter.photograph()
}

/// How hard one image is, in [0, 1]: spread around the dataset's difficulty. A dataset of difficulty 1 is still one
/// that a person can label, so its middle stays below 1.
fn hardness(difficulty: f32, stream: &mut Stream) -> f32 {
    let spread = stream.unit() + stream.unit() - 1.0;
    (0.5 * difficulty + 0.5 * spread).clamp(0.0, 1.0)
}

struct Painter {
    canvas: Canvas,
    hardness: f32,
    stream: Stream,
    /// The ground's mean colour: what camouflage tends to.
    ground: Colour,
    /// Middle and radius of every thing so far.
    placed: Vec<(Vec2, f32)>,
}

impl Painter {
    fn new(width: usize, height: usize, hardness: f32, stream: Stream) -> Self {
        let canvas = Canvas::new(width, height);
        Self { canvas, hardness, stream, ground: [0.0; 3], placed: Vec::new() }
    }

    /// Covers the canvas: a slow blend of two colours, with planks, dots or nothing, and a rough surface.
    fn ground(&mut self) {
        let stream = &mut self.stream;
        let mut earth = || mix(pick(&pigment::ALL, stream).draw(stream), [0.5; 3], 0.55);
        let (one, other) = (earth(), earth());
        self.ground = mix(one, other, 0.5);
        let relief = [Texture::Plain, Texture::Stripes, Texture::Spots, Texture::Marble];
        let relief = relief[stream.below(4) as usize];
        let depth = (0.04 + 0.2 * self.hardness) * stream.unit();
        let shades = [[1.0 - depth; 3], [1.0 + depth; 3]];
        let cover = Surface::draw(relief, shades, stream);
        let size = 2.0 + 3.0 * stream.unit();
        let axis = direction(stream);
        let (slow, rough) = (stream.bits(), stream.bits());
        let roughness = 0.06 + 0.12 * stream.unit();
        self.canvas.map(|x, y, _| {
            let base = mix(one, other, value_noise(2.2 * x, 2.2 * y, slow));
            let turned = [(x * axis[0] + y * axis[1]) * size, (y * axis[0] - x * axis[1]) * size];
            let grit = 1.0 + roughness * (value_noise(20.0 * x, 20.0 * y, rough) - 0.5);
            let shade = cover.at(turned);
            std::array::from_fn(|i| base[i] * shade[i] * grit)
        });
    }

    /// Puts the things of a scene in place; at least one.
    fn things(&mut self, kinds: &[Kind]) {
        let total: f64 = kinds.iter().map(|kind| kind.weight).sum();
        let wanted = 1.5 + 0.2 * kinds.len() as f64;
        let mut present = Vec::new();
        for (index, kind) in kinds.iter().enumerate() {
            let p = (kind.weight / total * wanted).min(0.85);
            if self.stream.chance(p) {
                present.push(index);
                if self.stream.chance(0.25) {
                    present.push(index);
                }
            }
        }
        if present.is_empty() {
            present.push(self.stream.below(kinds.len() as u64) as usize);
        }
        self.stream.shuffle(&mut present);
        for index in present {
            self.thing(&kinds[index], index as u8 + 1);
        }
    }

    fn thing(&mut self, kind: &Kind, class: u8) {
        let stream = &mut self.stream;
        let (shape, ratio) = kind.outline.draw(stream);
        let main = pick(&kind.pigments, stream).draw(stream);
        let second = self.second_colour(kind, main);
        let camouflage = 0.35 * self.hardness * self.stream.unit();
        let colours = [main, second].map(|colour| mix(colour, self.ground, camouflage));
        let surface = Surface::draw(kind.texture, colours, &mut self.stream);
        let radius = self.canvas.short_side() * (0.18 + 0.15 * self.stream.unit());
        let pose = self.place(radius, ratio);
        self.paint(&shape, &pose, &surface, class);
    }

    /// Another pigment of the class, or a clearly lighter or darker shade of the first.
    fn second_colour(&mut self, kind: &Kind, main: Colour) -> Colour {
        let stream = &mut self.stream;
        let brightness = main.iter().sum::<f32>() / 3.0;
        if stream.chance(0.5) {
            let factor = if brightness > 0.4 { 0.35 } else { 1.9 };
            return scale(main, factor + 0.2 * stream.unit());
        }
        let other = pick(&kind.pigments, stream).draw(stream);
        let lift = if brightness > 0.4 { [0.05; 3] } else { [0.95; 3] };
        mix(other, lift, 0.3)
    }

    /// A place that hides earlier things as little as a few tries allow; hard scenes are crowded.
    fn place(&mut self, radius: f32, ratio: f32) -> Pose {
        let stream = &mut self.stream;
        let (width, height) = (self.canvas.width as f32, self.canvas.height as f32);
        let room = 1.0 - 0.45 * self.hardness;
        let mut centre = [0.0; 2];
        for _ in 0..8 {
            let along = |size: f32, stream: &mut Stream| 0.6 * radius + (size - 1.2 * radius) * stream.unit();
            centre = [along(width, stream), along(height, stream)];
            let apart = |&([x, y], r): &(Vec2, f32)| {
                let (dx, dy, least) = (x - centre[0], y - centre[1], room * (r + radius));
                dx * dx + dy * dy >= least * least
            };
            if self.placed.iter().all(apart) {
                break;
            }
        }
        self.placed.push((centre, radius));
        Pose { centre, axis: direction(stream), radius: [radius, radius * ratio] }
    }

    /// Scatters scraps of background, of at most `size` of a thing.
    fn scraps(&mut self, size: f32) {
        let most = 1.0 + 7.0 * self.hardness;
        let count = (most * self.stream.unit() + 0.5) as usize;
        for _ in 0..count {
            let stream = &mut self.stream;
            let shape = Shape::scrap(stream);
            let colour = pick(&pigment::ALL, stream).draw(stream);
            let surface = Surface::draw(Texture::Plain, [colour; 2], stream);
            let short = self.canvas.short_side();
            let radius = short * 0.25 * size * (0.3 + 0.7 * stream.unit());
            // One in three is a twig: long and thin.
            let (long, thin) = if stream.chance(0.33) { (2.2, 0.3) } else { (1.0, 0.7) };
            let centre =
                [self.canvas.width as f32 * stream.unit(), self.canvas.height as f32 * stream.unit()];
            let pose = Pose { centre, axis: direction(stream), radius: [radius * long, radius * thin] };
            self.paint(&shape, &pose, &surface, 0);
        }
    }

    fn paint(&mut self, shape: &Shape, pose: &Pose, surface: &Surface, class: u8) {
        let width = self.canvas.width;
        let (columns, rows) = pose.bounds(width, self.canvas.height);
        for y in rows {
            for x in columns.clone() {
                let local = pose.local([x as f32 + 0.5, y as f32 + 0.5]);
                if shape.contains(local) {
                    self.canvas.colours[y * width + x] = surface.at(local);
                    self.canvas.classes[y * width + x] = class;
                }
            }
        }
    }

    fn photograph(mut self) -> (Rgb, Mask) {
        Light::draw(self.hardness, &mut self.stream).apply(&mut self.canvas);
        self.canvas.develop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Hasher;

    fn params(side: usize, classes: usize, difficulty: f64) -> Synthetic {
        Synthetic { seed: 0, width: side, height: side, train: 0, val: 0, test: 0, classes, difficulty }
    }

    #[test]
    fn pixels_never_change_without_a_new_version() {
        let mut lines = format!("version {VERSION}\n");
        for (width, height, classes, difficulty) in [(64, 48, 6, 0.5), (16, 16, 2, 0.0), (33, 80, 12, 1.0)] {
            let params = Synthetic { width, height, ..params(0, classes, difficulty) };
            for (subset, index) in [(Subset::Train, 0), (Subset::Val, 7), (Subset::Test, 12345)] {
                let (image, mask) = render(&params, subset, index);
                let digest = Hasher::new("test").field(&image.data).field(&mask.data).finish();
                let id = id(subset, index);
                lines += &format!("{width}x{height} C={classes} d={difficulty} {id}: {}\n", digest.short());
            }
        }
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn a_scene_depends_on_its_address_only() {
        let one = params(32, 4, 0.5);
        let more = Synthetic { train: 900, val: 30, ..one.clone() };
        let other = Synthetic { seed: 1, ..one.clone() };
        let scene = |params| render(params, Subset::Train, 3);
        assert!(scene(&one) == scene(&more), "a longer dataset starts with the same scenes");
        assert!(scene(&one) != scene(&other), "another seed is another dataset");
        assert!(scene(&one) != render(&one, Subset::Val, 3));
    }

    #[test]
    fn every_class_is_in_at_least_15_percent_of_the_images() {
        for classes in [2, 4, 6, 9, 12] {
            for difficulty in [0.0, 0.5, 1.0] {
                let params = params(48, classes, difficulty);
                let mut images = vec![0; classes];
                for index in 0..300 {
                    let (_, mask) = render(&params, Subset::Train, index);
                    let found = |class: usize| mask.data.contains(&(class as u8));
                    (0..classes).filter(|class| found(*class)).for_each(|class| images[class] += 1);
                    assert!(mask.data.iter().all(|class| usize::from(*class) < classes));
                }
                let rarest = images.iter().min().unwrap();
                assert!(*rarest >= 45, "C={classes}, difficulty {difficulty}: {images:?} of 300");
            }
        }
    }

    #[test]
    fn no_colour_names_a_class() {
        // The IoU of the best rule from coarse colour to class: a network has to look at more than colour.
        let params = params(48, 6, 0.5);
        let mut counts = vec![[0u32; 6]; 512];
        for index in 0..200 {
            let (image, mask) = render(&params, Subset::Train, index);
            for (rgb, class) in image.data.chunks_exact(3).zip(&mask.data) {
                let bin = rgb.iter().fold(0, |bin, value| bin * 8 + usize::from(value >> 5));
                counts[bin][usize::from(*class)] += 1;
            }
        }
        for class in 1..6 {
            let total: u32 = counts.iter().map(|bin| bin[class]).sum();
            let won = || counts.iter().filter(|bin| bin.iter().max() == Some(&bin[class]));
            let right: u32 = won().map(|bin| bin[class]).sum();
            let claimed: u32 = won().flatten().sum();
            let iou = f64::from(right) / f64::from(total + claimed - right);
            assert!(iou < 0.5, "class {class}: colour alone reaches an IoU of {iou:.2}");
        }
    }
}
