//! An ended span as a record in the ring.

use ::redaction::Verdict;
use flight::{OpenSpan, MAX_RECORD};
use pyo3::ffi as py;
use spans::record::{kind, Head, Text, Value, Writer};

use super::core::{Core, Hot, Loss};
use super::hooks::Hooks;
use super::pairs::Pairs;
use super::span::Span;
use crate::names::{utf8, Name};
use crate::redaction::{inherited, with_text, with_value};

/// Longer names and descriptions are cut, bytes.
const LONGEST_NAME: usize = 1 << 14;

/// Where a record is composed aside, at first, bytes.
const SMALL_RECORD: usize = 1 << 12;

/// Deeper sequences and mappings are cut.
const DEPTH: usize = 8;

/// How texts get into a record.
pub trait Texts {
    /// A name or a key, which comes again, without secrets.
    ///
    /// # Safety
    /// `name` is a str that lives as long as the result.
    unsafe fn name<'a>(&mut self, name: *mut py::PyObject) -> Name<'a>;

    /// Use any other text.
    ///
    /// # Safety
    /// `text` is a str.
    unsafe fn text(&mut self, text: *mut py::PyObject, put: impl FnOnce(Text<'_>));
}

/// Straight into the ring: no Python code may run meanwhile, since it might end another span.
struct Straight<'a> {
    hot: &'a mut Hot,
    /// A text has no UTF-8, which only Python can help.
    gave_up: bool,
}

impl Texts for Straight<'_> {
    #[inline(always)]
    unsafe fn name<'a>(&mut self, name: *mut py::PyObject) -> Name<'a> {
        unsafe {
            self.hot.known_name(name).unwrap_or_else(|| {
                self.gave_up = true;
                Name::NONE
            })
        }
    }

    #[inline(always)]
    unsafe fn text(&mut self, text: *mut py::PyObject, put: impl FnOnce(Text<'_>)) {
        match unsafe { utf8(text) } {
            Some(bytes) => put(Text::Inline(bytes)),
            None => self.gave_up = true,
        }
    }
}

/// Into memory of its own, while Python code may run.
struct Aside<'a>(&'a Core);

impl Texts for Aside<'_> {
    unsafe fn name<'a>(&mut self, name: *mut py::PyObject) -> Name<'a> {
        unsafe {
            if let Some(known) = self.0.hot().known_name(name) {
                return known;
            }
            let mut known = Name::UNKNOWN;
            in_utf8(name, |text| {
                if let Text::Inline(bytes) = text {
                    let Name { text, verdict } = self.0.hot().name_of(bytes);
                    if let Text::Known(id) = text {
                        let text = Text::Known(id);
                        known = Name { text, verdict };
                    }
                }
            });
            known
        }
    }

    unsafe fn text(&mut self, text: *mut py::PyObject, put: impl FnOnce(Text<'_>)) {
        unsafe { in_utf8(text, put) }
    }
}

/// In full, for entries of the table itself.
pub struct InFull;

impl Texts for InFull {
    unsafe fn name<'a>(&mut self, name: *mut py::PyObject) -> Name<'a> {
        unsafe { utf8(name) }.map_or(Name::UNKNOWN, Name::inline)
    }

    unsafe fn text(&mut self, text: *mut py::PyObject, put: impl FnOnce(Text<'_>)) {
        unsafe { in_utf8(text, put) }
    }
}

/// Make a running span known to whoever reads the ring.
#[inline(always)]
pub unsafe fn announce(object: *mut py::PyObject, hot: &mut Hot) {
    unsafe {
        let span = &mut *object.cast::<Span>();
        let name = match hot.known_name(span.name()).map(|name| name.text) {
            Some(Text::Known(id)) => id,
            _ => 0,
        };
        let open = OpenSpan {
            trace_id: trace_id(span),
            span_id: span.ids.span.to_be_bytes(),
            parent_id: span.parent.span.to_be_bytes(),
            start_ns: span.start_ns,
            name,
            scope: span.tracer().scope(hot),
        };
        if let Some(slot) = hot.flight.open(&open) {
            span.set_slot(slot, hot.epoch);
        }
    }
}

fn trace_id(span: &Span) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&span.ids.trace[0].to_be_bytes());
    id[8..].copy_from_slice(&span.ids.trace[1].to_be_bytes());
    id
}

