//! Score of an image against the truth of its pseudo label: does the criterion find the good ones?
//!
//! A panel is an arm, a point an image. A criterion that works rises from left to right, and its filled points, the
//! selected images, lie high.

use super::arm::Arm;
use super::axis::{Scale, Span, drawable};
use super::digits;
use super::legend::{self, Sample};
use super::panel::{BELOW, Panel, Tiles, beside};
use super::svg::{About, Anchor, Picture, Svg, Tag, WIDTH, tag};
use super::text;
use super::theme;
use super::thin;

/// Pixels above a panel for its name and its numbers.
const HEAD: f64 = 40.0;

/// Scores against the truth, for some arms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reliability {
    /// What the vertical axis is, with its unit.
    pub y: String,
    /// One panel for each arm.
    pub panels: Vec<Cloud>,
}

/// The images of an arm.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cloud {
    /// The arm.
    pub arm: Arm,
    /// The criterion that scores.
    pub criterion: String,
    /// Spearman's correlation of score and truth, over all images.
    pub rho: Option<f64>,
    /// The images.
    pub images: Vec<Image>,
}

/// An image without a mask, and what is known of its pseudo label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Image {
    /// Its id, by which images are put in order.
    pub id: String,
    /// The score of the criterion; higher is more reliable.
    pub score: f64,
    /// The true mIoU of its pseudo label, in points.
    pub miou: f64,
    /// Whether it was selected.
    pub selected: bool,
}

impl Reliability {
    /// The picture.
    pub fn picture(&self, about: About) -> Picture {
        if self.panels.is_empty() {
            return legend::nothing(about);
        }
        let clouds: Vec<(&Cloud, Vec<&Image>)> =
            self.panels.iter().map(|cloud| (cloud, cloud.known())).collect();
        let y = Span::of(clouds.iter().flat_map(|(_, images)| images.iter().map(|image| image.miou)));
        let y = y.padded(0.05);
        let columns = Tiles::columns(clouds.len());
        let height = if columns > 2 { 150.0 } else { 200.0 };
        let y_ticks = Scale::new(y, height, 0.0).ticks_up(6);
        let left = beside(&y_ticks);
        let gap = (28.0, HEAD + BELOW + 6.0);
        let width = ((WIDTH - left - 26.0 - gap.0 * (columns - 1) as f64) / columns as f64).min(340.0);
        let right = left + columns as f64 * (width + gap.0) - gap.0;
        let mut svg = Svg::new(right + 26.0);
        let top = legend::samples(&mut svg, &samples(), (4.0, right + 22.0), 2.0) + 20.0;
        svg.name(theme::SOFT, (4.0, top), Anchor::Start, &self.y, right);
        let origin = (left, top + HEAD + 4.0);
        let tiles = Tiles { panels: clouds.len(), columns, origin, size: (width, height), gap };
        let mut thinned = false;
        for (i, (cloud, images)) in clouds.iter().enumerate() {
            let x = Span::of(images.iter().map(|image| image.score)).padded(0.05);
            let panel = Panel::new(tiles.corner(i), tiles.size, x, y);
            panel.rows(&mut svg, &panel.y.ticks_up(6), tiles.is_first(i));
            panel.base(&mut svg, &panel.x.ticks_across(4, gap.0 / 2.0 - 1.0), true);
            cloud.name(&mut svg, &panel, images.len());
            thinned |= cloud.draw(&mut svg, &panel, images);
        }
        let below = tiles.bottom() + BELOW + 12.0;
        svg.text(theme::SOFT, (right, below), Anchor::End, "score of the criterion");
        let notes = if thinned {
            vec![format!("Of a panel's images, at most {} are drawn: every k-th by id.", thin::CLOUD)]
        } else {
            vec![]
        };
        let bottom = legend::notes(&mut svg, &notes, (4.0, below + 4.0), right + 18.0);
        svg.finish(bottom + 6.0, about)
    }
}

impl Cloud {
    /// The images of which score and truth can be drawn, by id.
    fn known(&self) -> Vec<&Image> {
        let known = |image: &&Image| drawable(image.score) && drawable(image.miou);
        let mut images: Vec<&Image> = self.images.iter().filter(known).collect();
        images.sort_by(|a, b| a.id.cmp(&b.id));
        images
    }

