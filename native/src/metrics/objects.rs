//! The types of instruments and bound handles, and their methods.

use std::ffi::{c_void, CStr};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use pyo3::ffi as py;
use pyo3::prelude::*;

use super::handle::{dealloc, new_handle, Handle};
use super::instrument::{Instrument, Kind};
use super::timer;
use super::values::{get_count, get_name, get_sum, get_unit, get_value};
use crate::ffi::{arguments, none, refuse, Interned, TypeSpec};

/// The types, set when the module is initialised.
#[derive(Default)]
struct Types {
    counter: AtomicPtr<py::PyTypeObject>,
    up_down_counter: AtomicPtr<py::PyTypeObject>,
    gauge: AtomicPtr<py::PyTypeObject>,
    histogram: AtomicPtr<py::PyTypeObject>,
    observable: AtomicPtr<py::PyTypeObject>,
    bound_counter: AtomicPtr<py::PyTypeObject>,
    bound_gauge: AtomicPtr<py::PyTypeObject>,
    bound_histogram: AtomicPtr<py::PyTypeObject>,
}

static TYPES: LazyLock<Types> = LazyLock::new(Types::default);

struct Names {
    amount: Interned,
    attributes: Interned,
    context: Interned,
    histogram: Interned,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    amount: Interned::new("amount"),
    attributes: Interned::new("attributes"),
    context: Interned::new("context"),
    histogram: Interned::new("histogram"),
});

/// `None`, `null` and a missing argument are the same.
#[inline(always)]
unsafe fn given(object: *mut py::PyObject) -> *mut py::PyObject {
    if object == unsafe { py::Py_None() } {
        ptr::null_mut()
    } else {
        object
    }
}

type Short = unsafe fn(&Handle, *mut py::PyObject) -> bool;

/// `add(amount, attributes=None, context=None)` and its likes.
#[inline(always)]
unsafe fn call_instrument(
    short: Short,
    name: &str,
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let handle = Handle::of(object);
        if nargs == 1 && kwnames.is_null() {
            if !handle.is_on() || short(handle, *args) {
                return none();
            }
            guarded(handle, || {
                if !handle.cell.get().is_null()
                    || !Handle::find_cell(object)
                    || !short(Handle::of(object), *args)
                {
                    handle.measure(*args, ptr::null_mut(), ptr::null_mut());
                }
            });
            return none();
        }
        let only_attributes = nargs == 2 && kwnames.is_null()
            || nargs == 1
                && py::PyTuple_GET_SIZE(kwnames) == 1
                && NAMES.attributes.is(py::PyTuple_GET_ITEM(kwnames, 0));
        let [amount, attributes, context] = if only_attributes {
            [*args, *args.add(1), ptr::null_mut()]
        } else {
            let names = [&NAMES.amount, &NAMES.attributes, &NAMES.context];
            let Some(all) = arguments(name, names, 1, args, nargs, kwnames) else {
                return ptr::null_mut();
            };
            all
        };
        if handle.is_on() {
            guarded(handle, || {
                handle.measure(amount, given(attributes), given(context));
            });
        }
        none()
    }
}

/// Run the slow way; a panic, which would end the process, is counted instead.
unsafe fn guarded(handle: &Handle, call: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err() {
        handle
            .instrument()
            .shared
            .lose(super::shared::Loss::InternalError);
    }
}

/// `add(amount)` and its likes of a bound handle.
#[inline(always)]
unsafe fn call_bound(
    short: Short,
    object: *mut py::PyObject,
    amount: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let handle = Handle::of(object);
        if handle.is_on() && !short(handle, amount) {
            guarded(handle, || {
                handle.measure(amount, handle.attributes, ptr::null_mut());
            });
        }
        none()
    }
}

macro_rules! calls {
    ($instrument:ident, $bound:ident, $name:literal, $short:expr) => {
        unsafe extern "C" fn $instrument(
            object: *mut py::PyObject,
            args: *const *mut py::PyObject,
            nargs: py::Py_ssize_t,
            kwnames: *mut py::PyObject,
        ) -> *mut py::PyObject {
            unsafe { call_instrument($short, $name, object, args, nargs, kwnames) }
        }

        unsafe extern "C" fn $bound(
            object: *mut py::PyObject,
            amount: *mut py::PyObject,
        ) -> *mut py::PyObject {
            unsafe { call_bound($short, object, amount) }
        }
    };
}

