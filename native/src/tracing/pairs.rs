//! Attributes of a span, an event or a link: references to a key and a cleaned value each.

use std::ptr;

use pyo3::ffi as py;

use super::hooks::Hooks;

/// Attributes that need no memory of their own.
const INLINE: usize = 6;

pub type Pair = (*mut py::PyObject, *mut py::PyObject);

/// How many attributes there may be, and how long a text.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub count: usize,
    pub length: usize,
}

/// Pairs of key and value, in the order in which they were set last; owned.
#[repr(C)]
pub struct Pairs {
    inline: [Pair; INLINE],
    length: u32,
    pub dropped: u32,
    /// Where all pairs are when they do not fit.
    heap: *mut Vec<Pair>,
}

impl Pairs {
    pub const fn new() -> Self {
        Self {
            inline: [(ptr::null_mut(), ptr::null_mut()); INLINE],
            length: 0,
            dropped: 0,
            heap: ptr::null_mut(),
        }
    }

    #[inline(always)]
    pub fn all(&self) -> &[Pair] {
        if self.heap.is_null() {
            &self.inline[..self.length as usize]
        } else {
            // SAFETY: made by `push`, freed by `clear` only.
            unsafe { &*self.heap }
        }
    }

    /// Set one attribute; takes over both references.
    ///
    /// A key that is there moves to the end; when there is no room the oldest goes.
    #[inline(always)]
    pub unsafe fn set(&mut self, key: *mut py::PyObject, value: *mut py::PyObject, most: usize) {
        unsafe {
            if let Some(place) = self.all().iter().position(|pair| same(pair.0, key)) {
                self.remove(place);
            } else if self.all().len() >= most {
                self.dropped += 1;
                if most == 0 {
                    py::Py_DECREF(key);
                    py::Py_DECREF(value);
                    return;
                }
                self.remove(0);
            }
        }
        self.push((key, value));
    }

    #[inline(always)]
    fn push(&mut self, pair: Pair) {
        if self.heap.is_null() && (self.length as usize) < INLINE {
            self.inline[self.length as usize] = pair;
            self.length += 1;
        } else {
            self.push_far(pair);
        }
    }

    #[cold]
    fn push_far(&mut self, pair: Pair) {
        if self.heap.is_null() {
            self.heap = Box::into_raw(Box::new(self.inline.to_vec()));
            self.length = 0;
        }
        // SAFETY: just made, or made before; nobody else refers to it.
        unsafe { (*self.heap).push(pair) };
    }

    #[cold]
    unsafe fn remove(&mut self, place: usize) {
        let pair = if self.heap.is_null() {
            let pair = self.inline[place];
            self.inline.copy_within(place + 1.., place);
            self.length -= 1;
            pair
        } else {
            unsafe { (*self.heap).remove(place) }
        };
        unsafe { release(pair) };
    }

    /// Let all go.
    pub unsafe fn clear(&mut self) {
        unsafe {
            for place in 0..self.length as usize {
                release(self.inline[place]);
            }
            self.length = 0;
            if !self.heap.is_null() {
                let heap = Box::from_raw(std::mem::replace(&mut self.heap, ptr::null_mut()));
                for pair in heap.iter() {
                    release(*pair);
                }
            }
        }
    }

    /// Set what an argument holds: `None`, a mapping, or something that is dropped. Never raises.
    ///
    /// Cleaning may run code of the bot's, which may change the very same pairs: hence the pointer.
    pub unsafe fn set_all(pairs: *mut Self, hooks: &Hooks, given: *mut py::PyObject, limit: Limit) {
        unsafe {
            if given.is_null() || given == py::Py_None() {
                return;
            }
            if py::Py_TYPE(given) == &raw mut py::PyDict_Type {
                Self::set_dict(pairs, hooks, given, limit);
                return;
            }
            Self::set_mapping(pairs, hooks, given, limit);
        }
    }