    fn name(&self, svg: &mut Svg, panel: &Panel, images: usize) {
        let room = panel.right - panel.left;
        svg.put(&self.arm.mark((panel.left + 4.0, panel.top - 29.0), 4.0));
        svg.name("", (panel.left + 14.0, panel.top - 25.0), Anchor::Start, &self.arm.name, room - 14.0);
        let rho = match self.rho.filter(|rho| drawable(*rho)) {
            Some(rho) => digits::signed(rho),
            None => digits::NONE.to_owned(),
        };
        let numbers = format!("ρ {rho}, n {}", digits::count(images));
        let criterion = text::shorten(&self.criterion, room - text::width(&numbers) - text::width(": "));
        let words = if criterion.is_empty() { numbers } else { format!("{criterion}: {numbers}") };
        svg.name(theme::SOFT, (panel.left, panel.top - 9.0), Anchor::Start, &words, room);
    }

    /// Draws at most as many images as a cloud may have; whether some were left out.
    fn draw(&self, svg: &mut Svg, panel: &Panel, images: &[&Image]) -> bool {
        let shown: Vec<&&Image> = thin::cloud(images).collect();
        for selected in [false, true] {
            let class = if selected { self.arm.full() } else { self.arm.line() };
            for image in shown.iter().filter(|image| image.selected == selected) {
                svg.put(&point(&class, panel.at(image.score, image.miou)));
            }
        }
        shown.len() < images.len()
    }
}

fn point(class: &str, (x, y): (f64, f64)) -> Tag {
    tag("circle").class(class).number("cx", x).number("cy", y).number("r", 2.6)
}

fn samples() -> Vec<(Vec<Sample>, &'static str)> {
    vec![
        (vec![|at| point("stpp-ink", at)], "selected image"),
        (vec![|at| point("stpp-diagonal", at)], "other image"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;
    use proptest::prelude::*;

    fn image(id: usize, score: f64, miou: f64) -> Image {
        Image { id: format!("{id:04}"), score, miou, selected: score > 0.5 }
    }

    #[test]
    fn two_arms_of_three_images() {
        let cloud = |name: &str, place, rho| Cloud {
            arm: Arm::new(name, place),
            criterion: "stability".to_owned(),
            rho,
            images: vec![image(2, 0.9, 61.0), image(0, 0.2, 45.0), image(1, 0.6, 52.0)],
        };
        let y = "true mIoU of the pseudo label, in points".to_owned();
        let panels = vec![cloud("stpp", 5, Some(0.57)), cloud("random-two-stage", 6, None)];
        let picture = Reliability { y, panels }.picture(laws::about("reliability"));
        laws::check(&picture);
        insta::assert_snapshot!(laws::without_style(&picture));
    }

    #[test]
    fn a_large_cloud_says_that_it_is_thinned() {
        let images = (0..1_449).map(|i| image(i, (i % 100) as f64, (i % 37) as f64)).collect();
        let panels = vec![Cloud { images, ..Cloud::default() }];
        let picture = Reliability { y: String::new(), panels }.picture(laws::about("reliability"));
        assert_eq!(picture.svg.matches("<circle class=\"stpp-full0\"").count(), 483 - 5 + 1);
        assert!(picture.svg.contains("every k-th by id"));
    }

    proptest! {
        #![proptest_config(laws::cases())]
        #[test]
        fn any_clouds_obey_the_laws(
            panels in prop::collection::vec(
                (laws::arm(), laws::name(), prop::option::of(laws::number()),
                 prop::collection::vec(
                    (laws::name(), laws::number(), laws::number(), any::<bool>()), 0..8)), 0..20),
            y in laws::name(),
        ) {
            let panels = panels.into_iter().map(|(arm, criterion, rho, images)| {
                let image = |(id, score, miou, selected)| Image { id, score, miou, selected };
                Cloud { arm, criterion, rho, images: images.into_iter().map(image).collect() }
            });
            let panels = panels.collect();
            laws::check(&Reliability { y, panels }.picture(laws::about("reliability")));
        }
    }
}
