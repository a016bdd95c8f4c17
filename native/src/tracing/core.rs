//! What all spans of a provider share: ids, limits, sampling, names, and the ring ended spans go to.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

use flight::Flight;
use pyo3::ffi as py;

use super::ids::Ids;
use super::pairs::Limit;
use super::wall::Wall;
use crate::names::{Name, Names};

/// Why a span does not reach its ring.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    RingFull,
    TooLarge,
    ShutDown,
    InternalError,
}

pub const LOSSES: [&str; 4] = ["ring_full", "too_large", "shut_down", "internal_error"];

/// Limits of spans.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub span: Limit,
    pub event: Limit,
    pub link: Limit,
    pub events: usize,
    pub links: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = Limit {
            count: 128,
            length: usize::MAX,
        };
        Self {
            span: limit,
            event: limit,
            link: limit,
            events: 128,
            links: 128,
        }
    }
}

/// Which spans are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    On,
    Off,
    /// As the parent; roots are recorded.
    ParentOn,
    /// A sampler of Python's decides.
    Asked,
}

/// What becomes of spans that end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// They go to the ring.
    Wanted,
    /// Nobody wants them.
    Unwanted,
    /// They come after the end, and are lost.
    TooLate,
}

/// A reference that is kept while it is needed; null for none.
#[derive(Debug)]
pub struct Kept(pub *mut py::PyObject);

impl Kept {
    pub const NONE: Self = Self(ptr::null_mut());
}

/// What only the holder of the GIL touches.
#[derive(Debug)]
pub struct Hot {
    pub enabled: bool,
    pub ended: Ended,
    pub sampling: Sampling,
    pub sampler: Kept,
    pub generator: Kept,
    /// Whether the generator's trace ids are random.
    pub random_ids: bool,
    pub processors: Kept,
    pub resource: Kept,
    pub limits: Limits,
    pub ids: Ids,
    pub flight: Arc<Flight>,
    /// Grows with each ring: what was written to another one is not in this one.
    pub epoch: u32,
    /// The first ring of this process: spans of an earlier epoch are its parent's.
    pub own: u32,
    names: Names,
}

/// Shared by provider, tracers and spans.
#[derive(Debug)]
pub struct Core {
    hot: UnsafeCell<Hot>,
    pub wall: Wall,
    lost: [AtomicU64; LOSSES.len()],
    pub started: AtomicU64,
}

// SAFETY: `hot` is touched with the GIL held only; the rest is made for any thread.
unsafe impl Sync for Core {}
// SAFETY: as above; the references in `hot` are changed with the GIL held only.
unsafe impl Send for Core {}

impl Core {
    pub fn new(flight: Arc<Flight>) -> Self {
        Self {
            hot: UnsafeCell::new(Hot {
                enabled: true,
                ended: Ended::Wanted,
                sampling: Sampling::ParentOn,
                sampler: Kept::NONE,
                generator: Kept::NONE,
                random_ids: true,
                processors: Kept::NONE,
                resource: Kept::NONE,
                limits: Limits::default(),
                ids: Ids::new(),
                flight,
                epoch: 1,
                own: 1,
                names: Names::default(),
            }),
            wall: Wall::new(),
            lost: Default::default(),
            started: AtomicU64::new(0),
        }
    }

    /// What the holder of the GIL works with; no two at a time.
    ///
    /// # Safety
    /// The GIL is held, and no Python code runs while the result is in use.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // the GIL is the lock
    pub unsafe fn hot(&self) -> &mut Hot {
        unsafe { &mut *self.hot.get() }
    }

    /// Write to another ring from now on.
    ///
    /// # Safety
    /// As `hot`.
    pub unsafe fn use_ring(&self, flight: Arc<Flight>, forked: bool) {
        let hot = unsafe { self.hot() };
        hot.flight = flight;
        hot.epoch += 1;
        if forked {
            hot.own = hot.epoch;
        }
        unsafe { hot.names.forget() };
    }

    #[cold]
    pub fn lose(&self, loss: Loss) {
        self.lost[loss as usize].fetch_add(1, Relaxed);
    }

    /// What was lost so far, in the order of `LOSSES`.
    pub fn lost(&self) -> [u64; LOSSES.len()] {
        std::array::from_fn(|index| self.lost[index].load(Relaxed))
    }

    /// Begin to count anew, in the child of a fork.
    pub fn forget_counts(&self) {
        for count in &self.lost {
            count.store(0, Relaxed);
        }
        self.started.store(0, Relaxed);
    }
}

impl Hot {
    /// How a name is written: by its id if it has one; `None` when it has no UTF-8.
    ///
    /// # Safety
    /// `name` is a str; the result borrows from it.
    #[inline(always)]
    pub unsafe fn known_name<'a>(&mut self, name: *mut py::PyObject) -> Option<Name<'a>> {
        unsafe { self.names.known_name(&self.flight, name) }
    }

    /// A name as it is written.
    ///
    /// # Safety
    /// The GIL is held.
    pub unsafe fn name_of<'a>(&mut self, bytes: &'a [u8]) -> Name<'a> {
        unsafe { self.names.name_of(&self.flight, bytes) }
    }
}
