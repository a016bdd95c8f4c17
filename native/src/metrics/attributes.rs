//! Attribute dicts: hashed and compared on every call, because dicts change and ids are used again.

use std::mem::MaybeUninit;
use std::ptr;

use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString, PyTuple};
use wire::model::{Attributes, Value};

use crate::ffi::text;
use crate::redaction;

/// Attributes a call may have before they are cleaned like unusual ones.
const MOST: usize = 16;

type Pair = (*mut py::PyObject, *mut py::PyObject);

/// The kept entries of a dict with exact `str` keys and exact `str`, `bool`, `int` or `float` values; borrowed.
pub struct Scan {
    pub hash: u64,
    size: usize,
    pairs: [MaybeUninit<Pair>; MOST],
}

impl Scan {
    /// No attributes.
    #[inline(always)]
    pub fn nothing() -> Self {
        Self {
            hash: 0,
            size: 0,
            pairs: [const { MaybeUninit::uninit() }; MOST],
        }
    }

    #[inline(always)]
    fn pairs(&self) -> &[Pair] {
        // SAFETY: the first `size` are written; MaybeUninit<T> is laid out like T.
        unsafe { std::slice::from_raw_parts(self.pairs.as_ptr().cast(), self.size) }
    }
}

const KEY: u64 = 0x9E37_79B9_7F4A_7C15;
const TEXT: u64 = 0xD6E8_FEB8_6659_FD93;

#[inline(always)]
fn mix(key: u64, value: u64, kind: u64) -> u64 {
    let folded = u128::from(key ^ KEY) * u128::from(value.rotate_left(29) ^ kind);
    #[allow(clippy::cast_possible_truncation)] // both halves are used
    {
        (folded >> 64) as u64 ^ folded as u64
    }
}

/// The hash of an object of an exact built-in type; a str knows its own after the first time.
#[inline(always)]
unsafe fn hash_of(object: *mut py::PyObject) -> u64 {
    unsafe { py::PyObject_Hash(object).cast_unsigned() as u64 }
}

#[inline(always)]
unsafe fn text_hash(object: *mut py::PyObject) -> u64 {
    let known = unsafe { (*object.cast::<py::PyASCIIObject>()).hash };
    if known == -1 {
        return unsafe { hash_of(object) };
    }
    known.cast_unsigned() as u64
}

#[inline(always)]
unsafe fn is_text(object: *mut py::PyObject) -> bool {
    unsafe { py::Py_TYPE(object) == &raw mut py::PyUnicode_Type }
}

/// Whether a filter (a frozenset of keys; null lets all pass) keeps a key.
#[inline(always)]
unsafe fn kept(filter: *mut py::PyObject, key: *mut py::PyObject) -> bool {
    filter.is_null() || unsafe { py::PySet_Contains(filter, key) == 1 }
}

