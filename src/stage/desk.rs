//! Where a stage works: it says what happens, finds what an interrupted execution left, and keeps what the next would
//! miss.

use crate::base::digest::Digest;
use crate::base::progress::{Progress, Quiet};
use crate::store::StoreError;
use crate::store::running::{ResumeHead, ResumePoint};
use crate::train::evaluate::{Forgetful, Kept};

/// A place to work that outlives the process. What is not said otherwise is that of a stage which is executed in one go, or
/// not at all: it finds nothing, and keeps nothing.
pub trait Desk: Progress {
    /// Where an interrupted execution stood: the newest resume point that is whole and suits. Called once, before
    /// anything is measured.
    ///
    /// # Errors
    /// Whatever reading reports.
    fn resume(
        &mut self,
        _suits: &mut dyn FnMut(&ResumeHead) -> bool,
    ) -> Result<Option<ResumePoint>, StoreError> {
        Ok(None)
    }

    /// Whether it is time to keep a resume point.
    fn is_due(&self, _ends_epoch: bool) -> bool {
        false
    }

    /// Keeps a resume point; what was measured until then is added to it.
    ///
    /// # Errors
    /// Whatever writing reports.
    fn keep(&mut self, _point: ResumePoint) -> Result<(), StoreError> {
        Ok(())
    }

    /// What an interrupted execution with this identity computed of single images, and a place for more.
    ///
    /// # Errors
    /// Whatever reading reports.
    fn images(&mut self, _identity: Digest) -> Result<Box<dyn Kept>, StoreError> {
        Ok(Box::new(Forgetful))
    }
}

impl Desk for Quiet {}
