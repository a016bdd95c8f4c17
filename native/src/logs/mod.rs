//! Log records: each stands in a ring in a file until it is delivered, so that it outlives a process that is killed.

mod tape;
mod written;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;

use flight::Layout;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use spans::record::{log_marks, uid, LogHead};

use crate::flights::{recorder, Files};
use crate::gil::GilCell;
use crate::tracing::written::{write_entries, InFull};
use tape::{Tape, Written};
use written::Parts;

/// Bytes for names, keys and scopes.
const TABLE: usize = 1 << 18;

/// Where the log records of this process are recorded.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Logs(GilCell<State>);

struct State {
    /// Tells the records of this process from those of others.
    prefix: u64,
    /// The number of the last record.
    sequence: u64,
    ring: usize,
    files: Option<Files>,
    /// The resource as an entry of a ring's table.
    described: Vec<u8>,
    /// The scopes that are known, as entries.
    scopes: Vec<Vec<u8>>,
    tape: Option<Tape>,
    /// Those that were recorded into before, and hold what is not delivered.
    older: Vec<Tape>,
    /// Whether the ring is made with the next record.
    late: bool,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    written: u64,
    /// Records that had to go before they were delivered: important ones, and others.
    overwritten: [u64; 2],
    /// Others that were not recorded, because they would have taken the room of important ones.
    left_out: u64,
    /// Records that could not be written.
    unwritable: u64,
}

impl State {
    fn open(&mut self) -> std::io::Result<()> {
        let files = self.files.as_ref();
        let tape = match files {
            Some(_) => Some(Tape::new(
                recorder(&layout(self.ring), files, "logs")?,
                &self.described,
            )),
            None => None,
        };
        self.late = false;
        if let Some(old) = std::mem::replace(&mut self.tape, tape) {
            if !old.finish() {
                self.older.push(old);
            }
        }
        Ok(())
    }

    #[cold]
    fn open_late(&mut self) {
        self.files.iter().for_each(Files::sweep);
        if self.open().is_err() {
            (self.files, self.late) = (None, false);
        }
    }
}

fn layout(ring: usize) -> Layout {
    Layout {
        ring,
        table: TABLE,
        slots: 1,
    }
}

/// Different in each process, also in two children of the same parent.
fn prefix() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_i64(crate::clock::wall_ns());
    hasher.finish()
}

#[pymethods]
impl Logs {
    #[new]
    fn new() -> Self {
        Self(GilCell::new(State {
            prefix: prefix(),
            sequence: 0,
            ring: 0,
            files: None,
            described: Vec::new(),
            scopes: Vec::new(),
            tape: None,
            older: Vec::new(),
            late: false,
            counts: Counts::default(),
        }))
    }

    /// Record into a new ring of so many bytes in a file of this folder; without a folder no longer.
    ///
    /// Forked children keep the folder within a budget of bytes: each leaves a file when it does not end in order.
    fn record(
        &self,
        ring: usize,
        folder: Option<PathBuf>,
        service: &str,
        instance: [u8; 16],
        budget: u64,
    ) -> PyResult<()> {
        let mut state = self.state()?;
        state.ring = ring;
        state.files = folder.map(|folder| Files {
            folder,
            service: service.to_owned(),
            instance,
            budget,
        });
        Ok(state.open()?)
    }

    /// The resource of all records from here on.
    fn describe(&self, schema_url: &str, attributes: &Bound<'_, PyDict>) -> PyResult<()> {
        let described = spans::resource::encode(schema_url, |writer| {
            // SAFETY: a dict of cleaned values.
            unsafe { write_entries(writer, &mut InFull, attributes.as_ptr(), 0) };
        });
        let described =
            described.ok_or_else(|| PyValueError::new_err("the resource is too large"))?;
        let mut state = self.state()?;
        if let Some(tape) = &state.tape {
            tape.describe(&described);
        }
        state.described = described;
        Ok(())
    }

    /// The number of a new scope.
    fn scope(
        &self,
        name: &str,
        version: &str,
        schema_url: &str,
        attributes: &Bound<'_, PyDict>,
    ) -> PyResult<usize> {
        let described = spans::scope::encode(name, version, schema_url, |writer| {
            // SAFETY: a dict of cleaned values.
            unsafe { write_entries(writer, &mut InFull, attributes.as_ptr(), 0) };
        });
        let mut state = self.state()?;
        state.scopes.push(described.unwrap_or_default());
        Ok(state.scopes.len() - 1)
    }

