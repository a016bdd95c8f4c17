//! `EventReader`: the switches of recording and the answers it gives.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

use aggregate::window::Stats;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use ring::distribution::Content;
use ring::drain::{Drainer, Health};
use ring::series::Statistics;

use super::context::{low_half, Traces};
use super::recorder::Recorder;
use super::shared::{Reading, Shared};
use crate::clock::monotonic_ns;

/// Largest queue: 2^24 events, 512 MiB.
const MOST_EVENTS: usize = 1 << 24;

/// Measurements poured before other threads get a turn: a fifth of a millisecond.
const AT_ONCE: u64 = 20_000;

/// Reads the events that an `EventRecorder` writes, and tells it what to write.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct EventReader {
    recorder: Py<PyAny>,
    shared: Arc<Shared>,
}

impl EventReader {
    /// The reading of the queue, for the pump.
    pub fn task(&self) -> Reading {
        Reading(Arc::clone(&self.shared))
    }
}

#[pymethods]
impl EventReader {
    #[new]
    fn new(recorder: &Bound<'_, PyAny>) -> PyResult<Self> {
        let this = Recorder::of(recorder)
            .ok_or_else(|| PyTypeError::new_err("EventReader() needs an EventRecorder"))?;
        // SAFETY: the GIL is held and the recorder alive.
        let shared = unsafe { Arc::clone(&(*this).shared) };
        Ok(Self {
            recorder: recorder.clone().unbind(),
            shared,
        })
    }

    /// Take traces from the contexts of a variable, tasks and decorated functions from two callables.
    fn connect(
        &self,
        python: Python<'_>,
        variable: Option<Bound<'_, PyAny>>,
        span_key: &Bound<'_, PyAny>,
        own_key: &Bound<'_, PyAny>,
        owner: Py<PyAny>,
        decorate: Py<PyAny>,
    ) {
        let this = self.recorder(python);
        // SAFETY: the GIL is held; all objects are valid. What was there before is kept for good.
        unsafe {
            if let Some(variable) = variable {
                (*this)
                    .traces
                    .connect(variable.as_ptr(), span_key.as_ptr(), own_key.as_ptr());
            }
            (*this).owner = owner.into_ptr();
            (*this).decorate = decorate.into_ptr();
        }
    }

    /// Whether events are recorded.
    #[getter]
    fn enabled(&self) -> bool {
        self.shared.sampling.is_enabled()
    }

    /// Record, or do nothing.
    fn set_enabled(&self, enabled: bool) {
        self.shared.sampling.set_enabled(enabled);
    }

    /// The share of events taken while the load is low, and the events a second up to which it is low (0: always).
    fn set_sampling(&self, rate: f64, limit: f64) -> PyResult<()> {
        if !(0.0..=1.0).contains(&rate) || limit.is_nan() {
            return Err(PyValueError::new_err("a rate is between 0 and 1"));
        }
        self.shared.sampling.set_base(rate);
        self.shared.sampling.set_limit(limit);
        Ok(())
    }

    /// The base rate, the limit, and the rate in force.
    #[getter]
    fn sampling(&self) -> (f64, f64, f64) {
        let sampling = &self.shared.sampling;
        (sampling.base(), sampling.limit(), sampling.rate())
    }

    /// A budget for a stage in nanoseconds, or none.
    fn set_budget(&self, python: Python<'_>, event: u16, budget_ns: Option<u64>) {
        {
            let mut setup = self.shared.setup.lock();
            setup.options.budgets.retain(|&(id, _)| id != event);
            setup
                .options
                .budgets
                .extend(budget_ns.map(|budget_ns| (event, budget_ns)));
        }
        self.ask(python, |drainer| drainer.set_budget(event, budget_ns));
    }

    /// The name of an event in notices.
    fn set_name(&self, event: u16, name: &str) {
        self.shared.names.lock().insert(event, name.into());
    }

    /// Have a queue of another size, and a seed that makes sampling repeatable.
    #[pyo3(signature = (capacity, seed=None))]
    fn prepare(&self, python: Python<'_>, capacity: usize, seed: Option<u64>) -> PyResult<()> {
        if !(2..=MOST_EVENTS).contains(&capacity) {
            return Err(PyValueError::new_err(format!(
                "a queue holds 2 to {MOST_EVENTS} events"
            )));
        }
        let changed = {
            let mut setup = self.shared.setup.lock();
            let changed = setup.capacity != capacity || setup.seed != seed;
            (setup.capacity, setup.seed) = (capacity, seed);
            changed
        };
        let this = self.recorder(python);
        // SAFETY: the GIL is held. The next event opens the new queue, which reads this one to its end.
        unsafe {
            if let Some(old) = (*this).ring.take_if(|_| changed) {
                (*this).next_token = old.next_token();
            }
        }
        Ok(())
    }

