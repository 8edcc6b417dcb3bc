//! How freed memory is kept for the next step.

/// Tells the allocator to keep large blocks that are freed, instead of giving them back to the system each time.
///
/// A training step frees and asks for the same hundreds of megabytes over and over. By default glibc maps each large
/// block anew, and the system clears every page of it: up to a third of a step's time. Call it once, before the first
/// step. Elsewhere than with glibc it does nothing.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: `mallopt` sets numbers of the allocator's, under its own lock.
        unsafe {
            // No block is a mapping of its own, one heap serves all threads, and its end is not given back.
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        }
    }
}
