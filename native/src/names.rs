//! Names and keys of a ring, each written once.

use std::collections::HashMap;
use std::ptr;

use ::redaction::Verdict;
use flight::Flight;
use pyo3::ffi as py;
use spans::record::{entry, Text};

use crate::redaction;

/// Names and keys that are written once; others are written each time they come up.
const NAMES: usize = 4_096;

/// What stands for a longer text is not looked for in the table.
const LONGEST: usize = 4_096;

/// Longer texts are no names.
const NAME_LENGTH: usize = 256;

/// Names found by the address of their object.
const RECENT: usize = 1_024;

/// A name as it is written, without secrets, and what it says about a value whose key it is.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    pub text: Text<'a>,
    pub verdict: Verdict,
}

impl Name<'_> {
    /// Nobody's.
    pub const NONE: Name<'static> = Name::open(Text::Inline(b""));

    /// What cannot be told.
    pub const UNKNOWN: Name<'static> = Name::open(Text::Inline(b"?"));

    /// A name that is no key.
    pub const fn open(text: Text<'_>) -> Name<'_> {
        Name {
            text,
            verdict: Verdict::Open,
        }
    }

    /// A name that has no id.
    pub fn inline(bytes: &[u8]) -> Name<'_> {
        let text = match redaction::redacted(bytes) {
            Some(_) => Text::Inline(redaction::NAMELESS),
            None => Text::Inline(bytes),
        };
        Name {
            text,
            verdict: redaction::verdict(bytes),
        }
    }
}

/// An id in the table, and the verdict of the name.
type Known = (u32, Verdict);

/// A name found by the address of its object.
type Recent = (*mut py::PyObject, u32, Verdict);

/// Ids of names in a ring's table.
#[derive(Debug, Default)]
pub struct Names {
    known: HashMap<Box<[u8]>, Known>,
    recent: Option<Box<[Recent; RECENT]>>,
    /// Of the redaction these were written by.
    generation: u32,
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
            for (name, ..) in recent.iter() {
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
    ) -> Option<Name<'a>> {
        if self.generation != redaction::generation() {
            unsafe { self.redact_anew() };
        }
        let address = name as usize;
        let place = ((address >> 4) ^ (address >> 14)) % RECENT;
        if let Some(recent) = &self.recent {
            let (known, id, verdict) = recent[place];
            if known == name {
                return Some(Name {
                    text: Text::Known(id),
                    verdict,
                });
            }
        }
        unsafe { self.look_up(flight, name, place) }
    }

    /// Names that were written are written again: what is secret is not what it was.
    #[cold]
    unsafe fn redact_anew(&mut self) {
        unsafe { self.forget() };
        self.generation = redaction::generation();
    }

    /// A name as it is written.
    ///
    /// # Safety
    /// The GIL is held, and the ring is always the same.
    pub unsafe fn name_of<'a>(&mut self, flight: &Flight, bytes: &'a [u8]) -> Name<'a> {
        match unsafe { self.id_of(flight, bytes) } {
            Some((id, verdict)) => Name {
                text: Text::Known(id),
                verdict,
            },
            None => Name::inline(bytes),
        }
    }

    /// The id of a name in the ring's table, if there is room for it; a secret in it does not get there.
    unsafe fn id_of(&mut self, flight: &Flight, bytes: &[u8]) -> Option<Known> {
        if let Some(known) = self.known.get(bytes) {
            return Some(*known);
        }
        if self.known.len() >= NAMES || bytes.len() > LONGEST {
            return None;
        }
        let verdict = redaction::verdict(bytes);
        let masked = redaction::redacted(bytes);
        let written = masked.as_deref().unwrap_or(bytes);
        if written.len() > NAME_LENGTH {
            return None;
        }
        let id = unsafe { flight.define(entry::TEXT, written) }?;
        self.known.insert(bytes.into(), (id, verdict));
        Some((id, verdict))
    }

    #[cold]
    unsafe fn look_up<'a>(
        &mut self,
        flight: &Flight,
        name: *mut py::PyObject,
        place: usize,
    ) -> Option<Name<'a>> {
        unsafe {
            let bytes = utf8(name)?;
            if bytes.is_empty() {
                return Some(Name::NONE);
            }
            let Some((id, verdict)) = self.id_of(flight, bytes) else {
                return Some(Name::inline(bytes));
            };
            if py::Py_TYPE(name) == &raw mut py::PyUnicode_Type {
                let recent = self
                    .recent
                    .get_or_insert_with(|| Box::new([(ptr::null_mut(), 0, Verdict::Open); RECENT]));
                let new = (py::Py_NewRef(name), id, verdict);
                let (old, ..) = std::mem::replace(&mut recent[place], new);
                py::Py_XDECREF(old); // a str: runs no code of anybody's
            }
            Some(Name {
                text: Text::Known(id),
                verdict,
            })
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
