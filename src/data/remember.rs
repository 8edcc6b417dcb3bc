//! What was decoded once, as long as there is room for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by id. Those that came first stay; once they fill the room, all others are made anew each time.
///
/// Every training epoch reads each image once, in a new order: there is no image that is worth more than another,
/// and one that left would be missed before it comes back.
#[derive(Debug)]
pub struct Memory<T> {
    room: usize,
    kept: Mutex<Kept<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    values: BTreeMap<String, T>,
    bytes: usize,
}

impl<T: Clone> Memory<T> {
    /// With room for so many bytes.
    pub fn new(room: usize) -> Self {
        Self { room, kept: Mutex::new(Kept { values: BTreeMap::new(), bytes: 0 }) }
    }

    /// The value that is remembered, or the one that is made now; `bytes` says how large that is.
    ///
    /// Threads that ask for the same value at the same time may each make it.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get<E>(
        &self,
        id: &str,
        make: impl FnOnce() -> Result<T, E>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Result<T, E> {
        if let Some(found) = self.kept().values.get(id) {
            return Ok(found.clone());
        }
        let made = make()?;
        let bytes = bytes(&made);
        let mut kept = self.kept();
        if bytes <= self.room - kept.bytes && !kept.values.contains_key(id) {
            kept.bytes += bytes;
            kept.values.insert(id.to_owned(), made.clone());
        }
        Ok(made)
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        // A panic elsewhere leaves no value half kept.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::convert::Infallible;

    #[test]
    fn what_fits_is_made_once_and_the_rest_each_time() {
        let (memory, made) = (Memory::new(25), Cell::new(0));
        let get = |id: &str| {
            let make = || Ok::<_, Infallible>((id.to_owned(), made.replace(made.get() + 1)));
            memory.get(id, make, |_| 10).unwrap()
        };
        for _ in 0..3 {
            assert_eq!([get("a").0, get("b").0, get("c").0], ["a", "b", "c"]);
        }
        assert_eq!(made.get(), 2 + 3, "a and b once, c three times");
        assert_eq!((get("a").1, get("b").1), (0, 1));
    }

    #[test]
    fn an_error_is_not_remembered() {
        let memory = Memory::new(1);
        assert_eq!(memory.get("a", || Err("no such file"), |_: &u8| 1), Err("no such file"));
        assert_eq!(memory.get("a", || Ok::<_, Infallible>(7), |_| 1), Ok(7));
    }
}
