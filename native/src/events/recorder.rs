//! `EventRecorder`: what a measurement calls. Never raises for a value, counts what it cannot use.

use std::ffi::c_void;
use std::hash::{BuildHasher, RandomState};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use pyo3::ffi as py;
use pyo3::prelude::*;
use ring::producer::EventRing;
use ring::series::IDS;

use super::context::Traces;
use super::shared::Shared;
use crate::clock::ticks;
use crate::ffi::{allocate, arguments, free, none, Interned, TypeSpec};

static TYPE: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// The writing side; touched with the GIL held only.
#[repr(C)]
pub struct Recorder {
    base: py::PyObject,
    /// Made at the first event: who measures nothing pays no memory.
    pub ring: Option<EventRing>,
    pub traces: Traces,
    pub shared: Arc<Shared>,
    /// Where a new queue begins to give out tokens.
    pub next_token: u64,
    /// Which task or thread runs, and a function wrapped in a measurement: Python's part.
    pub owner: *mut py::PyObject,
    pub decorate: *mut py::PyObject,
}

impl Recorder {
    /// The recorder behind an object, if it is one.
    pub fn of(object: &Bound<'_, PyAny>) -> Option<*mut Self> {
        // SAFETY: both are valid type objects.
        let ours = unsafe { py::Py_TYPE(object.as_ptr()) } == TYPE.load(Relaxed);
        ours.then(|| object.as_ptr().cast())
    }

    /// The queue; made when there is none yet.
    #[inline]
    pub unsafe fn ring<'a>(this: *mut Self) -> &'a mut EventRing {
        unsafe {
            match &mut (*this).ring {
                Some(ring) => ring,
                missing => missing.insert(open(&(*this).shared, (*this).next_token)),
            }
        }
    }

    #[inline]
    pub unsafe fn is_on(this: *mut Self) -> bool {
        let shared = unsafe { &(*this).shared };
        shared.sampling.is_enabled()
    }

    #[inline]
    pub unsafe fn begin(this: *mut Self, id: u16) -> u64 {
        unsafe {
            if !Self::is_on(this) {
                return 0;
            }
            let trace = Traces::current(&raw mut (*this).traces);
            Self::ring(this).start(id, trace, ticks)
        }
    }

    #[inline]
    pub unsafe fn finish(this: *mut Self, id: u16, token: u64) {
        if token != 0 {
            unsafe { Self::ring(this).end(id, token, ticks) };
        }
    }

    #[cold]
    pub unsafe fn refuse(this: *mut Self) {
        let shared = unsafe { &(*this).shared };
        shared.invalid.fetch_add(1, Relaxed);
    }
}

#[cold]
fn open(shared: &Arc<Shared>, next_token: u64) -> EventRing {
    shared.open(next_token, RandomState::new().hash_one(next_token))
}

/// An event's id; `None` when it is none.
#[inline]
pub unsafe fn id(object: *mut py::PyObject) -> Option<u16> {
    unsafe {
        if py::PyLong_Check(object) == 0 {
            return None;
        }
        let number = py::PyLong_AsLong(object);
        if number == -1 {
            py::PyErr_Clear();
        }
        u16::try_from(number).ok().filter(|&id| id < IDS)
    }
}

/// A finite number; `None` when it is none.
#[inline]
unsafe fn number(object: *mut py::PyObject) -> Option<f64> {
    unsafe {
        let number = if py::PyFloat_CheckExact(object) != 0 {
            py::PyFloat_AS_DOUBLE(object)
        } else {
            py::PyFloat_AsDouble(object)
        };
        #[allow(clippy::float_cmp)] // what is returned for an error, exactly
        if number == -1.0 && !py::PyErr_Occurred().is_null() {
            py::PyErr_Clear();
            return None;
        }
        number.is_finite().then_some(number)
    }
}

/// `start(event)`.
unsafe extern "C" fn start(
    object: *mut py::PyObject,
    event: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let this = object.cast::<Recorder>();
        let token = if let Some(id) = id(event) {
            Recorder::begin(this, id)
        } else {
            Recorder::refuse(this);
            0
        };
        py::PyLong_FromUnsignedLongLong(token)
    }
}

/// `event(event)`.
unsafe extern "C" fn event(
    object: *mut py::PyObject,
    event: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let this = object.cast::<Recorder>();
        if Recorder::is_on(this) {
            if let Some(id) = id(event) {
                let trace = Traces::current(&raw mut (*this).traces);
                Recorder::ring(this).count(id, 1.0, trace, ticks);
            } else {
                Recorder::refuse(this);
            }
        }
        none()
    }
}

static EVENT: LazyLock<Interned> = LazyLock::new(|| Interned::new("event"));
static TOKEN: LazyLock<Interned> = LazyLock::new(|| Interned::new("token"));
static AMOUNT: LazyLock<Interned> = LazyLock::new(|| Interned::new("amount"));
static VALUE: LazyLock<Interned> = LazyLock::new(|| Interned::new("value"));

