//! Timers: a token per measurement, so that overlapping tasks never share a start; and timed functions.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::LazyLock;

use pyo3::ffi as py;
use pyo3::prelude::*;

use super::cell::Amount;
use super::handle::Handle;
use crate::clock::{seconds, ticks};
use crate::ffi::{allocate, arguments, free, none, refuse, Interned, TypeSpec};

static TOKEN: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());
static FUNCTION: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());
static ATTRIBUTES: LazyLock<Interned> = LazyLock::new(|| Interned::new("attributes"));

/// What a second is in a unit of time; other units are taken for seconds.
pub fn per_second(unit: &str) -> f64 {
    match unit {
        "ms" => 1e3,
        "us" | "µs" => 1e6,
        "ns" => 1e9,
        "min" => 1.0 / 60.0,
        "h" => 1.0 / 3_600.0,
        _ => 1.0,
    }
}

/// A running measurement of one call, block or task.
#[repr(C)]
struct Token {
    base: py::PyObject,
    /// The histogram; null once stopped.
    owner: *mut py::PyObject,
    /// Attributes of an unbound histogram's measurement, or null.
    attributes: *mut py::PyObject,
    start: u64,
}

#[inline(always)]
unsafe fn start(owner: *mut py::PyObject, attributes: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let token = allocate::<Token>(TOKEN.load(Relaxed));
        if token.is_null() {
            return ptr::null_mut();
        }
        (*token).owner = py::Py_NewRef(owner);
        (*token).attributes = attributes;
        (*token).start = ticks();
        token.cast()
    }
}

/// Record the time since `start`; the elapsed seconds.
#[inline(always)]
unsafe fn finish(owner: *mut py::PyObject, attributes: *mut py::PyObject, start: u64) -> f64 {
    let elapsed = seconds(start, ticks());
    unsafe {
        let handle = Handle::of(owner);
        if handle.is_on() {
            let value = elapsed * handle.per_second;
            if attributes.is_null() && (!handle.cell.get().is_null() || Handle::find_cell(owner)) {
                Handle::of(owner).record(value);
            } else {
                let attributes = if attributes.is_null() {
                    handle.attributes
                } else {
                    attributes
                };
                handle
                    .instrument()
                    .measure(Amount::Float(value), attributes, ptr::null_mut());
            }
        }
    }
    elapsed
}

#[inline(always)]
unsafe fn stop_token(object: *mut py::PyObject) -> Option<f64> {
    let token = unsafe { &mut *object.cast::<Token>() };
    if token.owner.is_null() {
        return None;
    }
    let owner = std::mem::replace(&mut token.owner, ptr::null_mut());
    let elapsed = unsafe { finish(owner, token.attributes, token.start) };
    unsafe { py::Py_DECREF(owner) };
    Some(elapsed)
}

/// `stop()`: seconds since the start; a second call records nothing and gives `None`.
unsafe extern "C" fn stop(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe { stop_token(object).map_or_else(|| none(), |elapsed| py::PyFloat_FromDouble(elapsed)) }
}

unsafe extern "C" fn enter(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe { py::Py_NewRef(object) }
}

unsafe extern "C" fn exit(
    object: *mut py::PyObject,
    _: *const *mut py::PyObject,
    _: py::Py_ssize_t,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        stop_token(object);
        none()
    }
}

/// `cancel()`: record nothing.
unsafe extern "C" fn cancel(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let token = &mut *object.cast::<Token>();
        py::Py_XDECREF(std::mem::replace(&mut token.owner, ptr::null_mut()));
        none()
    }
}

unsafe extern "C" fn dealloc_token(object: *mut py::PyObject) {
    unsafe {
        let token = &*object.cast::<Token>();
        py::Py_XDECREF(token.owner);
        py::Py_XDECREF(token.attributes);
        free(object);
    }
}

/// `histogram.time(attributes=None)`.
unsafe extern "C" fn time(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        if nargs == 0 && kwnames.is_null() {
            return start(object, ptr::null_mut());
        }
        let Some([attributes]) = arguments("time", [&ATTRIBUTES], 0, args, nargs, kwnames) else {
            return ptr::null_mut();
        };
        if attributes.is_null() || attributes == py::Py_None() {
            return start(object, ptr::null_mut());
        }
        start(object, py::Py_NewRef(attributes))
    }
}

