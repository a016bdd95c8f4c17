//! A span: started by a tracer, changed by whoever holds it, written to the ring when it ends.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::LazyLock;

use pyo3::ffi as py;
use pyo3::prelude::*;
use spans::record::marks;

use super::core::{Core, Ended, Hot, Loss};
use super::hooks::{number, Hooks};
use super::pairs::Pairs;
use super::tracer::Tracer;
use super::written;
use crate::clock::ticks;
use crate::ffi::{allocate, free, Interned, TypeSpec};

mod methods;
mod shown;

pub use methods::link;

static SPAN: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// An event of a span.
pub struct Event {
    pub name: *mut py::PyObject,
    pub time_ns: u64,
    pub attributes: Pairs,
}

/// A link to another span.
pub struct Link {
    pub context: *mut py::PyObject,
    pub attributes: Pairs,
}

/// What few spans have.
#[derive(Default)]
pub struct More {
    pub events: std::collections::VecDeque<Event>,
    pub links: std::collections::VecDeque<Link>,
    pub dropped_events: u32,
    pub dropped_links: u32,
}

/// The trace, span and flags of a span, ours or another's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids {
    pub trace: [u64; 2],
    pub span: u64,
    pub flags: u8,
}

/// What a span is started with.
pub struct Begin {
    pub ids: Ids,
    pub parent: Ids,
    pub parent_remote: bool,
    /// When the tick began that the parent belongs to; zero without one.
    pub tick_ns: u64,
    /// Owned, or null.
    pub trace_state: *mut py::PyObject,
    pub parent_state: *mut py::PyObject,
    /// Borrowed.
    pub name: *mut py::PyObject,
    pub kind: u8,
    /// Nanoseconds since 1970, when it did not begin now.
    pub start_ns: Option<u64>,
    pub record_exception: bool,
    pub set_status_on_exception: bool,
}

#[repr(C)]
pub struct Span {
    base: py::PyObject,
    tracer: *mut py::PyObject,
    name: *mut py::PyObject,
    pub ids: Ids,
    pub parent: Ids,
    /// Null when the span was given another start.
    start_ticks: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    pub budget_ns: u64,
    /// When the tick began that it belongs to; zero without one.
    pub tick_ns: u64,
    pub trace_state: *mut py::PyObject,
    parent_state: *mut py::PyObject,
    context: *mut py::PyObject,
    pub status_text: *mut py::PyObject,
    more: *mut More,
    pub attributes: Pairs,
    slot: u32,
    epoch: u32,
    pub kind: u8,
    pub status: u8,
    pub marks: u8,
    ended: bool,
    record_exception: bool,
    set_status_on_exception: bool,
    weak_references: *mut py::PyObject,
    /// What instrumentations note on the span.
    notes: *mut py::PyObject,
}

const NO_SLOT: u32 = u32::MAX;
const OK: u8 = 1;
const ERROR: u8 = 2;

pub const SAMPLED: u8 = 1;
pub const RANDOM: u8 = 2;

/// The span an object is, if it is one of ours.
#[inline(always)]
pub unsafe fn span_of<'a>(object: *mut py::PyObject) -> Option<&'a Span> {
    unsafe {
        if py::Py_TYPE(object) == SPAN.load(Relaxed) {
            Some(&*object.cast::<Span>())
        } else {
            None
        }
    }
}

/// Start a span; owned. Takes over the trace states. Null with an exception when memory is out.
#[inline(always)]
pub unsafe fn begin(tracer: *mut py::PyObject, hot: &mut Hot, begin: &Begin) -> *mut py::PyObject {
    unsafe {
        let object = allocate::<Span>(SPAN.load(Relaxed));
        if object.is_null() {
            return ptr::null_mut();
        }
        let span = &mut *object;
        span.tracer = py::Py_NewRef(tracer);
        span.name = py::Py_NewRef(begin.name);
        span.ids = begin.ids;
        span.parent = begin.parent;
        span.trace_state = begin.trace_state;
        span.parent_state = begin.parent_state;
        span.kind = begin.kind;
        span.record_exception = begin.record_exception;
        span.set_status_on_exception = begin.set_status_on_exception;
        if begin.parent_remote {
            span.marks |= marks::REMOTE_PARENT;
        }
        if begin.parent.span == 0 || begin.parent_remote {
            span.marks |= marks::LOCAL_ROOT;
            span.budget_ns = span.tracer().budget_ns();
        }
        span.slot = NO_SLOT;
        span.epoch = hot.epoch;
        let core = span.core();
        if let Some(start_ns) = begin.start_ns {
            span.start_ns = start_ns;
        } else {
            span.start_ticks = ticks();
            span.start_ns = core.wall.date_ns(span.start_ticks);
        }
        span.tick_ns = begin.tick_ns;
        if span.tracer().starts_ticks() && span.marks & marks::LOCAL_ROOT != 0 {
            span.tick_ns = span.start_ns;
        }
        if hot.ended == Ended::Wanted && span.ids.flags & SAMPLED != 0 {
            written::announce(object.cast(), hot);
        }
        object.cast()
    }
}

