//! What can be done with a span, as Python calls it.

use std::ffi::c_int;
use std::ptr;
use std::sync::LazyLock;

use pyo3::ffi as py;
use spans::record::marks;

use super::{core_of, guarded, text_object, time_of, Span, OK};
use crate::ffi::{arguments, none, FastMethod, Interned, TypeSpec};
use crate::tracing::hooks::{number_of, or_none, Hooks};
use crate::tracing::pairs::{Limit, Pairs};

struct Names {
    key: Interned,
    value: Interned,
    name: Interned,
    attributes: Interned,
    timestamp: Interned,
    context: Interned,
    status: Interned,
    description: Interned,
    exception: Interned,
    escaped: Interned,
    end_time: Interned,
    seconds: Interned,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    key: Interned::new("key"),
    value: Interned::new("value"),
    name: Interned::new("name"),
    attributes: Interned::new("attributes"),
    timestamp: Interned::new("timestamp"),
    context: Interned::new("context"),
    status: Interned::new("status"),
    description: Interned::new("description"),
    exception: Interned::new("exception"),
    escaped: Interned::new("escaped"),
    end_time: Interned::new("end_time"),
    seconds: Interned::new("seconds"),
});
/// `set_attribute(key, value)`.
unsafe extern "C" fn set_attribute(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let [key, value] = if nargs == 2 && kwnames.is_null() {
            [*args, *args.add(1)]
        } else {
            let names = [&NAMES.key, &NAMES.value];
            let Some(given) = arguments("set_attribute", names, 2, args, nargs, kwnames) else {
                return ptr::null_mut();
            };
            given
        };
        if let Some(span) = Span::open(object) {
            let limit: Limit = span.core().hot().limits.span;
            let pairs = &raw mut span.attributes;
            Pairs::set_cleaned(pairs, Hooks::connected(), key, value, limit);
        }
        none()
    }
}

/// `set_attributes(attributes)`.
unsafe extern "C" fn set_attributes(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let names = [&NAMES.attributes];
        let Some([given]) = arguments("set_attributes", names, 1, args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        if let Some(span) = Span::open(object) {
            let limit = span.core().hot().limits.span;
            Pairs::set_all(&raw mut span.attributes, Hooks::connected(), given, limit);
        }
        none()
    }
}

/// `add_event(name, attributes=None, timestamp=None)`.
unsafe extern "C" fn add_event(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let names = [&NAMES.name, &NAMES.attributes, &NAMES.timestamp];
        let Some([name, attributes, time]) = arguments("add_event", names, 1, args, nargs, kwnames)
        else {
            return ptr::null_mut();
        };
        if let Some(span) = Span::open(object) {
            let time_ns = time_of(time).unwrap_or_else(|| span.now_ns());
            guarded(core_of(object), || {
                span.add_event(name, attributes, time_ns);
            });
        }
        none()
    }
}

/// `add_link(context, attributes=None)`.
unsafe extern "C" fn add_link(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let names = [&NAMES.context, &NAMES.attributes];
        let Some([context, attributes]) = arguments("add_link", names, 1, args, nargs, kwnames)
        else {
            return ptr::null_mut();
        };
        let pair = py::PyTuple_Pack(2, context, or_none(attributes));
        if pair.is_null() {
            return pair;
        }
        link(object, pair);
        py::Py_DECREF(pair);
        none()
    }
}

/// Add a link as it was given: a `Link`, or a pair of context and attributes.
pub unsafe fn link(object: *mut py::PyObject, given: *mut py::PyObject) {
    unsafe {
        let valid = Hooks::connected().link(given);
        if valid.is_null() {
            return;
        }
        if let Some(span) = Span::open(object) {
            let context = py::PyTuple_GET_ITEM(valid, 0);
            let attributes = py::PyTuple_GET_ITEM(valid, 1);
            guarded(core_of(object), || span.add_link(context, attributes));
        }
        py::Py_DECREF(valid);
    }
}

/// `update_name(name)`.
unsafe extern "C" fn update_name(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([name]) = arguments("update_name", [&NAMES.name], 1, args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        if Span::open(object).is_some() {
            let name = text_object(name);
            let old = std::mem::replace(&mut (*object.cast::<Span>()).name, name);
            py::Py_DECREF(old);
        }
        none()
    }
}

/// `set_status(status, description=None)`.
unsafe extern "C" fn set_status(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let names = [&NAMES.status, &NAMES.description];
        let Some([status, text]) = arguments("set_status", names, 1, args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        if Span::open(object).is_none() {
            return none();
        }
        let read = Hooks::connected().read_status(status, text);
        let span = &mut *object.cast::<Span>();
        if !read.is_null() {
            #[allow(clippy::cast_possible_truncation)] // 0, 1 or 2
            let code = number_of(py::PyTuple_GET_ITEM(read, 0)) as u8;
            if code != 0 && span.status != OK {
                span.status = code;
                let text = py::PyTuple_GET_ITEM(read, 1);
                let text = if text == py::Py_None() {
                    ptr::null_mut()
                } else {
                    py::Py_NewRef(text)
                };
                let old = std::mem::replace(&mut span.status_text, text);
                py::Py_XDECREF(old);
            }
            py::Py_DECREF(read);
        }
        none()
    }
}

