//! A log record of Python's as a record of the ring. No Python code runs meanwhile.

use ::redaction::Verdict;
use flight::Flight;
use pyo3::ffi as py;
use spans::line::TAGS;
use spans::record::{LogHead, Text, Value, Writer};

use crate::names::{utf8, Name, Names};
use crate::redaction::with_text;
use crate::tracing::written::{write_attribute, Texts};

/// Bytes of a text that was logged; the rest is cut off.
pub const BODY: usize = 64 << 10;

/// What is Python's of a record.
pub struct Parts<'a> {
    /// Strs, or null.
    pub severity_text: *mut py::PyObject,
    pub event_name: *mut py::PyObject,
    /// A cleaned value.
    pub body: *mut py::PyObject,
    /// Keys, which are strs, and cleaned values.
    pub attributes: &'a [(*mut py::PyObject, *mut py::PyObject)],
    /// A tuple or a list of strs, or null.
    pub tags: *mut py::PyObject,
}

/// Names by their ids in the ring's table, other texts as they are.
struct Direct<'a> {
    names: &'a mut Names,
    flight: &'a Flight,
}

impl Texts for Direct<'_> {
    #[inline(always)]
    unsafe fn name<'a>(&mut self, name: *mut py::PyObject) -> Name<'a> {
        let known = unsafe { self.names.known_name(self.flight, name) };
        known.unwrap_or(Name::UNKNOWN)
    }

    #[inline(always)]
    unsafe fn text(&mut self, text: *mut py::PyObject, put: impl FnOnce(Text<'_>)) {
        unsafe { in_utf8(text, put) }
    }
}

/// A record in these bytes; how long it is. Attributes that do not fit are left out and counted.
///
/// # Safety
/// The GIL is held, nobody else writes to the ring, and the parts are what they have to be.
pub unsafe fn compose(
    buffer: &mut [u8],
    head: LogHead<'_>,
    parts: &Parts<'_>,
    names: &mut Names,
    flight: &Flight,
) -> Option<usize> {
    let mut texts = Direct { names, flight };
    let mut writer = Writer::new(buffer);
    unsafe {
        let mut name = |name: *mut py::PyObject| {
            if name.is_null() {
                Text::default()
            } else {
                texts.name(name).text
            }
        };
        writer.log_head(&LogHead {
            severity_text: name(parts.severity_text),
            event_name: name(parts.event_name),
            ..head
        });
        let mut cut = write_body(&mut writer, &mut texts, parts.body);
        cut |= write_attributes(&mut writer, &mut texts, parts.attributes);
        if !parts.tags.is_null() {
            cut |= write_tags(&mut writer, parts.tags);
        }
        if cut {
            writer.mark_cut();
        }
    }
    writer.finish()
}

/// What was logged, as far as it fits; whether something is missing.
unsafe fn write_body(
    writer: &mut Writer<'_>,
    texts: &mut Direct<'_>,
    body: *mut py::PyObject,
) -> bool {
    unsafe {
        if py::PyUnicode_Check(body) != 0 {
            let mut is_cut = false;
            in_utf8(body, |text| {
                with_text(Verdict::Open, text, |text| {
                    let text = cut(text);
                    is_cut = text.1;
                    writer.attribute(Text::default(), Value::Text(text.0));
                });
            });
            return is_cut;
        }
        let before = writer.position();
        write_attribute(writer, texts, Name::NONE, body, 0);
        if writer.overflowed() {
            writer.rollback(before);
            writer.attribute(Text::default(), Value::None);
            return true;
        }
        false
    }
}

#[inline(always)]
unsafe fn write_attributes(
    writer: &mut Writer<'_>,
    texts: &mut Direct<'_>,
    attributes: &[(*mut py::PyObject, *mut py::PyObject)],
) -> bool {
    let mut missing = 0;
    for (key, value) in attributes {
        let before = writer.position();
        unsafe {
            let key = texts.name(*key);
            write_attribute(writer, texts, key, *value, 0);
        }
        if writer.overflowed() {
            writer.rollback(before);
            missing += 1;
        }
    }
    if missing > 0 {
        writer.add_dropped_attributes(missing);
    }
    missing > 0
}

unsafe fn write_tags(writer: &mut Writer<'_>, tags: *mut py::PyObject) -> bool {
    unsafe {
        let before = writer.position();
        let array = writer.array_attribute(TAGS.into());
        for index in 0..py::PySequence_Fast_GET_SIZE(tags) {
            in_utf8(py::PySequence_Fast_GET_ITEM(tags, index), |text| {
                with_text(Verdict::Open, text, |text| {
                    writer.element(Value::Text(text));
                });
            });
        }
        writer.end_array(array);
        if writer.overflowed() {
            writer.rollback(before);
            writer.add_dropped_attributes(1);
            return true;
        }
        false
    }
}

/// The beginning of a text that is too long, and whether it was.
fn cut(text: Text<'_>) -> (Text<'_>, bool) {
    match text {
        Text::Inline(bytes) if bytes.len() > BODY => {
            let mut end = BODY;
            while bytes[end] & 0xC0 == 0x80 {
                end -= 1; // inside of a character
            }
            (Text::Inline(&bytes[..end]), true)
        }
        whole => (whole, false),
    }
}

/// Use a str's text, with question marks for what has no UTF-8.
unsafe fn in_utf8(object: *mut py::PyObject, put: impl FnOnce(Text<'_>)) {
    unsafe {
        if let Some(bytes) = utf8(object) {
            return put(Text::Inline(bytes));
        }
        let bytes = py::PyUnicode_AsEncodedString(object, c"utf-8".as_ptr(), c"replace".as_ptr());
        if bytes.is_null() {
            py::PyErr_Clear();
            return put(Text::Inline(b"?"));
        }
        let start = py::PyBytes_AS_STRING(bytes).cast::<u8>();
        let size = py::PyBytes_Size(bytes).unsigned_abs();
        put(Text::Inline(std::slice::from_raw_parts(start, size)));
        py::Py_DECREF(bytes);
    }
}
