//! The registry: all instruments and series of one provider.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet};
use wire::model::{Identity, Scope};

use super::attributes::plain;
use super::cell::CellKind;
use super::histogram::Resolution;
use super::instrument::{Instrument, Kind};
use super::objects::{instrument_of, new_instrument};
use super::reader::Reader;
use super::shared::{ExemplarFilter, Shared, LOSSES};
use super::stream::{Stream, StreamSpec};
use super::tracking::Tracker;
use crate::gil::GilCell;

/// What readers need of a registry.
#[derive(Default)]
pub struct Core {
    pub shared: Arc<Shared>,
    streams: GilCell<Vec<Option<Arc<Stream>>>>,
    scopes: GilCell<Vec<Arc<Scope>>>,
    epoch: AtomicU64,
    gauge_ttl_ns: AtomicU64,
}

impl Core {
    pub fn stream(&self, index: usize) -> Option<Arc<Stream>> {
        self.streams.borrow().ok()?.get(index)?.clone()
    }

    pub fn scope(&self, index: usize) -> Arc<Scope> {
        self.scopes
            .borrow()
            .ok()
            .and_then(|scopes| scopes.get(index).cloned())
            .unwrap_or_default()
    }

    pub fn next_epoch(&self) -> u64 {
        self.epoch.fetch_add(1, Relaxed) + 1
    }

    pub fn gauge_ttl_ns(&self) -> u64 {
        self.gauge_ttl_ns.load(Relaxed)
    }

    fn all(&self) -> Vec<Arc<Stream>> {
        self.streams
            .borrow()
            .map(|streams| streams.iter().flatten().cloned().collect())
            .unwrap_or_default()
    }
}

const NANOSECONDS: f64 = 1e9;

/// All instruments and series of one provider.
#[pyclass(frozen, module = "otel_trading._native")]
#[derive(Default)]
pub struct Registry {
    core: Arc<Core>,
}

#[pymethods]
impl Registry {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Whether measurements are taken; off, every call returns at once.
    #[getter]
    fn get_enabled(&self) -> bool {
        self.core.shared.enabled.load(Relaxed)
    }

    #[setter]
    fn set_enabled(&self, enabled: bool) {
        self.core.shared.enabled.store(enabled, Relaxed);
    }

    /// Seconds after which a gauge that nobody sets is taken out; 0 is never.
    #[getter]
    #[allow(clippy::cast_precision_loss)] // seconds
    fn get_gauge_ttl(&self) -> f64 {
        self.core.gauge_ttl_ns() as f64 / NANOSECONDS
    }

    #[setter]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
    fn set_gauge_ttl(&self, seconds: f64) {
        self.core
            .gauge_ttl_ns
            .store((seconds * NANOSECONDS) as u64, Relaxed);
    }

