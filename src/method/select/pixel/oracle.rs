//! Oracle: pixels whose label is right. Not a method, a ceiling: it reads the true masks.

use super::label::LabelRecord;
use super::rule::{Cut, PixelError};
use crate::data::image::Mask;

/// Keeps pixels whose class is the true one; where the truth is unknown (255), nothing.
pub struct Oracle;

impl Cut for Oracle {
    fn decide(&self, record: &LabelRecord) -> Result<Mask, PixelError> {
        Ok(record.filtered(record.need_truth()?, |class, truth| class == truth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::select::pixel::rule::Step;
    use crate::method::select::pixel::rule::testing::{row, run};

    #[test]
    fn only_right_pixels_stay() {
        let truth = Some(Mask::new(4, 1, vec![1, 2, 255, 255]));
        let image = [LabelRecord { truth, ..row("a", &[1, 1, 1, 255], &[0; 4]) }];
        assert_eq!(run(Step::Ready(Box::new(Oracle)), &[], &image)[0].data, [1, 255, 255, 255]);
    }
}