impl Span {
    #[inline(always)]
    pub fn core<'a>(&self) -> &'a Core {
        // SAFETY: a span holds its tracer, which holds the core.
        unsafe { (*self.tracer.cast::<Tracer>()).core() }
    }

    pub fn tracer(&self) -> &Tracer {
        // SAFETY: held by the span.
        unsafe { &*self.tracer.cast::<Tracer>() }
    }

    pub fn name(&self) -> *mut py::PyObject {
        self.name
    }

    pub fn more(&self) -> Option<&More> {
        // SAFETY: null, or a box of this span's.
        unsafe { self.more.as_ref() }
    }

    fn more_mut(&mut self) -> &mut More {
        if self.more.is_null() {
            self.more = Box::into_raw(Box::default());
        }
        // SAFETY: a box of this span's.
        unsafe { &mut *self.more }
    }

    #[inline(always)]
    pub fn running(&self) -> bool {
        !self.ended
    }

    /// The slot it has in the ring of this epoch.
    pub fn slot(&self, epoch: u32) -> Option<u32> {
        (self.slot != NO_SLOT && self.epoch == epoch).then_some(self.slot)
    }

    pub fn set_slot(&mut self, slot: u32, epoch: u32) {
        self.slot = slot;
        self.epoch = epoch;
    }

