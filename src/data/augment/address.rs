use crate::base::stream::Stream;

/// For which image, in which epoch of which model, random numbers are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// The experiment's seed.
    pub seed: u64,
    /// Which model of the recipe is trained: `teacher`, `student_1`, `student`.
    pub role: &'a str,
    /// From 1.
    pub epoch: u64,
    /// `<image id>#<repeat>`: a repeated labeled image is augmented anew each time.
    pub item: &'a str,
}

impl Address<'_> {
    /// The numbers of one part of the augmentation, such as `crop`.
    pub fn stream(&self, purpose: &str) -> Stream {
        Stream::at(self.seed, purpose, self.role, self.epoch, self.item)
    }
}