    #[cold]
    unsafe fn set_mapping(pairs: *mut Self, hooks: &Hooks, given: *mut py::PyObject, limit: Limit) {
        unsafe {
            let mapping = hooks.mapping(given);
            if mapping.is_null() {
                (*pairs).dropped += 1;
                return;
            }
            let left_out = py::PyObject_Size(given) - py::PyDict_Size(mapping);
            py::PyErr_Clear();
            (*pairs).dropped += u32::try_from(left_out).unwrap_or(0);
            Self::set_dict(pairs, hooks, mapping, limit);
            py::Py_DECREF(mapping);
        }
    }

    unsafe fn set_dict(pairs: *mut Self, hooks: &Hooks, given: *mut py::PyObject, limit: Limit) {
        unsafe {
            let (mut position, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
            while py::PyDict_Next(given, &raw mut position, &raw mut key, ptr::null_mut()) != 0 {
                if !is_key(key) {
                    Self::set_mapping(pairs, hooks, given, limit);
                    return;
                }
            }
            position = 0;
            let size = py::PyDict_Size(given);
            if size == 0 {
                return;
            }
            let mut left = size;
            while left > 0
                && py::PyDict_Next(given, &raw mut position, &raw mut key, &raw mut value) != 0
            {
                left -= 1;
                Self::set_cleaned(pairs, hooks, key, value, limit);
                if py::PyDict_Size(given) != size {
                    return;
                }
            }
        }
    }

    /// Clean and set one attribute; both are borrowed. Never raises.
    #[inline(always)]
    pub unsafe fn set_cleaned(
        pairs: *mut Self,
        hooks: &Hooks,
        key: *mut py::PyObject,
        value: *mut py::PyObject,
        limit: Limit,
    ) {
        unsafe {
            if !is_key(key) {
                (*pairs).dropped += 1;
                hooks.complain(c"an attribute's key has to be a text that is not empty");
                return;
            }
            py::Py_INCREF(key);
            let short_text = py::Py_TYPE(value) == &raw mut py::PyUnicode_Type
                && py::PyUnicode_GET_LENGTH(value).unsigned_abs() <= limit.length;
            let cleaned = if is_plain(value) || short_text {
                py::Py_NewRef(value)
            } else {
                hooks.clean(value, limit.length)
            };
            (*pairs).set(key, cleaned, limit.count);
        }
    }

    /// A new dict of all.
    pub unsafe fn dict(&self) -> *mut py::PyObject {
        unsafe {
            let dict = py::PyDict_New();
            if !dict.is_null() {
                for (key, value) in self.all() {
                    if py::PyDict_SetItem(dict, *key, *value) < 0 {
                        py::PyErr_Clear();
                    }
                }
            }
            dict
        }
    }
}

unsafe fn release((key, value): Pair) {
    unsafe {
        py::Py_DECREF(key);
        py::Py_DECREF(value);
    }
}

/// `float`, `int`, `bool`, `None` and `bytes` themselves need no cleaning.
#[inline(always)]
unsafe fn is_plain(value: *mut py::PyObject) -> bool {
    let kind = unsafe { py::Py_TYPE(value) };
    kind == &raw mut py::PyFloat_Type
        || kind == &raw mut py::PyLong_Type
        || kind == &raw mut py::PyBool_Type
        || kind == &raw mut py::PyBytes_Type
        || value == unsafe { py::Py_None() }
}

#[inline(always)]
unsafe fn is_key(key: *mut py::PyObject) -> bool {
    unsafe { py::PyUnicode_Check(key) != 0 && py::PyUnicode_GET_LENGTH(key) != 0 }
}

/// Whether two keys are the same text.
#[inline(always)]
unsafe fn same(one: *mut py::PyObject, other: *mut py::PyObject) -> bool {
    one == other
        || unsafe {
            py::PyUnicode_GET_LENGTH(one) == py::PyUnicode_GET_LENGTH(other)
                && py::PyUnicode_Compare(one, other) == 0
        }
}
