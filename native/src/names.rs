//! Names and keys of a ring, each written once.

use std::collections::HashMap;
use std::ptr;

use flight::Flight;
use pyo3::ffi as py;
use spans::record::{entry, Text};

/// Names and keys that are written once; others are written each time they come up.
const NAMES: usize = 4_096;

/// Longer texts are no names.
const NAME_LENGTH: usize = 256;

/// Names found by the address of their object.
const RECENT: usize = 1_024;

/// Ids of names in a ring's table.
#[derive(Debug, Default)]
pub struct Names {
    known: HashMap<Box<[u8]>, u32>,
    recent: Option<Box<[(*mut py::PyObject, u32); RECENT]>>,
}

// SAFETY: the references are touched with the GIL held only.
unsafe impl Send for Names {}

impl Names {
    /// Begin anew, with another ring.
    ///
    /// # Safety
    /// The GIL is held.
    pub unsafe fn forget(&mut self) {
        self.known.clear();
        if let Some(recent) = self.recent.take() {
            for (name, _) in recent.iter() {
                unsafe { py::Py_XDECREF(*name) };
            }
        }
    }

    /// How a name is written: by its id if it has one; `None` when it has no UTF-8.
    ///
    /// # Safety
    /// The GIL is held, the ring is always the same, and `name` is a str; the result borrows from it.
    #[inline(always)]
    pub unsafe fn known_name<'a>(
        &mut self,
        flight: &Flight,
        name: *mut py::PyObject,
    ) -> Option<Text<'a>> {
        let address = name as usize;
        let place = ((address >> 4) ^ (address >> 14)) % RECENT;
        if let Some(recent) = &self.recent {
            let (known, id) = recent[place];
            if known == name {
                return Some(Text::Known(id));
            }
        }
        unsafe { self.look_up(flight, name, place) }
    }

    /// The id of a name in the ring's table, if there is room for it.
    ///
    /// # Safety
    /// The GIL is held, and the ring is always the same.
    pub unsafe fn id_of(&mut self, flight: &Flight, bytes: &[u8]) -> Option<u32> {
        if bytes.len() > NAME_LENGTH {
            return None;
        }
        if let Some(id) = self.known.get(bytes) {
            return Some(*id);
        }
        if self.known.len() >= NAMES {
            return None;
        }
        let id = unsafe { flight.define(entry::TEXT, bytes) }?;
        self.known.insert(bytes.into(), id);
        Some(id)
    }

    #[cold]
    unsafe fn look_up<'a>(
        &mut self,
        flight: &Flight,
        name: *mut py::PyObject,
        place: usize,
    ) -> Option<Text<'a>> {
        unsafe {
            let bytes = utf8(name)?;
            if bytes.is_empty() {
                return Some(Text::default());
            }
            let Some(id) = self.id_of(flight, bytes) else {
                return Some(Text::Inline(bytes));
            };
            if py::Py_TYPE(name) == &raw mut py::PyUnicode_Type {
                let recent = self
                    .recent
                    .get_or_insert_with(|| Box::new([(ptr::null_mut(), 0); RECENT]));
                let (old, _) = std::mem::replace(&mut recent[place], (py::Py_NewRef(name), id));
                py::Py_XDECREF(old); // a str: runs no code of anybody's
            }
            Some(Text::Known(id))
        }
    }
}

/// The UTF-8 of a str, which lives as long as it; `None` for lone surrogates.
#[inline(always)]
pub unsafe fn utf8<'a>(object: *mut py::PyObject) -> Option<&'a [u8]> {
    let mut size = 0;
    unsafe {
        let bytes = py::PyUnicode_AsUTF8AndSize(object, &raw mut size);
        if bytes.is_null() {
            py::PyErr_Clear();
            return None;
        }
        Some(std::slice::from_raw_parts(
            bytes.cast::<u8>(),
            size.unsigned_abs(),
        ))
    }
}
