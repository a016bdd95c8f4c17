//! Log records: each is written once, by the call that logs it, into a ring from which it is delivered; the ring is a
//! file, so that it outlives a process that is killed.

mod core;
mod fields;
mod hooks;
mod lanes;
mod log;
mod outlet;
mod tape;
mod written;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use spans::line::{Lines, LEVELS};
use spans::record::uid;

use self::core::{current_ids, ids_of, prefix, Core, Given, Taking, LOSSES};
use crate::clock::wall_ns;
use crate::flights::Files;
use crate::gil::GilCell;
use crate::tracing::hooks::Hooks as TracingHooks;
use crate::tracing::pairs::Limit;
use crate::tracing::written::{write_entries, InFull};
use crate::tracing::Ids;
use fields::Fields;
use hooks::Hooks;
use outlet::{Demand, Text, LANES};

/// What is needed again in the child of a fork.
#[derive(Default)]
struct Settings {
    demand: Demand,
    /// The resource as a message.
    resource: Vec<u8>,
    schema_url: String,
    lines: Lines,
}

/// Where the log records of this process go.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Logs {
    core: Arc<Core>,
    settings: GilCell<Settings>,
}

/// An encoded request and the records in it.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct LogBatch {
    #[pyo3(get)]
    request: Py<PyBytes>,
    #[pyo3(get)]
    lane: &'static str,
    records: usize,
    ticket: u64,
}

#[pymethods]
impl LogBatch {
    fn __len__(&self) -> usize {
        self.records
    }
}

/// Lines for the sinks.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct LogLines(Text);

#[pymethods]
impl LogLines {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Those of this severity and worse, and how many there are of each level.
    fn of<'p>(
        &self,
        python: Python<'p>,
        severity: u8,
    ) -> PyResult<(Bound<'p, PyBytes>, Bound<'p, PyDict>)> {
        let (bytes, numbers) = self.0.of(severity);
        let counts = PyDict::new(python);
        for (level, number) in LEVELS.iter().zip(numbers) {
            if number > 0 {
                counts.set_item(level, number)?;
            }
        }
        Ok((PyBytes::new(python, &bytes), counts))
    }
}

#[pymethods]
impl Logs {
    #[new]
    fn new() -> PyResult<Self> {
        TracingHooks::get()?;
        if !hooks::are_connected() {
            return Err(PyValueError::new_err("log records are not connected"));
        }
        Ok(Self {
            core: Arc::new(Core::new()),
            settings: GilCell::default(),
        })
    }

    // What logs

