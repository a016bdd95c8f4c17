//! `Log`: what the bot logs with, written on the C API, since a call of it costs what a built-in costs.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};

use pyo3::ffi as py;
use pyo3::prelude::*;

use super::core::{current_ids, Core, Given};
use super::fields::{cleaned, Fields};
use super::hooks::Hooks;
use crate::clock::wall_ns;
use crate::ffi::{allocate, free, none, Interned, TypeSpec};
use crate::names::utf8;

static LOG: AtomicPtr<py::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

struct Names {
    event: Interned,
    tags: Interned,
    error: Interned,
    exc_info: Interned,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    event: Interned::new("event"),
    tags: Interned::new("tags"),
    error: Interned::new("error"),
    exc_info: Interned::new("exc_info"),
});

/// Names of severities, by level.
static TEXTS: LazyLock<[Interned; 5]> =
    LazyLock::new(|| ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"].map(Interned::new));

/// What a severity is called over OTLP; borrowed.
pub fn severity_text(severity: u8) -> *mut py::PyObject {
    TEXTS[spans::line::level(severity)].object()
}

#[repr(C)]
pub struct Log {
    base: py::PyObject,
    core: *const Core,
    service: *mut py::PyObject,
    /// A dict of cleaned values, or null.
    bound: *mut py::PyObject,
    /// The log whose level holds; itself when null.
    root: *mut py::PyObject,
    scope: usize,
    /// The least severity that is taken; zero for that of all loggers.
    level: u8,
}

/// A logger of a component; owned, or null with an exception.
///
/// # Safety
/// The GIL is held, and `service` is a str.
pub unsafe fn new(core: &Arc<Core>, service: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let log = allocate::<Log>(LOG.load(Relaxed));
        if !log.is_null() {
            (*log).core = Arc::into_raw(Arc::clone(core));
            (*log).service = py::Py_NewRef(service);
            (*log).scope = core.scope_of(service);
        }
        log.cast()
    }
}

impl Log {
    #[inline(always)]
    fn core(&self) -> &Core {
        // SAFETY: from an `Arc` that this holds.
        unsafe { &*self.core }
    }

    #[inline(always)]
    unsafe fn takes(&self, severity: u8) -> bool {
        unsafe {
            let owner = if self.root.is_null() {
                self
            } else {
                &*self.root.cast::<Self>()
            };
            let least = match owner.level {
                0 => self.core().hot().level,
                level => level,
            };
            severity >= least && self.core().takes()
        }
    }
}

/// What a call says beside its fields; borrowed, null where nothing was given.
struct Said {
    event: *mut py::PyObject,
    tags: *mut py::PyObject,
    error: *mut py::PyObject,
}

#[inline(always)]
unsafe fn emit(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
    severity: u8,
    error: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let log = &*object.cast::<Log>();
        if !log.takes(severity) {
            return none();
        }
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            write(log, args, nargs.unsigned_abs(), kwnames, severity, error);
        }));
        if caught.is_err() {
            log.core().failed(severity);
        }
        none()
    }
}

#[inline(always)]
unsafe fn write(
    log: &Log,
    args: *const *mut py::PyObject,
    nargs: usize,
    kwnames: *mut py::PyObject,
    severity: u8,
    error: *mut py::PyObject,
) {
    unsafe {
        let core = log.core();
        let limit = core.hot().limit;
        let ids = current_ids();
        let named = if kwnames.is_null() {
            0
        } else {
            py::PyTuple_GET_SIZE(kwnames).unsigned_abs()
        };
        let mut fields = Fields::with_capacity(named + 4);
        let mut said = Said {
            event: ptr::null_mut(),
            tags: ptr::null_mut(),
            error,
        };
        if !log.bound.is_null() {
            let (mut at, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
            while py::PyDict_Next(log.bound, &raw mut at, &raw mut key, &raw mut value) != 0 {
                if !is_among(key, kwnames) {
                    fields.add(key, value, limit);
                }
            }
        }
        for index in 0..named {
            let key = py::PyTuple_GET_ITEM(kwnames, index.cast_signed());
            let value = *args.add(nargs + index);
            if !takes_word(&mut said, key, value) {
                fields.add(key, value, limit);
            }
        }
        if !said.error.is_null() {
            let told = Hooks::connected().exception(said.error);
            if !told.is_null() {
                fields.keep(told);
                fields.add_all(told, limit);
            }
        }
        let body = message(&mut fields, args, nargs);
        let event = text_or_null(&mut fields, said.event);
        let tags = tags_of(&mut fields, said.tags);
        let now = wall_ns().unsigned_abs();
        let given = Given {
            severity,
            severity_text: severity_text(severity),
            event,
            body,
            scope: log.scope,
            time_ns: now,
            observed_ns: now,
            ids,
            fields: &fields,
            tags,
        };
        core.take(&given, log.service);
    }
}

/// What was logged, a str; borrowed.
#[inline(always)]
unsafe fn message(
    fields: &mut Fields,
    args: *const *mut py::PyObject,
    nargs: usize,
) -> *mut py::PyObject {
    unsafe {
        if nargs == 1 && py::PyUnicode_Check(*args) != 0 {
            return *args;
        }
        let hooks = Hooks::connected();
        let text = match nargs {
            0 => ptr::null_mut(),
            1 => hooks.text(*args),
            _ => hooks.format(*args, std::slice::from_raw_parts(args.add(1), nargs - 1)),
        };
        if text.is_null() {
            py::PyErr_Clear();
            return fields.keep(py::PyUnicode_New(0, 0));
        }
        fields.keep(text)
    }
}

/// A str, or null for nothing; borrowed.
#[inline(always)]
pub unsafe fn text_or_null(fields: &mut Fields, given: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        if given.is_null() || given == py::Py_None() {
            return ptr::null_mut();
        }
        if py::PyUnicode_Check(given) != 0 && utf8(given).is_some() {
            return given;
        }
        let text = Hooks::connected().key_text(given);
        if text.is_null() {
            return text;
        }
        fields.keep(text)
    }
}