/// `bound.time()`.
unsafe extern "C" fn bound_time(
    object: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe { start(object, ptr::null_mut()) }
}

/// A function whose calls are timed.
#[repr(C)]
struct TimedFunction {
    base: py::PyObject,
    vectorcall: py::vectorcallfunc,
    owner: *mut py::PyObject,
    function: *mut py::PyObject,
    weak_references: *mut py::PyObject,
}

unsafe extern "C" fn call_timed(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: usize,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let timed = &*object.cast::<TimedFunction>();
        let start = ticks();
        let result = py::PyObject_Vectorcall(timed.function, args, nargs, kwnames);
        if result.is_null() {
            finish_raising(timed.owner, start);
        } else {
            finish(timed.owner, ptr::null_mut(), start);
        }
        result
    }
}

/// The function raised: its exception waits while the time is recorded.
#[cold]
unsafe fn finish_raising(owner: *mut py::PyObject, start: u64) {
    Python::attach(|python| {
        let raised = PyErr::take(python);
        unsafe { finish(owner, ptr::null_mut(), start) };
        if let Some(raised) = raised {
            raised.restore(python);
        }
    });
}

/// `TimedFunction(histogram, function)`.
unsafe extern "C" fn new_function(
    kind: *mut py::PyTypeObject,
    args: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        if py::PyTuple_GET_SIZE(args) != 2
            || !super::objects::is_histogram(py::PyTuple_GET_ITEM(args, 0))
        {
            return refuse("TimedFunction() needs a histogram and a callable");
        }
        let timed = allocate::<TimedFunction>(kind);
        if timed.is_null() {
            return ptr::null_mut();
        }
        (*timed).vectorcall = call_timed;
        (*timed).owner = py::Py_NewRef(py::PyTuple_GET_ITEM(args, 0));
        (*timed).function = py::Py_NewRef(py::PyTuple_GET_ITEM(args, 1));
        timed.cast()
    }
}

unsafe extern "C" fn traverse(
    object: *mut py::PyObject,
    visit: py::visitproc,
    argument: *mut c_void,
) -> i32 {
    unsafe {
        let timed = &*object.cast::<TimedFunction>();
        for held in [py::Py_TYPE(object).cast(), timed.owner, timed.function] {
            if !held.is_null() {
                let stop = visit(held, argument);
                if stop != 0 {
                    return stop;
                }
            }
        }
        0
    }
}

unsafe extern "C" fn clear(object: *mut py::PyObject) -> i32 {
    unsafe {
        let timed = &mut *object.cast::<TimedFunction>();
        py::Py_XDECREF(std::mem::replace(&mut timed.function, ptr::null_mut()));
        py::Py_XDECREF(std::mem::replace(&mut timed.owner, ptr::null_mut()));
        0
    }
}

unsafe extern "C" fn dealloc_function(object: *mut py::PyObject) {
    unsafe {
        py::PyObject_GC_UnTrack(object.cast());
        py::PyObject_ClearWeakRefs(object);
        clear(object);
        let kind = py::Py_TYPE(object);
        py::PyObject_GC_Del(object.cast());
        py::Py_DECREF(kind.cast());
    }
}

/// The wrapped function's own name, documentation and attributes are the timed function's.
unsafe extern "C" fn get_attribute(
    object: *mut py::PyObject,
    name: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let function = (*object.cast::<TimedFunction>()).function;
        if WRAPPED.is(name) {
            return py::Py_NewRef(function);
        }
        if OWN.iter().any(|own| own.is(name)) {
            return py::PyObject_GenericGetAttr(object, name);
        }
        py::PyObject_GetAttr(function, name)
    }
}

static WRAPPED: LazyLock<Interned> = LazyLock::new(|| Interned::new("__wrapped__"));
static OWN: LazyLock<Vec<Interned>> = LazyLock::new(|| {
    let names = [
        "__class__",
        "__call__",
        "__get__",
        "__reduce__",
        "__reduce_ex__",
        "__weakref__",
        "__repr__",
    ];
    names.iter().map(|name| Interned::new(name)).collect()
});

unsafe extern "C" fn set_attribute(
    object: *mut py::PyObject,
    name: *mut py::PyObject,
    value: *mut py::PyObject,
) -> i32 {
    unsafe {
        let function = (*object.cast::<TimedFunction>()).function;
        if value.is_null() {
            py::PyObject_DelAttr(function, name)
        } else {
            py::PyObject_SetAttr(function, name, value)
        }
    }
}

