//! How kernels see tensors: borrowed slices, output shared by threads, scratch space that is kept.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Deref;

use candle_core::{CpuStorage, Layout, Result, Storage, StorageRef, Tensor, bail};

/// The values of a contiguous f32 argument of a custom operation.
///
/// # Errors
/// When the argument is strided or of another type.
pub(crate) fn argument<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a kernel needs contiguous values, got strides {:?}", layout.stride()),
    }
}

/// The values of a contiguous f32 tensor on the CPU, borrowed for as long as this lives.
pub(crate) struct Values<'a> {
    storage: StorageRef<'a>,
    start: usize,
    end: usize,
}

impl<'a> Values<'a> {
    /// Borrows the values of `tensor`.
    ///
    /// # Errors
    /// When the tensor is not a contiguous f32 tensor on the CPU.
    pub(crate) fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        let Storage::Cpu(cpu) = &*storage else { bail!("a CPU kernel was given a tensor of another device") };
        cpu.as_slice::<f32>()?;
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("a kernel needs contiguous values, got strides {:?}", layout.stride())
        };
        Ok(Self { storage, start, end })
    }
}

impl Deref for Values<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &*self.storage {
            Storage::Cpu(CpuStorage::F32(values)) => &values[self.start..self.end],
            _ => unreachable!("checked when borrowed"),
        }
    }
}

/// A buffer that several threads fill, each its own part.
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    buffer: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is to memory that `'a` keeps mutably borrowed; who writes where is the contract of `part` and `at`.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Shares a buffer out.
    pub(crate) fn new(buffer: &'a mut [f32]) -> Self {
        Self { start: buffer.as_mut_ptr(), len: buffer.len(), buffer: PhantomData }
    }

    /// `len` values from `start`.
    ///
    /// # Safety
    /// While the slice lives nothing else may read or write these values.
    #[expect(clippy::mut_from_ref, reason = "parts are disjoint by contract")]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(start + len <= self.len, "part {start}+{len} of {}", self.len);
        // SAFETY: in bounds by the assertion, unaliased by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }

    /// A pointer to the value at `start`, for strided writes that reach at most `span` values further.
    pub(crate) fn at(&self, start: usize, span: usize) -> *mut f32 {
        assert!(start + span <= self.len, "{span} values at {start} of {}", self.len);
        // SAFETY: in bounds by the assertion.
        unsafe { self.start.add(start) }
    }
}

thread_local! {
    /// Buffers that nobody uses at the moment.
    static SCRATCH: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `f` scratch space of `len` values with unspecified content; a thread keeps its own for the next time.
///
/// What `f` calls may ask for more: it gets a buffer of its own.
pub(crate) fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < len {
        buffer.clear();
        buffer.resize(len, 0.0);
    }
    let result = f(&mut buffer[..len]);
    SCRATCH.with_borrow_mut(|buffers| buffers.push(buffer));
    result
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    #[test]
    fn a_strided_tensor_is_refused() -> Result<()> {
        let tensor = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?.t()?;
        assert!(Values::of(&tensor).is_err());
        assert_eq!(Values::of(&tensor.contiguous()?)?.len(), 6);
        Ok(())
    }

    #[test]
    fn a_view_starts_where_it_should() -> Result<()> {
        let tensor = Tensor::from_vec(vec![0f32, 1., 2., 3.], (2, 2), &Device::Cpu)?.narrow(0, 1, 1)?;
        assert_eq!(&*Values::of(&tensor)?, &[2.0, 3.0]);
        Ok(())
    }

    #[test]
    fn scratch_space_within_scratch_space_is_another() {
        with_scratch(3, |outer| {
            outer.fill(1.0);
            with_scratch(4, |inner| inner.fill(2.0));
            assert_eq!(outer, &[1.0; 3]);
        });
    }

    #[test]
    #[should_panic(expected = "part 3+2 of 4")]
    fn a_part_beyond_the_end_is_refused() {
        let mut buffer = [0.0; 4];
        // SAFETY: nothing else looks at the buffer.
        unsafe { Shared::new(&mut buffer).part(3, 2) };
    }
}
