//! Outlines, and where they lie. No angles: a direction is a unit vector.

use crate::base::stream::Stream;

/// A point or a direction.
pub type Vec2 = [f32; 2];

/// An outline around the origin, about one unit in radius.
#[derive(Debug, Clone)]
pub enum Shape {
    /// The unit disc.
    Disc,
    /// A disc with a hole of this radius.
    Ring(f32),
    /// A disc out of which another, of this radius and at this distance to the right, is cut.
    Moon { cut: f32, away: f32 },
    /// Corners of a closed polygon; even-odd rule.
    Polygon(Vec<Vec2>),
    /// Where the sum of (radius / distance)² over some bodies (x, y, radius) exceeds 1.
    Blob(Vec<[f32; 3]>),
}

impl Shape {
    /// No point of any outline is farther from the origin in x or y.
    pub const REACH: f32 = 1.45;

    /// A rectangle with half sides `a` and `b`.
    pub fn rectangle(a: f32, b: f32) -> Self {
        Self::Polygon(vec![[-a, -b], [a, -b], [a, b], [-a, b]])
    }

    /// Two crossed bars of half width `w`.
    pub fn cross(w: f32) -> Self {
        let quarter = [[1.0, -w], [1.0, w], [w, w]];
        let turned = |turn: usize| quarter.map(|p| (0..turn).fold(p, |[x, y], _| [-y, x]));
        Self::Polygon((0..4).flat_map(turned).collect())
    }

    /// A star with five points whose inner corners lie at `inner`.
    pub fn star(inner: f32) -> Self {
        let corner = |i: usize| {
            let [x, y] = (0..i).fold([0.0, -1.0], |p, _| rotate(p, TENTH));
            if i.is_multiple_of(2) { [x, y] } else { [x * inner, y * inner] }
        };
        Self::Polygon((0..10).map(corner).collect())
    }

    /// A triangle whose corners are moved a little.
    pub fn wedge(stream: &mut Stream) -> Self {
        let mut moved = |x: f32, y: f32| [x + 0.3 * (stream.unit() - 0.5), y + 0.3 * (stream.unit() - 0.5)];
        Self::Polygon(vec![moved(0.0, -1.05), moved(0.95, 0.7), moved(-0.95, 0.7)])
    }

    /// A four-cornered scrap, no two alike.
    pub fn scrap(stream: &mut Stream) -> Self {
        let mut moved = |x: f32, y: f32| [x * (0.45 + 0.7 * stream.unit()), y * (0.45 + 0.7 * stream.unit())];
        Self::Polygon(vec![moved(-1.0, -1.0), moved(1.0, -1.0), moved(1.0, 1.0), moved(-1.0, 1.0)])
    }

    /// A lump of three to five bodies.
    pub fn blob(stream: &mut Stream) -> Self {
        let bodies = 3 + stream.below(3) as usize;
        let body = |_| {
            let [x, y] = direction(stream);
            let away = 0.2 + 0.35 * stream.unit();
            [x * away, y * away, 0.27 + 0.14 * stream.unit()]
        };
        Self::Blob((0..bodies).map(body).collect())
    }

    /// Whether a point lies inside.
    pub fn contains(&self, [x, y]: Vec2) -> bool {
        let square = x * x + y * y;
        match self {
            Self::Disc => square <= 1.0,
            Self::Ring(hole) => square <= 1.0 && square > hole * hole,
            Self::Moon { cut, away } => {
                let dx = x - away;
                square <= 1.0 && dx * dx + y * y > cut * cut
            }
            Self::Polygon(corners) => inside(corners, x, y),
            Self::Blob(bodies) => {
                let pull = |&[bx, by, r]: &[f32; 3]| {
                    let (dx, dy) = (x - bx, y - by);
                    r * r / (dx * dx + dy * dy + 1e-6)
                };
                bodies.iter().map(pull).sum::<f32>() > 1.0
            }
        }
    }
}

/// A turn by a tenth of a circle: cos 36°, sin 36°.
const TENTH: Vec2 = [0.809_017, 0.587_785_25];

fn rotate([x, y]: Vec2, [c, s]: Vec2) -> Vec2 {
    [x * c - y * s, x * s + y * c]
}

