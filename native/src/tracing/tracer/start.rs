//! Starting a span: its arguments, its parent, its ids, and whether it is recorded.

use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::LazyLock;

use pyo3::ffi as py;

use super::Tracer;
use crate::ffi::{arguments, Interned};
use crate::tracing::core::{Core, Sampling};
use crate::tracing::hooks::{number, number_of, or_none, Hooks};
use crate::tracing::pairs::Pairs;
use crate::tracing::span::{
    begin, link, span_context, span_of, text_object, time_of, Begin, Ids, Span, RANDOM, SAMPLED,
};

struct Names {
    name: Interned,
    context: Interned,
    kind: Interned,
    attributes: Interned,
    links: Interned,
    start_time: Interned,
    record_exception: Interned,
    set_status_on_exception: Interned,
    end_on_exit: Interned,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    name: Interned::new("name"),
    context: Interned::new("context"),
    kind: Interned::new("kind"),
    attributes: Interned::new("attributes"),
    links: Interned::new("links"),
    start_time: Interned::new("start_time"),
    record_exception: Interned::new("record_exception"),
    set_status_on_exception: Interned::new("set_status_on_exception"),
    end_on_exit: Interned::new("end_on_exit"),
});

/// What a span is started with; borrowed, null where nothing was given.
#[derive(Clone, Copy)]
pub struct Call {
    pub name: *mut py::PyObject,
    pub context: *mut py::PyObject,
    pub kind: *mut py::PyObject,
    pub attributes: *mut py::PyObject,
    pub links: *mut py::PyObject,
    pub start_time: *mut py::PyObject,
    pub record_exception: bool,
    pub set_status_on_exception: bool,
    pub end_on_exit: bool,
}

impl Call {
    /// Read the arguments of `start_span` and its likes; `None` with an exception when they do not fit.
    #[inline(always)]
    pub unsafe fn read(
        function: &str,
        args: *const *mut py::PyObject,
        nargs: py::Py_ssize_t,
        kwnames: *mut py::PyObject,
    ) -> Option<Self> {
        unsafe {
            let mut call = Self {
                name: ptr::null_mut(),
                context: ptr::null_mut(),
                kind: ptr::null_mut(),
                attributes: ptr::null_mut(),
                links: ptr::null_mut(),
                start_time: ptr::null_mut(),
                record_exception: true,
                set_status_on_exception: true,
                end_on_exit: true,
            };
            if nargs == 1 {
                if kwnames.is_null() {
                    call.name = *args;
                    return Some(call);
                }
                if py::PyTuple_GET_SIZE(kwnames) == 1
                    && NAMES.attributes.is(py::PyTuple_GET_ITEM(kwnames, 0))
                {
                    call.name = *args;
                    call.attributes = *args.add(1);
                    return Some(call);
                }
            }
            let all = [
                &NAMES.name,
                &NAMES.context,
                &NAMES.kind,
                &NAMES.attributes,
                &NAMES.links,
                &NAMES.start_time,
                &NAMES.record_exception,
                &NAMES.set_status_on_exception,
                &NAMES.end_on_exit,
            ];
            let [name, context, kind, attributes, links, start_time, record, status, end] =
                arguments(function, all, 1, args, nargs, kwnames)?;
            let absent = |object| {
                if object == py::Py_None() {
                    ptr::null_mut()
                } else {
                    object
                }
            };
            let truth = |object: *mut py::PyObject| {
                object.is_null() || object == py::Py_True() || {
                    let truth = py::PyObject_IsTrue(object);
                    py::PyErr_Clear();
                    truth == 1
                }
            };
            Some(Self {
                name,
                context: absent(context),
                kind: absent(kind),
                attributes: absent(attributes),
                links: absent(links),
                start_time: absent(start_time),
                record_exception: truth(record),
                set_status_on_exception: truth(status),
                end_on_exit: truth(end),
            })
        }
    }
}

/// The span a context holds.
#[derive(Clone, Copy)]
struct Parent {
    ids: Ids,
    remote: bool,
    /// When the tick began that it belongs to; zero without one.
    tick_ns: u64,
    /// Owned, or null.
    state: *mut py::PyObject,
}

const NO_PARENT: Parent = Parent {
    ids: Ids {
        trace: [0; 2],
        span: 0,
        flags: 0,
    },
    remote: false,
    tick_ns: 0,
    state: ptr::null_mut(),
};

/// The current context; owned, null when there is none.
#[inline(always)]
pub unsafe fn current_context(hooks: &Hooks) -> *mut py::PyObject {
    unsafe {
        let mut context = ptr::null_mut();
        if hooks.variable.is_null() {
            context = py::PyObject_CallNoArgs(hooks.get_current);
        } else if py::PyContextVar_Get(hooks.variable, ptr::null_mut(), &raw mut context) < 0 {
            context = ptr::null_mut();
        }
        if context.is_null() {
            py::PyErr_Clear();
        }
        context
    }
}