    /// Which measurements may become exemplars: `trace_based`, `always_on` or `always_off`.
    #[getter]
    fn get_exemplars(&self) -> &'static str {
        match self.core.shared.exemplars() {
            ExemplarFilter::AlwaysOff => "always_off",
            ExemplarFilter::TraceBased => "trace_based",
            ExemplarFilter::AlwaysOn => "always_on",
        }
    }

    #[setter]
    fn set_exemplars(&self, filter: &str) -> PyResult<()> {
        self.core.shared.set_exemplars(match filter {
            "always_off" => ExemplarFilter::AlwaysOff,
            "trace_based" => ExemplarFilter::TraceBased,
            "always_on" => ExemplarFilter::AlwaysOn,
            other => {
                return Err(PyValueError::new_err(format!(
                    "no exemplar filter {other:?}"
                )))
            }
        });
        Ok(())
    }

    /// The functions that make a number, and attributes with a key, of objects that are no plain ones.
    fn set_slow_path(&self, number: Py<PyAny>, attributes: Py<PyAny>) {
        self.core.shared.set_hooks(number, attributes);
    }

    /// An instrumentation scope's id.
    fn scope(
        &self,
        name: String,
        version: String,
        schema_url: String,
        attributes: &Bound<'_, PyDict>,
    ) -> PyResult<usize> {
        let scope = Scope {
            name,
            version,
            schema_url,
            attributes: plain(attributes),
        };
        let mut scopes = self.core.scopes.borrow().map_err(|_| internal())?;
        if let Some(known) = scopes.iter().position(|known| **known == scope) {
            return Ok(known);
        }
        scopes.push(Arc::new(scope));
        Ok(scopes.len() - 1)
    }

    /// A new instrument, without streams: it drops what it measures until it gets one.
    fn instrument(
        &self,
        python: Python<'_>,
        kind: &str,
        scope: usize,
        name: String,
        unit: String,
    ) -> PyResult<Py<PyAny>> {
        let kind =
            Kind::parse(kind).ok_or_else(|| PyValueError::new_err(format!("no kind {kind:?}")))?;
        new_instrument(
            python,
            Arc::new(Instrument::new(
                Arc::clone(&self.core.shared),
                kind,
                scope,
                name,
                unit,
            )),
        )
    }

    /// Add a stream to an instrument: one view of it, with series of its own. Returns the stream's id.
    #[pyo3(signature = (
        instrument, name, description, cell, keys=None, cardinality_limit=2000, max_size=160, max_scale=20
    ))]
    #[allow(clippy::too_many_arguments)] // keyword arguments of Python
    fn stream(
        &self,
        instrument: &Bound<'_, PyAny>,
        name: String,
        description: String,
        cell: &str,
        keys: Option<Bound<'_, PyFrozenSet>>,
        cardinality_limit: usize,
        max_size: u32,
        max_scale: i8,
    ) -> PyResult<usize> {
        let instrument =
            instrument_of(instrument).ok_or_else(|| PyValueError::new_err("no instrument"))?;
        let cell = match cell {
            "sum" => CellKind::Sum,
            "last_value" => CellKind::LastValue,
            "histogram" => CellKind::Histogram,
            other => return Err(PyValueError::new_err(format!("no cell {other:?}"))),
        };
        let spec = StreamSpec {
            instrument: Arc::downgrade(&instrument),
            scope: instrument.scope,
            scope_itself: self.core.scope(instrument.scope),
            identity: Arc::new(Identity {
                name,
                description,
                unit: instrument.unit.clone(),
            }),
            cell,
            monotonic: instrument.kind.is_monotonic(),
            asynchronous: instrument.kind.is_asynchronous(),
            filter: keys.map(Bound::unbind),
            limit: cardinality_limit.max(2),
            resolution: Resolution {
                max_size,
                max_scale,
            },
        };
        let stream = Arc::new(Stream::new(spec, Arc::clone(&self.core.shared)));
        let index = {
            let mut streams = self.core.streams.borrow().map_err(|_| internal())?;
            streams.push(Some(Arc::clone(&stream)));
            streams.len() - 1
        };
        let mut own = instrument.streams();
        own.push(stream);
        instrument.set_streams(own);
        Ok(index)
    }

    /// Take a stream and its series away from its instrument.
    fn drop_stream(&self, stream: usize) -> PyResult<()> {
        let gone = {
            let mut streams = self.core.streams.borrow().map_err(|_| internal())?;
            streams.get_mut(stream).and_then(Option::take)
        };
        let Some(gone) = gone else { return Ok(()) };
        if let Some(instrument) = gone.spec.instrument.upgrade() {
            let rest = instrument
                .streams()
                .into_iter()
                .filter(|own| !Arc::ptr_eq(own, &gone))
                .collect();
            instrument.set_streams(rest);
        }
        gone.drop_out();
        Ok(())
    }

    /// A reader without subscriptions. One that keeps exemplars reports the latest ones at every collection.
    #[pyo3(signature = (keep_exemplars=false))]
    fn reader(&self, keep_exemplars: bool) -> Reader {
        Reader::new(Arc::clone(&self.core), keep_exemplars)
    }

    /// Measurements that were not taken as meant, by reason.
    fn dropped(&self, python: Python<'_>) -> PyResult<Py<PyDict>> {
        let dropped = PyDict::new(python);
        for (reason, count) in LOSSES.iter().zip(self.core.shared.lost()) {
            if count > 0 {
                dropped.set_item(reason, count)?;
            }
        }
        Ok(dropped.unbind())
    }

    /// Series of all streams.
    fn series(&self) -> usize {
        self.core.all().iter().map(|stream| stream.live()).sum()
    }

    /// Every series begins at zero, now, and nothing was lost.
    fn reset(&self) {
        self.core.shared.forget_lost();
        for stream in self.core.all() {
            stream.reset();
        }
    }

    /// In a forked child: as `reset`, and what other threads held there is given up.
    fn reset_in_child(&self) {
        // SAFETY: a child has one thread after a fork.
        unsafe { aggregate::exponential::reset_after_fork() };
        aggregate::clock::reset_after_fork();
        if let Ok(Some(tracker)) = self.core.shared.tracker.borrow().as_deref() {
            tracker.0.renew(Vec::new());
        }
        self.reset();
    }
}

impl Registry {
    /// Tell of all series, and of those that come.
    pub fn track(&self, tracker: &Arc<Tracker>) {
        if let Ok(mut known) = self.core.shared.tracker.borrow() {
            *known = Some(Arc::clone(tracker));
        }
        for stream in self.core.all() {
            stream.tell_all();
        }
    }
}

/// Keep a histogram's series, those that are made from now on, in up to `max_size` buckets at up to `max_scale`.
#[pyfunction]
pub fn refine(histogram: &Bound<'_, PyAny>, max_size: u32, max_scale: i8) -> PyResult<()> {
    let instrument =
        instrument_of(histogram).ok_or_else(|| PyValueError::new_err("no instrument"))?;
    instrument.refine(Resolution {
        max_size,
        max_scale,
    });
    Ok(())
}

fn internal() -> PyErr {
    pyo3::exceptions::PyRuntimeError::new_err("the registry is in use")
}