    /// Now, as far from the start as the monotonic clock went.
    #[inline(always)]
    fn now_ns(&self) -> u64 {
        let now = ticks();
        if self.start_ticks == 0 {
            return self.core().wall.date_ns(now);
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not negative
        let elapsed = (crate::clock::seconds(self.start_ticks, now) * 1e9) as u64;
        self.start_ns + elapsed
    }

    #[inline(always)]
    pub unsafe fn end(object: *mut py::PyObject, end_ns: Option<u64>) {
        unsafe {
            let span = &mut *object.cast::<Self>();
            if !span.running() {
                Hooks::connected().complain(c"a span was ended twice");
                return;
            }
            span.end_ns = end_ns.unwrap_or_else(|| span.now_ns());
            span.ended = true;
            let processors = span.core().hot().processors.0;
            if !processors.is_null() {
                Hooks::connected().on_end(processors, object);
            }
            let hot = span.core().hot();
            // A span that began before a fork is the parent's.
            if span.ids.flags & SAMPLED != 0 && span.epoch >= hot.own {
                match hot.ended {
                    Ended::Wanted => written::write(object, hot),
                    Ended::Unwanted => {}
                    Ended::TooLate => span.core().lose(Loss::ShutDown),
                }
            }
            if let Some(slot) = span.slot(hot.epoch) {
                hot.flight.close(slot);
            }
        }
    }

    /// Whether it may still be changed; says so when not.
    #[inline(always)]
    unsafe fn open<'a>(object: *mut py::PyObject) -> Option<&'a mut Self> {
        unsafe {
            let span = &mut *object.cast::<Self>();
            if span.running() {
                return Some(span);
            }
            Hooks::connected().complain(c"a span was changed after its end");
            None
        }
    }

    unsafe fn add_event(
        &mut self,
        name: *mut py::PyObject,
        attributes: *mut py::PyObject,
        time_ns: u64,
    ) {
        unsafe {
            let limits = self.core().hot().limits;
            let hooks = Hooks::connected();
            let mut event = Event {
                name: text_object(name),
                time_ns,
                attributes: Pairs::new(),
            };
            Pairs::set_all(&raw mut event.attributes, hooks, attributes, limits.event);
            // Cleaning may have run code of the bot's.
            if !self.running() {
                drop_event(event);
                return;
            }
            let more = self.more_mut();
            if more.events.len() >= limits.events {
                more.dropped_events += 1;
                if limits.events == 0 {
                    drop_event(event);
                    return;
                }
                let oldest = more.events.pop_front();
                more.events.push_back(event);
                if let Some(oldest) = oldest {
                    drop_event(oldest);
                }
                return;
            }
            more.events.push_back(event);
        }
    }

    /// Add a link from a context and attributes, which the caller knows to be valid.
    pub unsafe fn add_link(&mut self, context: *mut py::PyObject, attributes: *mut py::PyObject) {
        unsafe {
            let limits = self.core().hot().limits;
            let mut link = Link {
                context: py::Py_NewRef(context),
                attributes: Pairs::new(),
            };
            let hooks = Hooks::connected();
            Pairs::set_all(&raw mut link.attributes, hooks, attributes, limits.link);
            let more = self.more_mut();
            more.links.push_back(link);
            if more.links.len() > limits.links {
                more.dropped_links += 1;
                if let Some(oldest) = more.links.pop_front() {
                    drop_link(oldest);
                }
            }
        }
    }

    unsafe fn set_error(&mut self, error: *mut py::PyObject) {
        unsafe {
            if self.status == OK {
                return;
            }
            let text = describe(error);
            self.status = ERROR;
            let old = std::mem::replace(&mut self.status_text, text);
            py::Py_XDECREF(old);
        }
    }

    unsafe fn record(
        object: *mut py::PyObject,
        error: *mut py::PyObject,
        attributes: *mut py::PyObject,
        time_ns: Option<u64>,
        escaped: bool,
    ) {
        unsafe {
            let described = Hooks::connected().exception_attributes(error, attributes, escaped);
            let span = &mut *object.cast::<Self>();
            if span.running() {
                let time_ns = time_ns.unwrap_or_else(|| span.now_ns());
                span.add_event(EXCEPTION_EVENT.object(), described, time_ns);
            }
            py::Py_XDECREF(described);
        }
    }

    /// An exception leaves the block this span is about.
    pub unsafe fn escaped(
        object: *mut py::PyObject,
        error: *mut py::PyObject,
        record: bool,
        set_status: bool,
        escaped: bool,
    ) {
        unsafe {
            if !(*object.cast::<Self>()).running() {
                return;
            }
            if record {
                Self::record(object, error, ptr::null_mut(), None, escaped);
            }
            if set_status {
                (*object.cast::<Self>()).set_error(error);
            }
        }
    }

    /// The span's own `SpanContext`; borrowed from the span, null with an exception when memory is out.
    pub unsafe fn context(&mut self) -> *mut py::PyObject {
        unsafe {
            if self.context.is_null() {
                self.context = span_context(&self.ids, false, self.trace_state);
            }
            self.context
        }
    }
}

static EXCEPTION_EVENT: LazyLock<Interned> = LazyLock::new(|| Interned::new("exception"));

unsafe fn drop_event(mut event: Event) {
    unsafe {
        py::Py_DECREF(event.name);
        event.attributes.clear();
    }
}

unsafe fn drop_link(mut link: Link) {
    unsafe {
        py::Py_DECREF(link.context);
        link.attributes.clear();
    }
}

/// A str of whatever is given as a name; owned.
pub unsafe fn text_object(given: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        if py::PyUnicode_Check(given) != 0 {
            return py::Py_NewRef(given);
        }
        let text = py::PyObject_Str(given);
        if text.is_null() {
            py::PyErr_Clear();
            return py::PyUnicode_FromString(c"?".as_ptr());
        }
        text
    }
}

/// `Type: message` of an exception; owned.
unsafe fn describe(error: *mut py::PyObject) -> *mut py::PyObject {
    Python::attach(|python| {
        // SAFETY: a valid exception.
        let error = unsafe { Bound::from_borrowed_ptr(python, error) };
        let kind = error
            .get_type()
            .name()
            .map_or_else(|_| "Exception".to_owned(), |name| name.to_string());
        let text = error.str().map_or_else(
            |_| "?".to_owned(),
            |text| text.to_string_lossy().into_owned(),
        );
        pyo3::types::PyString::new(python, &format!("{kind}: {text}"))
            .into_ptr()
            .cast()
    })
}