    /// Record a log record; its number, 0 when nothing is recorded. Body and attributes are cleaned values.
    #[pyo3(signature = (
        important, time_ns, observed_ns, severity, severity_text, body, trace_id, span_id, flags, event_name,
        attributes, scope
    ))]
    #[allow(clippy::too_many_arguments)] // a call with fewer would cost more
    fn write(
        &self,
        important: bool,
        time_ns: Option<u64>,
        observed_ns: Option<u64>,
        severity: u8,
        severity_text: Option<&Bound<'_, PyString>>,
        body: &Bound<'_, PyAny>,
        trace_id: Option<u128>,
        span_id: Option<u64>,
        flags: Option<u8>,
        event_name: Option<&Bound<'_, PyString>>,
        attributes: Option<&Bound<'_, PyDict>>,
        scope: usize,
    ) -> PyResult<u64> {
        let mut state = self.state()?;
        if state.late {
            state.open_late();
        }
        let State {
            prefix,
            sequence,
            scopes,
            tape: Some(tape),
            counts,
            ..
        } = &mut *state
        else {
            return Ok(0);
        };
        *sequence += 1;
        let head = LogHead {
            time_ns: time_ns.unwrap_or(0),
            observed_ns: observed_ns.unwrap_or(0),
            sequence: *sequence,
            prefix: *prefix,
            trace_id: trace_id.unwrap_or(0).to_be_bytes(),
            span_id: span_id.unwrap_or(0).to_be_bytes(),
            scope: tape.scope(scope, scopes),
            severity: severity.min(24),
            trace_flags: flags.unwrap_or(0),
            marks: if important { log_marks::IMPORTANT } else { 0 },
            ..LogHead::default()
        };
        let parts = Parts {
            severity_text: severity_text.map(Bound::as_ptr),
            event_name: event_name.map(Bound::as_ptr),
            body: body.as_ptr(),
            attributes: attributes.map(Bound::as_ptr),
        };
        // SAFETY: the GIL is held, and these are what they have to be.
        match unsafe { tape.write(head, &parts, important, &mut counts.overwritten) } {
            Written::Whole => counts.written += 1,
            Written::LeftOut => counts.left_out += 1,
            Written::Failed => counts.unwritable += 1,
        }
        Ok(*sequence)
    }

    /// The `log.record.uid` of a record, by its number.
    fn uid(&self, sequence: u64) -> PyResult<String> {
        Ok(uid(self.state()?.prefix, sequence))
    }

    /// All records up to this number are delivered, or safe elsewhere, or given up: they need not be recovered.
    fn settled(&self, upto: u64) -> PyResult<()> {
        let mut state = self.state()?;
        if let Some(tape) = &mut state.tape {
            tape.settle(upto);
        }
        state.older.retain_mut(|tape| {
            tape.settle(upto);
            !tape.finish()
        });
        Ok(())
    }

    /// The end of all recording: where everything is settled the recording is removed; whether it is so.
    fn finish(&self) -> PyResult<bool> {
        let mut state = self.state()?;
        state.older.retain(|tape| !tape.finish());
        let finished = state.tape.take_if(|tape| tape.finish()).is_some();
        let all = state.older.is_empty() && (finished || state.tape.is_none());
        Ok(all)
    }

    /// The file that is recorded into.
    #[getter]
    fn recording(&self) -> PyResult<Option<PathBuf>> {
        let state = self.state()?;
        let tape = state.tape.as_ref();
        Ok(tape.and_then(|tape| tape.recorder().path().cloned()))
    }

    /// Copy what is recorded now to a new file of the folder; its path, if anything is recorded.
    fn snapshot(
        &self,
        python: Python<'_>,
        folder: PathBuf,
        service: &str,
    ) -> PyResult<Option<PathBuf>> {
        let Some(recorder) = self.state()?.tape.as_ref().map(Tape::recorder) else {
            return Ok(None);
        };
        Ok(Some(python.detach(|| recorder.snapshot(folder, service))?))
    }

    /// Records that were written; that had to go before they were delivered, by lane; that were left out.
    fn counts<'p>(&self, python: Python<'p>) -> PyResult<Bound<'p, PyDict>> {
        let counts = PyDict::new(python);
        let state = self.state()?;
        let Counts {
            written,
            overwritten: [important, low],
            left_out,
            unwritable,
        } = state.counts;
        counts.set_item("written", written)?;
        counts.set_item("overwritten_important", important)?;
        counts.set_item("overwritten_low", low)?;
        counts.set_item("left_out", left_out)?;
        counts.set_item("unwritable", unwritable)?;
        Ok(counts)
    }

    /// In the child of a fork: begin with an own ring, once there is a record, and nothing counted.
    fn reset_in_child(&self) -> PyResult<()> {
        let mut state = self.state()?;
        let parents = state.older.drain(..).collect::<Vec<_>>();
        let parents = parents.into_iter().chain(state.tape.take());
        for tape in parents {
            // SAFETY: as in a child that was just forked: there is no other thread.
            unsafe { tape.recorder().flight.leave() };
        }
        state.prefix = prefix();
        state.counts = Counts::default();
        // Most children log nothing: the file is made with the first record.
        state.late = state.files.is_some();
        Ok(())
    }
}

impl Logs {
    fn state(&self) -> PyResult<std::cell::RefMut<'_, State>> {
        self.0
            .borrow()
            .map_err(|_| PyRuntimeError::new_err("the log recorder is in use"))
    }
}

/// Put the type into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Logs>()
}
