//! A span that is the current one for a block of code, or for each call of a function.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

use pyo3::ffi as py;
use pyo3::prelude::*;

use super::hooks::Hooks;
use super::span::{span_of, Span};
use super::tracer::{current_context, start, Call};
use crate::ffi::{allocate, free, none, refuse, TypeSpec};

static CURRENT: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// What `start_as_current_span` gives: the span begins when the block does.
#[repr(C)]
struct Current {
    base: py::PyObject,
    tracer: *mut py::PyObject,
    call: Call,
    /// Null outside of the block.
    span: *mut py::PyObject,
    /// The context it was made the current one in.
    ///
    /// Held until the variable has another value: `CPython`'s cache of a variable's value is a borrowed reference, and
    /// code that runs while a collection interrupts a reset reads it.
    context: *mut py::PyObject,
    token: *mut py::PyObject,
}

/// Everything a call refers to.
fn held(call: &Call) -> [*mut py::PyObject; 6] {
    [
        call.name,
        call.context,
        call.kind,
        call.attributes,
        call.links,
        call.start_time,
    ]
}

/// Keep a call for when the block begins; owned.
#[inline(always)]
pub unsafe fn new(tracer: *mut py::PyObject, call: &Call) -> *mut py::PyObject {
    unsafe {
        let current = allocate::<Current>(CURRENT.load(Relaxed));
        if current.is_null() {
            return ptr::null_mut();
        }
        for object in held(call) {
            py::Py_XINCREF(object);
        }
        (*current).tracer = py::Py_NewRef(tracer);
        (*current).call = *call;
        current.cast()
    }
}

unsafe extern "C" fn enter(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let current = &mut *object.cast::<Current>();
        if !current.span.is_null() {
            Python::attach(|python| {
                let message = "this span's block has begun already";
                pyo3::exceptions::PyRuntimeError::new_err(message).restore(python);
            });
            return ptr::null_mut();
        }
        let span = start(current.tracer, &current.call);
        if span.is_null() {
            return span;
        }
        (current.context, current.token) = attach(Hooks::connected(), span);
        current.span = py::Py_NewRef(span);
        span
    }
}

/// Make a span the current one: its context, and what takes it back, both owned or null.
#[inline(always)]
unsafe fn attach(hooks: &Hooks, span: *mut py::PyObject) -> (*mut py::PyObject, *mut py::PyObject) {
    unsafe {
        let before = current_context(hooks);
        if before == hooks.unset && !hooks.variable.is_null() {
            ground(hooks);
        }
        let context = context_with(hooks, before, span);
        py::Py_XDECREF(before);
        if context.is_null() {
            py::PyErr_Clear();
            return (context, ptr::null_mut());
        }
        let token = if hooks.variable.is_null() {
            py::PyObject_CallOneArg(hooks.attach, context)
        } else {
            py::PyContextVar_Set(hooks.variable, context)
        };
        if token.is_null() {
            py::PyErr_Clear();
        }
        (context, token)
    }
}

/// Give the variable a value of its own, an empty context, where it has none yet: once for each thread or task.
///
/// To reset a variable to no value is not safe in `CPython`: code that a collection runs in the middle of it and that
/// reads the variable leaves the value that is about to be freed in the variable's cache.
#[cold]
unsafe fn ground(hooks: &Hooks) {
    unsafe {
        let token = py::PyContextVar_Set(hooks.variable, hooks.ground);
        if token.is_null() {
            py::PyErr_Clear();
        }
        py::Py_XDECREF(token);
    }
}

/// A context with another span in it; owned.
#[inline(always)]
unsafe fn context_with(
    hooks: &Hooks,
    before: *mut py::PyObject,
    span: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some(new) = py::PyDict_Type.tp_new else {
            return ptr::null_mut();
        };
        let context = new(
            hooks.context_type,
            NO_ARGUMENTS.load(Relaxed),
            ptr::null_mut(),
        );
        if context.is_null() {
            return context;
        }
        if !before.is_null() && py::PyDict_Check(before) != 0 && py::PyDict_Size(before) > 0 {
            py::PyDict_Update(context, before);
        }
        py::PyDict_SetItem(context, hooks.span_key, span);
        context
    }
}

