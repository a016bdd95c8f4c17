//! What the tracing types need from Python: looked up once, called where speed does not matter.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi as py;
use pyo3::prelude::*;

/// Kinds of spans, in OTLP's order from 1 on.
const KINDS: [&str; 5] = ["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

macro_rules! methods {
    ($($name:ident),+) => {
        /// The functions of the Python side, by their names there.
        struct Functions { $($name: *mut py::PyObject),+ }

        impl Functions {
            fn of(module: &Bound<'_, PyAny>) -> PyResult<Self> {
                Ok(Self { $($name: module.getattr(stringify!($name))?.into_ptr()),+ })
            }
        }
    };
}

methods!(
    clean,
    mapping,
    complain,
    parent,
    sample,
    non_recording,
    on_start,
    on_end,
    exception_attributes,
    status,
    read_status,
    readable,
    decorate,
    trace_id,
    span_id,
    link,
    replaced,
    events,
    links
);

/// Objects of OpenTelemetry's API and the kit's functions; kept for good.
pub struct Hooks {
    /// The `ContextVar` of the current context; null when another runtime context is in use.
    pub variable: *mut py::PyObject,
    /// What the variable gives where nothing has given it a value.
    pub unset: *mut py::PyObject,
    /// The empty context it is given there.
    pub ground: *mut py::PyObject,
    pub get_current: *mut py::PyObject,
    pub attach: *mut py::PyObject,
    pub detach: *mut py::PyObject,
    pub span_key: *mut py::PyObject,
    pub context_type: *mut py::PyTypeObject,
    pub span_context_type: *mut py::PyTypeObject,
    pub trace_state: *mut py::PyObject,
    pub invalid_span: *mut py::PyObject,
    pub kinds: [*mut py::PyObject; 5],
    /// `TraceFlags` of 0 to 3.
    pub flags: [*mut py::PyObject; 4],
    trace_flags: *mut py::PyObject,
    functions: Functions,
}

static HOOKS: AtomicPtr<Hooks> = AtomicPtr::new(ptr::null_mut());

/// Connect the types with Python; called once, by the package that makes the provider.
#[pyfunction]
pub fn connect_traces(module: &Bound<'_, PyAny>) -> PyResult<()> {
    let keep = |name: &str| module.getattr(name).map(Bound::into_ptr);
    let variable = module.getattr("variable")?;
    let kinds = module.getattr("SpanKind")?;
    let flags = module.getattr("TraceFlags")?;
    let mut hooks = Hooks {
        variable: if variable.is_none() {
            ptr::null_mut()
        } else {
            variable.into_ptr()
        },
        unset: keep("unset")?,
        ground: keep("GROUND")?,
        get_current: keep("get_current")?,
        attach: keep("attach")?,
        detach: keep("detach")?,
        span_key: keep("SPAN_KEY")?,
        context_type: keep("Context")?.cast(),
        span_context_type: keep("SpanContext")?.cast(),
        trace_state: keep("NO_TRACE_STATE")?,
        invalid_span: keep("INVALID_SPAN")?,
        kinds: [ptr::null_mut(); 5],
        flags: [ptr::null_mut(); 4],
        trace_flags: flags.clone().into_ptr(),
        functions: Functions::of(module)?,
    };
    for (kind, name) in hooks.kinds.iter_mut().zip(KINDS) {
        *kind = kinds.getattr(name)?.into_ptr();
    }
    for (value, flag) in hooks.flags.iter_mut().enumerate() {
        *flag = flags.call1((value,))?.into_ptr();
    }
    HOOKS.store(Box::into_raw(Box::new(hooks)), Ordering::Release);
    Ok(())
}

impl Hooks {
    /// The hooks, if they are connected.
    pub fn get() -> PyResult<&'static Self> {
        // SAFETY: null, or made by `connect_traces` and never freed.
        unsafe { HOOKS.load(Ordering::Acquire).as_ref() }
            .ok_or_else(|| PyRuntimeError::new_err("the tracing types are not connected"))
    }

    /// As `get`, for the methods of objects that exist only when it is there.
    #[inline(always)]
    pub unsafe fn connected() -> &'static Self {
        unsafe { &*HOOKS.load(Ordering::Relaxed) }
    }

    /// An attribute's value made plain; an owned reference. Never raises.
    #[cold]
    pub unsafe fn clean(&self, value: *mut py::PyObject, length: usize) -> *mut py::PyObject {
        unsafe {
            let length = py::PyLong_FromSize_t(length.min(isize::MAX.unsigned_abs()));
            let cleaned = call(self.functions.clean, &[value, length]);
            py::Py_XDECREF(length);
            if cleaned.is_null() {
                return py::Py_NewRef(py::Py_None());
            }
            cleaned
        }
    }

    /// Anything as a dict; null when it is no mapping.
    #[cold]
    pub unsafe fn mapping(&self, given: *mut py::PyObject) -> *mut py::PyObject {
        unsafe { none_is_null(call(self.functions.mapping, &[given])) }
    }

    /// Say once what is wrong with a call.
    #[cold]
    pub unsafe fn complain(&self, message: &CStr) {
        unsafe {
            let text = py::PyUnicode_FromString(message.as_ptr());
            if !text.is_null() {
                py::Py_XDECREF(call(self.functions.complain, &[text]));
                py::Py_DECREF(text);
            }
        }
    }

    /// `(trace id, span id, flags, remote, trace state)` of a span that is not ours; null when it is none.
    #[cold]
    pub unsafe fn parent(&self, span: *mut py::PyObject) -> *mut py::PyObject {
        unsafe { none_is_null(call(self.functions.parent, &[span])) }
    }

    /// What a sampler of Python's decides: `(decision, attributes, trace state)`; null when it raises.
    pub unsafe fn sample(&self, arguments: &[*mut py::PyObject; 8]) -> *mut py::PyObject {
        unsafe { none_is_null(call(self.functions.sample, arguments)) }
    }

    /// A span that only carries its context.
    pub unsafe fn non_recording(&self, context: *mut py::PyObject) -> *mut py::PyObject {
        unsafe {
            let span = call(self.functions.non_recording, &[context]);
            if span.is_null() {
                return py::Py_NewRef(self.invalid_span);
            }
            span
        }
    }

    pub unsafe fn on_start(
        &self,
        processors: *mut py::PyObject,
        span: *mut py::PyObject,
        context: *mut py::PyObject,
    ) {
        unsafe {
            let context = or_none(context);
            py::Py_XDECREF(call(self.functions.on_start, &[processors, span, context]));
        }
    }

    pub unsafe fn on_end(&self, processors: *mut py::PyObject, span: *mut py::PyObject) {
        unsafe { py::Py_XDECREF(call(self.functions.on_end, &[processors, span])) }
    }

    /// The attributes that describe an exception; null when that fails.
    pub unsafe fn exception_attributes(
        &self,
        error: *mut py::PyObject,
        attributes: *mut py::PyObject,
        escaped: bool,
    ) -> *mut py::PyObject {
        unsafe {
            let escaped = if escaped {
                py::Py_True()
            } else {
                py::Py_False()
            };
            none_is_null(call(
                self.functions.exception_attributes,
                &[error, or_none(attributes), escaped],
            ))
        }
    }

    /// A `Status` of a code and a description.
    pub unsafe fn status(&self, code: u8, text: *mut py::PyObject) -> *mut py::PyObject {
        unsafe {
            let code = py::PyLong_FromLong(code.into());
            let status = py::PyObject_CallFunctionObjArgs(
                self.functions.status,
                code,
                or_none(text),
                ptr::null_mut::<py::PyObject>(),
            );
            py::Py_XDECREF(code);
            status
        }
    }

    /// `(code, description)` that a caller of `set_status` means; null when it makes no sense.
    pub unsafe fn read_status(
        &self,
        status: *mut py::PyObject,
        text: *mut py::PyObject,
    ) -> *mut py::PyObject {
        unsafe { none_is_null(call(self.functions.read_status, &[status, or_none(text)])) }
    }

    /// opentelemetry-sdk's view of a span, or an exception.
    pub unsafe fn readable(&self, span: *mut py::PyObject) -> *mut py::PyObject {
        unsafe {
            py::PyObject_CallFunctionObjArgs(
                self.functions.readable,
                span,
                ptr::null_mut::<py::PyObject>(),
            )
        }
    }

    /// A function that runs inside a new span each time, or an exception.
    pub unsafe fn decorate(
        &self,
        span: *mut py::PyObject,
        function: *mut py::PyObject,
    ) -> *mut py::PyObject {
        unsafe {
            py::PyObject_CallFunctionObjArgs(
                self.functions.decorate,
                span,
                function,
                ptr::null_mut::<py::PyObject>(),
            )
        }
    }

    /// A link's context if the link is valid, and its attributes: `(context, attributes)`; null when it is not.
    pub unsafe fn link(&self, link: *mut py::PyObject) -> *mut py::PyObject {
        unsafe { none_is_null(call(self.functions.link, &[link])) }
    }

    /// The UTF-8 of a text that has none; owned bytes, or null.
    #[cold]
    pub unsafe fn replaced(&self, text: *mut py::PyObject) -> *mut py::PyObject {
        unsafe { call(self.functions.replaced, &[text]) }
    }

    /// Events or links as opentelemetry-sdk shows them, or an exception.
    pub unsafe fn shown(&self, span: *mut py::PyObject, links: bool) -> *mut py::PyObject {
        unsafe {
            let function = if links {
                self.functions.links
            } else {
                self.functions.events
            };
            py::PyObject_CallFunctionObjArgs(function, span, ptr::null_mut::<py::PyObject>())
        }
    }

    /// An id from a generator of Python's; zero when it fails.
    pub unsafe fn generated_id(&self, generator: *mut py::PyObject, trace: bool) -> u128 {
        unsafe {
            let function = if trace {
                self.functions.trace_id
            } else {
                self.functions.span_id
            };
            let id = call(function, &[generator]);
            if id.is_null() {
                return 0;
            }
            let number = number_of(id);
            py::Py_DECREF(id);
            number
        }
    }

    /// `TraceFlags`; owned.
    pub unsafe fn flags_object(&self, flags: u8) -> *mut py::PyObject {
        unsafe {
            match self.flags.get(usize::from(flags)) {
                Some(known) => py::Py_NewRef(*known),
                None => Python::attach(|python| {
                    Bound::from_borrowed_ptr(python, self.trace_flags)
                        .call1((flags,))
                        .map_or_else(|_| py::Py_NewRef(self.flags[0]), Bound::into_ptr)
                }),
            }
        }
    }
}