/// Write a span that ended; one that finds no room is counted.
#[inline(always)]
pub unsafe fn write(object: *mut py::PyObject, hot: &mut Hot) {
    unsafe {
        let span = &*object.cast::<Span>();
        let plain =
            span.trace_state.is_null() && span.more().is_none_or(|more| more.links.is_empty());
        if plain {
            let flight = std::sync::Arc::as_ptr(&hot.flight);
            let Some(buffer) = (*flight).begin() else {
                span.core().lose(Loss::RingFull);
                return;
            };
            let mut texts = Straight {
                hot,
                gave_up: false,
            };
            let scope = span.tracer().scope(texts.hot);
            let length = compose(Writer::new(buffer), span, scope, &mut texts);
            if !texts.gave_up {
                match length {
                    Some(length) => {
                        (*flight).commit(kind::SPAN, length);
                    }
                    None => span.core().lose(Loss::TooLarge),
                }
                return;
            }
        }
        write_aside(span);
    }
}

/// Write a span with something in it that takes Python code to read: first into memory of its own.
#[cold]
unsafe fn write_aside(span: &Span) {
    unsafe {
        let core = span.core();
        let mut buffer = vec![0; SMALL_RECORD];
        let length = loop {
            let scope = span.tracer().scope(core.hot());
            let writer = Writer::new(&mut buffer);
            let length = compose(writer, span, scope, &mut Aside(core));
            // What did not fit was left out and counted; with more room it fits.
            if buffer.len() == MAX_RECORD || length.is_some_and(|length| length < buffer.len() / 2)
            {
                break length;
            }
            let larger = (buffer.len() * 16).min(MAX_RECORD);
            buffer.resize(larger, 0);
        };
        let Some(length) = length else {
            core.lose(Loss::TooLarge);
            return;
        };
        let hot = core.hot();
        let Some(room) = hot.flight.begin() else {
            core.lose(Loss::RingFull);
            return;
        };
        room[..length].copy_from_slice(&buffer[..length]);
        hot.flight.commit(kind::SPAN, length);
    }
}

/// A span as a record; how long it is.
#[inline(always)]
unsafe fn compose(
    mut writer: Writer<'_>,
    span: &Span,
    scope: u32,
    texts: &mut impl Texts,
) -> Option<usize> {
    unsafe {
        let more = span.more();
        writer.head(&Head {
            trace_id: trace_id(span),
            span_id: span.ids.span.to_be_bytes(),
            parent_id: span.parent.span.to_be_bytes(),
            start_ns: span.start_ns,
            end_ns: span.end_ns,
            name: cut(texts.name(span.name()).text),
            scope,
            kind: span.kind,
            status: span.status,
            trace_flags: span.ids.flags,
            marks: span.marks,
            budget_ns: span.budget_ns,
            dropped_attributes: span.attributes.dropped,
            dropped_events: more.map_or(0, |more| more.dropped_events),
            dropped_links: more.map_or(0, |more| more.dropped_links),
        });
        if !span.status_text.is_null() {
            texts.text(span.status_text, |text| {
                with_text(Verdict::Open, text, |text| writer.status_message(cut(text)));
            });
        }
        if !span.trace_state.is_null() {
            write_trace_state(&mut writer, span.trace_state);
        }
        write_pairs(&mut writer, texts, &span.attributes);
        if let Some(more) = more {
            for event in &more.events {
                let before = writer.position();
                let name = cut(texts.name(event.name).text);
                writer.event(event.time_ns, name, event.attributes.dropped);
                write_pairs(&mut writer, texts, &event.attributes);
                if writer.overflowed() {
                    writer.rollback(before);
                    writer.add_dropped_events(1);
                }
            }
            for link in &more.links {
                let before = writer.position();
                write_link(&mut writer, texts, link);
                if writer.overflowed() {
                    writer.rollback(before);
                    writer.add_dropped_links(1);
                }
            }
        }
        writer.finish()
    }
}

#[inline(always)]
unsafe fn write_pairs(writer: &mut Writer<'_>, texts: &mut impl Texts, pairs: &Pairs) {
    for (key, value) in pairs.all() {
        unsafe {
            let before = writer.position();
            let key = texts.name(*key);
            write_attribute(writer, texts, key, *value, 0);
            if writer.overflowed() {
                writer.rollback(before);
                writer.add_dropped_attributes(1);
            }
        }
    }
}

