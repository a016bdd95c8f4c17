//! State that only the holder of the GIL touches.

use std::cell::{BorrowMutError, RefCell, RefMut};

/// A value behind the GIL: no lock, but an error instead of a second borrow.
///
/// A second borrow can only come from Python code that runs inside the first one; the callers here run none.
#[derive(Debug, Default)]
pub struct GilCell<T>(RefCell<T>);

// SAFETY: every access happens in a function that CPython calls with the GIL held, or that holds a `Python<'_>`.
unsafe impl<T: Send> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Borrow it; the caller holds the GIL.
    pub fn borrow(&self) -> Result<RefMut<'_, T>, BorrowMutError> {
        self.0.try_borrow_mut()
    }
}
