//! A tracer: starts spans, and finds the parent of each where OpenTelemetry keeps the current span.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use pyo3::ffi as py;
use pyo3::prelude::*;
use spans::record::entry;

use super::core::{Core, Hot};
use super::current;
use crate::ffi::{allocate, free, Interned, TypeSpec};

mod start;

pub use start::{current_context, ids_in, start, Call};

static TRACER: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

#[repr(C)]
pub struct Tracer {
    base: py::PyObject,
    core: *const Core,
    /// The `InstrumentationScope`.
    scope: *mut py::PyObject,
    /// What the ring's table says about it.
    described: RefCell<Vec<u8>>,
    /// Its entry in the table of the ring of that epoch.
    entry: Cell<(u32, u32)>,
    enabled: Cell<bool>,
    /// How long its local roots may take, nanoseconds; 0 without a budget.
    budget_ns: Cell<u64>,
    /// Whether its local roots are ticks, whose start the spans below remember.
    starts_ticks: Cell<bool>,
    /// Another tracer that does the work for now; null mostly.
    delegate: Cell<*mut py::PyObject>,
}

impl Tracer {
    #[inline(always)]
    pub fn core<'a>(&self) -> &'a Core {
        // SAFETY: kept for good by `new_tracer`.
        unsafe { &*self.core }
    }

    pub fn scope_object(&self) -> *mut py::PyObject {
        self.scope
    }

    #[inline(always)]
    pub fn budget_ns(&self) -> u64 {
        self.budget_ns.get()
    }

    #[inline(always)]
    pub fn starts_ticks(&self) -> bool {
        self.starts_ticks.get()
    }

    /// The scope's entry in the ring's table.
    #[inline(always)]
    pub fn scope(&self, hot: &mut Hot) -> u32 {
        let (epoch, entry) = self.entry.get();
        if epoch == hot.epoch {
            return entry;
        }
        self.define(hot)
    }

    #[cold]
    fn define(&self, hot: &mut Hot) -> u32 {
        let described = self.described.borrow();
        // SAFETY: the GIL is held by whoever has `hot`.
        let entry = unsafe { hot.flight.define(entry::SCOPE, &described) }.unwrap_or(0);
        self.entry.set((hot.epoch, entry));
        entry
    }
}

/// Make a tracer; owned. The core is kept for as long as the process lives.
pub fn new_tracer(
    python: Python<'_>,
    core: &Arc<Core>,
    scope: &Bound<'_, PyAny>,
    described: Vec<u8>,
    enabled: bool,
) -> PyResult<Py<PyAny>> {
    // SAFETY: a fresh object, filled before anybody sees it.
    unsafe {
        let tracer = allocate::<Tracer>(TRACER.load(Relaxed));
        if tracer.is_null() {
            return Err(PyErr::fetch(python));
        }
        ptr::write(&raw mut (*tracer).core, Arc::into_raw(Arc::clone(core)));
        ptr::write(&raw mut (*tracer).scope, scope.clone().into_ptr());
        ptr::write(&raw mut (*tracer).described, RefCell::new(described));
        ptr::write(&raw mut (*tracer).entry, Cell::new((0, 0)));
        ptr::write(&raw mut (*tracer).enabled, Cell::new(enabled));
        ptr::write(&raw mut (*tracer).budget_ns, Cell::new(0));
        ptr::write(&raw mut (*tracer).starts_ticks, Cell::new(false));
        ptr::write(&raw mut (*tracer).delegate, Cell::new(ptr::null_mut()));
        Ok(Bound::from_owned_ptr(python, tracer.cast()).unbind())
    }
}

/// `start_span(name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception)`.
unsafe extern "C" fn start_span(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let delegate = (*object.cast::<Tracer>()).delegate.get();
        if !delegate.is_null() {
            return forward(delegate, &START_SPAN, args, nargs, kwnames);
        }
        match Call::read("start_span", args, nargs, kwnames) {
            Some(call) => start(object, &call),
            None => ptr::null_mut(),
        }
    }
}

