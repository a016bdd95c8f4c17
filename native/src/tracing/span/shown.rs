//! What a span shows of itself.

use std::ffi::c_void;

use pyo3::ffi as py;
use spans::record::marks;

use super::{span_context, Span};
use crate::ffi::{none, TypeSpec};
use crate::tracing::hooks::{or_none, Hooks};
use crate::tracing::pairs::Pairs;

pub unsafe extern "C" fn show(object: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let span = &mut *object.cast::<Span>();
        let context = span.context();
        if context.is_null() {
            return context;
        }
        py::PyUnicode_FromFormat(c"Span(name=%R, context=%R)".as_ptr(), span.name, context)
    }
}
macro_rules! getter {
    ($name:ident, $span:ident, $value:expr) => {
        unsafe extern "C" fn $name(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
            unsafe {
                #[allow(unused_mut)]
                let $span = &mut *object.cast::<Span>();
                $value
            }
        }
    };
}

getter!(get_name, span, py::Py_NewRef(span.name));
getter!(get_context, span, py::Py_XNewRef(span.context()));
getter!(get_kind, span, {
    let kind = usize::from(span.kind).saturating_sub(1);
    py::Py_NewRef(Hooks::connected().kinds[kind])
});
getter!(
    get_start,
    span,
    py::PyLong_FromUnsignedLongLong(span.start_ns)
);
getter!(
    get_tick,
    span,
    py::PyLong_FromUnsignedLongLong(span.tick_ns)
);
getter!(get_end, span, {
    if span.running() {
        none()
    } else {
        py::PyLong_FromUnsignedLongLong(span.end_ns)
    }
});
getter!(
    get_status,
    span,
    Hooks::connected().status(span.status, span.status_text)
);
getter!(get_parent, span, {
    if span.parent.span == 0 {
        none()
    } else {
        span_context(
            &span.parent,
            span.marks & marks::REMOTE_PARENT != 0,
            span.parent_state,
        )
    }
});
getter!(get_attributes, span, span.attributes.dict());
getter!(
    get_dropped_attributes,
    span,
    py::PyLong_FromUnsignedLong(span.attributes.dropped.into())
);
getter!(get_dropped_events, span, {
    py::PyLong_FromUnsignedLong(span.more().map_or(0, |more| more.dropped_events).into())
});
getter!(get_dropped_links, span, {
    py::PyLong_FromUnsignedLong(span.more().map_or(0, |more| more.dropped_links).into())
});
getter!(get_scope, span, py::Py_NewRef(span.tracer().scope_object()));
getter!(
    get_resource,
    span,
    py::Py_NewRef(or_none(span.core().hot().resource.0))
);
getter!(get_events, span, {
    let list = py::PyList_New(0);
    for event in span.more().into_iter().flat_map(|more| &more.events) {
        append(list, event.name, event.time_ns, &event.attributes);
    }
    list
});
getter!(
    show_events,
    span,
    Hooks::connected().shown((&raw mut *span).cast(), false)
);
getter!(
    show_links,
    span,
    Hooks::connected().shown((&raw mut *span).cast(), true)
);
getter!(get_links, span, {
    let list = py::PyList_New(0);
    for link in span.more().into_iter().flat_map(|more| &more.links) {
        append(list, link.context, 0, &link.attributes);
    }
    list
});

/// Append `(what, time, attributes, dropped attributes)` to a list.
unsafe fn append(list: *mut py::PyObject, what: *mut py::PyObject, time_ns: u64, pairs: &Pairs) {
    unsafe {
        let (time, attributes) = (py::PyLong_FromUnsignedLongLong(time_ns), pairs.dict());
        let dropped = py::PyLong_FromUnsignedLong(pairs.dropped.into());
        if !time.is_null() && !attributes.is_null() && !dropped.is_null() && !list.is_null() {
            let entry = py::PyTuple_Pack(4, what, time, attributes, dropped);
            if entry.is_null() || py::PyList_Append(list, entry) < 0 {
                py::PyErr_Clear();
            }
            py::Py_XDECREF(entry);
        }
        py::Py_XDECREF(time);
        py::Py_XDECREF(attributes);
        py::Py_XDECREF(dropped);
    }
}
pub fn getters(mut spec: TypeSpec) -> TypeSpec {
    let getters: [(&_, crate::ffi::Getter, &_); 18] = [
        (c"name", get_name as crate::ffi::Getter, c"The name."),
        (c"context", get_context, c"What identifies the span."),
        (c"kind", get_kind, c"The kind."),
        (c"start_time", get_start, c"Nanoseconds since 1970."),
        (
            c"_tick_ns",
            get_tick,
            c"When the tick began that it belongs to, 0 without one.",
        ),
        (
            c"end_time",
            get_end,
            c"Nanoseconds since 1970, None while it runs.",
        ),
        (c"status", get_status, c"The status."),
        (
            c"parent",
            get_parent,
            c"What identifies the parent, or None.",
        ),
        (c"attributes", get_attributes, c"A copy of the attributes."),
        (
            c"instrumentation_scope",
            get_scope,
            c"Whose tracer started it.",
        ),
        (c"resource", get_resource, c"Whose span it is."),
        (
            c"dropped_attributes",
            get_dropped_attributes,
            c"Attributes left out.",
        ),
        (c"dropped_events", get_dropped_events, c"Events left out."),
        (c"dropped_links", get_dropped_links, c"Links left out."),
        (
            c"events",
            show_events,
            c"The events, as the SDK shows them.",
        ),
        (c"links", show_links, c"The links, as the SDK shows them."),
        (
            c"_events",
            get_events,
            c"(name, time, attributes, dropped) of each event.",
        ),
        (
            c"_links",
            get_links,
            c"(context, 0, attributes, dropped) of each link.",
        ),
    ];
    for (name, get, doc) in getters {
        spec = spec.getter(name, get, doc);
    }
    spec
}
