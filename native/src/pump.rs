//! The pump as Python sees it: a thread of Python's that spends its life here, without the GIL.

use std::sync::Arc;
use std::time::Duration;

use aggregate::fork::Renewable;
use aggregate::pump::{Notice, Pump as Inner, Task, Wake, INTERVAL_NS};
use aggregate::window::{Span, Stats};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::clock::monotonic_ns;
use crate::events::EventReader;
use crate::gil::GilCell;
use crate::measurements::Measurements;
use crate::metrics::watch::Watch;
use crate::tracing::Traces;

const NANOSECONDS: f64 = 1e9;

/// Looks after watched histograms and other work every 100 ms.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Pump {
    inner: Inner,
    /// What Python registered; survives a fork, where the lock of `watches` may not.
    registered: GilCell<Vec<Arc<Watch>>>,
    watches: Arc<Renewable<Vec<Arc<Watch>>>>,
    events: GilCell<Vec<Py<EventReader>>>,
    traces: GilCell<Vec<Py<Traces>>>,
    measurements: GilCell<Vec<Py<Measurements>>>,
}

/// Ticks the watched histograms.
struct Watching(Arc<Renewable<Vec<Arc<Watch>>>>);

impl Task for Watching {
    fn tick(&mut self, now_ns: u64, notices: &mut Vec<Notice>) {
        aggregate::clock::calibrate();
        let watches = self.0.lock().clone();
        for watch in watches {
            if let Some(excess) = watch.tick(now_ns) {
                notices.push(Notice::OverBudget {
                    timer: Arc::clone(watch.name()),
                    excess,
                });
            }
        }
    }
}

/// What is to be told: a text about somebody, or (name, violations, worst, budget) in seconds.
type Told = (String, Option<String>, u64, f64, f64);

#[pymethods]
impl Pump {
    #[new]
    fn new() -> Self {
        let pump = Self {
            inner: Inner::new(INTERVAL_NS),
            registered: GilCell::default(),
            watches: Arc::new(Renewable::new(Vec::new())),
            events: GilCell::default(),
            traces: GilCell::default(),
            measurements: GilCell::default(),
        };
        pump.inner
            .add_task(Box::new(Watching(Arc::clone(&pump.watches))));
        pump
    }

    /// Read the events of a recorder, too.
    fn add_events(&self, reader: Bound<'_, EventReader>) -> PyResult<()> {
        self.inner.add_task(Box::new(reader.get().task()));
        self.events
            .borrow()
            .map_err(|_| busy())?
            .push(reader.unbind());
        Ok(())
    }

    /// Read the spans of a provider, too.
    fn add_traces(&self, traces: Bound<'_, Traces>) -> PyResult<()> {
        self.inner.add_task(Box::new(traces.get().task()));
        self.traces
            .borrow()
            .map_err(|_| busy())?
            .push(traces.unbind());
        Ok(())
    }

    /// Record measurements, too.
    fn add_measurements(&self, measurements: Bound<'_, Measurements>) -> PyResult<()> {
        self.inner.add_task(Box::new(measurements.get().task()));
        self.measurements
            .borrow()
            .map_err(|_| busy())?
            .push(measurements.unbind());
        Ok(())
    }

    /// Look after a bound histogram of durations in seconds.
    fn watch(&self, histogram: &Bound<'_, PyAny>, name: &str) -> PyResult<HistogramWatch> {
        let cell = crate::metrics::histogram_of(histogram)
            .ok_or_else(|| PyTypeError::new_err("watch() needs a bound histogram"))?;
        let watch = Arc::new(Watch::new(name, cell, now()));
        self.change(|watches| watches.push(Arc::clone(&watch)))?;
        Ok(HistogramWatch(watch))
    }

    /// Look after it no longer.
    fn forget(&self, watch: &HistogramWatch) -> PyResult<()> {
        self.change(|watches| watches.retain(|known| !Arc::ptr_eq(known, &watch.0)))
    }

    /// Change the time between two ticks, seconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
    fn set_interval(&self, seconds: f64) {
        self.inner.set_interval((seconds * NANOSECONDS) as u64);
    }