/// Hash the kept entries of a dict in any order; `false` for a dict that has to be cleaned first.
///
/// No Python code runs: all types are exact built-ins.
#[inline]
pub unsafe fn scan(dict: *mut py::PyObject, filter: *mut py::PyObject, into: &mut Scan) -> bool {
    let (mut position, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
    while unsafe { py::PyDict_Next(dict, &raw mut position, &raw mut key, &raw mut value) } != 0 {
        unsafe {
            if !is_text(key) {
                return false;
            }
            if !kept(filter, key) {
                continue;
            }
            if into.size == MOST {
                return false;
            }
            let kind = py::Py_TYPE(value);
            let value_hash = if kind == &raw mut py::PyUnicode_Type {
                mix(text_hash(key), text_hash(value), TEXT)
            } else if kind == &raw mut py::PyLong_Type
                || kind == &raw mut py::PyBool_Type
                || kind == &raw mut py::PyFloat_Type
            {
                mix(text_hash(key), hash_of(value), kind as u64)
            } else {
                return false;
            };
            into.hash = into.hash.wrapping_add(value_hash);
        }
        into.pairs[into.size].write((key, value));
        into.size += 1;
    }
    true
}

impl Scan {
    /// Whether all entries can be sent as they are: keys that are not empty, texts with an UTF-8, whole numbers of 64
    /// bits, nothing secret. Slower than the scan, so only new series are asked.
    #[cold]
    pub unsafe fn is_sendable(&self) -> bool {
        self.pairs().iter().all(|&(key, value)| unsafe {
            py::PyUnicode_GET_LENGTH(key) > 0
                && has_utf8(key)
                && !redaction::touches(key, value)
                && {
                    if is_text(value) {
                        has_utf8(value)
                    } else if py::Py_TYPE(value) == &raw mut py::PyLong_Type {
                        let mut overflow = 0;
                        py::PyLong_AsLongLongAndOverflow(value, &raw mut overflow);
                        overflow == 0
                    } else {
                        true
                    }
                }
        })
    }
}

unsafe fn has_utf8(text: *mut py::PyObject) -> bool {
    unsafe {
        let found = !py::PyUnicode_AsUTF8AndSize(text, ptr::null_mut()).is_null();
        if !found {
            py::PyErr_Clear();
        }
        found
    }
}

/// A private copy of a dict's kept entries, in their order.
pub struct Pairs(Box<[(Py<PyAny>, Py<PyAny>)]>);

impl Pairs {
    /// Of a dict that was just scanned.
    pub unsafe fn copy(python: Python<'_>, scan: &Scan) -> Self {
        let own = |object| unsafe { Bound::from_borrowed_ptr(python, object) }.unbind();
        Self(
            scan.pairs()
                .iter()
                .map(|(key, value)| (own(*key), own(*value)))
                .collect(),
        )
    }

    pub fn empty() -> Self {
        Self(Box::default())
    }

    /// Whether a scanned dict has exactly these entries.
    #[inline]
    pub unsafe fn equal(&self, scan: &Scan) -> bool {
        if self.0.len() != scan.size {
            return false;
        }
        self.0
            .iter()
            .zip(scan.pairs())
            .all(|(own, &(key, value))| unsafe {
                let own = if same_text(own.0.as_ptr(), key) {
                    own
                } else {
                    let Some(elsewhere) =
                        self.0.iter().find(|(own, _)| same_text(own.as_ptr(), key))
                    else {
                        return false;
                    };
                    elsewhere
                };
                same_value(own.1.as_ptr(), value)
            })
    }

    /// As plain values. Runs no Python code and allocates no Python object, which might start a garbage collection.
    pub fn plain(&self, python: Python<'_>) -> Attributes {
        Attributes(
            self.0
                .iter()
                .map(|(key, value)| {
                    (
                        plain_text(key.bind(python)),
                        plain_value(value.bind(python)),
                    )
                })
                .collect(),
        )
    }
}

#[inline(always)]
unsafe fn same_text(own: *mut py::PyObject, other: *mut py::PyObject) -> bool {
    own == other || unsafe { py::PyUnicode_Compare(own, other) == 0 }
}

/// Equal and of the same type: `1`, `1.0` and `True` are three values. Two NaNs are one.
#[inline(always)]
unsafe fn same_value(own: *mut py::PyObject, other: *mut py::PyObject) -> bool {
    if own == other {
        return true;
    }
    unsafe {
        let kind = py::Py_TYPE(own);
        if kind != py::Py_TYPE(other) {
            return false;
        }
        if kind == &raw mut py::PyUnicode_Type {
            return py::PyUnicode_Compare(own, other) == 0;
        }
        if kind == &raw mut py::PyFloat_Type {
            let (own, other) = (py::PyFloat_AS_DOUBLE(own), py::PyFloat_AS_DOUBLE(other));
            return own
                .partial_cmp(&other)
                .map_or_else(|| own.is_nan() && other.is_nan(), std::cmp::Ordering::is_eq);
        }
        py::PyObject_RichCompareBool(own, other, py::Py_EQ) == 1
    }
}

/// Attributes as plain values, for encoding without Python.
pub fn plain(dict: &Bound<'_, PyDict>) -> Attributes {
    Attributes(
        dict.iter()
            .map(|(key, value)| (plain_text(&key), plain_value(&value)))
            .collect(),
    )
}

fn plain_text(object: &Bound<'_, PyAny>) -> Box<str> {
    if object.is_instance_of::<PyString>() {
        // SAFETY: a live str.
        return unsafe { text(object.as_ptr()) };
    }
    object
        .str()
        .map_or_else(|_| "?".into(), |shown| plain_text(shown.as_any()))
}

fn plain_value(value: &Bound<'_, PyAny>) -> Value {
    if value.is_instance_of::<PyString>() {
        Value::Str(plain_text(value))
    } else if value.is_none() {
        Value::None
    } else if let Ok(flag) = value.cast::<PyBool>() {
        Value::Bool(flag.is_true())
    } else if value.is_instance_of::<PyInt>() {
        value
            .extract()
            .map_or_else(|_| Value::Str(plain_text(value)), Value::Int)
    } else if value.is_instance_of::<PyFloat>() {
        Value::Float(value.extract().unwrap_or(f64::NAN))
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        Value::Bytes(bytes.as_bytes().into())
    } else if let Ok(sequence) = value.cast::<PyTuple>() {
        Value::Array(sequence.iter().map(|item| plain_value(&item)).collect())
    } else {
        Value::Str(
            value
                .repr()
                .map_or_else(|_| "?".into(), |shown| plain_text(shown.as_any())),
        )
    }
}
