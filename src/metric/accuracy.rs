//! The share of right pixels.

use super::confusion::Confusion;

impl Confusion {
    /// Right pixels over counted pixels; `None` when nothing was counted.
    pub fn pixel_accuracy(&self) -> Option<f64> {
        let total = self.total();
        let right: u64 = (0..self.classes()).map(|class| self.true_positives(class)).sum();
        (total > 0).then(|| right as f64 / total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_pixels_are_neither_right_nor_wrong() {
        assert_eq!(Confusion::of(3, &[0, 1, 2, 255], &[0, 1, 0, 1]).pixel_accuracy(), Some(2.0 / 3.0));
        assert_eq!(Confusion::of(3, &[255], &[1]).pixel_accuracy(), None);
    }
}
