//! What Python can ask an instrument or a bound handle: its name, and the values of its series.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::IntoPyObjectExt;
use wire::model::Number;

use super::cell::Cell;
use super::handle::Handle;
use super::histogram::HistogramCell;
use super::objects::is_histogram;

fn owned<'p, T: IntoPyObject<'p>>(python: Python<'p>, value: T) -> *mut py::PyObject {
    value
        .into_bound_py_any(python)
        .map_or(ptr::null_mut(), Bound::into_ptr)
}

pub unsafe extern "C" fn get_name(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    Python::attach(|python| {
        owned(
            python,
            PyString::new(python, unsafe { &Handle::of(object).instrument().name }),
        )
    })
}

pub unsafe extern "C" fn get_unit(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    Python::attach(|python| {
        owned(
            python,
            PyString::new(python, unsafe { &Handle::of(object).instrument().unit }),
        )
    })
}

/// The cells of a bound handle: its own, or those of every view.
unsafe fn cells(object: *mut py::PyObject) -> Vec<Cell> {
    let handle = unsafe { Handle::of(object) };
    match handle.kept() {
        Some(cell) => vec![cell],
        None => unsafe { handle.instrument().cells(handle.attributes) }
            .into_iter()
            .map(|(_, cell)| cell)
            .collect(),
    }
}

pub unsafe extern "C" fn get_value(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    let number = unsafe { cells(object) }
        .into_iter()
        .find_map(|cell| match cell {
            Cell::Number(cell) => Some(cell.get()),
            Cell::Histogram(_) => None,
        });
    Python::attach(|python| match number {
        Some(Number::Int(value)) => owned(python, value),
        Some(Number::Float(value)) => owned(python, value),
        None => owned(python, 0),
    })
}

/// The cell of a histogram that is bound, or that one stream takes without attributes.
pub fn histogram_of(object: &Bound<'_, PyAny>) -> Option<Arc<HistogramCell>> {
    // SAFETY: a live object whose type is checked.
    unsafe {
        is_histogram(object.as_ptr())
            .then(|| histogram(object.as_ptr()))
            .flatten()
    }
}

unsafe fn histogram(object: *mut py::PyObject) -> Option<Arc<HistogramCell>> {
    unsafe { cells(object) }
        .into_iter()
        .find_map(|cell| match cell {
            Cell::Histogram(cell) => Some(cell),
            Cell::Number(_) => None,
        })
}

pub unsafe extern "C" fn get_count(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    let count = unsafe { histogram(object) }.map_or(0, |cell| cell.count());
    Python::attach(|python| owned(python, count))
}

pub unsafe extern "C" fn get_sum(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    let sum = unsafe { histogram(object) }.map_or(0.0, |cell| cell.sum());
    Python::attach(|python| owned(python, sum))
}