/// Even-odd rule: count the edges that a ray to the right crosses.
fn inside(corners: &[Vec2], x: f32, y: f32) -> bool {
    let mut odd = false;
    let mut last = corners[corners.len() - 1];
    for &corner in corners {
        let ([ax, ay], [bx, by]) = (last, corner);
        if (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
            odd = !odd;
        }
        last = corner;
    }
    odd
}

/// A uniformly random direction, by rejection from the square.
pub fn direction(stream: &mut Stream) -> Vec2 {
    loop {
        let (x, y) = (2.0 * stream.unit() - 1.0, 2.0 * stream.unit() - 1.0);
        let square = x * x + y * y;
        if (0.01..=1.0).contains(&square) {
            let length = square.sqrt();
            return [x / length, y / length];
        }
    }
}

/// Where a shape lies on the canvas, in pixels.
#[derive(Debug, Clone)]
pub struct Pose {
    /// The middle.
    pub centre: Vec2,
    /// Where the shape's x axis points: a unit vector.
    pub axis: Vec2,
    /// Half extents along the shape's x and y axes.
    pub radius: Vec2,
}

impl Pose {
    /// From canvas pixels to the shape's own coordinates.
    #[inline]
    pub fn local(&self, [x, y]: Vec2) -> Vec2 {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        let [c, s] = self.axis;
        [(dx * c + dy * s) / self.radius[0], (dy * c - dx * s) / self.radius[1]]
    }

    /// The columns and rows that the shape can touch on a canvas.
    pub fn bounds(&self, width: usize, height: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let [c, s] = self.axis.map(f32::abs);
        let [a, b] = self.radius;
        let span = |middle: f32, half: f32, limit: usize| {
            let half = half * Shape::REACH + 1.0;
            let clip = |at: f32| at.clamp(0.0, limit as f32) as usize;
            clip(middle - half)..clip(middle + half)
        };
        (span(self.centre[0], a * c + b * s, width), span(self.centre[1], a * s + b * c, height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(shape: &Shape) -> f32 {
        let at = |i: u32| (i as f32 + 0.5) / 100.0 * 4.0 - 2.0;
        let hits = (0..100).flat_map(|i| (0..100).map(move |j| [at(i), at(j)]));
        hits.filter(|p| shape.contains(*p)).count() as f32 * 16.0 / 10_000.0
    }

    #[test]
    fn areas_are_those_of_the_shapes() {
        let near = |shape: Shape, area: f32| {
            let found = share(&shape);
            assert!((found - area).abs() < 0.04 * area, "{shape:?}: {found}, not {area}");
        };
        near(Shape::Disc, std::f32::consts::PI);
        near(Shape::Ring(0.5), std::f32::consts::PI * 0.75);
        near(Shape::rectangle(1.0, 0.5), 2.0);
        near(Shape::cross(0.25), 1.75);
        near(Shape::star(0.4), 5.0 * 0.4 * 0.587_785);
    }

    #[test]
    fn no_outline_passes_its_reach() {
        let mut stream = Stream::at(0, "test", "", 0, "shape");
        for _ in 0..200 {
            for shape in [Shape::blob(&mut stream), Shape::scrap(&mut stream), Shape::wedge(&mut stream)] {
                for i in 0..400 {
                    let along = (i as f32 / 400.0 - 0.5) * 2.0 * Shape::REACH;
                    for p in [[along, Shape::REACH], [Shape::REACH, along]] {
                        assert!(!shape.contains(p) && !shape.contains([-p[0], -p[1]]), "{shape:?} at {p:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn bounds_hold_the_whole_shape() {
        let mut stream = Stream::at(0, "test", "", 0, "pose");
        for _ in 0..50 {
            let pose = Pose { centre: [20.0, 12.0], axis: direction(&mut stream), radius: [9.0, 3.0] };
            let (columns, rows) = pose.bounds(40, 30);
            let shape = Shape::rectangle(1.0, 1.0);
            for (x, y) in (0..30).flat_map(|y| (0..40).map(move |x| (x, y))) {
                if shape.contains(pose.local([x as f32 + 0.5, y as f32 + 0.5])) {
                    assert!(columns.contains(&x) && rows.contains(&y));
                }
            }
        }
    }
}