static NO_ARGUMENTS: AtomicPtr<py::PyObject> = AtomicPtr::new(ptr::null_mut());

/// Make the span before this one the current one again.
#[inline(always)]
unsafe fn detach(hooks: &Hooks, token: *mut py::PyObject) {
    unsafe {
        let done = if hooks.variable.is_null() {
            let done = py::PyObject_CallOneArg(hooks.detach, token);
            py::Py_XDECREF(done);
            !done.is_null()
        } else {
            py::PyContextVar_Reset(hooks.variable, token) == 0
        };
        if !done {
            // The block ends in another task or thread than it began in, as a generator's may.
            py::PyErr_Clear();
            hooks.complain(c"a span's block ended in another context than it began in");
        }
    }
}

/// `__exit__(kind, error, traceback)`.
unsafe extern "C" fn exit(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let current = &mut *object.cast::<Current>();
        let hooks = Hooks::connected();
        let token = std::mem::replace(&mut current.token, ptr::null_mut());
        if !token.is_null() {
            detach(hooks, token);
            py::Py_DECREF(token);
        }
        py::Py_XDECREF(std::mem::replace(&mut current.context, ptr::null_mut()));
        let span = std::mem::replace(&mut current.span, ptr::null_mut());
        if span.is_null() {
            return none();
        }
        if let Some(ours) = span_of(span) {
            let error = if nargs >= 2 {
                *args.add(1)
            } else {
                py::Py_None()
            };
            if error != py::Py_None()
                && py::PyObject_TypeCheck(error, py::PyExc_Exception.cast()) != 0
            {
                let call = &current.call;
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    Span::escaped(
                        span,
                        error,
                        call.record_exception,
                        call.set_status_on_exception,
                        false,
                    );
                }));
                if caught.is_err() {
                    ours.core().lose(super::core::Loss::InternalError);
                }
            }
            if current.call.end_on_exit {
                // The block may have ended it, which is no mistake here.
                if ours.running() {
                    Span::end(span, None);
                }
            }
        }
        py::Py_DECREF(span);
        none()
    }
}

/// As a decorator.
unsafe extern "C" fn call(
    object: *mut py::PyObject,
    args: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        if py::PyTuple_GET_SIZE(args) != 1 {
            return refuse("start_as_current_span() decorates one function");
        }
        Hooks::connected().decorate(object, py::PyTuple_GET_ITEM(args, 0))
    }
}

/// `_again()`: the same once more, for the next call of a decorated function.
unsafe extern "C" fn again(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let current = &*object.cast::<Current>();
        new(current.tracer, &current.call)
    }
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        let current = &*object.cast::<Current>();
        py::Py_XDECREF(current.token);
        py::Py_XDECREF(current.context);
        py::Py_XDECREF(current.span);
        for object in held(&current.call) {
            py::Py_XDECREF(object);
        }
        py::Py_XDECREF(current.tracer);
        free(object);
    }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // SAFETY: the GIL is held.
    NO_ARGUMENTS.store(unsafe { py::PyTuple_New(0) }, Relaxed);
    let spec = TypeSpec::new::<Current>(
        c"otel_trading._native.CurrentSpan",
        c"A span that is the current one for a block or a function.",
    )
    .flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION)
    .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
    .slot(py::Py_tp_call, call as *mut c_void)
    .plain(
        c"__enter__",
        enter,
        py::METH_NOARGS,
        c"Start the span and make it the current one.",
    )
    .plain(c"_again", again, py::METH_NOARGS, c"The same once more.")
    .fast(
        c"__exit__",
        exit,
        c"Make the one before the current one again, and end the span.",
    );
    CURRENT.store(spec.build(module)?, Relaxed);
    Ok(())
}
