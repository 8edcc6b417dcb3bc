//! Places for the boxes of a graph in layers: few crossings, short ways, and nothing left to chance.
//!
//! An edge over several layers passes through one stop in each layer between. Edges from one box share their stops, so
//! that a box which everything uses has one line and not twenty. Boxes are put in order by the mean order of their
//! neighbours (the barycentre), forth and back; where two are equal, their order stays. Then each moves to the mean
//! height of its neighbours, as far as the others of its layer let it.

use super::apart::apart;

/// Times that the layers are gone through, forth and back.
const SWEEPS: usize = 12;

/// Pixels between two boxes of a layer.
const BETWEEN: f64 = 12.0;

/// Pixels that a stop keeps free.
const STOP: f64 = 4.0;

/// A box to be placed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Node {
    /// Its layer, from 0.
    pub layer: usize,
    /// Its height in pixels.
    pub height: f64,
}

/// A box or a stop, at its height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Its layer.
    pub layer: usize,
    /// The height of its middle, in pixels; the upper edge of the highest box is at 0.
    pub y: f64,
    /// Whether it is a stop of an edge, and no box.
    pub stop: bool,
}

/// Where everything stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    /// The boxes, in the order given, and then the stops.
    pub spots: Vec<Spot>,
    /// From spot to spot of the next layer.
    pub links: Vec<(usize, usize)>,
    /// The lower edge of the lowest box.
    pub height: f64,
}

/// Places nodes; an edge that does not lead to a later layer is left out.
///
/// # Panics
/// When an edge names a node that is not there.
pub fn layout(nodes: &[Node], edges: &[(usize, usize)]) -> Layout {
    let mut placed = Placed { nodes: nodes.to_vec(), real: nodes.len(), ..Placed::default() };
    placed.link(edges);
    placed.arrange();
    placed.move_to_neighbours();
    let top = |i: usize| placed.y[i] - placed.nodes[i].height / 2.0;
    let highest = (0..placed.nodes.len()).map(top).fold(f64::INFINITY, f64::min);
    let lowest = (0..placed.nodes.len()).map(|i| top(i) + placed.nodes[i].height).fold(highest, f64::max);
    let spot =
        |i: usize| Spot { layer: placed.nodes[i].layer, y: placed.y[i] - highest, stop: i >= placed.real };
    let spots: Vec<Spot> = (0..placed.nodes.len()).map(spot).collect();
    Layout { height: if spots.is_empty() { 0.0 } else { lowest - highest }, spots, links: placed.links }
}

/// A graph with stops, while it is being placed.
#[derive(Default)]
struct Placed {
    nodes: Vec<Node>,
    real: usize,
    links: Vec<(usize, usize)>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    layers: Vec<Vec<usize>>,
    y: Vec<f64>,
}

impl Placed {
    fn link(&mut self, edges: &[(usize, usize)]) {
        for source in 0..self.real {
            let layer = self.nodes[source].layer;
            let mut targets: Vec<usize> =
                edges.iter().filter(|edge| edge.0 == source).map(|edge| edge.1).collect();
            targets.retain(|&target| self.nodes[target].layer > layer);
            targets.sort_by_key(|&target| (self.nodes[target].layer, target));
            targets.dedup();
            let mut last = source;
            for target in targets {
                while self.nodes[last].layer + 1 < self.nodes[target].layer {
                    self.nodes.push(Node { layer: self.nodes[last].layer + 1, height: STOP });
                    let stop = self.nodes.len() - 1;
                    self.links.push((last, stop));
                    last = stop;
                }
                self.links.push((last, target));
            }
        }
        self.before = vec![Vec::new(); self.nodes.len()];
        self.after = vec![Vec::new(); self.nodes.len()];
        for &(from, to) in &self.links {
            self.after[from].push(to);
            self.before[to].push(from);
        }
        let layers = self.nodes.iter().map(|node| node.layer + 1).max().unwrap_or(0);
        self.layers = vec![Vec::new(); layers];
        for (i, node) in self.nodes.iter().enumerate() {
            self.layers[node.layer].push(i);
        }
    }