    /// Take what is in the queue; budgets that were exceeded as (event, budget, violations, worst), nanoseconds.
    fn tick(&self, python: Python<'_>) -> Vec<(u16, u64, u64, u64)> {
        let mut told = Vec::new();
        python.detach(|| {
            let notice = |violation: ring::drain::Violation| {
                told.push((
                    violation.id,
                    violation.budget_ns,
                    violation.count,
                    violation.worst_ns,
                ));
            };
            self.shared.tick(monotonic_ns().unsigned_abs(), notice);
        });
        told
    }

    /// Everything about each event id seen, as dicts.
    fn statistics<'py>(&self, python: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let all = self.ask(python, |drainer| {
            drainer.drain();
            drainer.statistics()
        });
        all.iter()
            .flatten()
            .map(|series| as_dict(python, series))
            .collect()
    }

    /// How the queue does.
    fn health<'py>(&self, python: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let health = self.ask(python, |drainer| {
            drainer.drain();
            drainer.health()
        });
        let health = health.unwrap_or_else(|| Health {
            rate: self.shared.sampling.rate(),
            ..Health::default()
        });
        let dict = PyDict::new(python);
        dict.set_item("offered", health.offered)?;
        dict.set_item("skipped", health.skipped)?;
        dict.set_item("dropped", health.dropped)?;
        dict.set_item("invalid", self.shared.invalid.load(Relaxed))?;
        dict.set_item("drained", health.drained)?;
        dict.set_item("utilization", health.utilization)?;
        dict.set_item("capacity", health.capacity)?;
        dict.set_item("rate", health.rate)?;
        dict.set_item("open", health.open)?;
        dict.set_item("unmatched_ends", health.unmatched.ends)?;
        dict.set_item(
            "unmatched_starts",
            health.unmatched.expired + health.unmatched.evicted,
        )?;
        dict.set_item("backwards", health.unmatched.backwards)?;
        dict.set_item("chains", health.chains)?;
        dict.set_item("chains_completed", health.outcomes.completed)?;
        dict.set_item("chains_expired", health.outcomes.expired)?;
        dict.set_item("chains_evicted", health.outcomes.evicted)?;
        Ok(dict)
    }

    /// Times between stages of a trace: (from, to, whether it is the whole chain, distribution in seconds).
    fn ways<'py>(&self, python: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let ways = self.ask(python, |drainer| {
            drainer.drain();
            drainer.ways()
        });
        let ways = ways.iter().flatten();
        ways.map(|way| {
            (
                way.from,
                way.to,
                way.whole,
                distribution(python, &way.seconds)?,
            )
                .into_pyobject(python)
        })
        .collect()
    }

    /// The stages of a trace: (event, times it began or happened, nanoseconds since its first, since its last).
    fn explain(
        &self,
        python: Python<'_>,
        trace_id: &Bound<'_, PyAny>,
    ) -> Option<Vec<(u16, u32, u64, u64)>> {
        // SAFETY: a valid object; the GIL is held.
        let trace = unsafe { low_half(trace_id.as_ptr()) };
        let stages = self.ask(python, |drainer| {
            drainer.drain();
            drainer.explain(trace)
        })??;
        Some(
            stages
                .iter()
                .map(|stage| (stage.id, stage.events, stage.first, stage.last))
                .collect(),
        )
    }

    /// Durations since the last call by event: seconds that stand for a bucket each, with how often they were.
    fn fresh(&self, python: Python<'_>) -> Vec<(u16, Vec<(f64, u64)>)> {
        let fresh = self.ask(python, |drainer| {
            drainer.drain();
            drainer.fresh()
        });
        fresh.unwrap_or_default()
    }

    /// Record values, each as often as it says, in a bound histogram; whether it was one.
    #[staticmethod]
    fn pour(python: Python<'_>, values: Vec<(f64, u64)>, histogram: &Bound<'_, PyAny>) -> bool {
        let Some(cell) = crate::metrics::histogram_of(histogram) else {
            return false;
        };
        for (value, times) in values {
            let mut left = times;
            while left > 0 {
                let now = left.min(AT_ONCE);
                (0..now).for_each(|_| cell.record(value));
                left -= now;
                if left > 0 {
                    python.detach(std::thread::yield_now);
                }
            }
        }
        true
    }

    /// Count from zero.
    fn reset(&self, python: Python<'_>) {
        self.ask(python, Drainer::reset);
        self.shared.invalid.store(0, Relaxed);
        let this = self.recorder(python);
        // SAFETY: the GIL is held, the recorder alive.
        unsafe { Traces::forget(&raw mut (*this).traces) };
    }

    /// In the child of a fork: an empty queue, counts from zero, and no names.
    fn restart_in_child(&self, python: Python<'_>) {
        let this = self.recorder(python);
        // Only holders of the GIL lock this, so no other thread held it.
        let setup = self.shared.setup.lock().clone();
        self.shared.setup.renew(setup);
        self.shared.names.renew(HashMap::new());
        self.shared.drainer.renew(None);
        self.shared.invalid.store(0, Relaxed);
        // SAFETY: the GIL is held by the only thread there is.
        unsafe {
            if let Some(old) = (*this).ring.take() {
                (*this).next_token = old.next_token();
            }
        }
    }
}

