//! Recordings of other processes, as Python reads and recovers them.

#![allow(clippy::needless_pass_by_value)] // paths come from Python owned

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flight::folder::{self, Why};
use flight::recording::{self, State};
use flight::OpenSpan;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use spans::otlp::{resource_message, Changes, Encoder};
use spans::record::{entry, kind, marks, Attributes, Head, Table, Text, Value, View, Writer};

/// A request is closed before it is longer, bytes.
const REQUEST_BYTES: usize = 1 << 20;

/// What encoding may add to a record: names stand there by their ids.
const NAMES_BYTES: usize = 1 << 16;

const RECOVERED: &str = "otel_trading.recovered";
const UNFINISHED: &str = "otel_trading.unfinished";
const DIED: &str = "process died";
const ERROR: u8 = 2;

/// What a process recorded: of a dead one, of a living one at this moment, or a snapshot.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Recording(recording::Recording);

/// A recording that nobody else can recover meanwhile.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Claim(Mutex<Option<recording::Claim>>);

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
        last_ns(&self.0)
    }

    /// All spans that are there, oldest end first and open ones last.
    fn spans<'p>(&self, python: Python<'p>) -> PyResult<Bound<'p, PyList>> {
        let all = PyList::empty(python);
        for (position, span) in spans_of(&self.0) {
            all.append(self.shown(python, position, &span)?)?;
        }
        for open in unfinished(&self.0) {
            all.append(self.shown_open(python, open)?)?;
        }
        Ok(all)
    }

    /// What was not delivered, as requests and the numbers of their spans.
    ///
    /// Spans are marked as recovered; those that had not ended do so as errors, at the last moment that is known.
    fn requests<'p>(&self, python: Python<'p>) -> Vec<(Bound<'p, PyBytes>, usize)> {
        let requests = python.detach(|| requests(&self.0));
        requests
            .into_iter()
            .map(|(request, spans)| (PyBytes::new(python, &request), spans))
            .collect()
    }
}

impl Recording {
    fn shown<'p>(
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

    fn shown_open<'p>(&self, python: Python<'p>, open: &OpenSpan) -> PyResult<Bound<'p, PyDict>> {
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
                spans::scope::decode(bytes).map_or("?", |scope| scope.name)
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

#[pymethods]
impl Claim {
    /// Claim a recording; `None` when it is in use, being recovered, or gone.
    #[staticmethod]
    fn take(path: PathBuf) -> PyResult<Option<Self>> {
        let claim = recording::Claim::take(&path)?;
        Ok(claim.map(|claim| Self(Mutex::new(Some(claim)))))
    }

    /// Note in the file that all in it is recovered, and let go of it.
    fn recovered(&self) -> PyResult<()> {
        match self.held().take() {
            Some(claim) => Ok(claim.recovered()?),
            None => Ok(()),
        }
    }

    /// Let go of the file as it is.
    fn let_go(&self) {
        drop(self.held().take());
    }
}