/// A `SpanContext`; owned.
pub unsafe fn span_context(
    ids: &Ids,
    remote: bool,
    trace_state: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let hooks = Hooks::connected();
        let trace = u128::from(ids.trace[0]) << 64 | u128::from(ids.trace[1]);
        let valid = trace != 0 && ids.span != 0;
        let fields = py::PyTuple_New(6);
        if fields.is_null() {
            return fields;
        }
        py::PyTuple_SET_ITEM(fields, 0, number(trace));
        py::PyTuple_SET_ITEM(fields, 1, py::PyLong_FromUnsignedLongLong(ids.span));
        py::PyTuple_SET_ITEM(fields, 2, py::PyBool_FromLong(remote.into()));
        py::PyTuple_SET_ITEM(fields, 3, hooks.flags_object(ids.flags));
        let state = if trace_state.is_null() {
            hooks.trace_state
        } else {
            trace_state
        };
        py::PyTuple_SET_ITEM(fields, 4, py::Py_NewRef(state));
        py::PyTuple_SET_ITEM(fields, 5, py::PyBool_FromLong(valid.into()));
        let arguments = py::PyTuple_Pack(1, fields);
        py::Py_DECREF(fields);
        if arguments.is_null() {
            return arguments;
        }
        // What the class's own `__new__` ends in, without its checks of what is known to be right.
        let made = py::PyTuple_Type.tp_new.map_or(ptr::null_mut(), |new| {
            new(hooks.span_context_type, arguments, ptr::null_mut())
        });
        py::Py_DECREF(arguments);
        made
    }
}

/// A time in nanoseconds; `None` for what is no such number.
pub unsafe fn time_of(given: *mut py::PyObject) -> Option<u64> {
    unsafe {
        if given.is_null() || given == py::Py_None() {
            return None;
        }
        if py::PyLong_Check(given) != 0 {
            let time = py::PyLong_AsUnsignedLongLong(given);
            if time == u64::MAX && !py::PyErr_Occurred().is_null() {
                py::PyErr_Clear();
                return None;
            }
            return Some(time);
        }
        let seconds = py::PyFloat_AsDouble(given);
        if !py::PyErr_Occurred().is_null() {
            py::PyErr_Clear();
            return None;
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
        (seconds >= 0.0).then_some(seconds as u64)
    }
}

/// Run what Rust code may panic in; a panic would end the process.
fn guarded(core: &Core, call: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err() {
        core.lose(Loss::InternalError);
    }
}

unsafe fn core_of<'a>(object: *mut py::PyObject) -> &'a Core {
    unsafe { (*object.cast::<Span>()).core() }
}
unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        py::PyObject_ClearWeakRefs(object);
        let span = &mut *object.cast::<Span>();
        if span.running() {
            let hot = span.core().hot();
            if let Some(slot) = span.slot(hot.epoch) {
                hot.flight.close(slot);
            }
        }
        span.attributes.clear();
        if !span.more.is_null() {
            let more = Box::from_raw(span.more);
            for event in more.events {
                drop_event(event);
            }
            for link in more.links {
                drop_link(link);
            }
        }
        for held in [
            span.notes,
            span.name,
            span.trace_state,
            span.parent_state,
            span.context,
            span.status_text,
            span.tracer,
        ] {
            py::Py_XDECREF(held);
        }
        free(object);
    }
}
/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let members = Box::leak(
        vec![
            py::PyMemberDef {
                name: c"__weaklistoffset__".as_ptr(),
                type_code: py::Py_T_PYSSIZET,
                offset: std::mem::offset_of!(Span, weak_references).cast_signed(),
                flags: py::Py_READONLY,
                doc: ptr::null(),
            },
            py::PyMemberDef {
                name: c"__dictoffset__".as_ptr(),
                type_code: py::Py_T_PYSSIZET,
                offset: std::mem::offset_of!(Span, notes).cast_signed(),
                flags: py::Py_READONLY,
                doc: ptr::null(),
            },
            py::PyMemberDef::default(),
        ]
        .into_boxed_slice(),
    )
    .as_mut_ptr();
    let spec = TypeSpec::new::<Span>(c"otel_trading._native.Span", c"A span.")
        .flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION)
        .slot(py::Py_tp_members, members.cast())
        .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
        .slot(py::Py_tp_repr, shown::show as *mut c_void)
        .fast(
            c"__exit__",
            methods::exit,
            c"End the span, and remember an exception.",
        );
    let spec = shown::getters(methods::plain(methods::fast(spec)));
    SPAN.store(spec.build(module)?, Relaxed);
    Ok(())
}