/// Tags as a tuple or a list of strs, or null for none; borrowed.
#[inline(always)]
pub unsafe fn tags_of(fields: &mut Fields, given: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        if given.is_null() || given == py::Py_None() {
            return ptr::null_mut();
        }
        if py::PyTuple_CheckExact(given) != 0 || py::PyList_CheckExact(given) != 0 {
            let length = py::PySequence_Fast_GET_SIZE(given);
            if length == 0 {
                return ptr::null_mut();
            }
            let is_text =
                |index| py::PyUnicode_Check(py::PySequence_Fast_GET_ITEM(given, index)) != 0;
            if (0..length).all(is_text) {
                return given;
            }
        }
        unusual_tags(fields, given)
    }
}

/// Tags that are no list of strs: texts of what there is.
#[cold]
unsafe fn unusual_tags(fields: &mut Fields, given: *mut py::PyObject) -> *mut py::PyObject {
    unsafe {
        let hooks = Hooks::connected();
        let cleaned = fields.keep(hooks.clean(given, usize::MAX));
        let several = py::PyTuple_Check(cleaned) != 0;
        let length = if several {
            py::PyTuple_GET_SIZE(cleaned)
        } else {
            1
        };
        let tags = py::PyList_New(0);
        if tags.is_null() {
            py::PyErr_Clear();
            return tags;
        }
        fields.keep(tags);
        for index in 0..length {
            let tag = if several {
                py::PyTuple_GET_ITEM(cleaned, index)
            } else {
                cleaned
            };
            let text = hooks.text(tag);
            if !text.is_null() {
                if py::PyUnicode_GetLength(text) > 0 {
                    py::PyList_Append(tags, text);
                }
                py::Py_DECREF(text);
            }
        }
        if py::PyList_Size(tags) == 0 {
            return ptr::null_mut();
        }
        tags
    }
}

/// Whether a keyword is one of those that are no fields; then it is taken.
#[inline(always)]
unsafe fn takes_word(said: &mut Said, key: *mut py::PyObject, value: *mut py::PyObject) -> bool {
    unsafe {
        let names = &*NAMES;
        // Names in a call are interned; those that come from a mapping may not be.
        let key = if [&names.event, &names.tags, &names.error, &names.exc_info]
            .iter()
            .any(|name| name.object() == key)
        {
            key
        } else {
            match utf8(key) {
                Some(b"event") => names.event.object(),
                Some(b"tags") => names.tags.object(),
                Some(b"error") => names.error.object(),
                Some(b"exc_info") => names.exc_info.object(),
                _ => return false,
            }
        };
        if key == names.event.object() {
            said.event = value;
        } else if key == names.tags.object() {
            said.tags = value;
        } else {
            let none = value == py::Py_None() || value == py::Py_False();
            let exception = value == py::Py_True()
                || py::PyExceptionInstance_Check(value) != 0
                || (key == names.exc_info.object() && py::PyTuple_Check(value) != 0);
            if exception {
                said.error = value;
            } else if !none {
                return false; // a field of that name
            }
        }
        true
    }
}

unsafe fn is_among(key: *mut py::PyObject, names: *mut py::PyObject) -> bool {
    unsafe {
        if names.is_null() {
            return false;
        }
        let same = |index| {
            let name = py::PyTuple_GET_ITEM(names, index);
            name == key || py::PyUnicode_Compare(name, key) == 0
        };
        (0..py::PyTuple_GET_SIZE(names)).any(same)
    }
}

macro_rules! level {
    ($name:ident, $severity:expr) => {
        unsafe extern "C" fn $name(
            object: *mut py::PyObject,
            args: *const *mut py::PyObject,
            nargs: py::Py_ssize_t,
            kwnames: *mut py::PyObject,
        ) -> *mut py::PyObject {
            unsafe { emit(object, args, nargs, kwnames, $severity, ptr::null_mut()) }
        }
    };
}

