//! `Measure`: a block or a function whose time is recorded.
//!
//! One object may be entered again while it is active, by the same task or by another. The token of the first is in
//! the object; while it is there, others are kept by task, each task's own in the order it entered them.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::recorder::{id, Recorder};
use crate::ffi::{allocate, free, none, refuse, TypeSpec};

static TYPE: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// An id that is refused at each use.
const NO_ID: u16 = u16::MAX;

#[repr(C)]
struct Measure {
    base: py::PyObject,
    recorder: *mut Recorder,
    token: u64,
    /// Tokens by task, as a dict of lists; null as long as nobody entered an active object.
    others: *mut py::PyObject,
    id: u16,
    active: bool,
}

/// `recorder.measure(event)`.
pub unsafe extern "C" fn measure(
    recorder: *mut py::PyObject,
    event: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let this = allocate::<Measure>(TYPE.load(Relaxed));
        if this.is_null() {
            return ptr::null_mut();
        }
        (*this).recorder = py::Py_NewRef(recorder).cast();
        (*this).id = id(event).unwrap_or(NO_ID);
        this.cast()
    }
}

#[inline]
unsafe fn begin(this: *mut Measure) -> u64 {
    unsafe {
        if (*this).id == NO_ID {
            Recorder::refuse((*this).recorder);
            return 0;
        }
        Recorder::begin((*this).recorder, (*this).id)
    }
}

unsafe extern "C" fn enter(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let this = object.cast::<Measure>();
        if (*this).active || !(*this).others.is_null() {
            enter_again(this);
        } else {
            (*this).active = true;
            (*this).token = begin(this);
        }
        py::Py_NewRef(object)
    }
}

unsafe extern "C" fn exit(
    object: *mut py::PyObject,
    _: *const *mut py::PyObject,
    _: py::Py_ssize_t,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let this = object.cast::<Measure>();
        let token = if (*this).others.is_null() {
            Some(own(this))
        } else {
            leave_one(this)
        };
        Recorder::finish((*this).recorder, (*this).id, token.unwrap_or(0));
        none()
    }
}

/// The object's own token, which it no longer has.
#[inline]
unsafe fn own(this: *mut Measure) -> u64 {
    unsafe {
        (*this).active = false;
        std::mem::take(&mut (*this).token)
    }
}

/// Keep another token for the task that runs.
#[cold]
#[inline(never)]
unsafe fn enter_again(this: *mut Measure) {
    Python::attach(|python| {
        let keep = || -> PyResult<()> {
            // SAFETY: `this` is alive as its method runs, with the GIL held.
            let tokens = unsafe { tokens_of_task(python, this, true)? };
            if let Some(tokens) = tokens {
                tokens.append(unsafe { begin(this) })?;
            }
            Ok(())
        };
        // Out of memory: the measurement is lost, the bot goes on.
        drop(keep());
    });
}

/// The token the running task kept last, else the object's own.
#[cold]
#[inline(never)]
unsafe fn leave_one(this: *mut Measure) -> Option<u64> {
    Python::attach(|python| {
        let take = || -> PyResult<Option<u64>> {
            // SAFETY: as in `enter_again`.
            let Some(tokens) = (unsafe { tokens_of_task(python, this, false)? }) else {
                return Ok(Some(unsafe { own(this) }));
            };
            let token = tokens.call_method0("pop")?.extract()?;
            if tokens.is_empty() {
                // SAFETY: as in `enter_again`.
                unsafe { forget_task(python, this)? };
            }
            Ok(Some(token))
        };
        take().unwrap_or(None)
    })
}

/// The tokens the running task has kept; with `make`, a list for them when there is none.
unsafe fn tokens_of_task(
    python: Python<'_>,
    this: *mut Measure,
    make: bool,
) -> PyResult<Option<Bound<'_, PyList>>> {
    let task = unsafe { task(python, this)? };
    if unsafe { (*this).others.is_null() } {
        let others = PyDict::new(python).into_ptr();
        unsafe { (*this).others = others };
    }
    // SAFETY: a dict of ours that nobody else sees.
    let others =
        unsafe { Bound::from_borrowed_ptr(python, (*this).others).cast_into_unchecked::<PyDict>() };
    if let Some(tokens) = others.get_item(&task)? {
        return Ok(Some(tokens.cast_into::<PyList>()?));
    }
    if !make {
        return Ok(None);
    }
    let tokens = PyList::empty(python);
    others.set_item(task, &tokens)?;
    Ok(Some(tokens))
}

unsafe fn forget_task(python: Python<'_>, this: *mut Measure) -> PyResult<()> {
    let task = unsafe { task(python, this)? };
    // SAFETY: as in `tokens_of_task`, which has been called before.
    let others =
        unsafe { Bound::from_borrowed_ptr(python, (*this).others).cast_into_unchecked::<PyDict>() };
    others.del_item(task)?;
    if others.is_empty() {
        unsafe { py::Py_XDECREF(std::mem::replace(&mut (*this).others, ptr::null_mut())) };
    }
    Ok(())
}

/// The task that runs, else the thread.
unsafe fn task(python: Python<'_>, this: *mut Measure) -> PyResult<Bound<'_, PyAny>> {
    let owner = unsafe { (*(*this).recorder).owner };
    if owner.is_null() {
        return Ok(python.None().into_bound(python));
    }
    // SAFETY: a callable that the recorder holds.
    unsafe { Bound::from_borrowed_ptr(python, owner) }.call0()
}

/// `measure(event)(function)`.
unsafe extern "C" fn call(
    object: *mut py::PyObject,
    args: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    Python::attach(|python| {
        // SAFETY: called by CPython with a valid object and a tuple.
        let (this, args) = unsafe {
            (
                object.cast::<Measure>(),
                Bound::from_borrowed_ptr(python, args),
            )
        };
        let (decorate, id) = unsafe { ((*(*this).recorder).decorate, (*this).id) };
        if decorate.is_null() {
            return refuse("nothing decorates functions here");
        }
        // SAFETY: a callable that the recorder holds.
        let decorate = unsafe { Bound::from_borrowed_ptr(python, decorate) };
        let decorated = args
            .get_item(0)
            .and_then(|function| decorate.call1((function, id)));
        decorated.map_or_else(
            |error| {
                error.restore(python);
                ptr::null_mut()
            },
            Bound::into_ptr,
        )
    })
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        let this = object.cast::<Measure>();
        py::Py_XDECREF((*this).others);
        py::Py_XDECREF((*this).recorder.cast());
        free(object);
    }
}

#[allow(clippy::cast_possible_truncation)] // a type's flags have 32 bits
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let doc = c"Measures a block (with) or each call of a function (decorator).";
    let kind = TypeSpec::new::<Measure>(c"otel_trading._native.Measure", doc)
        .flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION)
        .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
        .slot(py::Py_tp_call, call as *mut c_void)
        .plain(c"__enter__", enter, py::METH_NOARGS, c"Begin.")
        .fast(c"__exit__", exit, c"End.")
        .build(module)?;
    TYPE.store(kind, Relaxed);
    Ok(())
}
