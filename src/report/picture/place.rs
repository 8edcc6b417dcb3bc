//! Where the label of a mark stands: beside it, or below until it meets nothing, or above.

/// Pixels between two places that are tried.
const STEP: f64 = 1.0;

/// Rectangles that hold something already.
#[derive(Debug, Clone)]
pub struct Taken {
    low: f64,
    high: f64,
    held: Vec<Rect>,
}

/// Left, top, right and bottom, in pixels.
type Rect = (f64, f64, f64, f64);

impl Taken {
    /// Nothing is held; labels stand between an upper and a lower edge.
    pub fn within(low: f64, high: f64) -> Self {
        Self { low, high, held: Vec::new() }
    }

    /// Holds a rectangle by its upper left corner and its size.
    pub fn take(&mut self, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.held.push((x, y, x + width, y + height));
    }

    /// Finds the height of a label whose left end and wanted height are given, and holds it; none where all is full.
    ///
    /// Heights are those of the label's middle.
    pub fn place(&mut self, (x, wanted): (f64, f64), (width, height): (f64, f64)) -> Option<f64> {
        let rect = |y: f64| (x, y - height / 2.0, x + width, y + height / 2.0);
        let steps = ((self.high - self.low) / STEP) as usize;
        let below = (0..=steps).map(|i| wanted + STEP * i as f64);
        let above = (1..=steps).map(|i| wanted - STEP * i as f64);
        let y = below.chain(above).find(|&y| self.is_free(rect(y)))?;
        self.held.push(rect(y));
        Some(y)
    }

    fn is_free(&self, rect: Rect) -> bool {
        let meets = |held: &Rect| rect.0 < held.2 && held.0 < rect.2 && rect.1 < held.3 && held.1 < rect.3;
        rect.1 >= self.low - 8.0 && rect.3 <= self.high && !self.held.iter().any(meets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_goes_down_until_it_is_free_and_then_up() {
        let mut taken = Taken::within(0.0, 50.0);
        let mut place = |y| taken.place((0.0, y), (30.0, 10.0));
        assert_eq!(place(20.0), Some(20.0));
        assert_eq!(place(20.0), Some(30.0));
        assert_eq!(place(20.0), Some(40.0));
        assert_eq!(place(20.0), Some(10.0));
        assert_eq!(place(20.0), Some(0.0));
        assert_eq!(place(20.0), None);
    }
}