#[inline(always)]
unsafe fn find_parent(hooks: &Hooks, given: *mut py::PyObject) -> Parent {
    unsafe {
        let context = if given.is_null() {
            current_context(hooks)
        } else {
            py::Py_NewRef(given)
        };
        if context.is_null() {
            return NO_PARENT;
        }
        let parent = if py::PyDict_Check(context) != 0 {
            let span = py::PyDict_GetItemWithError(context, hooks.span_key);
            if span.is_null() {
                py::PyErr_Clear();
                NO_PARENT
            } else if let Some(span) = span_of(span) {
                Parent {
                    ids: span.ids,
                    remote: false,
                    tick_ns: span.tick_ns,
                    state: py::Py_XNewRef(span.trace_state),
                }
            } else {
                let span = py::Py_NewRef(span);
                let parent = other_parent(hooks, span);
                py::Py_DECREF(span);
                parent
            }
        } else {
            NO_PARENT
        };
        py::Py_DECREF(context);
        parent
    }
}

/// A parent that is not ours: another engine's, or one that came over the wire.
#[cold]
unsafe fn other_parent(hooks: &Hooks, span: *mut py::PyObject) -> Parent {
    unsafe {
        let told = hooks.parent(span);
        if told.is_null() {
            return NO_PARENT;
        }
        let field = |index| py::PyTuple_GET_ITEM(told, index);
        let state = field(4);
        #[allow(clippy::cast_possible_truncation)] // as wide as they are
        let parent = Parent {
            ids: Ids {
                trace: halves(number_of(field(0))),
                span: number_of(field(1)) as u64,
                flags: number_of(field(2)) as u8,
            },
            remote: field(3) == py::Py_True(),
            tick_ns: 0,
            state: if state == py::Py_None() {
                ptr::null_mut()
            } else {
                py::Py_NewRef(state)
            },
        };
        py::Py_DECREF(told);
        parent
    }
}

/// What identifies the span of a context, of the current one when it is null; zeroes without a span.
///
/// # Safety
/// The GIL is held. Python code may run.
#[inline(always)]
pub unsafe fn ids_in(hooks: &Hooks, context: *mut py::PyObject) -> Ids {
    unsafe {
        let parent = find_parent(hooks, context);
        py::Py_XDECREF(parent.state);
        parent.ids
    }
}

#[allow(clippy::cast_possible_truncation)] // both halves are used
fn halves(id: u128) -> [u64; 2] {
    [(id >> 64) as u64, id as u64]
}

/// Start a span; owned. Null with an exception only when memory is out.
#[inline(always)]
pub unsafe fn start(object: *mut py::PyObject, call: &Call) -> *mut py::PyObject {
    unsafe {
        let tracer = &*object.cast::<Tracer>();
        let hooks = Hooks::connected();
        let parent = find_parent(hooks, call.context);
        let core = tracer.core();
        let hot = core.hot();
        if !hot.enabled || !tracer.enabled.get() {
            return disabled(hooks, &parent);
        }
        if py::PyUnicode_CheckExact(call.name) == 0 {
            let name = text_object(call.name);
            let mut named = *call;
            named.name = name;
            let span = start_from(object, core, hooks, &named, parent);
            py::Py_DECREF(name);
            return span;
        }
        start_from(object, core, hooks, call, parent)
    }
}

#[inline(always)]
unsafe fn start_from(
    object: *mut py::PyObject,
    core: &Core,
    hooks: &Hooks,
    call: &Call,
    parent: Parent,
) -> *mut py::PyObject {
    unsafe {
        let hot = core.hot();
        let root = parent.ids.span == 0;
        let mut ids = parent.ids;
        if hot.generator.0.is_null() {
            if root {
                ids.trace = [hot.ids.next(), hot.ids.next()];
                ids.flags = RANDOM;
            }
            ids.span = hot.ids.next();
        } else {
            ids = generated(hooks, core, ids, root);
        }
        let hot = core.hot();
        let sampled = match hot.sampling {
            Sampling::On => true,
            Sampling::Off => false,
            Sampling::ParentOn => root || parent.ids.flags & SAMPLED != 0,
            Sampling::Asked => return asked(object, core, hooks, call, parent, ids),
        };
        ids.flags = (ids.flags & RANDOM) | if sampled { SAMPLED } else { 0 };
        if !sampled {
            return dropped(hooks, &ids, false, parent.state);
        }
        let state = py::Py_XNewRef(parent.state);
        finish(
            object,
            core,
            hooks,
            call,
            parent,
            ids,
            state,
            ptr::null_mut(),
        )
    }
}

/// Make the span, and give it its attributes and links.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn finish(
    object: *mut py::PyObject,
    core: &Core,
    hooks: &Hooks,
    call: &Call,
    parent: Parent,
    ids: Ids,
    state: *mut py::PyObject,
    more: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let kind = if call.kind.is_null() {
            1
        } else {
            kind_of(hooks, call.kind)
        };
        let span = begin(
            object,
            core.hot(),
            &Begin {
                ids,
                parent: parent.ids,
                parent_remote: parent.remote,
                tick_ns: parent.tick_ns,
                trace_state: state,
                parent_state: parent.state,
                name: call.name,
                kind,
                start_ns: time_of(call.start_time),
                record_exception: call.record_exception,
                set_status_on_exception: call.set_status_on_exception,
            },
        );
        core.started.fetch_add(1, Relaxed);
        if span.is_null() {
            return span;
        }
        let attributes = if more.is_null() {
            call.attributes
        } else {
            more
        };
        if !attributes.is_null() {
            let pairs = &raw mut (*span.cast::<Span>()).attributes;
            Pairs::set_all(pairs, hooks, attributes, core.hot().limits.span);
        }
        if !call.links.is_null() {
            add_links(hooks, span, call.links);
        }
        let processors = core.hot().processors.0;
        if !processors.is_null() {
            hooks.on_start(processors, span, call.context);
        }
        span
    }
}

