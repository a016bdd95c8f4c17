//! The process's redactor: what every text goes through before it is written or sent.
//!
//! It is used with the GIL held, and no Python code runs meanwhile: so it can be exchanged without a lock.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};

use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use pyo3::IntoPyObjectExt;
use redaction::{Kind, Redactor, Verdict};
use spans::record::{Text, Value};

use crate::gil::GilCell;
use crate::names::utf8;

/// Deeper sequences and mappings are not looked into.
const DEPTH: usize = 32;

/// Keys found by the address of their object.
const RECENT: usize = 512;

/// What stands for a name that cannot be written without what it holds.
pub const NAMELESS: &[u8] = b"[redacted:secret]";

/// What is in use: a redactor, or none while redaction is off.
struct State {
    redactor: Option<Redactor>,
    given: Given,
}

type Given = (Vec<String>, Vec<String>, bool);

static STATE: AtomicPtr<State> = AtomicPtr::new(ptr::null_mut());
static GENERATION: AtomicU32 = AtomicU32::new(0);
static HITS: [AtomicU64; Kind::ALL.len()] = [const { AtomicU64::new(0) }; Kind::ALL.len()];

fn count(kind: Kind) {
    HITS[kind as usize].fetch_add(1, Relaxed);
}

#[inline(always)]
fn current() -> Option<&'static Redactor> {
    // SAFETY: null, or made by `exchange`; the GIL is held, so it is not exchanged before the caller is done.
    let state = unsafe { STATE.load(Relaxed).as_ref() };
    match state {
        Some(state) => state.redactor.as_ref(),
        None => first(),
    }
}

#[cold]
fn first() -> Option<&'static Redactor> {
    exchange(Some(Redactor::default()), Given::default());
    // SAFETY: as in `current`.
    unsafe { STATE.load(Relaxed).as_ref() }.and_then(|state| state.redactor.as_ref())
}

fn exchange(redactor: Option<Redactor>, given: Given) {
    let new = Box::into_raw(Box::new(State { redactor, given }));
    let old = STATE.swap(new, Relaxed);
    GENERATION.fetch_add(1, Relaxed);
    if !old.is_null() {
        // SAFETY: made here, and nobody is inside of it, as the GIL is held.
        drop(unsafe { Box::from_raw(old) });
    }
}

/// Changes when verdicts and masked texts that somebody keeps are no longer valid.
#[inline(always)]
pub fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// What the name of a key says about its value.
pub fn verdict(key: &[u8]) -> Verdict {
    current().map_or(Verdict::Open, |redactor| redactor.verdict(key))
}

/// Whether whatever is under this key is secret.
#[allow(dead_code)] // for whoever writes texts of other kinds
pub fn key_is_secret(key: &str) -> bool {
    matches!(verdict(key.as_bytes()), Verdict::Secret(_))
}

/// A text without its secrets; `None` when it has none.
#[inline(always)]
pub fn redacted(text: &[u8]) -> Option<Vec<u8>> {
    current()?.redacted(text, count)
}

/// A text under a key without its secrets.
#[inline(always)]
pub fn value_redacted(verdict: Verdict, text: &[u8]) -> Option<Vec<u8>> {
    current()?.value(verdict, text, count)
}

/// Use a text without its secrets.
#[inline(always)]
pub fn with_text<R>(verdict: Verdict, text: Text<'_>, put: impl FnOnce(Text<'_>) -> R) -> R {
    if let Text::Inline(bytes) = text {
        if let Some(masked) = value_redacted(verdict, bytes) {
            return put(Text::Inline(&masked));
        }
    }
    put(text)
}

