//! The fields of a log record, before it is written: what is not plain is made so here, where Python code may run.

use pyo3::ffi as py;

use super::hooks::Hooks;
use crate::names::utf8;
use crate::tracing::pairs::Limit;

/// Decimals of more digits are no longer the same as numbers; they become text.
const DIGITS: usize = 15;

/// Fields by their keys: strs, and values that can be written without running Python code.
#[derive(Default)]
pub struct Fields {
    pub pairs: Vec<(*mut py::PyObject, *mut py::PyObject)>,
    /// What is kept for them.
    owned: Vec<*mut py::PyObject>,
    pub dropped: u32,
}

impl Fields {
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            pairs: Vec::with_capacity(capacity),
            owned: Vec::new(),
            dropped: 0,
        }
    }

    /// Keep an object as long as the fields; it is given away.
    pub fn keep(&mut self, object: *mut py::PyObject) -> *mut py::PyObject {
        self.owned.push(object);
        object
    }

    /// Add a field.
    ///
    /// # Safety
    /// The GIL is held, and both live as long as the fields.
    #[inline(always)]
    pub unsafe fn add(&mut self, key: *mut py::PyObject, value: *mut py::PyObject, limit: Limit) {
        unsafe {
            if self.pairs.len() >= limit.count {
                self.dropped += 1;
                return;
            }
            let key = if is_key(key) {
                key
            } else {
                let Some(key) = self.other_key(key) else {
                    return;
                };
                key
            };
            let value = if is_plain(value, limit.length) {
                value
            } else {
                let value = cleaned(value, limit.length);
                self.keep(value)
            };
            self.pairs.push((key, value));
        }
    }

    /// What is no str with UTF-8 as one, unless that is empty, or there already.
    #[cold]
    unsafe fn other_key(&mut self, key: *mut py::PyObject) -> Option<*mut py::PyObject> {
        unsafe {
            let key = Hooks::connected().key_text(key);
            if key.is_null() {
                return None;
            }
            self.keep(key);
            let known = |(known, _): &(*mut py::PyObject, *mut py::PyObject)| {
                py::PyUnicode_Compare(*known, key) == 0
            };
            let new = py::PyUnicode_GetLength(key) > 0 && !self.pairs.iter().any(known);
            new.then_some(key)
        }
    }

    /// Add what a mapping has.
    ///
    /// # Safety
    /// The GIL is held, and the mapping lives as long as the fields.
    pub unsafe fn add_all(&mut self, mapping: *mut py::PyObject, limit: Limit) {
        unsafe {
            if py::Py_TYPE(mapping) != &raw mut py::PyDict_Type {
                let dict = Hooks::connected().mapping(mapping);
                if !dict.is_null() {
                    self.keep(dict);
                    self.add_all_of(dict, limit);
                }
                return;
            }
            self.add_all_of(mapping, limit);
        }
    }

    unsafe fn add_all_of(&mut self, dict: *mut py::PyObject, limit: Limit) {
        unsafe {
            let begin = self.pairs.len();
            let mut all_plain = true;
            let (mut position, mut key, mut value) =
                (0, std::ptr::null_mut(), std::ptr::null_mut());
            while py::PyDict_Next(dict, &raw mut position, &raw mut key, &raw mut value) != 0 {
                if self.pairs.len() >= limit.count {
                    self.dropped += 1;
                    continue;
                }
                all_plain &= is_key(key) && is_plain(value, limit.length);
                self.pairs.push((key, value));
            }
            if all_plain {
                // Another thread may change the dict only when this one lets it, which it does not before all is written.
                return;
            }
            let given = self.pairs.split_off(begin);
            for (key, value) in &given {
                self.keep(py::Py_NewRef(*key));
                self.keep(py::Py_NewRef(*value));
            }
            for (key, value) in given {
                self.add(key, value, limit);
            }
        }
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        for object in self.owned.drain(..) {
            // SAFETY: fields live where the GIL is held.
            unsafe { py::Py_DECREF(object) };
        }
    }
}

/// Whether a key can be written as it is.
#[inline(always)]
unsafe fn is_key(key: *mut py::PyObject) -> bool {
    unsafe {
        py::Py_TYPE(key) == &raw mut py::PyUnicode_Type
            && utf8(key).is_some_and(|key| !key.is_empty())
    }
}

/// Whether a value can be written as it is.
#[inline(always)]
unsafe fn is_plain(value: *mut py::PyObject, length: usize) -> bool {
    unsafe {
        if py::PyUnicode_Check(value) != 0 {
            return length == usize::MAX || py::PyUnicode_GetLength(value).unsigned_abs() <= length;
        }
        py::PyFloat_Check(value) != 0
            || py::PyLong_Check(value) != 0
            || value == py::Py_None()
            || py::Py_TYPE(value) == &raw mut py::PyBytes_Type
    }
}

/// A value that can be written; owned.
#[cold]
pub unsafe fn cleaned(value: *mut py::PyObject, length: usize) -> *mut py::PyObject {
    unsafe {
        let hooks = Hooks::connected();
        if py::Py_TYPE(value) == hooks.decimal {
            let text = py::PyObject_Str(value);
            if text.is_null() {
                py::PyErr_Clear();
                return py::Py_NewRef(py::Py_None());
            }
            return match number(utf8(text).unwrap_or_default()) {
                Some(number) => {
                    py::Py_DECREF(text);
                    py::PyFloat_FromDouble(number)
                }
                None => text,
            };
        }
        hooks.clean(value, length)
    }
}

/// The number that a decimal's text says, if it is exactly that.
fn number(text: &[u8]) -> Option<f64> {
    let mantissa = text.split(|byte| *byte | 0x20 == b'e').next()?;
    let digits = mantissa.iter().filter(|byte| byte.is_ascii_digit());
    let digits = digits.skip_while(|byte| **byte == b'0').count();
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let same = digits == 0 || number.is_normal();
    (digits <= DIGITS && same).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn decimals_are_numbers_as_long_as_these_are_the_same() {
        assert_eq!(number(b"0.10"), Some(0.1));
        assert_eq!(number(b"-1E+3"), Some(-1_000.0));
        assert_eq!(number(b"0E-8"), Some(0.0));
        assert_eq!(number(b"123456789.012345"), Some(123_456_789.012_345));
        assert_eq!(number(b"123456789.0123456"), None);
        assert_eq!(number(b"1E+400"), None);
        assert_eq!(number(b"Infinity"), Some(f64::INFINITY));
        assert!(number(b"NaN").is_some_and(f64::is_nan));
        assert_eq!(number(b"sNaN"), None);
    }
}