extern "C" {
    /// Not declared by `PyO3`.
    fn PyMethod_New(function: *mut py::PyObject, instance: *mut py::PyObject) -> *mut py::PyObject;
}

/// As a method: bound to the instance, like any function.
unsafe extern "C" fn get_method(
    object: *mut py::PyObject,
    instance: *mut py::PyObject,
    _: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        if instance.is_null() || instance == py::Py_None() {
            return py::Py_NewRef(object);
        }
        PyMethod_New(object, instance)
    }
}

/// Pickled by name, like any function.
unsafe extern "C" fn reduce(object: *mut py::PyObject, _: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        py::PyObject_GetAttrString(
            (*object.cast::<TimedFunction>()).function,
            c"__qualname__".as_ptr(),
        )
    }
}

unsafe extern "C" fn show(object: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        py::PyUnicode_FromFormat(
            c"<timed %R>".as_ptr(),
            (*object.cast::<TimedFunction>()).function,
        )
    }
}

/// What histograms have for timing.
pub fn methods(spec: TypeSpec) -> TypeSpec {
    spec.fast(
        c"time",
        time,
        c"Start a measurement: a token to stop, or to use in a with statement.",
    )
}

/// What bound histograms have for timing.
pub fn bound_methods(spec: TypeSpec) -> TypeSpec {
    let doc = c"Start a measurement: a token to stop, or to use in a with statement.";
    spec.plain(c"time", bound_time, py::METH_NOARGS, doc)
}

/// Put the types into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let fixed = py::Py_TPFLAGS_DISALLOW_INSTANTIATION;
    let token = TypeSpec::new::<Token>(
        c"otel_trading._native.TimerToken",
        c"A running measurement.",
    )
    .flag(fixed)
    .slot(py::Py_tp_dealloc, dealloc_token as *mut c_void)
    .plain(
        c"stop",
        stop,
        py::METH_NOARGS,
        c"Record the time since the start; the elapsed seconds.",
    )
    .plain(c"cancel", cancel, py::METH_NOARGS, c"Record nothing.")
    .plain(c"__enter__", enter, py::METH_NOARGS, c"The token itself.")
    .fast(c"__exit__", exit, c"Stop.");
    TOKEN.store(token.build(module)?, Relaxed);
    let members = vec![
        member(
            c"__vectorcalloffset__",
            std::mem::offset_of!(TimedFunction, vectorcall),
        ),
        member(
            c"__weaklistoffset__",
            std::mem::offset_of!(TimedFunction, weak_references),
        ),
        py::PyMemberDef::default(),
    ];
    let members = Box::leak(members.into_boxed_slice()).as_mut_ptr();
    let flags =
        py::Py_TPFLAGS_HAVE_GC | py::Py_TPFLAGS_HAVE_VECTORCALL | py::Py_TPFLAGS_METHOD_DESCRIPTOR;
    let function = TypeSpec::new::<TimedFunction>(
        c"otel_trading._native.TimedFunction",
        c"A function that is timed.",
    )
    .flag(flags)
    .slot(py::Py_tp_members, members.cast())
    .slot(py::Py_tp_new, new_function as *mut c_void)
    .slot(py::Py_tp_dealloc, dealloc_function as *mut c_void)
    .slot(py::Py_tp_traverse, traverse as *mut c_void)
    .slot(py::Py_tp_clear, clear as *mut c_void)
    .slot(py::Py_tp_call, py::PyVectorcall_Call as *mut c_void)
    .slot(py::Py_tp_descr_get, get_method as *mut c_void)
    .slot(py::Py_tp_getattro, get_attribute as *mut c_void)
    .slot(py::Py_tp_setattro, set_attribute as *mut c_void)
    .slot(py::Py_tp_repr, show as *mut c_void)
    .plain(c"__reduce__", reduce, py::METH_NOARGS, c"By name.");
    FUNCTION.store(function.build(module)?, Relaxed);
    Ok(())
}

fn member(name: &'static std::ffi::CStr, offset: usize) -> py::PyMemberDef {
    py::PyMemberDef {
        name: name.as_ptr(),
        type_code: py::Py_T_PYSSIZET,
        offset: offset.cast_signed(),
        flags: py::Py_READONLY,
        doc: ptr::null(),
    }
}