/// `record_exception(exception, attributes=None, timestamp=None, escaped=False)`.
unsafe extern "C" fn record_exception(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let names = [
            &NAMES.exception,
            &NAMES.attributes,
            &NAMES.timestamp,
            &NAMES.escaped,
        ];
        let Some([error, attributes, time, escaped]) =
            arguments("record_exception", names, 1, args, nargs, kwnames)
        else {
            return ptr::null_mut();
        };
        if Span::open(object).is_some() {
            let escaped = !escaped.is_null() && py::PyObject_IsTrue(escaped) == 1;
            py::PyErr_Clear();
            let time_ns = time_of(time);
            guarded(core_of(object), || {
                Span::record(object, error, attributes, time_ns, escaped);
            });
        }
        none()
    }
}

/// `end(end_time=None)`.
unsafe extern "C" fn end(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let mut end_ns = None;
        if nargs != 0 || !kwnames.is_null() {
            let names = [&NAMES.end_time];
            let Some([time]) = arguments("end", names, 0, args, nargs, kwnames) else {
                return ptr::null_mut();
            };
            end_ns = time_of(time);
        }
        Span::end(object, end_ns);
        none()
    }
}

unsafe extern "C" fn is_recording(
    object: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe { py::PyBool_FromLong((*object.cast::<Span>()).running().into()) }
}

unsafe extern "C" fn get_span_context(
    object: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe { py::Py_XNewRef((*object.cast::<Span>()).context()) }
}

/// `keep()`: export this trace whatever the rules for retention say.
unsafe extern "C" fn keep(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        if let Some(span) = Span::open(object) {
            span.marks |= marks::KEEP;
        }
        none()
    }
}

/// `set_budget(seconds)`: a trace whose root takes longer is kept.
unsafe extern "C" fn set_budget(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([seconds]) = arguments("set_budget", [&NAMES.seconds], 1, args, nargs, kwnames)
        else {
            return ptr::null_mut();
        };
        let seconds = py::PyFloat_AsDouble(seconds);
        if !py::PyErr_Occurred().is_null() {
            py::PyErr_Clear();
            Hooks::connected().complain(c"set_budget() needs a number of seconds");
        } else if let Some(span) = Span::open(object) {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
            {
                span.budget_ns = (seconds * 1e9) as u64;
            }
        }
        none()
    }
}

unsafe extern "C" fn enter(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe { py::Py_NewRef(object) }
}

/// `__exit__(kind, error, traceback)`: end, and remember an exception.
pub unsafe extern "C" fn exit(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        if nargs >= 2 && *args.add(1) != py::Py_None() {
            let span = &*object.cast::<Span>();
            let (record, status) = (span.record_exception, span.set_status_on_exception);
            let error = *args.add(1);
            guarded(core_of(object), || {
                Span::escaped(object, error, record, status, true);
            });
        }
        if (*object.cast::<Span>()).running() {
            Span::end(object, None);
        }
        none()
    }
}
/// `_readable_span()`: opentelemetry-sdk's view.
unsafe extern "C" fn readable(
    object: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe { Hooks::connected().readable(object) }
}

/// `to_json(indent=4)`: as opentelemetry-sdk writes it.
unsafe extern "C" fn to_json(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let seen = Hooks::connected().readable(object);
        if seen.is_null() {
            return seen;
        }
        let method = py::PyObject_GetAttrString(seen, c"to_json".as_ptr());
        py::Py_DECREF(seen);
        if method.is_null() {
            return method;
        }
        let text = py::PyObject_Vectorcall(method, args, nargs.unsigned_abs(), kwnames);
        py::Py_DECREF(method);
        text
    }
}
pub fn fast(mut spec: TypeSpec) -> TypeSpec {
    let methods: [(&_, FastMethod, &_); 10] = [
        (
            c"set_attribute",
            set_attribute as FastMethod,
            c"Set an attribute.",
        ),
        (
            c"set_attributes",
            set_attributes,
            c"Set several attributes.",
        ),
        (c"add_event", add_event, c"Add an event."),
        (c"add_link", add_link, c"Add a link to another span."),
        (c"update_name", update_name, c"Change the name."),
        (c"set_status", set_status, c"Set the status."),
        (
            c"record_exception",
            record_exception,
            c"Add an event that describes an exception.",
        ),
        (c"end", end, c"End the span."),
        (
            c"to_json",
            to_json,
            c"The span as text, as opentelemetry-sdk writes it.",
        ),
        (
            c"set_budget",
            set_budget,
            c"Keep the trace if this span, its root, takes longer than so many seconds.",
        ),
    ];
    for (name, method, doc) in methods {
        spec = spec.fast(name, method, doc);
    }
    spec
}

pub fn plain(mut spec: TypeSpec) -> TypeSpec {
    let methods: [(&_, crate::ffi::PlainMethod, &_); 5] = [
        (
            c"is_recording",
            is_recording as crate::ffi::PlainMethod,
            c"Whether it is still running.",
        ),
        (
            c"get_span_context",
            get_span_context,
            c"What identifies the span.",
        ),
        (
            c"keep",
            keep,
            c"Export this trace whatever the rules for retention say.",
        ),
        (c"__enter__", enter, c"The span itself."),
        (
            c"_readable_span",
            readable,
            c"The span as opentelemetry-sdk's processors want it.",
        ),
    ];
    for (name, method, doc) in methods {
        spec = spec.plain(name, method, py::METH_NOARGS as c_int, doc);
    }
    spec
}
