//! What is recorded, as Python shows it.

use ::spans::record::{entry, log_marks, uid, Attributes, LogView, Text, Value, View};
use flight::OpenSpan;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::{Recording, TableOf};

impl Recording {
    pub fn shown<'p>(
        &self,
        python: Python<'p>,
        position: u64,
        span: &View<'_>,
    ) -> PyResult<Bound<'p, PyDict>> {
        let head = span.head();
        let shown = PyDict::new(python);
        Self::put_ids(&shown, head.trace_id, head.span_id, head.parent_id)?;
        shown.set_item("name", self.text(head.name))?;
        shown.set_item("scope", self.scope(head.scope))?;
        shown.set_item("kind", head.kind)?;
        shown.set_item("start_ns", head.start_ns)?;
        shown.set_item("end_ns", head.end_ns)?;
        shown.set_item("budget_ns", head.budget_ns)?;
        shown.set_item("status", head.status)?;
        shown.set_item("status_message", self.text(span.status_message()))?;
        shown.set_item("attributes", self.dict(python, span.attributes())?)?;
        let events = PyList::empty(python);
        for event in span.events() {
            let attributes = self.dict(python, event.attributes)?;
            events.append((event.time_ns, self.text(event.name), attributes))?;
        }
        shown.set_item("events", events)?;
        shown.set_item("open", false)?;
        shown.set_item("delivered", position < self.0.delivered())?;
        Ok(shown)
    }

    pub fn shown_open<'p>(
        &self,
        python: Python<'p>,
        open: &OpenSpan,
    ) -> PyResult<Bound<'p, PyDict>> {
        let shown = PyDict::new(python);
        Self::put_ids(&shown, open.trace_id, open.span_id, open.parent_id)?;
        shown.set_item("name", self.text(Text::Known(open.name)))?;
        shown.set_item("scope", self.scope(open.scope))?;
        shown.set_item("kind", 1)?;
        shown.set_item("start_ns", open.start_ns)?;
        shown.set_item("end_ns", python.None())?;
        shown.set_item("budget_ns", 0)?;
        shown.set_item("status", 0)?;
        shown.set_item("status_message", "")?;
        shown.set_item("attributes", PyDict::new(python))?;
        shown.set_item("events", PyList::empty(python))?;
        shown.set_item("open", true)?;
        shown.set_item("delivered", false)?;
        Ok(shown)
    }

    pub fn shown_log<'p>(
        &self,
        python: Python<'p>,
        position: u64,
        log: &LogView<'_>,
    ) -> PyResult<Bound<'p, PyDict>> {
        let head = log.head();
        let shown = PyDict::new(python);
        Self::put_ids(&shown, head.trace_id, head.span_id, [0; 8])?;
        shown.del_item("parent_id")?;
        shown.set_item("uid", uid(head.prefix, head.sequence))?;
        shown.set_item("sequence", head.sequence)?;
        shown.set_item("time_ns", head.time_ns)?;
        shown.set_item("observed_ns", head.observed_ns)?;
        shown.set_item("severity", head.severity)?;
        shown.set_item("severity_text", self.text(head.severity_text))?;
        shown.set_item("event_name", self.text(head.event_name))?;
        shown.set_item("scope", self.scope(head.scope))?;
        shown.set_item("body", self.value(python, log.body())?)?;
        shown.set_item("attributes", self.dict(python, log.attributes())?)?;
        shown.set_item("important", head.marks & log_marks::IMPORTANT != 0)?;
        shown.set_item("cut", head.marks & log_marks::CUT != 0)?;
        shown.set_item("delivered", position < self.0.delivered())?;
        Ok(shown)
    }

    fn put_ids(
        shown: &Bound<'_, PyDict>,
        trace: [u8; 16],
        span: [u8; 8],
        parent: [u8; 8],
    ) -> PyResult<()> {
        shown.set_item("trace_id", format!("{:032x}", u128::from_be_bytes(trace)))?;
        shown.set_item("span_id", format!("{:016x}", u64::from_be_bytes(span)))?;
        let parent = match u64::from_be_bytes(parent) {
            0 => String::new(),
            id => format!("{id:016x}"),
        };
        shown.set_item("parent_id", parent)
    }

    /// A text as far as it is one.
    fn text(&self, text: Text<'_>) -> String {
        match text {
            Text::Inline(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Text::Known(_) => text
                .resolve(&TableOf(&self.0))
                .map_or_else(|| "?".to_owned(), str::to_owned),
        }
    }

    fn scope(&self, id: u32) -> &str {
        match self.0.entry(id) {
            Some((entry::SCOPE, bytes)) => {
                ::spans::scope::decode(bytes).map_or("?", |scope| scope.name)
            }
            _ => "",
        }
    }

    fn dict<'p>(
        &self,
        python: Python<'p>,
        attributes: Attributes<'_>,
    ) -> PyResult<Bound<'p, PyDict>> {
        let dict = PyDict::new(python);
        for (key, value) in attributes {
            dict.set_item(self.text(key), self.value(python, value)?)?;
        }
        Ok(dict)
    }

    fn value<'p>(&self, python: Python<'p>, value: Value<'_>) -> PyResult<Bound<'p, PyAny>> {
        Ok(match value {
            Value::None => python.None().into_bound(python),
            Value::Bool(value) => value.into_pyobject(python)?.to_owned().into_any(),
            Value::Int(value) => value.into_pyobject(python)?.into_any(),
            Value::Float(value) => value.into_pyobject(python)?.into_any(),
            Value::Text(text) => self.text(text).into_pyobject(python)?.into_any(),
            Value::Bytes(bytes) => PyBytes::new(python, bytes).into_any(),
            Value::Array(elements) => {
                let list = PyList::empty(python);
                for element in elements {
                    list.append(self.value(python, element)?)?;
                }
                list.into_any()
            }
            Value::Map(pairs) => self.dict(python, pairs)?.into_any(),
        })
    }
}
