//! `VenueClock`: the estimate of one venue's clock as Python sees it, and the watch over our own.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use pyo3::ffi as py;
use pyo3::prelude::*;

use super::offset::{Offset, Taken, STEP_NS};
use crate::clock::{boot_ns, seconds, ticks, wall_ns};
use crate::ffi::{free, none, refuse, TypeSpec};

static CLOCK: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

const NANOSECONDS: f64 = 1e9;

/// How long the wall clock is reckoned before it is read again: so soon a clock that was set is noticed.
const RECKONED_NS: i64 = 50_000_000;

/// Where our clocks stood at one moment.
#[derive(Clone, Copy)]
struct Anchor {
    ticks: u64,
    wall: i64,
    boot: i64,
}

impl Anchor {
    fn now() -> Self {
        Self {
            ticks: ticks(),
            wall: wall_ns(),
            boot: boot_ns(),
        }
    }
}

/// One venue's clock. All is done with the GIL held, and no call of Python's is made meanwhile.
#[repr(C)]
pub struct VenueClock {
    base: py::PyObject,
    offset: UnsafeCell<Offset>,
    anchor: Cell<Anchor>,
}

impl VenueClock {
    #[inline(always)]
    pub unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        unsafe { &*object.cast::<Self>() }
    }

    /// Whether an object is one.
    pub unsafe fn is(object: *mut py::PyObject) -> bool {
        unsafe { py::Py_TYPE(object) == CLOCK.load(Relaxed) }
    }

    /// The estimate, which nobody else uses meanwhile.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // the GIL is held, and what is done with it calls nobody
    pub unsafe fn offset(&self) -> &mut Offset {
        unsafe { &mut *self.offset.get() }
    }

    /// The wall clock. For a short while it is reckoned from the ticks, which cost less to read.
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // saturates
    pub unsafe fn received(&self, now: u64) -> i64 {
        let anchor = self.anchor.get();
        let passed = (seconds(anchor.ticks, now) * NANOSECONDS) as i64;
        if passed < RECKONED_NS && now >= anchor.ticks {
            return anchor.wall + passed;
        }
        unsafe { self.look() }
    }

    /// Look at the clocks; when ours was set, it is noted. A machine that slept did not set its clock.
    #[cold]
    unsafe fn look(&self) -> i64 {
        let (before, now) = (self.anchor.get(), Anchor::now());
        let set = (now.wall - before.wall) - (now.boot - before.boot);
        if set.unsigned_abs() > STEP_NS.unsigned_abs() {
            unsafe { self.offset() }.shift(set);
        }
        self.anchor.set(now);
        now.wall
    }
}

/// The estimate of a venue's clock: over a window, with the latency of the fastest frame, both in seconds.
#[pyfunction]
#[allow(clippy::cast_possible_truncation)] // saturates
pub fn venue_clock(python: Python<'_>, window: f64, base: f64) -> PyResult<Py<PyAny>> {
    let offset = Offset::new((window * NANOSECONDS) as i64, (base * NANOSECONDS) as i64);
    // SAFETY: the type is set when the module is initialised; a null result has an exception set.
    unsafe {
        let clock = crate::ffi::allocate::<VenueClock>(CLOCK.load(Relaxed));
        if !clock.is_null() {
            (&raw mut (*clock).offset).write(UnsafeCell::new(offset));
            (&raw mut (*clock).anchor).write(Cell::new(Anchor::now()));
        }
        Ok(Bound::from_owned_ptr_or_err(python, clock.cast())?.unbind())
    }
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe { free(object) } // nothing in it is to be dropped
}

/// Exactly `N` whole numbers; `None` with an exception set when they are not.
unsafe fn numbers<const N: usize>(
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> Option<[i64; N]> {
    let mut given = [0; N];
    if nargs.unsigned_abs() != N || !kwnames.is_null() {
        refuse(&format!("takes {N} numbers"));
        return None;
    }
    for (index, place) in given.iter_mut().enumerate() {
        *place = unsafe { py::PyLong_AsLongLong(*args.add(index)) };
        if *place == -1 && unsafe { !py::PyErr_Occurred().is_null() } {
            return None;
        }
    }
    Some(given)
}

unsafe extern "C" fn probe(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([sent, server, received]) = numbers(args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        let used = VenueClock::of(object)
            .offset()
            .probe(sent, server, received);
        py::PyBool_FromLong(used.into())
    }
}

unsafe extern "C" fn take(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([event, received]) = numbers(args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        match VenueClock::of(object).offset().take(event, received) {
            Taken::Latency(latency, _) => py::PyLong_FromLongLong(latency),
            Taken::Refused => none(),
        }
    }
}

unsafe extern "C" fn rest(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        VenueClock::of(object).offset().rest();
        none()
    }
}

#[allow(clippy::cast_precision_loss)] // seconds are doubles
unsafe extern "C" fn get_offset(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::PyFloat_FromDouble(VenueClock::of(object).offset().offset() as f64 / NANOSECONDS) }
}

unsafe extern "C" fn get_steps(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::PyLong_FromUnsignedLongLong(VenueClock::of(object).offset().steps()) }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let made = TypeSpec::new::<VenueClock>(
        c"otel_trading._native.VenueClock",
        c"How far a venue's clock is ahead of ours.",
    )
    .flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION)
    .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
    .fast(
        c"probe",
        probe,
        c"The venue told its time: sent, the venue's, received, in ns; whether that was of use.",
    )
    .fast(
        c"take",
        take,
        c"The latency of a frame by event and receipt, in ns; None where the event time cannot be.",
    )
    .plain(
        c"rest",
        rest,
        py::METH_NOARGS,
        c"In a forked child: count steps from zero.",
    )
    .getter(
        c"offset",
        get_offset,
        c"Seconds added to receipt less event time.",
    )
    .getter(
        c"steps",
        get_steps,
        c"How many times a clock was found to be set.",
    )
    .build(module)?;
    CLOCK.store(made, Relaxed);
    module.add_function(wrap_pyfunction!(venue_clock, module)?)
}