impl Claim {
    fn held(&self) -> MutexGuard<'_, Option<recording::Claim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A recording of a folder: path, bytes, when it changed (seconds since 1970), whether it is in use, and process,
/// service, begin (nanoseconds) and state when its header can be read.
type Listed = (
    PathBuf,
    u64,
    f64,
    bool,
    Option<(u32, String, u64, &'static str)>,
);

fn listed(found: folder::Found) -> Listed {
    let changed = found.changed.duration_since(UNIX_EPOCH).unwrap_or_default();
    let header = found.header.map(|(identity, state)| {
        let started = identity.started_ns;
        (identity.pid, identity.service, started, name_of(state))
    });
    let changed = changed.as_secs_f64();
    (found.path, found.bytes, changed, found.in_use, header)
}

fn name_of(state: State) -> &'static str {
    match state {
        State::Unfinished => "unfinished",
        State::Clean => "clean",
        State::Recovered => "recovered",
        State::Snapshot => "snapshot",
    }
}

/// The recordings of a folder, oldest change first.
#[pyfunction]
pub fn list_flights(python: Python<'_>, folder: PathBuf) -> PyResult<Vec<Listed>> {
    let found = python.detach(|| folder::list(&folder))?;
    Ok(found.into_iter().map(listed).collect())
}

/// Delete old recordings: by age in seconds, then until the rest has no more bytes than the budget; path of each, and
/// whether what it held is lost.
#[pyfunction]
pub fn sweep_flights(
    python: Python<'_>,
    folder: PathBuf,
    budget: u64,
    max_age: f64,
) -> PyResult<Vec<(PathBuf, bool)>> {
    let max_age = Duration::try_from_secs_f64(max_age)
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    let swept = python.detach(|| folder::sweep(&folder, budget, max_age, SystemTime::now()))?;
    Ok(swept
        .into_iter()
        .map(|swept| (swept.found.path, swept.why == Why::Unrecovered))
        .collect())
}

/// Position and content of all spans that ended.
fn spans_of(recording: &recording::Recording) -> impl Iterator<Item = (u64, View<'_>)> {
    recording.records().filter_map(|record| {
        if record.kind != kind::SPAN {
            return None;
        }
        let view = View::parse(record.kind, record.body).ok()?;
        Some((record.position, view))
    })
}

/// The spans that had not ended: of one that just did there is a record, too.
fn unfinished(recording: &recording::Recording) -> impl Iterator<Item = &OpenSpan> {
    let ended: HashSet<[u8; 8]> = spans_of(recording)
        .map(|(_, span)| span.head().span_id)
        .collect();
    let open = recording.open_spans().iter();
    open.filter(move |open| !ended.contains(&open.span_id))
}

fn last_ns(recording: &recording::Recording) -> u64 {
    let ends = spans_of(recording).map(|(_, span)| span.head().end_ns);
    let begins = recording.open_spans().iter().map(|open| open.start_ns);
    ends.chain(begins).max().unwrap_or(0)
}

fn requests(recording: &recording::Recording) -> Vec<(Vec<u8>, usize)> {
    let table = TableOf(recording);
    let mut encoder = encoder(recording);
    let mut requests = Vec::new();
    let mut close = |encoder: &mut Encoder| {
        let spans = encoder.spans();
        if spans > 0 {
            requests.push((encoder.finish(), spans));
        }
    };
    let recovered = [(RECOVERED, Value::Bool(true))];
    let changes = Changes {
        trace_state: None,
        attributes: &recovered,
    };
    for record in recording.undelivered() {
        if record.kind != kind::SPAN {
            continue;
        }
        let Ok(span) = View::parse(record.kind, record.body) else {
            continue;
        };
        if encoder.len() + record.body.len() + NAMES_BYTES > REQUEST_BYTES {
            close(&mut encoder);
        }
        encoder.add(&table, &span, &changes);
    }
    let last = last_ns(recording);
    let changes = Changes {
        trace_state: None,
        attributes: &[recovered[0], (UNFINISHED, Value::Bool(true))],
    };
    let mut buffer = [0; 256];
    for open in unfinished(recording) {
        let Some(length) = write_open(&mut buffer, open, last) else {
            continue;
        };
        if let Ok(span) = View::parse(kind::SPAN, &buffer[..length]) {
            if encoder.len() + NAMES_BYTES > REQUEST_BYTES {
                close(&mut encoder);
            }
            encoder.add(&table, &span, &changes);
        }
    }
    close(&mut encoder);
    requests
}

/// The record of a span that ended with its process.
fn write_open(buffer: &mut [u8], open: &OpenSpan, last_ns: u64) -> Option<usize> {
    let mut writer = Writer::new(buffer);
    writer.head(&Head {
        trace_id: open.trace_id,
        span_id: open.span_id,
        parent_id: open.parent_id,
        start_ns: open.start_ns,
        end_ns: last_ns.max(open.start_ns),
        name: Text::Known(open.name),
        scope: open.scope,
        kind: 1,
        status: ERROR,
        trace_flags: 1,
        marks: marks::RECOVERED,
        ..Head::default()
    });
    writer.status_message(DIED.into());
    writer.finish()
}

/// With the resource that was recorded last; with the service's name when there is none.
fn encoder(recording: &recording::Recording) -> Encoder {
    let table = TableOf(recording);
    let recorded = recording
        .entries()
        .filter(|(_, kind, _)| *kind == entry::RESOURCE)
        .filter_map(|(_, _, bytes)| spans::resource::decode(bytes).ok())
        .last();
    if let Some(resource) = recorded {
        return Encoder::new(&resource_message(&table, &resource), resource.schema_url);
    }
    let service = recording.identity().service.as_str();
    let named = spans::resource::encode("", |writer| {
        writer.attribute("service.name".into(), Value::Text(service.into()));
    });
    let message = named.and_then(|named| {
        let resource = spans::resource::decode(&named).ok()?;
        Some(resource_message(&table, &resource))
    });
    Encoder::new(&message.unwrap_or_default(), "")
}