#[inline(always)]
pub unsafe fn write_attribute(
    writer: &mut Writer<'_>,
    texts: &mut impl Texts,
    key: Name<'_>,
    value: *mut py::PyObject,
    depth: usize,
) {
    unsafe {
        let Name {
            text: name,
            verdict,
        } = key;
        if let Some(value) = plain(value) {
            with_value(verdict, value, |value| writer.attribute(name, value));
        } else if py::PyUnicode_Check(value) != 0 {
            texts.text(value, |text| {
                with_text(verdict, text, |text| {
                    writer.attribute(name, Value::Text(text));
                });
            });
        } else {
            write_nested(writer, texts, key, value, depth);
        }
    }
}

#[cold]
unsafe fn write_nested(
    writer: &mut Writer<'_>,
    texts: &mut impl Texts,
    key: Name<'_>,
    value: *mut py::PyObject,
    depth: usize,
) {
    unsafe {
        let Name { text: key, verdict } = key;
        if py::PyFloat_Check(value) != 0 {
            let value = Value::Float(py::PyFloat_AS_DOUBLE(value));
            with_value(verdict, value, |value| writer.attribute(key, value));
        } else if py::PyLong_Check(value) != 0 {
            let mut overflow = 0;
            let whole = py::PyLong_AsLongLongAndOverflow(value, &raw mut overflow);
            if overflow == 0 {
                return with_value(verdict, Value::Int(whole), |value| {
                    writer.attribute(key, value);
                });
            }
            // Unlike `str()` this runs no code of anybody's, whatever the integer calls itself.
            let digits = py::PyNumber_ToBase(value, 10);
            if digits.is_null() {
                py::PyErr_Clear();
                writer.attribute(key, Value::None);
            } else {
                with_text(verdict, text(digits), |text| {
                    writer.attribute(key, Value::Text(text));
                });
                py::Py_DECREF(digits);
            }
        } else if py::PyTuple_Check(value) != 0 && depth < DEPTH {
            let array = writer.array_attribute(key);
            write_elements(writer, texts, verdict, value, depth + 1);
            writer.end_array(array);
        } else if py::PyDict_Check(value) != 0 && depth < DEPTH {
            let map = writer.map_attribute(key);
            write_inside(writer, texts, verdict, value, depth + 1);
            writer.end_map(map);
        } else {
            writer.attribute(key, Value::None);
        }
    }
}

unsafe fn write_elements(
    writer: &mut Writer<'_>,
    texts: &mut impl Texts,
    verdict: Verdict,
    tuple: *mut py::PyObject,
    depth: usize,
) {
    unsafe {
        for index in 0..py::PyTuple_GET_SIZE(tuple) {
            let item = py::PyTuple_GET_ITEM(tuple, index);
            if let Some(value) = plain(item) {
                with_value(verdict, value, |value| writer.element(value));
            } else if py::PyUnicode_Check(item) != 0 {
                texts.text(item, |text| {
                    with_text(verdict, text, |text| writer.element(Value::Text(text)));
                });
            } else if py::PyTuple_Check(item) != 0 && depth < DEPTH {
                let array = writer.array_element();
                write_elements(writer, texts, verdict, item, depth + 1);
                writer.end_array(array);
            } else if py::PyDict_Check(item) != 0 && depth < DEPTH {
                let map = writer.map_element();
                write_inside(writer, texts, verdict, item, depth + 1);
                writer.end_map(map);
            } else {
                writer.element(Value::None);
            }
        }
    }
}

pub unsafe fn write_entries(
    writer: &mut Writer<'_>,
    texts: &mut impl Texts,
    dict: *mut py::PyObject,
    depth: usize,
) {
    unsafe { write_inside(writer, texts, Verdict::Open, dict, depth) }
}

/// The entries of a mapping under a key, whose verdict holds for them, too.
unsafe fn write_inside(
    writer: &mut Writer<'_>,
    texts: &mut impl Texts,
    outer: Verdict,
    dict: *mut py::PyObject,
    depth: usize,
) {
    unsafe {
        let (mut position, mut key, mut value) = (0, std::ptr::null_mut(), std::ptr::null_mut());
        while py::PyDict_Next(dict, &raw mut position, &raw mut key, &raw mut value) != 0 {
            let mut key = texts.name(key);
            key.verdict = inherited(outer, key.verdict);
            write_attribute(writer, texts, key, value, depth);
        }
    }
}