/// A positive int of up to 128 bits; zero for everything else.
pub unsafe fn number_of(object: *mut py::PyObject) -> u128 {
    Python::attach(|python| {
        // SAFETY: a valid reference.
        unsafe { Bound::from_borrowed_ptr(python, object) }
            .extract()
            .unwrap_or_default()
    })
}

/// An int of 128 bits; owned.
pub unsafe fn number(value: u128) -> *mut py::PyObject {
    let bytes = value.to_le_bytes();
    unsafe { py::_PyLong_FromByteArray(bytes.as_ptr(), bytes.len(), 1, 0) }
}

#[inline(always)]
pub unsafe fn or_none(object: *mut py::PyObject) -> *mut py::PyObject {
    if object.is_null() {
        unsafe { py::Py_None() }
    } else {
        object
    }
}

unsafe fn none_is_null(object: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        if object == py::Py_None() {
            py::Py_DECREF(object);
            return ptr::null_mut();
        }
    }
    object
}

/// Calls of the kit's functions that raised, which none of them should.
pub static FAILED: AtomicU64 = AtomicU64::new(0);

/// Call a function of the kit's; null without an exception when it raises. An exception that is under way stays.
pub unsafe fn call(
    function: *mut py::PyObject,
    arguments: &[*mut py::PyObject],
) -> *mut py::PyObject {
    unsafe {
        let (mut kind, mut value, mut trace) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        let raised = !py::PyErr_Occurred().is_null();
        if raised {
            py::PyErr_Fetch(&raw mut kind, &raw mut value, &raw mut trace);
        }
        let result = py::PyObject_Vectorcall(
            function,
            arguments.as_ptr(),
            arguments.len(),
            ptr::null_mut(),
        );
        if result.is_null() {
            if py::PyErr_ExceptionMatches(py::PyExc_KeyboardInterrupt) != 0 {
                py::PyErr_Clear();
                py::PyErr_SetInterrupt(); // it was meant for the bot, which gets it at its next step
            } else {
                FAILED.fetch_add(1, Ordering::Relaxed);
                py::PyErr_Clear();
            }
        }
        if raised {
            py::PyErr_Restore(kind, value, trace);
        }
        result
    }
}