impl EventReader {
    /// The writing side, to be followed as long as the GIL is held.
    fn recorder(&self, _: Python<'_>) -> *mut Recorder {
        self.recorder.as_ptr().cast()
    }

    /// Ask the reading side, without the GIL; nothing when there was no event yet.
    fn ask<T: Send>(
        &self,
        python: Python<'_>,
        question: impl FnOnce(&mut Drainer<aggregate::clock::Ticks>) -> T + Send,
    ) -> Option<T> {
        python.detach(|| self.shared.drainer.lock().as_mut().map(question))
    }
}

fn as_dict<'py>(python: Python<'py>, series: &Statistics) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(python);
    dict.set_item("event", series.id)?;
    dict.set_item("count", series.count)?;
    dict.set_item("rate", series.rate)?;
    dict.set_item("total", series.total)?;
    dict.set_item("last", series.last)?;
    dict.set_item("budget_ns", series.budget_ns)?;
    dict.set_item("violations", series.violations)?;
    let windows = series
        .windows
        .map(|windows| windows.map(|stats| window(python, &stats)));
    dict.set_item(
        "windows",
        windows
            .map(|[one, five, minute]| PyResult::Ok((one?, five?, minute?)))
            .transpose()?,
    )?;
    for (name, content) in [("seconds", &series.seconds), ("values", &series.values)] {
        let content = content
            .as_ref()
            .map(|content| distribution(python, content))
            .transpose()?;
        dict.set_item(name, content)?;
    }
    Ok(dict)
}

fn window<'py>(python: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(python);
    dict.set_item("count", stats.count)?;
    dict.set_item("rate", stats.rate())?;
    dict.set_item("mean", stats.mean().unwrap_or_default())?;
    dict.set_item("max", stats.max)?;
    let quantiles = stats.quantiles.map_or([0.0; 4], |known| {
        [known.p50, known.p95, known.p99, known.p999]
    });
    for (name, value) in ["p50", "p95", "p99", "p999"].into_iter().zip(quantiles) {
        dict.set_item(name, value)?;
    }
    Ok(dict)
}

fn distribution<'py>(python: Python<'py>, content: &Content) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(python);
    dict.set_item("count", content.count)?;
    dict.set_item("sum", content.sum)?;
    dict.set_item("min", content.min)?;
    dict.set_item("max", content.max)?;
    for (name, quantile) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)] {
        dict.set_item(name, content.quantile(quantile))?;
    }
    // Scale, values that are zero, and offset and counts of the buckets on either side.
    let (mut positive, mut negative) = (content.positive.clone(), content.negative.clone());
    let scale = match (positive.is_empty(), negative.is_empty()) {
        (_, true) => positive.scale,
        (true, false) => negative.scale,
        (false, false) => positive.scale.min(negative.scale),
    };
    for side in [&mut positive, &mut negative] {
        if side.is_empty() {
            side.clear(scale);
        } else {
            side.downscale_to(scale);
            side.trim();
        }
    }
    let buckets = (
        scale,
        content.zeros,
        (positive.offset, positive.counts),
        (negative.offset, negative.counts),
    );
    dict.set_item("buckets", buckets)?;
    Ok(dict)
}