    /// Finds the order of each layer; of all that were seen, the first with the fewest crossings.
    fn arrange(&mut self) {
        let mut best = (self.crossings(), self.layers.clone());
        for sweep in 0..SWEEPS {
            let forth = sweep % 2 == 0;
            for step in 1..self.layers.len() {
                let layer = if forth { step } else { self.layers.len() - 1 - step };
                self.order_by_neighbours(layer, forth);
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.layers.clone());
            }
        }
        self.layers = best.1;
    }

    fn order_by_neighbours(&mut self, layer: usize, forth: bool) {
        let rank = self.ranks();
        let neighbours = if forth { &self.before } else { &self.after };
        let centre = |i: usize| mean(neighbours[i].iter().map(|&other| rank[other])).unwrap_or(rank[i]);
        self.layers[layer].sort_by(|&a, &b| centre(a).total_cmp(&centre(b)));
    }

    /// The place of each node in its layer.
    fn ranks(&self) -> Vec<f64> {
        let mut ranks = vec![0.0; self.nodes.len()];
        for (rank, &i) in self.layers.iter().flat_map(|layer| layer.iter().enumerate()) {
            ranks[i] = rank as f64;
        }
        ranks
    }

    fn crossings(&self) -> usize {
        let rank = self.ranks();
        let cross = |a: &(usize, usize), b: &(usize, usize)| {
            self.nodes[a.0].layer == self.nodes[b.0].layer
                && (rank[a.0] - rank[b.0]) * (rank[a.1] - rank[b.1]) < 0.0
        };
        let pairs = self.links.iter().enumerate();
        pairs.map(|(i, a)| self.links[i + 1..].iter().filter(|b| cross(a, b)).count()).sum()
    }

    fn move_to_neighbours(&mut self) {
        self.y = vec![0.0; self.nodes.len()];
        for sweep in 0..SWEEPS {
            for step in 0..self.layers.len() {
                let layer = if sweep % 2 == 0 { step } else { self.layers.len() - 1 - step };
                self.move_layer(layer, sweep);
            }
        }
    }

    /// The first time forth, a layer looks back alone, for what is after it has no height yet.
    fn move_layer(&mut self, layer: usize, sweep: usize) {
        let nodes = &self.layers[layer];
        let wanted = |&i: &usize| {
            let after: &[usize] = if sweep == 0 { &[] } else { &self.after[i] };
            mean(self.before[i].iter().chain(after).map(|&other| self.y[other])).unwrap_or(self.y[i])
        };
        let wanted: Vec<f64> = nodes.iter().map(wanted).collect();
        let height = |i: usize| self.nodes[i].height;
        let gaps: Vec<f64> =
            nodes.windows(2).map(|pair| f64::midpoint(height(pair[0]), height(pair[1])) + BETWEEN).collect();
        for (&i, y) in nodes.iter().zip(apart(&wanted, &gaps)) {
            self.y[i] = y;
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(layer: usize) -> Node {
        Node { layer, height: 20.0 }
    }

    #[test]
    fn a_crossing_that_need_not_be_is_undone() {
        let nodes = [node(0), node(0), node(1), node(1)];
        let layout = layout(&nodes, &[(0, 3), (1, 2)]);
        assert_eq!(layout.spots[0].y, layout.spots[3].y);
        assert_eq!(layout.spots[1].y, layout.spots[2].y);
        assert_eq!(layout.height, 52.0);
    }

    #[test]
    fn edges_from_one_box_share_their_stops() {
        let nodes = [node(0), node(1), node(3), node(3)];
        let layout = layout(&nodes, &[(0, 1), (0, 2), (0, 3), (2, 1)]);
        assert_eq!(layout.spots.iter().filter(|spot| spot.stop).count(), 2);
        assert_eq!(layout.links, [(0, 1), (0, 4), (4, 5), (5, 2), (5, 3)]);
    }

    proptest! {
        #[test]
        fn boxes_of_a_layer_are_apart(
            layers in prop::collection::vec(0usize..6, 1..40),
            edges in prop::collection::vec((0usize..40, 0usize..40), 0..80),
        ) {
            let nodes: Vec<Node> = layers.iter().map(|&layer| node(layer)).collect();
            let edges: Vec<_> = edges.iter().map(|(a, b)| (a % nodes.len(), b % nodes.len())).collect();
            let layout = layout(&nodes, &edges);
            for (i, a) in layout.spots.iter().enumerate() {
                prop_assert!(a.y >= -1e-6 && a.y <= layout.height + 1e-6);
                for b in layout.spots[i + 1..].iter().filter(|b| b.layer == a.layer) {
                    prop_assert!((a.y - b.y).abs() >= STOP + BETWEEN - 1e-6);
                }
            }
            for &(from, to) in &layout.links {
                prop_assert_eq!(layout.spots[from].layer + 1, layout.spots[to].layer);
            }
        }
    }
}
