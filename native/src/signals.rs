//! Signals that come just before the main thread goes to sleep.
//!
//! `CPython` notes a signal and has the main thread call its handler. When it comes after the thread's last look and
//! before the system call, the thread sleeps as long as it meant to: a bot in `time.sleep(60)` hears of it a minute
//! later. So a signal that is noted is followed by a few of another one, that means nothing and ends the sleep.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem::{transmute, zeroed};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use pyo3::prelude::*;

/// Means "urgent data on a socket"; nearly nobody handles it, and nothing happens where nobody does.
const NUDGE: c_int = libc::SIGURG;
const NUDGES: i32 = 3;
const FIRST_NS: i64 = 20_000_000;
const NEXT_NS: i64 = 100_000_000;
const SIGNALS: usize = 65;

/// What handled each signal before: `CPython`'s own function.
static BEFORE: [AtomicUsize; SIGNALS] = [const { AtomicUsize::new(0) }; SIGNALS];
static TIMER: Timer = Timer {
    id: UnsafeCell::new(ptr::null_mut()),
    process: AtomicI32::new(0),
    left: AtomicI32::new(0),
};

type Plain = extern "C" fn(c_int);

/// A clock that nudges the main thread.
struct Timer {
    id: UnsafeCell<libc::timer_t>,
    /// The process that has it: forked children do not.
    process: AtomicI32,
    left: AtomicI32,
}

// SAFETY: `id` is written with the GIL held, before `process` says that it is there.
unsafe impl Sync for Timer {}

impl Timer {
    /// Have one in this process; whether there is one.
    fn made(&self) -> bool {
        // SAFETY: a plain call.
        let process = unsafe { libc::getpid() };
        if self.process.load(Ordering::Acquire) == process {
            return true;
        }
        if !takes_nudges() {
            return false;
        }
        // SAFETY: plain calls; `id` is nobody else's before `process` says so.
        unsafe {
            let mut event: libc::sigevent = zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = NUDGE;
            event.sigev_notify_thread_id = process; // the main thread has the number of its process
            if libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, self.id.get()) != 0 {
                return false;
            }
        }
        self.process.store(process, Ordering::Release);
        true
    }

    /// Nudge a few times from now on.
    fn start(&self) {
        self.left.store(NUDGES, Ordering::Relaxed);
        self.set(FIRST_NS);
    }

    /// One at a time: should somebody else handle them from now on, this was the last.
    fn nudged(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) > 1 {
            self.set(NEXT_NS);
        }
    }

    /// Nudge once after so long. Safe in a signal handler.
    fn set(&self, after: i64) {
        // SAFETY: plain calls that handlers of signals may do; the timer is this process's.
        unsafe {
            if self.process.load(Ordering::Acquire) == libc::getpid() {
                let mut times: libc::itimerspec = zeroed();
                times.it_value.tv_nsec = after;
                libc::timer_settime(*self.id.get(), 0, &raw const times, ptr::null_mut());
            }
        }
    }
}

/// See to it that the handler of a signal is called although the main thread goes to sleep just when it comes. To be
/// called after `signal.signal`, and again in a forked child; whether it is so.
#[pyfunction]
pub fn wake_for(signal: c_int) -> bool {
    let Some(before) = usize::try_from(signal).ok().and_then(|it| BEFORE.get(it)) else {
        return false;
    };
    if !TIMER.made() {
        return false;
    }
    let ours = relay as extern "C" fn(c_int) as usize;
    // SAFETY: plain calls; what handled the signal is kept before ours may be called.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        if libc::sigaction(signal, ptr::null(), &raw mut action) != 0 {
            return false;
        }
        if action.sa_sigaction == ours {
            return true;
        }
        let handled = !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN);
        if !handled || action.sa_flags & libc::SA_SIGINFO != 0 {
            return false;
        }
        before.store(action.sa_sigaction, Ordering::Release);
        action.sa_sigaction = ours;
        libc::sigaction(signal, &raw const action, ptr::null_mut()) == 0
    }
}

/// Whether the signal of nudges means nothing here; from now on it ends sleeps.
fn takes_nudges() -> bool {
    // SAFETY: plain calls.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        if libc::sigaction(NUDGE, ptr::null(), &raw mut action) != 0 {
            return false;
        }
        let ours = nudged as extern "C" fn(c_int) as usize;
        if action.sa_sigaction == libc::SIG_DFL {
            action.sa_sigaction = ours;
            action.sa_flags = libc::SA_ONSTACK; // without a restart, or locks would be waited for on
            return libc::sigaction(NUDGE, &raw const action, ptr::null_mut()) == 0;
        }
        action.sa_sigaction == ours
    }
}

extern "C" fn relay(signal: c_int) {
    let before = usize::try_from(signal).map_or(0, |it| BEFORE[it].load(Ordering::Acquire));
    keeping_errno(|| TIMER.start());
    if before != 0 {
        // SAFETY: a handler without more arguments, as `wake_for` looked.
        let before = unsafe { transmute::<*const c_void, Plain>(before as *const c_void) };
        before(signal);
    }
}

extern "C" fn nudged(_signal: c_int) {
    keeping_errno(|| TIMER.nudged());
}

fn keeping_errno(work: impl FnOnce()) {
    // SAFETY: the thread's own.
    unsafe {
        let errno = *libc::__errno_location();
        work();
        *libc::__errno_location() = errno;
    }
}
