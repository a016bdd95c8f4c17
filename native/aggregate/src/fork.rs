//! Locks for a process that forks.
//!
//! After a `fork` the child has one thread, and a lock that another thread held stays locked for ever, with half
//! changed values behind it. A [`Renewable`] lock can be replaced as a whole, the values with it.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A mutex that can be replaced after a fork; a panic of a holder does not poison it.
#[derive(Debug)]
pub struct Renewable<T> {
    current: AtomicPtr<Mutex<T>>,
}

// SAFETY: as `Mutex<T>`, which it points to and owns.
unsafe impl<T: Send> Send for Renewable<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Renewable<T> {}

impl<T> Renewable<T> {
    /// A lock around a value.
    pub fn new(value: T) -> Self {
        Self {
            current: AtomicPtr::new(Box::into_raw(Box::new(Mutex::new(value)))),
        }
    }

    /// Wait for the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.mutex().lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mutex itself, for a condition variable.
    pub fn mutex(&self) -> &Mutex<T> {
        // SAFETY: made from a box by `new` or `renew`, and freed only when nobody borrows `self`.
        unsafe { &*self.current.load(Ordering::Acquire) }
    }

    /// Put a new value behind a new lock. For a child after `fork`: the old one is leaked, since a thread that no
    /// longer exists may have left it locked and its value half changed.
    pub fn renew(&self, value: T) {
        let new = Box::into_raw(Box::new(Mutex::new(value)));
        self.current.store(new, Ordering::Release);
    }
}

impl<T> Drop for Renewable<T> {
    fn drop(&mut self) {
        // SAFETY: made from a box, and nobody else borrows `self` any more.
        drop(unsafe { Box::from_raw(*self.current.get_mut()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "leaks on purpose, as a fork does")]
    fn a_renewed_lock_is_free_although_the_old_one_is_held() {
        let lock = Renewable::new(Box::new(1));
        // Not dropped, as by a thread that a fork left behind.
        std::mem::forget(lock.lock());
        lock.renew(Box::new(2));
        assert_eq!(**lock.lock(), 2);
        assert!(lock.mutex().try_lock().is_ok());
    }

    #[test]
    fn a_panic_of_its_holder_does_not_spoil_a_lock() {
        let lock = Renewable::new(1);
        std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _guard = lock.lock();
                panic!("on purpose");
            });
            holder.join().unwrap_err();
        });
        assert_eq!(*lock.lock(), 1);
    }
}