level!(debug, 5);
level!(info, 9);
level!(warning, 13);
level!(error, 17);
level!(critical, 21);

/// `exception(message, ...)`: as `error`, with the exception that is being handled.
unsafe extern "C" fn exception(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe { emit(object, args, nargs, kwnames, 17, py::Py_True()) }
}

/// `bind(**data)`: a logger with these fields in each line.
unsafe extern "C" fn bind(
    object: *mut py::PyObject,
    args: *const *mut py::PyObject,
    nargs: py::Py_ssize_t,
    kwnames: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let log = &*object.cast::<Log>();
        let bound = if log.bound.is_null() {
            py::PyDict_New()
        } else {
            py::PyDict_Copy(log.bound)
        };
        let new = allocate::<Log>(py::Py_TYPE(object));
        if new.is_null() || bound.is_null() {
            py::Py_XDECREF(bound);
            py::Py_XDECREF(new.cast());
            return ptr::null_mut();
        }
        let length = log.core().hot().limit.length;
        Arc::increment_strong_count(log.core);
        (*new).core = log.core;
        (*new).service = py::Py_NewRef(log.service);
        (*new).scope = log.scope;
        (*new).bound = bound;
        (*new).root = py::Py_NewRef(if log.root.is_null() { object } else { log.root });
        if !kwnames.is_null() {
            for index in 0..py::PyTuple_GET_SIZE(kwnames) {
                let value = *args.add(nargs.unsigned_abs() + index.unsigned_abs());
                let value = cleaned_or_same(value, length);
                py::PyDict_SetItem(bound, py::PyTuple_GET_ITEM(kwnames, index), value);
                py::Py_DECREF(value);
            }
        }
        new.cast()
    }
}

unsafe fn cleaned_or_same(value: *mut py::PyObject, length: usize) -> *mut py::PyObject {
    unsafe {
        let kind = py::Py_TYPE(value);
        let plain = [
            &raw mut py::PyUnicode_Type,
            &raw mut py::PyLong_Type,
            &raw mut py::PyFloat_Type,
            &raw mut py::PyBool_Type,
        ];
        if plain.contains(&kind) {
            return py::Py_NewRef(value);
        }
        cleaned(value, length)
    }
}

/// `set_level(severity)`: the least severity that is taken; zero for that of all loggers.
unsafe extern "C" fn set_level(
    object: *mut py::PyObject,
    level: *mut py::PyObject,
) -> *mut py::PyObject {
    unsafe {
        let severity = py::PyLong_AsLong(level);
        if severity == -1 && !py::PyErr_Occurred().is_null() {
            return ptr::null_mut();
        }
        let log = &mut *object.cast::<Log>();
        let owner = if log.root.is_null() {
            log
        } else {
            &mut *log.root.cast::<Log>()
        };
        owner.level = u8::try_from(severity).unwrap_or(u8::MAX);
        none()
    }
}

unsafe extern "C" fn get_level(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe {
        let log = &*object.cast::<Log>();
        let owner = if log.root.is_null() {
            log
        } else {
            &*log.root.cast::<Log>()
        };
        py::PyLong_FromLong(owner.level.into())
    }
}

unsafe extern "C" fn get_name(object: *mut py::PyObject, _: *mut c_void) -> *mut py::PyObject {
    unsafe { py::Py_NewRef((*object.cast::<Log>()).service) }
}

unsafe extern "C" fn dealloc(object: *mut py::PyObject) {
    unsafe {
        let log = &mut *object.cast::<Log>();
        if !log.core.is_null() {
            drop(Arc::from_raw(log.core));
        }
        py::Py_XDECREF(log.service);
        py::Py_XDECREF(log.bound);
        py::Py_XDECREF(log.root);
        free(object);
    }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let spec = TypeSpec::new::<Log>(
        c"otel_trading._native.Log",
        c"Logs lines with fields; no call of it raises or waits.",
    )
    .flag(py::Py_TPFLAGS_DISALLOW_INSTANTIATION)
    .slot(py::Py_tp_dealloc, dealloc as *mut c_void)
    .fast(c"debug", debug, c"Log a line of level DEBUG.")
    .fast(c"info", info, c"Log a line of level INFO.")
    .fast(c"warning", warning, c"Log a line of level WARNING.")
    .fast(c"error", error, c"Log a line of level ERROR.")
    .fast(c"critical", critical, c"Log a line of level CRITICAL.")
    .fast(
        c"exception",
        exception,
        c"Log a line of level ERROR with the exception that is being handled.",
    )
    .fast(c"bind", bind, c"The same with these fields in each line.")
    .plain(
        c"set_level",
        set_level,
        py::METH_O,
        c"Take lines of this severity and worse only; 0 is what all loggers take.",
    )
    .getter(c"level", get_level, c"The least severity that is taken.")
    .getter(c"name", get_name, c"The component it logs for.");
    LOG.store(spec.build(module)?, Relaxed);
    Ok(())
}
