//! The end of the process, and what a forked child must not end.

use pyo3::prelude::*;

/// Never lets go of an object: not even when the interpreter ends.
#[pyfunction]
pub fn keep_for_ever(what: Bound<'_, PyAny>) {
    std::mem::forget(what.unbind());
}

/// Ends the process by a signal as if nobody handled it, from whichever thread.
#[pyfunction]
pub fn end_by(signal: i32) {
    // SAFETY: plain calls into libc; the set is initialised before it is read.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::raise(signal);
        libc::_exit(128 + signal);
    }
}
