//! Open files that a forked child does not keep: it closes them before it does anything else.
//!
//! A lock belongs to the open file, which a child inherits: without this, the lock of a process that died would live
//! on in its children, and with it the space of files that it had removed.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, IntoRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, Ordering};
use std::sync::Once;

/// An open file of this process alone; closed when it is dropped.
#[derive(Debug)]
pub struct Unshared(&'static Place);

/// Where an open file is noted; places are used again and never freed, so a child finds them without a lock.
#[derive(Debug)]
struct Place {
    file: AtomicI32,
    next: *const Place,
}

// SAFETY: `next` is set before the place is seen by others, and points to a place that is never freed.
unsafe impl Sync for Place {}

static PLACES: AtomicPtr<Place> = AtomicPtr::new(ptr::null_mut());

const CLOSED: RawFd = -1;
const FREE: RawFd = -2;

impl Unshared {
    /// Keep an open file from children.
    #[must_use]
    pub fn new(file: File) -> Self {
        static REGISTERED: Once = Once::new();
        // SAFETY: the function lives as long as the process.
        REGISTERED.call_once(|| unsafe {
            libc::pthread_atfork(None, None, Some(close_in_child));
        });
        Self(place(file.into_raw_fd()))
    }

    /// Use the open file.
    ///
    /// # Errors
    /// As `what`; when the file is closed, as in the child of a fork.
    pub fn with<T>(&self, what: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
        match self.0.file.load(Ordering::Acquire) {
            // SAFETY: the file is open as long as `self`, and is not closed here.
            file if file >= 0 => what(&ManuallyDrop::new(unsafe { File::from_raw_fd(file) })),
            _ => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }

    /// Whether the file no longer has a name: somebody removed it.
    #[must_use]
    pub fn removed(&self) -> bool {
        self.with(File::metadata)
            .is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// Close the file, after something was done with it.
    pub(crate) fn close(&self, before: impl FnOnce(RawFd)) {
        let file = self.0.file.swap(CLOSED, Ordering::AcqRel);
        if file >= 0 {
            before(file);
            // SAFETY: the file was this value's alone, and is nobody's now.
            unsafe { libc::close(file) };
        }
    }
}

impl Drop for Unshared {
    fn drop(&mut self) {
        self.close(|_| ());
        self.0.file.store(FREE, Ordering::Release);
    }
}

fn place(file: RawFd) -> &'static Place {
    for place in places() {
        let taken = place
            .file
            .compare_exchange(FREE, file, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_ok() {
            return place;
        }
    }
    let place = Box::leak(Box::new(Place {
        file: AtomicI32::new(file),
        next: PLACES.load(Ordering::Acquire),
    }));
    loop {
        let next = place.next.cast_mut();
        match PLACES.compare_exchange(next, place, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return place,
            Err(other) => place.next = other,
        }
    }
}

fn places() -> impl Iterator<Item = &'static Place> {
    // SAFETY: places are never freed.
    let follow = |place: *const Place| unsafe { place.as_ref() };
    std::iter::successors(follow(PLACES.load(Ordering::Acquire)), move |place| {
        follow(place.next)
    })
}

/// Nothing here allocates or locks: other threads are gone, and may have held anything.
unsafe extern "C" fn close_in_child() {
    for place in places() {
        let file = place.file.load(Ordering::Acquire);
        if file >= 0 {
            place.file.store(CLOSED, Ordering::Release);
            // SAFETY: the file is this process's own.
            unsafe { libc::close(file) };
        }
    }
}

// Miri has no files.
#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_closed_files_say_so() {
        let open = || Unshared::new(File::open("/proc/self/exe").expect("this program"));
        let (one, other) = (open(), open());
        assert!(!ptr::eq(one.0, other.0));
        let metadata = one.with(File::metadata).expect("open");
        assert!(metadata.is_file() && !one.removed());
        one.close(|_| ());
        let error = one.with(File::metadata).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        assert!(other.with(File::metadata).is_ok());
        let before = places().count();
        drop((one, other));
        let _again = [open(), open()];
        assert!(places().count() <= before + 1);
    }
}