    /// Work until there is something to tell, `timeout` seconds are over or `stop` was called (then `None`).
    fn run(&self, python: Python<'_>, timeout: f64) -> PyResult<Option<Vec<Told>>> {
        let timeout = Duration::try_from_secs_f64(timeout)
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut notices = Vec::new();
        let wake = python.detach(|| self.inner.run_until(timeout, &mut notices));
        Ok((wake != Wake::Stopped).then(|| notices.into_iter().map(told).collect()))
    }

    /// One round, now.
    fn tick(&self, python: Python<'_>) -> Vec<Told> {
        let mut notices = Vec::new();
        python.detach(|| self.inner.tick(now(), &mut notices));
        notices.into_iter().map(told).collect()
    }

    /// Make `run` return, now and until `resume`.
    fn stop(&self) {
        self.inner.stop();
    }

    /// Let `run` work again.
    fn resume(&self) {
        self.inner.resume();
    }

    /// In a forked child: go on with new locks, nothing measured.
    fn reset_in_child(&self, python: Python<'_>) -> PyResult<()> {
        let registered = self.registered.borrow().map_err(|_| busy())?;
        for watch in registered.iter() {
            watch.renew(now());
        }
        self.watches.renew(registered.clone());
        self.inner.reset_after_fork(INTERVAL_NS);
        self.inner
            .add_task(Box::new(Watching(Arc::clone(&self.watches))));
        for reader in self.events.borrow().map_err(|_| busy())?.iter() {
            self.inner
                .add_task(Box::new(reader.bind(python).get().task()));
        }
        for traces in self.traces.borrow().map_err(|_| busy())?.iter() {
            self.inner
                .add_task(Box::new(traces.bind(python).get().task()));
        }
        for measurements in self.measurements.borrow().map_err(|_| busy())?.iter() {
            let measurements = measurements.bind(python).get();
            measurements.reset_in_child();
            self.inner.add_task(Box::new(measurements.task()));
        }
        Ok(())
    }
}

impl Pump {
    fn change(&self, how: impl FnOnce(&mut Vec<Arc<Watch>>)) -> PyResult<()> {
        let mut registered = self.registered.borrow().map_err(|_| busy())?;
        how(&mut registered);
        self.watches.lock().clone_from(&registered);
        Ok(())
    }
}

fn busy() -> PyErr {
    PyRuntimeError::new_err("the pump is in use")
}

fn now() -> u64 {
    monotonic_ns().unsigned_abs()
}

fn told(notice: Notice) -> Told {
    match notice {
        Notice::OverBudget { timer, excess } => (
            timer.to_string(),
            None,
            excess.violations,
            excess.worst,
            excess.budget,
        ),
        Notice::Message { source, text } => (source.to_string(), Some(text), 0, 0.0, 0.0),
    }
}

/// A histogram under watch.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct HistogramWatch(Arc<Watch>);

/// Seconds covered, count, sum, max, and p50, p95, p99, p99.9 when there was a measurement.
type Summary = (f64, u64, f64, f64, Option<(f64, f64, f64, f64)>);

#[pymethods]
impl HistogramWatch {
    /// The last 1, 5 or 60 seconds, or everything.
    #[pyo3(signature = (window=None))]
    fn stats(&self, python: Python<'_>, window: Option<u64>) -> PyResult<Summary> {
        let span = match window {
            None => None,
            Some(seconds) => Some(
                Span::of_seconds(seconds)
                    .ok_or_else(|| PyValueError::new_err("a window is 1, 5 or 60 seconds"))?,
            ),
        };
        let Stats {
            seconds,
            count,
            sum,
            max,
            quantiles,
        } = python.detach(|| self.0.stats(span, now()));
        let quantiles = quantiles.map(|q| (q.p50, q.p95, q.p99, q.p999));
        Ok((seconds, count, sum, max, quantiles))
    }

    /// Measurements longer than this many seconds are violations; `None` for no budget.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
    fn set_budget(&self, seconds: Option<f64>) {
        self.0
            .cell()
            .budget
            .set(seconds.map(|seconds| (seconds * NANOSECONDS) as u64));
    }

    /// The budget in seconds.
    #[getter]
    fn budget(&self) -> Option<f64> {
        Some(self.0.cell().budget.seconds()).filter(|budget| budget.is_finite())
    }

    /// Measurements that were longer than the budget.
    #[getter]
    fn violations(&self) -> u64 {
        self.0.cell().budget.violations()
    }
}

/// Put the types into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<HistogramWatch>()?;
    module.add_class::<Pump>()
}
