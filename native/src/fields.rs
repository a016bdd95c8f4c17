//! The values of an event by the names of its attributes, at the cost of a dict.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::LazyLock;

use pyo3::ffi as py;
use pyo3::prelude::*;

use crate::ffi::{allocate, free, refuse, TypeSpec};

static FIELDS: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// `decimal.Decimal`; kept for good, null when there is none.
static DECIMAL: LazyLock<usize> = LazyLock::new(|| {
    // SAFETY: whoever asks holds the GIL.
    unsafe {
        let module = py::PyImport_ImportModule(c"decimal".as_ptr());
        if module.is_null() {
            py::PyErr_Clear();
            return 0;
        }
        let decimal = py::PyObject_GetAttrString(module, c"Decimal".as_ptr());
        py::Py_DECREF(module);
        if decimal.is_null() {
            py::PyErr_Clear();
        }
        decimal as usize
    }
});

/// Names of attributes, in the order in which values come.
#[repr(C)]
struct Fields {
    base: py::PyObject,
    /// A tuple of strings.
    names: *mut py::PyObject,
}

/// `Fields(names)`
unsafe extern "C" fn new(
    _: *mut py::PyTypeObject,
    args: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let names = if py::PyTuple_GET_SIZE(args) == 1 {
            py::PyTuple_GET_ITEM(args, 0)
        } else {
            ptr::null_mut()
        };
        let texts = !names.is_null()
            && py::PyTuple_Check(names) != 0
            && (0..py::PyTuple_GET_SIZE(names))
                .all(|place| py::PyUnicode_Check(py::PyTuple_GET_ITEM(names, place)) != 0);
        if !texts {
            return refuse("Fields() takes a tuple of names");
        }
        let fields = allocate::<Fields>(FIELDS.load(Relaxed));
        if !fields.is_null() {
            (*fields).names = py::Py_NewRef(names);
        }
        fields.cast()
    }
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        py::Py_XDECREF((*object.cast::<Fields>()).names);
        free(object);
    }
}

/// `data(values)`: what is known, by name; decimals as floats. Values behind the last name are left alone.
unsafe extern "C" fn data(
    object: *mut py::PyObject,
    values: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        if py::PyTuple_Check(values) == 0 {
            return refuse("data() takes a tuple of values");
        }
        let names = (*object.cast::<Fields>()).names;
        let decimal = *DECIMAL as *mut py::PyTypeObject;
        let found = py::PyDict_New();
        if found.is_null() {
            return found;
        }
        let count = py::PyTuple_GET_SIZE(names).min(py::PyTuple_GET_SIZE(values));
        for place in 0..count {
            let value = py::PyTuple_GET_ITEM(values, place);
            if value == py::Py_None() {
                continue;
            }
            let name = py::PyTuple_GET_ITEM(names, place);
            let failed = if py::Py_TYPE(value) == decimal {
                let number = py::PyNumber_Float(value);
                if number.is_null() {
                    py::Py_DECREF(found);
                    return number;
                }
                let failed = py::PyDict_SetItem(found, name, number);
                py::Py_DECREF(number);
                failed
            } else {
                py::PyDict_SetItem(found, name, value)
            };
            if failed != 0 {
                py::Py_DECREF(found);
                return ptr::null_mut();
            }
        }
        found
    }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let spec = TypeSpec::new::<Fields>(
        c"otel_trading._native.Fields",
        c"Names of attributes, in the order in which values come.",
    )
    .slot(py::Py_tp_new, new as *mut c_void)
    .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
    .plain(
        c"data",
        data,
        py::METH_O,
        c"The values that are known, by name; decimals as floats.",
    );
    FIELDS.store(spec.build(module)?, Relaxed);
    Ok(())
}