    /// Log a line; never raises, and waits for nothing.
    #[pyo3(signature = (
        severity, message, event=None, service=None, data=None, tags=None, *, time_ns=None, context=None,
        severity_text=None
    ))]
    #[allow(clippy::too_many_arguments)] // a call with fewer would cost more
    fn write(
        &self,
        severity: &Bound<'_, PyAny>,
        message: &Bound<'_, PyAny>,
        event: Option<&Bound<'_, PyAny>>,
        service: Option<&Bound<'_, PyAny>>,
        data: Option<&Bound<'_, PyAny>>,
        tags: Option<&Bound<'_, PyAny>>,
        time_ns: Option<&Bound<'_, PyAny>>,
        context: Option<&Bound<'_, PyAny>>,
        severity_text: Option<&Bound<'_, PyAny>>,
    ) {
        // SAFETY: the GIL is held, and the arguments live as long as the call.
        unsafe {
            if !self.core.takes() {
                return;
            }
            let severity: u8 = severity.extract().unwrap_or(9);
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let more = [event, service, data, tags, time_ns, context, severity_text];
                self.write_line(severity, message, more);
            }));
            if caught.is_err() {
                self.core.failed(severity);
            }
        }
    }

    /// Write a record of the OpenTelemetry API; its number, 0 when it is not written. Body and attributes are cleaned.
    #[pyo3(signature = (
        time_ns, observed_ns, severity, severity_text, body, trace_id, span_id, flags, event_name, attributes, scope
    ))]
    #[allow(clippy::too_many_arguments)] // a call with fewer would cost more
    fn emit(
        &self,
        time_ns: Option<u64>,
        observed_ns: Option<u64>,
        severity: u8,
        severity_text: Option<&Bound<'_, PyString>>,
        body: &Bound<'_, PyAny>,
        trace_id: Option<u128>,
        span_id: Option<u64>,
        flags: Option<u8>,
        event_name: Option<&Bound<'_, PyString>>,
        attributes: Option<&Bound<'_, PyAny>>,
        scope: usize,
    ) -> u64 {
        let trace = trace_id.unwrap_or(0);
        // SAFETY: the GIL is held, and the arguments live as long as the call.
        unsafe {
            if !self.core.hot().on {
                return 0;
            }
            let mut fields = Fields::default();
            if let Some(attributes) = attributes {
                fields.add_all(attributes.as_ptr(), self.core.hot().limit);
            }
            self.core.write(&Given {
                severity,
                severity_text: severity_text.map_or(std::ptr::null_mut(), Bound::as_ptr),
                event: event_name.map_or(std::ptr::null_mut(), Bound::as_ptr),
                body: body.as_ptr(),
                scope,
                time_ns: time_ns.unwrap_or(0),
                observed_ns: observed_ns.unwrap_or(0),
                #[allow(clippy::cast_possible_truncation)] // both halves are used
                ids: Ids {
                    trace: [(trace >> 64) as u64, trace as u64],
                    span: span_id.unwrap_or(0),
                    flags: flags.unwrap_or(0),
                },
                fields: &fields,
                tags: std::ptr::null_mut(),
            })
        }
    }

    /// A logger of a component.
    fn log(&self, python: Python<'_>, service: &Bound<'_, PyString>) -> PyResult<Py<PyAny>> {
        // SAFETY: the GIL is held, and it is a str.
        unsafe {
            let log = log::new(&self.core, service.as_ptr());
            Ok(Bound::from_owned_ptr_or_err(python, log)?.unbind())
        }
    }

    /// The number of a new scope.
    fn scope(
        &self,
        name: &str,
        version: &str,
        schema_url: &str,
        attributes: &Bound<'_, PyDict>,
    ) -> usize {
        let described = spans::scope::encode(name, version, schema_url, |writer| {
            // SAFETY: a dict of cleaned values.
            unsafe { write_entries(writer, &mut InFull, attributes.as_ptr(), 0) };
        });
        // SAFETY: the GIL is held.
        let hot = unsafe { self.core.hot() };
        hot.scopes.push(described.unwrap_or_default());
        hot.scopes.len() - 1
    }

    // How

    /// Whether anything is taken.
    #[getter]
    fn enabled(&self) -> bool {
        // SAFETY: the GIL is held.
        unsafe { self.core.hot() }.on
    }

    #[setter]
    fn set_enabled(&self, enabled: bool) {
        // SAFETY: the GIL is held.
        unsafe { self.core.hot() }.on = enabled;
    }

    /// The least severity that loggers without an own one take.
    #[getter]
    fn level(&self) -> u8 {
        // SAFETY: the GIL is held.
        unsafe { self.core.hot() }.level
    }

    #[setter]
    fn set_level(&self, severity: u8) {
        // SAFETY: the GIL is held.
        unsafe { self.core.hot() }.level = severity;
    }

    /// Attributes of a record, and the length of their texts; `None` is no limit.
    fn set_limits(&self, count: Option<usize>, length: Option<usize>) {
        // SAFETY: the GIL is held.
        unsafe { self.core.hot() }.limit = Limit {
            count: count.unwrap_or(usize::MAX),
            length: length.unwrap_or(usize::MAX),
        };
    }

    /// Who is called with each line, for the SDK's objects; `None` for nobody. When it is `alone` it is all that happens.
    fn set_observer(&self, observer: Option<Bound<'_, PyAny>>, alone: bool) {
        let observer = observer.map_or(std::ptr::null_mut(), Bound::into_ptr);
        // SAFETY: the GIL is held; the old one is let go last.
        unsafe {
            self.core.hot().alone = alone && !observer.is_null();
            let old = std::mem::replace(&mut self.core.hot().observer, observer);
            py::Py_XDECREF(old);
        }
    }

    /// Short keys of attributes, for the data of lines.
    #[getter]
    fn short_keys(&self) -> PyResult<Vec<(String, String)>> {
        let settings = self.settings()?;
        let pairs = settings.lines.short.iter();
        Ok(pairs
            .map(|(name, key)| (name.to_string(), key.to_string()))
            .collect())
    }

    #[allow(clippy::needless_pass_by_value)] // from Python
    fn set_short_keys(&self, python: Python<'_>, keys: Vec<(String, String)>) -> PyResult<()> {
        let boxed = || {
            keys.iter()
                .map(|(name, key)| (name.clone().into_boxed_str(), key.clone().into_boxed_str()))
        };
        self.settings()?.lines.short = boxed().collect();
        python.detach(|| self.core.outlet.set_short_keys(boxed()));
        Ok(())
    }

    /// Write into a new ring of so many bytes: in a file of this folder, or in memory. What the old one has is read.
    ///
    /// Forked children keep the folder within a budget of bytes: each leaves a file when it does not end in order.
    fn record(
        &self,
        python: Python<'_>,
        ring: usize,
        folder: Option<PathBuf>,
        service: &str,
        instance: [u8; 16],
        budget: u64,
    ) -> PyResult<()> {
        python.detach(|| self.core.outlet.drain(false));
        let files = folder.map(|folder| Files {
            folder,
            service: service.to_owned(),
            instance,
            budget,
        });
        // SAFETY: the GIL is held, and no Python code runs.
        unsafe {
            let hot = self.core.hot();
            let before = (hot.ring, std::mem::replace(&mut hot.files, files));
            hot.ring = ring;
            if let Err(error) = self.core.open() {
                (hot.ring, hot.files) = before;
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Whose records they are from here on; `service` is named in lines of no component.
    fn describe(
        &self,
        schema_url: &str,
        attributes: &Bound<'_, PyDict>,
        service: &str,
    ) -> PyResult<()> {
        let described = spans::resource::encode(schema_url, |writer| {
            // SAFETY: a dict of cleaned values.
            unsafe { write_entries(writer, &mut InFull, attributes.as_ptr(), 0) };
        });
        let described =
            described.ok_or_else(|| PyValueError::new_err("the resource is too large"))?;
        let decoded = spans::resource::decode(&described)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let message = spans::otlp::resource_message(&NoTable, &decoded);
        self.core.outlet.set_resource(&message, schema_url, service);
        // SAFETY: the GIL is held.
        let hot = unsafe { self.core.hot() };
        if let Some(tape) = &hot.tape {
            tape.describe(&described);
        }
        hot.described = described;
        let mut settings = self.settings()?;
        settings.resource = message;
        schema_url.clone_into(&mut settings.schema_url);
        service.clone_into(&mut settings.lines.service);
        Ok(())
    }

    /// Records of one request, and the least severity of a line; `None` where nobody wants them.
    fn set_demand(
        &self,
        python: Python<'_>,
        batch: Option<usize>,
        lines: Option<u8>,
    ) -> PyResult<()> {
        let demand = Demand { batch, lines };
        self.settings()?.demand = demand;
        python.detach(|| self.core.outlet.set_demand(demand));
        let wanted = batch.is_some() || lines.is_some();
        // SAFETY: the GIL is held.
        unsafe { self.core.hot() }.taking = if wanted {
            Taking::Written
        } else {
            Taking::Shown
        };
        Ok(())
    }

    /// Records that come from now on are lost, and counted as that.
    fn close(&self) {
        // SAFETY: the GIL is held.
        unsafe { self.core.hot() }.taking = Taking::TooLate;
    }

    /// Whether records that come are lost.
    #[getter]
    fn closed(&self) -> bool {
        // SAFETY: the GIL is held.
        unsafe { self.core.hot() }.taking == Taking::TooLate
    }

    // What delivers

    /// It is another thread's turn to deliver: its number, for `wait`.
    fn next_turn(&self) -> u64 {
        self.core.outlet.next_turn()
    }

    /// Read the ring until something is ready, `wake` is called, or so many seconds or the turn are over.
    fn wait(&self, python: Python<'_>, seconds: f64, turn: u64) -> PyResult<()> {
        let timeout = Duration::try_from_secs_f64(seconds.max(0.0))
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        python.detach(|| self.core.outlet.wait(timeout, turn));
        Ok(())
    }

    /// Have `wait` return.
    fn wake(&self) {
        self.core.outlet.wake();
    }

    /// Read the ring; with `rest` requests that are not full are ready, too.
    fn drain(&self, python: Python<'_>, rest: bool) {
        python.detach(|| self.core.outlet.drain(rest));
    }

    /// The oldest request.
    fn take(&self, python: Python<'_>) -> Option<LogBatch> {
        let batch = python.detach(|| self.core.outlet.take())?;
        Some(LogBatch {
            request: PyBytes::new(python, &batch.request).unbind(),
            lane: LANES[batch.lane],
            records: batch.records,
            ticket: batch.ticket,
        })
    }

    /// The lines that wait.
    fn take_lines(&self, python: Python<'_>) -> LogLines {
        LogLines(python.detach(|| self.core.outlet.take_text()))
    }

    /// Bytes of the ring that are not read.
    #[getter]
    fn unread(&self, python: Python<'_>) -> u64 {
        python.detach(|| self.core.outlet.unread())
    }

    /// A batch has arrived, or is safe elsewhere, or is given up: it need not be recovered.
    fn settled(&self, python: Python<'_>, batch: &LogBatch) {
        python.detach(|| self.core.outlet.settled(batch.ticket));
    }

    /// Records that were read and are in no request that was taken.
    #[getter]
    fn waiting(&self, python: Python<'_>) -> usize {
        python.detach(|| self.core.outlet.waiting())
    }

    /// The end of all recording: where everything is settled the recording is removed; whether it is so.
    fn finish(&self, python: Python<'_>) -> bool {
        python.detach(|| self.core.outlet.drain(false));
        // SAFETY: the GIL is held.
        let hot = unsafe { self.core.hot() };
        if hot.tape.as_ref().is_some_and(|tape| !tape.finish()) {
            return false;
        }
        if hot.tape.take().is_some() {
            self.core.outlet.use_ring(None);
        }
        true
    }

    /// The file that is written to.
    #[getter]
    fn recording(&self) -> Option<PathBuf> {
        // SAFETY: the GIL is held.
        let tape = unsafe { self.core.hot() }.tape.as_ref();
        tape.and_then(|tape| tape.progress.recorder.path().cloned())
    }

    /// Copy what is recorded now to a new file of the folder; its path, if anything is recorded.
    fn snapshot(
        &self,
        python: Python<'_>,
        folder: PathBuf,
        service: &str,
    ) -> PyResult<Option<PathBuf>> {
        // SAFETY: the GIL is held.
        let tape = unsafe { self.core.hot() }.tape.as_ref();
        let Some(recorder) = tape.map(|tape| Arc::clone(&tape.progress.recorder)) else {
            return Ok(None);
        };
        Ok(Some(python.detach(|| recorder.snapshot(folder, service))?))
    }

    /// The `log.record.uid` of a record, by its number.
    fn uid(&self, sequence: u64) -> String {
        // SAFETY: the GIL is held.
        uid(unsafe { self.core.hot() }.prefix, sequence)
    }

    /// Records that were handed in and read, and those that were lost by reason, lane and level.
    fn counts<'p>(&self, python: Python<'p>) -> PyResult<Bound<'p, PyDict>> {
        let (read, malformed) = python.detach(|| self.core.outlet.counted());
        // SAFETY: the GIL is held.
        let counted = unsafe { self.core.hot() }.counts;
        let counts = PyDict::new(python);
        counts.set_item("emitted", counted.emitted)?;
        counts.set_item("read", read)?;
        let lost = PyDict::new(python);
        for (reason, lanes) in LOSSES.iter().zip(counted.lost) {
            for (lane, levels) in LANES.iter().zip(lanes) {
                for (level, number) in LEVELS.iter().zip(levels) {
                    if number > 0 {
                        let key = PyTuple::new(python, [*reason, *lane, *level])?;
                        lost.set_item(key, number)?;
                    }
                }
            }
        }
        if malformed > 0 {
            lost.set_item(("malformed", LANES[0], ""), malformed)?;
        }
        counts.set_item("lost", lost)?;
        Ok(counts)
    }

    /// In the child of a fork: begin with an own ring, once there is a record, and nothing counted.
    fn reset_in_child(&self) -> PyResult<()> {
        // SAFETY: as in a child that was just forked: there is no other thread.
        unsafe {
            let hot = self.core.hot();
            let current = hot
                .tape
                .take()
                .map(|tape| Arc::clone(&tape.progress.recorder));
            let older = hot.older.drain(..).filter_map(|ring| ring.upgrade());
            for recorder in older.chain(current) {
                recorder.flight.leave();
            }
            hot.prefix = prefix();
            hot.counts = self::core::Counts::default();
        }
        let settings = self.settings()?;
        self.core.outlet.renew(
            settings.demand,
            &settings.resource,
            &settings.schema_url,
            settings.lines.clone(),
        );
        Ok(())
    }
}