calls!(add, bound_add, "add", Handle::number::<false>);
calls!(set, bound_set, "set", Handle::number::<true>);
calls!(record, bound_record, "record", Handle::value);

/// `bind(attributes=None)`: a handle to one series.
unsafe extern "C" fn bind(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([attributes]) = arguments("bind", [&NAMES.attributes], 0, args, nargs, kwnames)
        else {
            return ptr::null_mut();
        };
        let kind = match Handle::of(object).instrument().kind {
            Kind::Gauge => &TYPES.bound_gauge,
            Kind::Histogram | Kind::SignedHistogram => &TYPES.bound_histogram,
            _ => &TYPES.bound_counter,
        };
        new_bound(kind.load(Relaxed), object, given(attributes))
    }
}

unsafe fn new_bound(
    kind: *mut py::PyTypeObject,
    instrument: *mut py::PyObject,
    attributes: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let copy = if attributes.is_null() {
            ptr::null_mut()
        } else {
            let copy = py::PyDict_New();
            if py::PyDict_Check(attributes) == 0 || py::PyDict_Update(copy, attributes) != 0 {
                py::PyErr_Clear(); // the slow path counts attributes that are none
                py::Py_DECREF(copy);
                py::Py_NewRef(attributes)
            } else {
                copy
            }
        };
        let owner = Handle::of(instrument);
        Arc::increment_strong_count(owner.instrument);
        let object = new_handle(kind, owner.instrument, copy, true);
        if object.is_null() {
            py::Py_XDECREF(copy);
            drop(Arc::from_raw(owner.instrument));
        }
        object
    }
}

/// The Python object of a new instrument.
pub fn new_instrument(python: Python<'_>, instrument: Arc<Instrument>) -> PyResult<Py<PyAny>> {
    let kind = match instrument.kind {
        Kind::Counter => &TYPES.counter,
        Kind::UpDownCounter => &TYPES.up_down_counter,
        Kind::Gauge => &TYPES.gauge,
        Kind::Histogram | Kind::SignedHistogram => &TYPES.histogram,
        Kind::ObservableCounter | Kind::ObservableUpDownCounter | Kind::ObservableGauge => {
            &TYPES.observable
        }
    };
    // SAFETY: the types are set when the module is initialised; the new object owns the instrument.
    unsafe {
        let object = new_handle(
            kind.load(Relaxed),
            Arc::into_raw(instrument),
            ptr::null_mut(),
            false,
        );
        Ok(Bound::from_owned_ptr_or_err(python, object)?.unbind())
    }
}

/// The instrument behind an object of one of these types.
pub fn instrument_of(object: &Bound<'_, PyAny>) -> Option<Arc<Instrument>> {
    let types = [
        &TYPES.counter,
        &TYPES.up_down_counter,
        &TYPES.gauge,
        &TYPES.histogram,
        &TYPES.observable,
    ];
    let kind = object.get_type_ptr();
    types
        .iter()
        .any(|known| known.load(Relaxed) == kind)
        .then(|| {
            // SAFETY: the type was checked; the object owns a reference.
            unsafe {
                let instrument = Handle::of(object.as_ptr()).instrument;
                Arc::increment_strong_count(instrument);
                Arc::from_raw(instrument)
            }
        })
}

/// Whether an object is a histogram, bound or not.
pub unsafe fn is_histogram(object: *mut py::PyObject) -> bool {
    unsafe {
        py::Py_TYPE(object) == TYPES.histogram.load(Relaxed)
            || py::PyObject_TypeCheck(object, TYPES.bound_histogram.load(Relaxed)) != 0
    }
}

/// The handle of a bound counter or, with `histogram`, a bound histogram; `None` for other objects.
pub unsafe fn bound<'a>(object: *mut py::PyObject, histogram: bool) -> Option<&'a Handle> {
    let kind = if histogram {
        &TYPES.bound_histogram
    } else {
        &TYPES.bound_counter
    };
    unsafe { (py::PyObject_TypeCheck(object, kind.load(Relaxed)) != 0).then(|| Handle::of(object)) }
}