#[inline(always)]
unsafe fn kind_of(hooks: &Hooks, kind: *mut py::PyObject) -> u8 {
    #[allow(clippy::cast_possible_truncation)] // five
    hooks
        .kinds
        .iter()
        .position(|known| *known == kind)
        .map_or(1, |index| index as u8 + 1)
}

#[cold]
unsafe fn add_links(hooks: &Hooks, span: *mut py::PyObject, links: *mut py::PyObject) {
    unsafe {
        let list = py::PySequence_List(links);
        if list.is_null() {
            py::PyErr_Clear();
            hooks.complain(c"links have to be a sequence of Link");
            return;
        }
        for index in 0..py::PyList_GET_SIZE(list) {
            link(span, py::PyList_GET_ITEM(list, index));
        }
        py::Py_DECREF(list);
    }
}

/// A span that is not recorded: it only hands its context on.
#[cold]
unsafe fn dropped(
    hooks: &Hooks,
    ids: &Ids,
    remote: bool,
    state: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let context = span_context(ids, remote, state);
        py::Py_XDECREF(state);
        if context.is_null() {
            py::PyErr_Clear();
            return py::Py_NewRef(hooks.invalid_span);
        }
        let span = hooks.non_recording(context);
        py::Py_DECREF(context);
        span
    }
}

/// With traces off, the parent's context goes through.
#[cold]
unsafe fn disabled(hooks: &Hooks, parent: &Parent) -> *mut py::PyObject {
    unsafe {
        if parent.ids.span == 0 {
            py::Py_XDECREF(parent.state);
            return py::Py_NewRef(hooks.invalid_span);
        }
        dropped(hooks, &parent.ids, parent.remote, parent.state)
    }
}

/// Ids from a generator of Python's; ours where it fails.
#[cold]
unsafe fn generated(hooks: &Hooks, core: &Core, mut ids: Ids, root: bool) -> Ids {
    unsafe {
        let generator = py::Py_NewRef(core.hot().generator.0);
        if root {
            ids.trace = halves(hooks.generated_id(generator, true));
            ids.flags = 0;
            if ids.trace == [0; 2] {
                let own = &mut core.hot().ids;
                ids.trace = [own.next(), own.next()];
                ids.flags = RANDOM;
            } else if core.hot().random_ids {
                ids.flags = RANDOM;
            }
        }
        #[allow(clippy::cast_possible_truncation)] // as wide as they are
        let span = hooks.generated_id(generator, false) as u64;
        ids.span = if span == 0 {
            core.hot().ids.next()
        } else {
            span
        };
        py::Py_DECREF(generator);
        ids
    }
}

/// A sampler of Python's decides; when it fails the span is recorded.
#[cold]
unsafe fn asked(
    object: *mut py::PyObject,
    core: &Core,
    hooks: &Hooks,
    call: &Call,
    parent: Parent,
    mut ids: Ids,
) -> *mut py::PyObject {
    unsafe {
        let sampler = py::Py_NewRef(core.hot().sampler.0);
        let trace = number(u128::from(ids.trace[0]) << 64 | u128::from(ids.trace[1]));
        let kind = if call.kind.is_null() {
            hooks.kinds[0]
        } else {
            call.kind
        };
        let told = hooks.sample(&[
            sampler,
            or_none(call.context),
            trace,
            call.name,
            kind,
            or_none(call.attributes),
            or_none(call.links),
            or_none(parent.state),
        ]);
        py::Py_DECREF(sampler);
        py::Py_XDECREF(trace);
        ids.flags &= RANDOM;
        if told.is_null() {
            ids.flags |= SAMPLED;
            let state = py::Py_XNewRef(parent.state);
            return finish(
                object,
                core,
                hooks,
                call,
                parent,
                ids,
                state,
                ptr::null_mut(),
            );
        }
        let decision = number_of(py::PyTuple_GET_ITEM(told, 0));
        let attributes = py::PyTuple_GET_ITEM(told, 1);
        let state = py::PyTuple_GET_ITEM(told, 2);
        let state = if state == py::Py_None() {
            ptr::null_mut()
        } else {
            py::Py_NewRef(state)
        };
        if decision == 2 {
            ids.flags |= SAMPLED;
        }
        let span = if decision == 0 {
            py::Py_XDECREF(parent.state);
            dropped(hooks, &ids, false, state)
        } else {
            finish(object, core, hooks, call, parent, ids, state, attributes)
        };
        py::Py_DECREF(told);
        span
    }
}
