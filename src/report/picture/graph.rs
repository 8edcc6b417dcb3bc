//! The stages of one seed and split: what does each arm compute, and what do arms share?
//!
//! Time runs from left to right. A box is a stage that runs once, however many arms ask for it; a line leads to what
//! uses it. At the right end stand the arms.

use super::layered::{Layout, Node, layout};
use super::legend;
use super::svg::{About, Anchor, Picture, Svg, line, rect, tag};
use super::text;
use super::theme;

/// Pixels of a box, of what can be written in it, and from box to box.
const BOX: f64 = 88.0;
const INSIDE: f64 = BOX - 12.0;
const PITCH: f64 = BOX + 26.0;

/// Pixels of the name of an arm.
const NAME: f64 = 170.0;

/// Distinct stages and the arms they serve.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// The stages.
    pub stages: Vec<Stage>,
    /// The arms.
    pub ends: Vec<End>,
}

/// A stage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    /// What others name it by.
    pub id: String,
    /// Its position in a recipe, from the left; a position that no stage has takes no room.
    pub column: usize,
    /// What kind of step.
    pub kind: String,
    /// The model it trains or reads.
    pub role: Option<String>,
    /// Its key, shortened to some seven letters.
    pub key: String,
    /// How many arms it serves.
    pub serves: usize,
    /// Ids of the stages it uses; one in the same or a later column is not drawn.
    pub uses: Vec<String>,
}

/// An arm, at the end of its stages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct End {
    /// The arm.
    pub arm: String,
    /// Ids of the stages that it ends in.
    pub uses: Vec<String>,
}

impl Graph {
    /// The picture.
    pub fn picture(&self, about: About) -> Picture {
        if self.stages.is_empty() {
            return legend::nothing(about);
        }
        let columns = self.columns();
        let layout = layout(&self.nodes(&columns), &self.edges());
        let names = text::widest(self.ends.iter().map(|end| end.arm.as_str())).min(NAME);
        let left = |layer: usize| 8.0 + PITCH * layer as f64;
        let mut svg = Svg::new((left(columns.len()) + names + 8.0).max(120.0));
        draw_links(&mut svg, &layout, columns.len());
        for (stage, spot) in self.stages.iter().zip(&layout.spots) {
            stage.draw(&mut svg, left(spot.layer), TOP + spot.y - stage.height() / 2.0);
        }
        for (end, spot) in self.ends.iter().zip(&layout.spots[self.stages.len()..]) {
            let at = (left(spot.layer), TOP + spot.y + text::TO_BASELINE);
            svg.name("", at, Anchor::Start, &end.arm, NAME);
        }
        svg.finish(TOP + layout.height + TOP, about)
    }

    /// The columns that hold a stage.
    fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.stages.iter().map(|stage| stage.column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    fn nodes(&self, columns: &[usize]) -> Vec<Node> {
        let layer =
            |stage: &Stage| columns.binary_search(&stage.column).expect("every stage's column is listed");
        let stages = self.stages.iter().map(|stage| Node { layer: layer(stage), height: stage.height() });
        let ends = self.ends.iter().map(|_| Node { layer: columns.len(), height: text::LINE });
        stages.chain(ends).collect()
    }

    /// From what is used to what uses it.
    fn edges(&self) -> Vec<(usize, usize)> {
        let find = |id: &String| self.stages.iter().position(|stage| stage.id == *id);
        let uses = self.stages.iter().map(|stage| &stage.uses).chain(self.ends.iter().map(|end| &end.uses));
        uses.enumerate()
            .flat_map(|(user, used)| used.iter().filter_map(move |id| Some((find(id)?, user))))
            .collect()
    }
}

/// Pixels above the highest box.
const TOP: f64 = 8.0;

impl Stage {
    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = vec![(theme::BOLD, self.kind.clone())];
        lines.extend(self.role.clone().map(|role| ("", role)));
        lines.push((theme::SOFT, self.key.clone()));
        if self.serves > 1 {
            lines.push((theme::SOFT, format!("for {} arms", self.serves)));
        }
        lines
    }

