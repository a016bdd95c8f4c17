//! `Receipt`: a message that a library receives, from its text to the end of what is done with it.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use pyo3::ffi as py;
use pyo3::prelude::*;

use crate::clock::{seconds, ticks};
use crate::ffi::{free_by_type, none, refuse, TypeSpec};
use crate::metrics::{bound, Handle};

const WANTED: &str = "Receipt() needs bound handles: two counters, two histograms";

/// The places of a receipt's handles: two counters, two histograms.
const MESSAGES: usize = 0;
const RECEIVED: usize = 1;
const PARSED: usize = 2;
const DISPATCHED: usize = 3;
const HANDLES: usize = 4;

/// The messages of one socket: one after the other is begun, parsed and over.
#[repr(C)]
struct Receipt {
    base: py::PyObject,
    handles: [*mut py::PyObject; HANDLES],
    /// When the message at hand came, in ticks.
    began: Cell<u64>,
    /// When it was parsed; 0 where it is not yet, or cannot be.
    parsed: Cell<u64>,
}

impl Receipt {
    #[inline(always)]
    unsafe fn of<'a>(object: *mut py::PyObject) -> &'a Self {
        unsafe { &*object.cast::<Self>() }
    }

    #[inline(always)]
    unsafe fn handle(&self, place: usize) -> &Handle {
        unsafe { Handle::of(self.handles[place]) }
    }
}

/// `begin()`: a message is there.
unsafe extern "C" fn begin(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let receipt = Receipt::of(object);
        receipt.parsed.set(0);
        receipt.began.set(ticks());
        none()
    }
}

/// `parsed()`: what it says is known, and goes to whom it is for.
unsafe extern "C" fn parsed(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        Receipt::of(object).parsed.set(ticks());
        none()
    }
}

/// `end(data)`: it is counted, with the bytes of its text; its times, too, where it was parsed.
unsafe extern "C" fn end(object: *mut py::PyObject, data: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let receipt = Receipt::of(object);
        let parsed = receipt.parsed.get();
        if parsed != 0 {
            let now = ticks();
            let took = seconds(receipt.began.get(), parsed);
            receipt.handle(PARSED).note(took.max(0.0));
            receipt
                .handle(DISPATCHED)
                .note(seconds(parsed, now).max(0.0));
        }
        receipt.handle(MESSAGES).count(1);
        receipt.handle(RECEIVED).count(size(data));
        none()
    }
}

/// The bytes of a text as it travels, or of anything that has a length; no exception stays set.
#[inline(always)]
unsafe fn size(data: *mut py::PyObject) -> i64 {
    unsafe {
        let mut bytes: py::Py_ssize_t = 0;
        if py::PyUnicode_Check(data) != 0 {
            if py::PyUnicode_AsUTF8AndSize(data, &raw mut bytes).is_null() {
                py::PyErr_Clear();
                bytes = py::PyUnicode_GetLength(data);
            }
        } else {
            bytes = py::PyObject_Length(data);
            if bytes < 0 {
                py::PyErr_Clear();
            }
        }
        bytes.max(0) as i64
    }
}

/// `Receipt(messages, received, parsed, dispatched)`: bound handles of two counters and two histograms.
unsafe extern "C" fn new(
    kind: *mut py::PyTypeObject,
    args: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        if py::PyTuple_GET_SIZE(args) != HANDLES.cast_signed() {
            return refuse(WANTED);
        }
        let mut handles = [ptr::null_mut(); HANDLES];
        for (place, handle) in handles.iter_mut().enumerate() {
            let object = py::PyTuple_GET_ITEM(args, place.cast_signed());
            if bound(object, place >= PARSED).is_none() {
                return refuse(WANTED);
            }
            *handle = object;
        }
        let Some(allocate) = (*kind).tp_alloc else {
            return refuse(WANTED);
        };
        let receipt = allocate(kind, 0).cast::<Receipt>();
        if receipt.is_null() {
            return ptr::null_mut();
        }
        for handle in handles {
            py::Py_INCREF(handle);
        }
        (&raw mut (*receipt).handles).write(handles);
        (&raw mut (*receipt).began).write(Cell::new(0));
        (&raw mut (*receipt).parsed).write(Cell::new(0));
        receipt.cast()
    }
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        for handle in Receipt::of(object).handles {
            py::Py_DECREF(handle);
        }
        free_by_type(object);
    }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    TypeSpec::new::<Receipt>(
        c"otel_trading._native.Receipt",
        c"Messages that a library receives, one after the other.",
    )
    .slot(py::Py_tp_new, new as *mut c_void)
    .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
    .plain(c"begin", begin, py::METH_NOARGS, c"A message is there.")
    .plain(
        c"parsed",
        parsed,
        py::METH_NOARGS,
        c"What it says is known.",
    )
    .plain(
        c"end",
        end,
        py::METH_O,
        c"It was dealt with; its text or bytes.",
    )
    .build(module)?;
    Ok(())
}
