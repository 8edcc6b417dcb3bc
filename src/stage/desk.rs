//! Where a stage works: it says what happens, finds what an interrupted execution left, and keeps what the next would
//! miss.

use crate::base::digest::Digest;
use crate::base::progress::Progress;
use crate::store::StoreError;
use crate::store::running::{ResumeHead, ResumePoint};
use crate::train::evaluate::{Forgetful, Kept};

/// A place to work that outlives the process.
pub trait Desk: Progress {
    /// Where an interrupted execution stood: the newest resume point that is whole and suits. Called once, before
    /// anything is measured.
    ///
    /// # Errors
    /// Whatever reading reports.
    fn resume(
        &mut self,
        suits: &mut dyn FnMut(&ResumeHead) -> bool,
    ) -> Result<Option<ResumePoint>, StoreError>;

    /// Whether it is time to keep a resume point.
    fn is_due(&self, ends_epoch: bool) -> bool;

    /// Keeps a resume point; what was measured until then is added to it.
    ///
    /// # Errors
    /// Whatever writing reports.
    fn keep(&mut self, point: ResumePoint) -> Result<(), StoreError>;

    /// What an interrupted execution with this identity computed of single images, and a place for more.
    ///
    /// # Errors
    /// Whatever reading reports.
    fn images(&mut self, identity: Digest) -> Result<Box<dyn Kept>, StoreError>;
}

/// No place: a stage that is executed in one go, or not at all.
pub struct Standing<'a>(pub &'a mut dyn Progress);

impl Progress for Standing<'_> {
    fn advance(&mut self, done: u64, total: u64, note: &str) {
        self.0.advance(done, total, note);
    }

    fn metric(&mut self, key: &str, step: u64, value: f64) {
        self.0.metric(key, step, value);
    }

    fn note(&mut self, message: &str) {
        self.0.note(message);
    }

    fn stop_requested(&self) -> bool {
        self.0.stop_requested()
    }
}

impl Desk for Standing<'_> {
    fn resume(&mut self, _: &mut dyn FnMut(&ResumeHead) -> bool) -> Result<Option<ResumePoint>, StoreError> {
        Ok(None)
    }

    fn is_due(&self, _: bool) -> bool {
        false
    }

    fn keep(&mut self, _: ResumePoint) -> Result<(), StoreError> {
        Ok(())
    }

    fn images(&mut self, _: Digest) -> Result<Box<dyn Kept>, StoreError> {
        Ok(Box::new(Forgetful))
    }
}