impl Logs {
    fn settings(&self) -> PyResult<std::cell::RefMut<'_, Settings>> {
        self.settings
            .borrow()
            .map_err(|_| pyo3::exceptions::PyRuntimeError::new_err("the logs engine is in use"))
    }

    /// See `write`.
    unsafe fn write_line(
        &self,
        severity: u8,
        message: &Bound<'_, PyAny>,
        [event, service, data, tags, time_ns, context, severity_text]: [Option<&Bound<'_, PyAny>>;
            7],
    ) {
        let pointer =
            |given: Option<&Bound<'_, PyAny>>| given.map_or(std::ptr::null_mut(), Bound::as_ptr);
        unsafe {
            let core = &*self.core;
            let mut fields = Fields::with_capacity(16);
            // What may run Python code comes first; the data is only borrowed.
            let ids = match context {
                Some(context) => ids_of(context.as_ptr()),
                None => current_ids(),
            };
            let now = wall_ns().unsigned_abs();
            let time_ns = time_ns.and_then(|time| time.extract().ok()).unwrap_or(now);
            py::PyErr_Clear();
            let body = if py::PyUnicode_Check(message.as_ptr()) != 0 {
                message.as_ptr()
            } else {
                fields.keep(Hooks::connected().clean(message.as_ptr(), usize::MAX))
            };
            let event = log::text_or_null(&mut fields, pointer(event));
            let service = log::text_or_null(&mut fields, pointer(service));
            let tags = log::tags_of(&mut fields, pointer(tags));
            let called = log::text_or_null(&mut fields, pointer(severity_text));
            if let Some(data) = data {
                fields.add_all(data.as_ptr(), core.hot().limit);
            }
            let given = Given {
                severity,
                severity_text: if called.is_null() {
                    log::severity_text(severity)
                } else {
                    called
                },
                event,
                body,
                scope: core.scope_of(service),
                time_ns,
                observed_ns: now,
                ids,
                fields: &fields,
                tags,
            };
            core.take(&given, service);
        }
    }
}

/// Entries of the table stand in full.
struct NoTable;

impl spans::record::Table for NoTable {
    fn entry(&self, _: u32) -> Option<(u8, &[u8])> {
        None
    }
}

/// Put the types into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    log::register(module)?;
    module.add_function(wrap_pyfunction!(hooks::connect_logs, module)?)?;
    module.add_class::<LogBatch>()?;
    module.add_class::<LogLines>()?;
    module.add_class::<Logs>()
}
