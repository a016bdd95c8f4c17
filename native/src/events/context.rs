//! Which trace a measurement belongs to: what the bot said, else the current span's trace.
//!
//! Both live in OpenTelemetry's context, an immutable mapping that a `ContextVar` holds, so one look at the variable
//! is enough as long as it gives a context that was seen before.

use std::ptr;

use pyo3::ffi as py;

use crate::tracing::span_of;

/// Contexts that are remembered, with what they said; as many tasks may alternate at full speed.
const SLOTS: usize = 16;

/// Where the current context is found and what it is asked for.
pub struct Traces {
    /// The `ContextVar`; null: there are no traces.
    variable: *mut py::PyObject,
    span_key: *mut py::PyObject,
    own_key: *mut py::PyObject,
    span_context: *mut py::PyObject,
    trace_id: *mut py::PyObject,
    seen: [(*mut py::PyObject, u64); SLOTS],
}

impl Traces {
    pub const fn none() -> Self {
        Self {
            variable: ptr::null_mut(),
            span_key: ptr::null_mut(),
            own_key: ptr::null_mut(),
            span_context: ptr::null_mut(),
            trace_id: ptr::null_mut(),
            seen: [(ptr::null_mut(), 0); SLOTS],
        }
    }

    /// Look into the contexts of this variable, under these keys.
    ///
    /// # Safety
    /// All are valid objects; the GIL is held. They are kept for good.
    pub unsafe fn connect(
        &mut self,
        variable: *mut py::PyObject,
        span_key: *mut py::PyObject,
        own_key: *mut py::PyObject,
    ) {
        unsafe {
            self.span_key = py::Py_NewRef(span_key);
            self.own_key = py::Py_NewRef(own_key);
            self.span_context = py::PyUnicode_InternFromString(c"get_span_context".as_ptr());
            self.trace_id = py::PyUnicode_InternFromString(c"trace_id".as_ptr());
            self.variable = py::Py_NewRef(variable);
        }
    }

    /// Forget the contexts seen so far, and whatever they keep alive.
    ///
    /// # Safety
    /// `traces` is valid; the GIL is held.
    pub unsafe fn forget(traces: *mut Self) {
        let seen = unsafe { std::mem::replace(&mut (*traces).seen, [(ptr::null_mut(), 0); SLOTS]) };
        for (context, _) in seen {
            unsafe { py::Py_XDECREF(context) };
        }
    }

    /// The low half of the current trace's id; 0 when there is none. Never raises.
    ///
    /// # Safety
    /// `traces` is valid; the GIL is held. It may run Python code, so no borrow of `traces` may be alive.
    #[inline]
    pub unsafe fn current(traces: *mut Self) -> u64 {
        unsafe {
            let variable = (*traces).variable;
            if variable.is_null() {
                return 0;
            }
            let mut context = ptr::null_mut();
            if py::PyContextVar_Get(variable, ptr::null_mut(), &raw mut context) < 0
                || context.is_null()
            {
                py::PyErr_Clear();
                return 0;
            }
            let (known, trace) = (*traces).seen[slot(context)];
            if known == context {
                py::Py_DECREF(context); // held by the slot
                return trace;
            }
            Self::look(traces, context)
        }
    }

    /// Ask a context and remember the answer; takes over the reference.
    #[cold]
    #[inline(never)]
    unsafe fn look(traces: *mut Self, context: *mut py::PyObject) -> u64 {
        unsafe {
            let trace = if py::PyDict_Check(context) != 0 {
                (*traces).read(context)
            } else {
                0
            };
            let slot = &raw mut (*traces).seen[slot(context)];
            let (old, _) = std::mem::replace(&mut *slot, (context, trace));
            py::Py_XDECREF(old); // last: it may run a destructor
            trace
        }
    }

    unsafe fn read(&self, context: *mut py::PyObject) -> u64 {
        let (span_key, own_key, span_context, trace_id) = (
            self.span_key,
            self.own_key,
            self.span_context,
            self.trace_id,
        );
        unsafe {
            let own = py::PyDict_GetItemWithError(context, own_key);
            if !own.is_null() {
                return low_half(own);
            }
            let span = py::PyDict_GetItemWithError(context, span_key);
            if span.is_null() {
                py::PyErr_Clear();
                return 0;
            }
            if let Some(own) = span_of(span) {
                return own.ids.trace[1];
            }
            let span = py::Py_NewRef(span);
            let described = py::PyObject_CallMethodNoArgs(span, span_context);
            py::Py_DECREF(span);
            if described.is_null() {
                py::PyErr_Clear();
                return 0;
            }
            let id = py::PyObject_GetAttr(described, trace_id);
            py::Py_DECREF(described);
            if id.is_null() {
                py::PyErr_Clear();
                return 0;
            }
            let half = low_half(id);
            py::Py_DECREF(id);
            half
        }
    }
}

fn slot(context: *mut py::PyObject) -> usize {
    let address = context as usize;
    ((address >> 4) ^ (address >> 8)) % SLOTS
}

/// The low 64 bits of an int, 0 for everything else.
pub unsafe fn low_half(id: *mut py::PyObject) -> u64 {
    unsafe {
        if py::PyLong_Check(id) == 0 {
            return 0;
        }
        let half = py::PyLong_AsUnsignedLongLongMask(id);
        if half == u64::MAX {
            py::PyErr_Clear();
        }
        half
    }
}