/// Use a value without its secrets: numbers and bytes can be some, too.
#[inline(always)]
pub fn with_value<R>(verdict: Verdict, value: Value<'_>, put: impl FnOnce(Value<'_>) -> R) -> R {
    match value {
        Value::Text(text) => with_text(verdict, text, |text| put(Value::Text(text))),
        Value::Bytes(bytes) => match value_redacted(verdict, bytes) {
            Some(masked) if std::str::from_utf8(&masked).is_ok() => {
                put(Value::Text(Text::Inline(&masked)))
            }
            Some(masked) => put(Value::Bytes(&masked)),
            None => put(value),
        },
        Value::Int(_) | Value::Float(_) => match verdict {
            Verdict::Secret(kind) if current().is_some() => {
                count(kind);
                put(Value::Text(Text::Inline(kind.mask().as_bytes())))
            }
            _ => put(value),
        },
        _ => put(value),
    }
}

/// The verdict for what is inside of a value.
#[inline]
pub fn inherited(outer: Verdict, own: Verdict) -> Verdict {
    match (outer, own) {
        (_, Verdict::Secret(_)) | (Verdict::Open, _) => own,
        (Verdict::Secret(_), _) | (_, Verdict::Open) => outer,
        (_, own) => own,
    }
}

/// Whether an attribute of a series has to be masked: a key and value of exact built-in types.
pub unsafe fn touches(key: *mut py::PyObject, value: *mut py::PyObject) -> bool {
    let Some(redactor) = current() else {
        return false;
    };
    unsafe {
        let Some(name) = utf8(key) else {
            return false;
        };
        let verdict = redactor.verdict(name);
        if redactor.redacted(name, |_| {}).is_some() {
            return true;
        }
        if py::PyUnicode_Check(value) != 0 {
            return utf8(value).is_some_and(|text| redactor.value(verdict, text, |_| {}).is_some());
        }
        let number = py::PyBool_Check(value) == 0
            && (py::PyLong_Check(value) != 0 || py::PyFloat_Check(value) != 0);
        number && matches!(verdict, Verdict::Secret(_))
    }
}

/// Keys by the address of their object: what their names say, and whether these are clean themselves.
struct Recent {
    generation: u32,
    keys: Box<[(*mut py::PyObject, Verdict, bool); RECENT]>,
}

// SAFETY: touched with the GIL held only.
unsafe impl Send for Recent {}

static KNOWN: GilCell<Option<Recent>> = GilCell::new(None);

/// The verdict on a key, and whether its name holds no secret itself.
unsafe fn known(redactor: &Redactor, key: *mut py::PyObject) -> (Verdict, bool) {
    unsafe {
        if py::Py_TYPE(key) != &raw mut py::PyUnicode_Type {
            return (Verdict::Open, py::PyUnicode_Check(key) == 0);
        }
        let look = |name: &[u8]| {
            (
                redactor.verdict(name),
                redactor.redacted(name, |_| {}).is_none(),
            )
        };
        let Ok(mut recent) = KNOWN.borrow() else {
            return utf8(key).map_or((Verdict::Open, true), look);
        };
        let recent = recent.get_or_insert_with(|| Recent {
            generation: generation(),
            keys: Box::new([(ptr::null_mut(), Verdict::Open, true); RECENT]),
        });
        if recent.generation != generation() {
            recent.generation = generation();
            for (old, ..) in recent.keys.iter_mut() {
                py::Py_XDECREF(std::mem::replace(old, ptr::null_mut())); // a str: runs no code of anybody's
            }
        }
        let address = key as usize;
        let place = ((address >> 4) ^ (address >> 14)) % RECENT;
        let (own, verdict, clean) = recent.keys[place];
        if own == key {
            return (verdict, clean);
        }
        let (verdict, clean) = utf8(key).map_or((Verdict::Open, true), look);
        recent.keys[place] = (py::Py_NewRef(key), verdict, clean);
        py::Py_XDECREF(own);
        (verdict, clean)
    }
}