/// A cleaned value that holds no others; `None` for the rest, and for integers that 64 bits do not hold.
#[inline(always)]
unsafe fn plain<'a>(value: *mut py::PyObject) -> Option<Value<'a>> {
    unsafe {
        let kind = py::Py_TYPE(value);
        if kind == &raw mut py::PyUnicode_Type {
            return utf8(value).map(|bytes| Value::Text(Text::Inline(bytes)));
        }
        if kind == &raw mut py::PyFloat_Type {
            return Some(Value::Float(py::PyFloat_AS_DOUBLE(value)));
        }
        if kind == &raw mut py::PyBool_Type {
            return Some(Value::Bool(value == py::Py_True()));
        }
        if kind == &raw mut py::PyLong_Type {
            let mut overflow = 0;
            let whole = py::PyLong_AsLongLongAndOverflow(value, &raw mut overflow);
            return (overflow == 0).then_some(Value::Int(whole));
        }
        if value == py::Py_None() {
            return Some(Value::None);
        }
        if kind == &raw mut py::PyBytes_Type {
            let start = py::PyBytes_AS_STRING(value).cast::<u8>();
            let size = py::PyBytes_Size(value).unsigned_abs();
            return Some(Value::Bytes(std::slice::from_raw_parts(start, size)));
        }
        None
    }
}

/// A str's text; one that has no UTF-8 counts as unknown.
#[inline(always)]
unsafe fn text<'a>(object: *mut py::PyObject) -> Text<'a> {
    Text::Inline(unsafe { utf8(object) }.unwrap_or(b"?"))
}

/// Use a str's text, with question marks for what has no UTF-8.
#[cold]
unsafe fn in_utf8(object: *mut py::PyObject, put: impl FnOnce(Text<'_>)) {
    unsafe {
        if let Some(bytes) = utf8(object) {
            return put(Text::Inline(bytes));
        }
        let bytes = Hooks::connected().replaced(object);
        if bytes.is_null() || py::PyBytes_Check(bytes) == 0 {
            put(Text::Inline(b"?"));
        } else {
            let start = py::PyBytes_AS_STRING(bytes).cast::<u8>();
            let size = py::PyBytes_Size(bytes).unsigned_abs();
            put(Text::Inline(std::slice::from_raw_parts(start, size)));
        }
        py::Py_XDECREF(bytes);
    }
}

/// A name as long as names may be.
#[inline(always)]
fn cut(name: Text<'_>) -> Text<'_> {
    match name {
        Text::Inline(bytes) if bytes.len() > LONGEST_NAME => {
            let text = std::str::from_utf8(bytes).unwrap_or_default();
            let end = (0..=LONGEST_NAME)
                .rev()
                .find(|end| text.is_char_boundary(*end));
            Text::Inline(&bytes[..end.unwrap_or(0)])
        }
        other => other,
    }
}

#[cold]
unsafe fn write_trace_state(writer: &mut Writer<'_>, state: *mut py::PyObject) {
    if let Some(header) = unsafe { header(state) } {
        writer.trace_state(Text::Inline(header.as_bytes()));
    }
}

/// A trace state as its header has it.
unsafe fn header(state: *mut py::PyObject) -> Option<String> {
    pyo3::Python::attach(|python| {
        use pyo3::prelude::*;
        // SAFETY: a valid object.
        let state = unsafe { Bound::from_borrowed_ptr(python, state) };
        state.call_method0("to_header").ok()?.extract().ok()
    })
}

#[cold]
unsafe fn write_link(writer: &mut Writer<'_>, texts: &mut impl Texts, link: &super::span::Link) {
    unsafe {
        let (trace, span, flags, state) = pyo3::Python::attach(|python| {
            use pyo3::prelude::*;
            // SAFETY: a valid object.
            let context = Bound::from_borrowed_ptr(python, link.context);
            let number = |name: &str| {
                context
                    .getattr(name)
                    .and_then(|id| id.extract::<u128>())
                    .unwrap_or_default()
            };
            let remote = context
                .getattr("is_remote")
                .is_ok_and(|remote| remote.is_truthy().unwrap_or(false));
            let flags = number("trace_flags") | 0x100 | u128::from(remote) << 9;
            let state = context.getattr("trace_state").ok();
            let state = state
                .and_then(|state| header(state.as_ptr()))
                .unwrap_or_default();
            (number("trace_id"), number("span_id"), flags, state)
        });
        #[allow(clippy::cast_possible_truncation)] // as wide as they are
        writer.link(
            &trace.to_be_bytes(),
            &(span as u64).to_be_bytes(),
            flags as u32,
            Text::Inline(state.as_bytes()),
            link.attributes.dropped,
        );
        write_pairs(writer, texts, &link.attributes);
    }
}
