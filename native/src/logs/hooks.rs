//! What log records need from Python: looked up once, called where speed does not matter. None of it raises.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi as py;
use pyo3::prelude::*;

use crate::tracing::hooks::call;

/// Functions and types of the Python side; kept for good.
pub struct Hooks {
    pub decimal: *mut py::PyTypeObject,
    clean: *mut py::PyObject,
    key_text: *mut py::PyObject,
    mapping: *mut py::PyObject,
    exception: *mut py::PyObject,
    format: *mut py::PyObject,
    text: *mut py::PyObject,
    span_context: *mut py::PyObject,
}

static HOOKS: AtomicPtr<Hooks> = AtomicPtr::new(ptr::null_mut());

/// Connect log records with Python; called once.
#[pyfunction]
pub fn connect_logs(module: &Bound<'_, PyAny>) -> PyResult<()> {
    let keep = |name: &str| module.getattr(name).map(Bound::into_ptr);
    let hooks = Hooks {
        decimal: keep("Decimal")?.cast(),
        clean: keep("clean")?,
        key_text: keep("key_text")?,
        mapping: keep("mapping")?,
        exception: keep("exception")?,
        format: keep("format_message")?,
        text: keep("text")?,
        span_context: keep("span_context")?,
    };
    HOOKS.store(Box::into_raw(Box::new(hooks)), Ordering::Release);
    Ok(())
}

/// Whether they are connected.
pub fn are_connected() -> bool {
    !HOOKS.load(Ordering::Acquire).is_null()
}

impl Hooks {
    /// As they are connected before there is anything to log to.
    #[inline(always)]
    pub unsafe fn connected() -> &'static Self {
        unsafe { &*HOOKS.load(Ordering::Relaxed) }
    }

    /// A value made plain, texts of at most this length; owned.
    #[cold]
    pub unsafe fn clean(&self, value: *mut py::PyObject, length: usize) -> *mut py::PyObject {
        unsafe {
            let length = py::PyLong_FromSize_t(length.min(isize::MAX.unsigned_abs()));
            let cleaned = call(self.clean, &[value, length]);
            py::Py_XDECREF(length);
            or_none(cleaned)
        }
    }

    /// A key as a str, empty when it cannot be one; owned, or null.
    #[cold]
    pub unsafe fn key_text(&self, key: *mut py::PyObject) -> *mut py::PyObject {
        unsafe { str_or_null(call(self.key_text, &[key])) }
    }

    /// Anything as a dict; owned, or null.
    #[cold]
    pub unsafe fn mapping(&self, given: *mut py::PyObject) -> *mut py::PyObject {
        unsafe { dict_or_null(call(self.mapping, &[given])) }
    }

    /// What describes an exception, or the one that is being handled for `True`: a dict, owned; null for none.
    #[cold]
    pub unsafe fn exception(&self, error: *mut py::PyObject) -> *mut py::PyObject {
        unsafe { dict_or_null(call(self.exception, &[error])) }
    }

    /// A message with its arguments put in; owned, or null.
    #[cold]
    pub unsafe fn format(
        &self,
        message: *mut py::PyObject,
        arguments: &[*mut py::PyObject],
    ) -> *mut py::PyObject {
        let mut all = vec![message];
        all.extend_from_slice(arguments);
        unsafe { str_or_null(call(self.format, &all)) }
    }

    /// Anything as a str; owned, or null.
    #[cold]
    pub unsafe fn text(&self, given: *mut py::PyObject) -> *mut py::PyObject {
        unsafe { str_or_null(call(self.text, &[given])) }
    }

    /// Trace id, span id and flags of a span context: a tuple, owned; null when it is none.
    #[cold]
    pub unsafe fn span_context(&self, context: *mut py::PyObject) -> *mut py::PyObject {
        unsafe {
            let told = call(self.span_context, &[context]);
            if !told.is_null() && (py::PyTuple_Check(told) == 0 || py::PyTuple_Size(told) != 3) {
                py::Py_DECREF(told);
                return ptr::null_mut();
            }
            told
        }
    }
}

unsafe fn or_none(object: *mut py::PyObject) -> *mut py::PyObject {
    if object.is_null() {
        return unsafe { py::Py_NewRef(py::Py_None()) };
    }
    object
}

unsafe fn str_or_null(object: *mut py::PyObject) -> *mut py::PyObject {
    unsafe { filtered(object, |object| py::PyUnicode_Check(object) != 0) }
}

unsafe fn dict_or_null(object: *mut py::PyObject) -> *mut py::PyObject {
    unsafe { filtered(object, |object| py::PyDict_Check(object) != 0) }
}

unsafe fn filtered(
    object: *mut py::PyObject,
    wanted: impl FnOnce(*mut py::PyObject) -> bool,
) -> *mut py::PyObject {
    if object.is_null() || wanted(object) {
        return object;
    }
    unsafe { py::Py_DECREF(object) };
    ptr::null_mut()
}