/// Whether there is nothing to mask in a dict; `false` also where it would take long to know.
unsafe fn is_clean_dict(
    redactor: &Redactor,
    outer: Verdict,
    dict: *mut py::PyObject,
    depth: usize,
) -> bool {
    let (mut position, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
    unsafe {
        while py::PyDict_Next(dict, &raw mut position, &raw mut key, &raw mut value) != 0 {
            let (said, clean) = known(redactor, key);
            if !clean || !is_clean(redactor, inherited(outer, said), value, depth) {
                return false;
            }
        }
    }
    true
}

unsafe fn is_clean(
    redactor: &Redactor,
    verdict: Verdict,
    value: *mut py::PyObject,
    depth: usize,
) -> bool {
    unsafe {
        let kind = py::Py_TYPE(value);
        if kind == &raw mut py::PyUnicode_Type {
            return utf8(value).is_some_and(|text| redactor.value(verdict, text, |_| {}).is_none());
        }
        if kind == &raw mut py::PyFloat_Type || kind == &raw mut py::PyLong_Type {
            return !matches!(verdict, Verdict::Secret(_));
        }
        if kind == &raw mut py::PyBool_Type || value == py::Py_None() {
            return true;
        }
        if kind == &raw mut py::PyDict_Type && depth < DEPTH {
            return is_clean_dict(redactor, verdict, value, depth + 1);
        }
    }
    false
}

/// A text without its secrets: the same object when it has none.
#[pyfunction]
fn redact<'p>(text: &Bound<'p, PyString>) -> Bound<'p, PyString> {
    masked_text(Verdict::Open, text).unwrap_or_else(|| text.clone())
}

fn masked_text<'p>(verdict: Verdict, text: &Bound<'p, PyString>) -> Option<Bound<'p, PyString>> {
    let python = text.py();
    // SAFETY: a live str.
    let masked = match unsafe { utf8(text.as_ptr()) } {
        Some(bytes) => value_redacted(verdict, bytes)?,
        None => value_redacted(verdict, text.to_string_lossy().as_bytes())?,
    };
    Some(PyString::new(python, &String::from_utf8_lossy(&masked)))
}

/// A dict of attributes, or of anything, without secrets: the same object when it has none.
#[pyfunction]
pub fn redact_attributes<'p>(attributes: &Bound<'p, PyDict>) -> PyResult<Bound<'p, PyDict>> {
    Ok(masked_dict(Verdict::Open, attributes, 0)?.unwrap_or_else(|| attributes.clone()))
}

/// A value without its secrets; under a key, what the key says about it counts, too.
#[pyfunction]
#[pyo3(signature = (value, key=""))]
fn redact_value<'p>(value: &Bound<'p, PyAny>, key: &str) -> PyResult<Bound<'p, PyAny>> {
    Ok(masked(verdict(key.as_bytes()), value, 0)?.unwrap_or_else(|| value.clone()))
}

fn masked_dict<'p>(
    outer: Verdict,
    dict: &Bound<'p, PyDict>,
    depth: usize,
) -> PyResult<Option<Bound<'p, PyDict>>> {
    // SAFETY: a live dict; no Python code runs, as nothing is made.
    let clean = |redactor| unsafe { is_clean_dict(redactor, outer, dict.as_ptr(), depth) };
    if current().is_none_or(clean) {
        return Ok(None);
    }
    let mut own: Option<Bound<'p, PyDict>> = None;
    for (place, (key, value)) in dict.iter().enumerate() {
        let name = key.cast::<PyString>().ok();
        let said = name.map_or(Verdict::Open, |name| {
            // SAFETY: a live str.
            unsafe { utf8(name.as_ptr()) }.map_or(Verdict::Open, verdict)
        });
        let new_key = name.and_then(|name| masked_text(Verdict::Open, name));
        let new_value = masked(inherited(outer, said), &value, depth)?;
        if own.is_none() && (new_key.is_some() || new_value.is_some()) {
            let copy = PyDict::new(dict.py());
            for (key, value) in dict.iter().take(place) {
                copy.set_item(key, value)?;
            }
            own = Some(copy);
        }
        if let Some(own) = &own {
            let key = new_key.map_or(key, Bound::into_any);
            own.set_item(key, new_value.unwrap_or(value))?;
        }
    }
    Ok(own)
}