/// `BoundHistogram(histogram, attributes=None)`, so that Python classes can build on it.
unsafe extern "C" fn new_bound_histogram(
    kind: *mut py::PyTypeObject,
    args: *mut py::PyObject,
    kwargs: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let given_args: Vec<*mut py::PyObject> = (0..py::PyTuple_GET_SIZE(args))
            .map(|index| py::PyTuple_GET_ITEM(args, index))
            .collect();
        if !kwargs.is_null() && py::PyDict_Size(kwargs) > 0 {
            return refuse("BoundHistogram() takes positional arguments only");
        }
        let names = [&NAMES.histogram, &NAMES.attributes];
        let count = given_args.len().cast_signed();
        let Some([histogram, attributes]) = arguments(
            "BoundHistogram",
            names,
            1,
            given_args.as_ptr(),
            count,
            ptr::null_mut(),
        ) else {
            return ptr::null_mut();
        };
        if py::Py_TYPE(histogram) != TYPES.histogram.load(Relaxed) {
            return refuse("BoundHistogram() needs a Histogram");
        }
        new_bound(kind, histogram, given(attributes))
    }
}

/// `remove(attributes=None)`: take a series out; whether there was one.
unsafe extern "C" fn remove(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let Some([attributes]) = arguments("remove", [&NAMES.attributes], 0, args, nargs, kwnames)
        else {
            return ptr::null_mut();
        };
        let mut existed = false;
        for stream in Handle::of(object).instrument().streams() {
            existed |= stream.remove(given(attributes));
        }
        py::Py_NewRef(if existed {
            py::Py_True()
        } else {
            py::Py_False()
        })
    }
}

/// Put the types into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    for (place, spec) in instruments().into_iter().chain(handles()) {
        place.store(spec.build(module)?, Relaxed);
    }
    Ok(())
}

type Made = (&'static AtomicPtr<py::PyTypeObject>, TypeSpec);

/// What all types have.
fn named(name: &'static CStr, doc: &'static CStr) -> TypeSpec {
    TypeSpec::new::<Handle>(name, doc)
        .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
        .getter(c"name", get_name, c"The instrument's name.")
        .getter(c"unit", get_unit, c"The instrument's unit.")
}

fn instruments() -> Vec<Made> {
    let made = |name, doc| named(name, doc).flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION);
    let synchronous = |name, doc| {
        made(name, doc)
            .fast(
                c"bind",
                bind,
                c"A handle to the series of these attributes.",
            )
            .fast(
                c"remove",
                remove,
                c"Take the series of these attributes out; whether there was one.",
            )
    };
    let adding = |name, doc| synchronous(name, doc).fast(c"add", add, c"Add an amount.");
    vec![
        (
            &TYPES.counter,
            adding(c"otel_trading._native.Counter", c"A sum that only grows."),
        ),
        (
            &TYPES.up_down_counter,
            adding(
                c"otel_trading._native.UpDownCounter",
                c"A sum that grows and shrinks.",
            ),
        ),
        (
            &TYPES.gauge,
            synchronous(c"otel_trading._native.Gauge", c"A value that is set.").fast(
                c"set",
                set,
                c"Set the value.",
            ),
        ),
        (
            &TYPES.histogram,
            timer::methods(
                synchronous(
                    c"otel_trading._native.Histogram",
                    c"A distribution of values.",
                )
                .fast(c"record", record, c"Record a value."),
            ),
        ),
        (
            &TYPES.observable,
            made(
                c"otel_trading._native.Observable",
                c"An instrument with callbacks.",
            ),
        ),
    ]
}

fn handles() -> Vec<Made> {
    let fixed = |name, doc| named(name, doc).flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION);
    vec![
        (
            &TYPES.bound_counter,
            fixed(
                c"otel_trading._native.BoundCounter",
                c"One series of a counter.",
            )
            .plain(c"add", bound_add, py::METH_O, c"Add an amount.")
            .getter(c"value", get_value, c"The sum so far."),
        ),
        (
            &TYPES.bound_gauge,
            fixed(
                c"otel_trading._native.BoundGauge",
                c"One series of a gauge.",
            )
            .plain(c"set", bound_set, py::METH_O, c"Set the value.")
            .getter(c"value", get_value, c"The value."),
        ),
        (
            &TYPES.bound_histogram,
            timer::bound_methods(
                named(
                    c"otel_trading._native.BoundHistogram",
                    c"One series of a histogram.",
                )
                .flag(py::Py_TPFLAGS_BASETYPE)
                .slot(py::Py_tp_new, new_bound_histogram as *mut c_void)
                .plain(c"record", bound_record, py::METH_O, c"Record a value.")
                .getter(c"count", get_count, c"Measurements so far.")
                .getter(c"sum", get_sum, c"Their sum."),
            ),
        ),
    ]
}