/// The two arguments of a method; the second may be missing (null) when `required` is 1.
#[inline]
unsafe fn two(
    function: &str,
    names: [&LazyLock<Interned>; 2],
    required: usize,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> Option<[*mut py::PyObject; 2]> {
    unsafe {
        if nargs == 2 && kwnames.is_null() {
            return Some([*args, *args.add(1)]);
        }
        arguments(
            function,
            [names[0], names[1]],
            required,
            args,
            nargs,
            kwnames,
        )
    }
}

/// `end(event, token)`.
unsafe extern "C" fn end(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([event, token]) = two("end", [&EVENT, &TOKEN], 2, args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        let this = object.cast::<Recorder>();
        if py::PyLong_Check(token) == 0 {
            Recorder::refuse(this);
            return none();
        }
        let token = py::PyLong_AsUnsignedLongLong(token);
        if token == u64::MAX {
            py::PyErr_Clear();
        }
        match id(event) {
            Some(id) => Recorder::finish(this, id, token),
            None => Recorder::refuse(this),
        }
        none()
    }
}

/// What a number is recorded as.
type Record = fn(&mut EventRing, u16, f64, u64) -> bool;

#[inline]
unsafe fn record(
    object: *mut py::PyObject,
    event: *mut py::PyObject,
    amount: Option<f64>,
    write: Record,
) -> *mut py::PyObject {
    unsafe {
        let this = object.cast::<Recorder>();
        if let (Some(id), Some(amount)) = (id(event), amount) {
            let trace = Traces::current(&raw mut (*this).traces);
            write(Recorder::ring(this), id, amount, trace);
        } else {
            Recorder::refuse(this);
        }
        none()
    }
}

/// `count(event, amount=1)`.
unsafe extern "C" fn count(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([event, amount]) = two("count", [&EVENT, &AMOUNT], 1, args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        if !Recorder::is_on(object.cast()) {
            return none();
        }
        let amount = if amount.is_null() {
            Some(1.0)
        } else {
            number(amount).filter(|&amount| amount >= 0.0)
        };
        record(object, event, amount, |ring, id, amount, trace| {
            ring.count(id, amount, trace, ticks)
        })
    }
}

/// `gauge(event, value)`.
unsafe extern "C" fn gauge(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([event, value]) = two("gauge", [&EVENT, &VALUE], 2, args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        if !Recorder::is_on(object.cast()) {
            return none();
        }
        record(object, event, number(value), |ring, id, value, trace| {
            ring.gauge(id, value, trace, ticks)
        })
    }
}

/// `observe(event, value)`.
unsafe extern "C" fn observe(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([event, value]) = two("observe", [&EVENT, &VALUE], 2, args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        if !Recorder::is_on(object.cast()) {
            return none();
        }
        record(object, event, number(value), |ring, id, value, trace| {
            ring.observe(id, value, trace, ticks)
        })
    }
}

/// `EventRecorder()`.
unsafe extern "C" fn new(
    kind: *mut py::PyTypeObject,
    _: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let this = allocate::<Recorder>(kind);
        if this.is_null() {
            return ptr::null_mut();
        }
        (&raw mut (*this).ring).write(None);
        (&raw mut (*this).traces).write(Traces::none());
        (&raw mut (*this).shared).write(Arc::default());
        (&raw mut (*this).next_token).write(1);
        this.cast()
    }
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        let this = object.cast::<Recorder>();
        Traces::forget(&raw mut (*this).traces);
        py::Py_XDECREF((*this).owner);
        py::Py_XDECREF((*this).decorate);
        (&raw mut (*this).ring).drop_in_place();
        (&raw mut (*this).shared).drop_in_place();
        free(object);
    }
}

pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let kind = TypeSpec::new::<Recorder>(c"otel_trading._native.EventRecorder", c"Writes events to a queue.")
        .slot(py::Py_tp_new, new as *mut c_void)
        .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
        .plain(c"start", start, py::METH_O, c"start($self, event, /)\n--\n\nSomething begins; the token for `end`, 0 when it is not recorded.")
        .fast(c"end", end, c"end($self, event, token)\n--\n\nWhat `start` gave the token for ends.")
        .plain(c"event", event, py::METH_O, c"event($self, event, /)\n--\n\nSomething happened: its counter grows by one.")
        .fast(c"count", count, c"count($self, event, amount=1)\n--\n\nA counter grows by `amount`, which is not negative.")
        .fast(c"gauge", gauge, c"gauge($self, event, value)\n--\n\nA gauge has this value now.")
        .fast(c"observe", observe, c"observe($self, event, value)\n--\n\nA value for a histogram.")
        .plain(
            c"measure",
            super::measure::measure,
            py::METH_O,
            c"measure($self, event, /)\n--\n\nMeasures a block (with) or each call of a function (decorator).",
        )
        .build(module)?;
    TYPE.store(kind, Relaxed);
    Ok(())
}