fn masked_items<'p>(
    verdict: Verdict,
    items: impl Iterator<Item = Bound<'p, PyAny>>,
    depth: usize,
) -> PyResult<Option<Vec<Bound<'p, PyAny>>>> {
    let mut changed = false;
    let mut all = Vec::new();
    for item in items {
        let new = masked(verdict, &item, depth)?;
        changed |= new.is_some();
        all.push(new.unwrap_or(item));
    }
    Ok(changed.then_some(all))
}

fn masked<'p>(
    verdict: Verdict,
    value: &Bound<'p, PyAny>,
    depth: usize,
) -> PyResult<Option<Bound<'p, PyAny>>> {
    let python = value.py();
    if depth > DEPTH || current().is_none() {
        return Ok(None);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(masked_text(verdict, text).map(Bound::into_any));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        let Some(masked) = value_redacted(verdict, bytes.as_bytes()) else {
            return Ok(None);
        };
        return Ok(Some(match std::str::from_utf8(&masked) {
            Ok(text) => PyString::new(python, text).into_any(),
            Err(_) => PyBytes::new(python, &masked).into_any(),
        }));
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        let items = masked_items(verdict, tuple.iter(), depth + 1)?;
        return items
            .map(|items| Ok(PyTuple::new(python, items)?.into_any()))
            .transpose();
    }
    if let Ok(list) = value.cast::<PyList>() {
        let items = masked_items(verdict, list.iter(), depth + 1)?;
        return items
            .map(|items| Ok(PyList::new(python, items)?.into_any()))
            .transpose();
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        return Ok(masked_dict(verdict, dict, depth + 1)?.map(Bound::into_any));
    }
    let number = value.is_instance_of::<PyFloat>()
        || value.is_instance_of::<PyInt>() && !value.is_instance_of::<pyo3::types::PyBool>();
    if let (Verdict::Secret(kind), true) = (verdict, number) {
        count(kind);
        return Ok(Some(kind.mask().into_bound_py_any(python)?));
    }
    Ok(None)
}

/// Whether whatever is under this key is secret.
#[pyfunction]
fn is_secret_key(key: &str) -> bool {
    key_is_secret(key)
}

/// Redact with patterns and names of keys of the user's own, or not at all; what cannot be used, and why.
#[pyfunction]
#[pyo3(name = "redaction")]
fn configure(patterns: Vec<String>, keys: Vec<String>, enabled: bool) -> Vec<(String, String)> {
    let (redactor, unusable) = Redactor::new(&patterns, &keys);
    let given = (patterns, keys, enabled);
    // SAFETY: as in `current`.
    let same = unsafe { STATE.load(Relaxed).as_ref() }.is_some_and(|state| state.given == given);
    if !same {
        exchange(enabled.then_some(redactor), given);
    }
    unusable
        .into_iter()
        .map(|each| (each.given, each.why))
        .collect()
}

/// How often something was masked, by what it was.
#[pyfunction]
fn redactions(python: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let hits = PyDict::new(python);
    for (kind, count) in Kind::ALL.iter().zip(&HITS) {
        let count = count.load(Relaxed);
        if count > 0 {
            hits.set_item(kind.name(), count)?;
        }
    }
    Ok(hits)
}

/// Begin to count anew, in the child of a fork.
#[pyfunction]
fn reset_redactions() {
    for hits in &HITS {
        hits.store(0, Relaxed);
    }
}

/// Put the functions into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(redact, module)?)?;
    module.add_function(wrap_pyfunction!(redact_attributes, module)?)?;
    module.add_function(wrap_pyfunction!(redact_value, module)?)?;
    module.add_function(wrap_pyfunction!(is_secret_key, module)?)?;
    module.add_function(wrap_pyfunction!(configure, module)?)?;
    module.add_function(wrap_pyfunction!(redactions, module)?)?;
    module.add_function(wrap_pyfunction!(reset_redactions, module)?)
}
