//! Recordings of other processes, as Python reads and recovers them.

#![allow(clippy::needless_pass_by_value)] // paths come from Python owned

mod folder;
mod logs;
mod metrics;
mod shown;
mod spans;

use std::path::PathBuf;

use ::spans::otlp::{resource_message, Encoder};
use ::spans::record::{entry, kind, Table, Value};
use flight::recording;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use folder::name_of;

/// A request is closed before it is longer, bytes.
const REQUEST_BYTES: usize = 1 << 20;

/// What encoding may add to a record: names stand there by their ids.
const NAMES_BYTES: usize = 1 << 16;

/// The attribute of what comes from the recording of a dead process.
pub const RECOVERED: &str = "trading.telemetry.recovered";

/// What a process recorded: of a dead one, of a living one at this moment, or a snapshot.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Recording(recording::Recording);

struct TableOf<'a>(&'a recording::Recording);

impl Table for TableOf<'_> {
    fn entry(&self, id: u32) -> Option<(u8, &[u8])> {
        self.0.entry(id)
    }
}

#[pymethods]
impl Recording {
    /// Read a file; `ValueError` says why it cannot be read.
    #[new]
    fn new(python: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let read = python.detach(|| recording::Recording::open(&path));
        read.map(Self)
            .map_err(|damage| PyValueError::new_err(damage.to_string()))
    }

    #[getter]
    fn pid(&self) -> u32 {
        self.0.identity().pid
    }

    #[getter]
    fn service(&self) -> &str {
        &self.0.identity().service
    }

    /// When the process began to record, nanoseconds since 1970.
    #[getter]
    fn started_ns(&self) -> u64 {
        self.0.identity().started_ns
    }

    #[getter]
    fn instance<'p>(&self, python: Python<'p>) -> Bound<'p, PyBytes> {
        PyBytes::new(python, &self.0.identity().instance)
    }

    /// `unfinished`, `clean`, `recovered` or `snapshot`.
    #[getter]
    fn state(&self) -> &'static str {
        name_of(self.0.state())
    }

    /// Whether there is nothing to recover.
    #[getter]
    fn clean(&self) -> bool {
        self.0.clean()
    }

    /// Everything before this position was delivered or decided against.
    #[getter]
    fn delivered(&self) -> u64 {
        self.0.delivered()
    }

    /// The position after the last record.
    #[getter]
    fn written(&self) -> u64 {
        self.0.written()
    }

    /// What is damaged, a sentence each.
    #[getter]
    fn damage(&self) -> Vec<String> {
        self.0.damage().to_vec()
    }

    /// The last moment that is known of, nanoseconds since 1970.
    #[getter]
    fn last_ns(&self) -> u64 {
        let last = spans::last_ns(&self.0).max(logs::last_ns(&self.0));
        last.max(metrics::last_ns(&self.0))
    }

    /// Records that had to go before they were delivered, because there was no room.
    #[getter]
    fn lost(&self) -> u64 {
        match self.signal() {
            Some("logs") => logs::lost(&self.0),
            _ => self.0.lost(),
        }
    }

    /// What is recorded: `traces`, `logs` or `metrics`; `None` when there is no record.
    #[getter]
    fn signal(&self) -> Option<&'static str> {
        match self.0.records().next()?.kind {
            kind::LOG => Some("logs"),
            kind::MEASUREMENT => Some("metrics"),
            _ => Some("traces"),
        }
    }

    /// All spans that are there, oldest end first and open ones last.
    fn spans<'p>(&self, python: Python<'p>) -> PyResult<Bound<'p, PyList>> {
        let all = PyList::empty(python);
        for (position, span) in spans::ended(&self.0) {
            all.append(self.shown(python, position, &span)?)?;
        }
        for open in spans::unfinished(&self.0) {
            all.append(self.shown_open(python, open)?)?;
        }
        Ok(all)
    }

    /// All log records that are there, oldest first.
    fn logs<'p>(&self, python: Python<'p>) -> PyResult<Bound<'p, PyList>> {
        let all = PyList::empty(python);
        for (position, log) in logs::records(&self.0) {
            all.append(self.shown_log(python, position, &log)?)?;
        }
        Ok(all)
    }

    /// The last value of each series, as requests.
    fn measurements<'p>(&self, python: Python<'p>) -> Vec<Bound<'p, PyBytes>> {
        let requests = python.detach(|| metrics::requests(&self.0, true));
        requests
            .into_iter()
            .map(|(request, _)| PyBytes::new(python, &request))
            .collect()
    }

    /// What was not delivered: encoded requests, and how many spans, log records or points each has.
    ///
    /// All is marked as recovered. Spans that had not ended do so as errors, at the last moment that is known.
    fn requests<'p>(&self, python: Python<'p>) -> Vec<(Bound<'p, PyBytes>, usize)> {
        let requests = python.detach(|| match self.signal() {
            Some("logs") => logs::requests(&self.0),
            Some("metrics") => metrics::requests(&self.0, false),
            _ => spans::requests(&self.0),
        });
        requests
            .into_iter()
            .map(|(request, items)| (PyBytes::new(python, &request), items))
            .collect()
    }
}

/// Requests that are closed when they are long enough, and the numbers of their items.
struct Requests {
    encoder: Encoder,
    closed: Vec<(Vec<u8>, usize)>,
}

impl Requests {
    fn of(recording: &recording::Recording) -> Self {
        Self {
            encoder: encoder(recording),
            closed: Vec::new(),
        }
    }

    /// Where an item goes whose record has so many bytes.
    fn room_for(&mut self, bytes: usize) -> &mut Encoder {
        if self.encoder.len() + bytes + NAMES_BYTES > REQUEST_BYTES {
            self.close();
        }
        &mut self.encoder
    }

    fn close(&mut self) {
        let items = self.encoder.spans();
        if items > 0 {
            self.closed.push((self.encoder.finish(), items));
        }
    }

    fn finish(mut self) -> Vec<(Vec<u8>, usize)> {
        self.close();
        self.closed
    }
}

/// With the resource that was recorded last; with the service's name when there is none.
fn encoder(recording: &recording::Recording) -> Encoder {
    let table = TableOf(recording);
    let recorded = recording
        .entries()
        .filter(|(_, kind, _)| *kind == entry::RESOURCE)
        .filter_map(|(_, _, bytes)| ::spans::resource::decode(bytes).ok())
        .last();
    if let Some(resource) = recorded {
        return Encoder::new(&resource_message(&table, &resource), resource.schema_url);
    }
    let service = recording.identity().service.as_str();
    let named = ::spans::resource::encode("", |writer| {
        writer.attribute("service.name".into(), Value::Text(service.into()));
    });
    let message = named.and_then(|named| {
        let resource = ::spans::resource::decode(&named).ok()?;
        Some(resource_message(&table, &resource))
    });
    Encoder::new(&message.unwrap_or_default(), "")
}

/// Put the types and functions into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(folder::list_flights, module)?)?;
    module.add_function(wrap_pyfunction!(folder::sweep_flights, module)?)?;
    module.add_class::<Recording>()?;
    module.add_class::<folder::Claim>()
}