/// As `start_span`, with `end_on_exit`.
unsafe extern "C" fn start_as_current_span(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let delegate = (*object.cast::<Tracer>()).delegate.get();
        if !delegate.is_null() {
            return forward(delegate, &START_AS_CURRENT, args, nargs, kwnames);
        }
        match Call::read("start_as_current_span", args, nargs, kwnames) {
            Some(call) => current::new(object, &call),
            None => ptr::null_mut(),
        }
    }
}

static START_SPAN: LazyLock<Interned> = LazyLock::new(|| Interned::new("start_span"));
static START_AS_CURRENT: LazyLock<Interned> =
    LazyLock::new(|| Interned::new("start_as_current_span"));

/// Have another tracer do it.
#[cold]
unsafe fn forward(
    delegate: *mut py::PyObject,
    method: &Interned,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let method = py::PyObject_GetAttr(delegate, method.object());
        if method.is_null() {
            return method;
        }
        let result = py::PyObject_Vectorcall(method, args, nargs.unsigned_abs(), kwnames);
        py::Py_DECREF(method);
        result
    }
}

/// `_set_budget(seconds)`: a trace is kept if its root, when this tracer's, takes longer.
unsafe extern "C" fn set_budget(
    object: *mut py::PyObject,
    seconds: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let seconds = py::PyFloat_AsDouble(seconds);
        if !py::PyErr_Occurred().is_null() {
            return ptr::null_mut();
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
        let budget_ns = (seconds * 1e9) as u64;
        (*object.cast::<Tracer>()).budget_ns.set(budget_ns);
        crate::ffi::none()
    }
}

/// `_start_ticks()`: its local roots are ticks from now on.
unsafe extern "C" fn start_ticks(
    object: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        (*object.cast::<Tracer>()).starts_ticks.set(true);
        crate::ffi::none()
    }
}

/// `_delegate(tracer)`: have another tracer do the work from now on; `None` takes it back.
unsafe extern "C" fn delegate(
    object: *mut py::PyObject,
    other: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let new = if other == py::Py_None() {
            ptr::null_mut()
        } else {
            py::Py_NewRef(other)
        };
        let old = (*object.cast::<Tracer>()).delegate.replace(new);
        py::Py_XDECREF(old);
        crate::ffi::none()
    }
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        let tracer = object.cast::<Tracer>();
        py::Py_XDECREF((*tracer).scope);
        py::Py_XDECREF((*tracer).delegate.get());
        ptr::drop_in_place(&raw mut (*tracer).described);
        if !(*tracer).core.is_null() {
            drop(Arc::from_raw((*tracer).core));
        }
        free(object);
    }
}

unsafe extern "C" fn get_enabled(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe {
        let tracer = &*object.cast::<Tracer>();
        py::PyBool_FromLong((tracer.enabled.get() && tracer.core().hot().enabled).into())
    }
}

unsafe extern "C" fn get_scope(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::Py_NewRef((*object.cast::<Tracer>()).scope) }
}

/// `enable(on)`: whether this tracer's spans are recorded.
unsafe extern "C" fn enable(object: *mut py::PyObject, on: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        (*object.cast::<Tracer>()).enabled.set(on == py::Py_True());
        crate::ffi::none()
    }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let spec = TypeSpec::new::<Tracer>(c"otel_trading._native.Tracer", c"Starts spans.")
        .flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION)
        .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
        .fast(
            c"start_span",
            start_span,
            c"Start a span, without making it the current one.",
        )
        .fast(
            c"start_as_current_span",
            start_as_current_span,
            c"A span for a with statement, or for a function as its decorator.",
        )
        .plain(
            c"_enable",
            enable,
            py::METH_O,
            c"Whether its spans are recorded.",
        )
        .plain(
            c"_set_budget",
            set_budget,
            py::METH_O,
            c"How long its local roots may take.",
        )
        .plain(
            c"_start_ticks",
            start_ticks,
            py::METH_NOARGS,
            c"Have its local roots be ticks.",
        )
        .plain(
            c"_delegate",
            delegate,
            py::METH_O,
            c"Have another tracer do the work.",
        )
        .getter(c"enabled", get_enabled, c"Whether spans are recorded.")
        .getter(c"instrumentation_scope", get_scope, c"The scope.");
    TRACER.store(spec.build(module)?, Relaxed);
    Ok(())
}