    fn height(&self) -> f64 {
        text::LINE * self.lines().len() as f64 + 8.0
    }

    fn draw(&self, svg: &mut Svg, left: f64, top: f64) {
        svg.put(&rect("stpp-box", (left, top), (BOX, self.height())).word("rx", "4"));
        for (i, (class, words)) in self.lines().iter().enumerate() {
            let at = (left + BOX / 2.0, top + 4.0 + text::LINE * (i as f64 + 0.5) + text::TO_BASELINE);
            svg.name(class, at, Anchor::Middle, words, INSIDE);
        }
    }
}

/// A line passes the boxes of a layer at its stop, and swings from layer to layer between them.
fn draw_links(svg: &mut Svg, layout: &Layout, last: usize) {
    let left = |layer: usize| 8.0 + PITCH * layer as f64 - if layer == last { 5.0 } else { 0.0 };
    for &(from, to) in &layout.links {
        let (from, to) = (layout.spots[from], layout.spots[to]);
        let start = (8.0 + PITCH * from.layer as f64 + BOX, TOP + from.y);
        let end = (left(to.layer), TOP + to.y);
        let middle = f64::midpoint(start.0, end.0);
        let point = |x: f64, y: f64| format!("{x:.1},{y:.1}");
        let curve = [point(middle, start.1), point(middle, end.1), point(end.0, end.1)].join(" ");
        let way = format!("M{} C{curve}", point(start.0, start.1));
        svg.put(&tag("path").class("stpp-edge").word("d", &way));
    }
    for spot in layout.spots.iter().filter(|spot| spot.stop) {
        let (x, y) = (8.0 + PITCH * spot.layer as f64, TOP + spot.y);
        svg.put(&line("stpp-edge", (x, y), (x + BOX, y)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::picture::laws;
    use proptest::prelude::*;

    fn stage(id: &str, column: usize, serves: usize, uses: &[&str]) -> Stage {
        Stage {
            id: id.to_owned(),
            column,
            kind: id.to_owned(),
            role: None,
            key: "22d712f".to_owned(),
            serves,
            uses: uses.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[test]
    fn two_arms_share_a_teacher() {
        let stages = vec![
            stage("prepare", 0, 2, &[]),
            stage("teacher", 1, 2, &["prepare"]),
            stage("label", 3, 1, &["teacher", "prepare", "gone"]),
            stage("evaluate", 7, 1, &["label"]),
        ];
        let end = |arm: &str, uses: &str| End { arm: arm.to_owned(), uses: vec![uses.to_owned()] };
        let graph = Graph { stages, ends: vec![end("supervised", "teacher"), end("st", "evaluate")] };
        let picture = graph.picture(laws::about("graph"));
        laws::check(&picture);
        insta::assert_snapshot!(laws::without_style(&picture));
    }

    proptest! {
        #![proptest_config(laws::cases())]
        #[test]
        fn any_graph_obeys_the_laws(
            stages in prop::collection::vec(
                (laws::name(), 0usize..9, laws::name(), prop::option::of(laws::name()), 0usize..30,
                 prop::collection::vec(0usize..60, 0..4)), 0..60),
            ends in prop::collection::vec((laws::name(), prop::collection::vec(0usize..60, 0..3)), 0..20),
        ) {
            let ids = |uses: Vec<usize>| uses.into_iter().map(|id| id.to_string()).collect();
            let stages = stages.into_iter().enumerate().map(|(i, (kind, column, key, role, serves, uses))| {
                Stage { id: i.to_string(), column, kind, role, key, serves, uses: ids(uses) }
            });
            let ends = ends.into_iter().map(|(arm, uses)| End { arm, uses: ids(uses) }).collect();
            laws::check(&Graph { stages: stages.collect(), ends }.picture(laws::about("graph")));
        }
    }
}
