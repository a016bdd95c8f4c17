//! Readers: what one receiver of metrics is subscribed to, and its collections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, TryLockError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use wire::model::{Metric, ScopeMetrics, Temporality};

use super::objects::instrument_of;
use super::registry::Core;
use super::snapshot::Snapshot;
use super::subscription::{Aggregation, Collection, Pause, Subscription};
use crate::clock::wall_ns;
use crate::gil::GilCell;

#[derive(Default)]
struct State {
    subscriptions: Vec<Subscription>,
    last_ns: u64,
}

/// One receiver's view of a registry, with its own temporality and kinds of histograms.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Reader {
    core: Arc<Core>,
    id: u64,
    keep_exemplars: bool,
    /// Subscriptions that the next collection takes up: an instrument made meanwhile never waits for one.
    incoming: GilCell<Vec<Subscription>>,
    closed: AtomicBool,
    state: Mutex<State>,
}

type Observations<'p> = Vec<(
    Bound<'p, PyAny>,
    Vec<(Bound<'p, PyAny>, Option<Bound<'p, PyAny>>)>,
)>;

#[pymethods]
impl Reader {
    /// Collect a stream from now on.
    #[pyo3(signature = (stream, aggregation, temporality, *, bounds=Vec::new(), max_size=160, max_scale=20, min_max=true))]
    #[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)] // keyword arguments of Python
    fn subscribe(
        &self,
        stream: usize,
        aggregation: &str,
        temporality: &str,
        bounds: Vec<f64>,
        max_size: u32,
        max_scale: i32,
        min_max: bool,
    ) -> PyResult<()> {
        let stream = self
            .core
            .stream(stream)
            .ok_or_else(|| PyValueError::new_err("no such stream"))?;
        let aggregation = match aggregation {
            "sum" => Aggregation::Sum,
            "last_value" => Aggregation::LastValue,
            "explicit" => Aggregation::Explicit(stream.ensure_bounds(&bounds).ok_or_else(busy)?),
            "exponential" => Aggregation::Exponential {
                max_size,
                max_scale,
            },
            other => return Err(PyValueError::new_err(format!("no aggregation {other:?}"))),
        };
        let temporality = match temporality {
            "delta" => Temporality::Delta,
            "cumulative" => Temporality::Cumulative,
            other => return Err(PyValueError::new_err(format!("no temporality {other:?}"))),
        };
        if temporality == Temporality::Delta {
            stream.add_delta_reader(self.id);
        }
        self.incoming
            .borrow()
            .map_err(|_| busy())?
            .push(Subscription {
                reader: self.id,
                stream,
                aggregation,
                temporality,
                min_max,
                previous: HashMap::new(),
                last_epoch: 0,
            });
        Ok(())
    }

    /// Collect nothing any more.
    fn close(&self) {
        self.closed.store(true, Relaxed);
        if let Ok(mut state) = self.try_state() {
            state.subscriptions.clear();
        }
    }

    /// Take the observers' values and copy every subscribed series; the GIL is given up every half millisecond.
    #[pyo3(signature = (observations=Vec::new(), time_ns=None))]
    #[allow(clippy::needless_pass_by_value)] // extracted from Python
    fn collect(
        &self,
        python: Python<'_>,
        observations: Observations<'_>,
        time_ns: Option<u64>,
    ) -> PyResult<Snapshot> {
        let mut state = self.try_state()?;
        let state = &mut *state;
        let epoch = self.core.next_epoch();
        state
            .subscriptions
            .extend(self.incoming.borrow().map_err(|_| busy())?.drain(..));
        let closed = self.closed.load(Relaxed);
        state
            .subscriptions
            .retain(|subscription| !closed && !subscription.stream.is_dropped());
        for (object, values) in &observations {
            let Some(instrument) = instrument_of(object) else {
                continue;
            };
            for (value, attributes) in values {
                // SAFETY: live objects; the attributes are null or any object.
                unsafe {
                    if let Some(amount) = instrument.amount(value.as_ptr()) {
                        let attributes = attributes
                            .as_ref()
                            .map_or(std::ptr::null_mut(), pyo3::Bound::as_ptr);
                        instrument.observe(epoch, amount, attributes);
                    }
                }
            }
        }
        let now = time_ns.unwrap_or_else(|| wall_ns().unsigned_abs());
        let collection = Collection {
            python,
            epoch,
            now,
            last: state.last_ns,
            reader: self.id,
            exemplars_since: if self.keep_exemplars {
                0
            } else {
                state.last_ns
            },
            gauge_ttl_ns: self.core.gauge_ttl_ns(),
        };
        let mut found: Vec<(usize, usize, Metric)> = Vec::new();
        // Observers first and without a pause: another reader's values must not come between.
        for asynchronous in [true, false] {
            let mut pause = Pause::new(!asynchronous);
            for (order, subscription) in state.subscriptions.iter_mut().enumerate() {
                if subscription.stream.spec.asynchronous == asynchronous {
                    if let Some(metric) = subscription.collect(&collection, &mut pause) {
                        found.push((subscription.stream.spec.scope, order, metric));
                    }
                }
            }
        }
        state.last_ns = now;
        found.sort_by_key(|(scope, order, _)| (*scope, *order));
        let mut scopes: Vec<(usize, ScopeMetrics)> = Vec::new();
        for (scope, _, metric) in found {
            match scopes.last_mut() {
                Some((last, metrics)) if *last == scope => metrics.metrics.push(metric),
                _ => scopes.push((
                    scope,
                    ScopeMetrics {
                        scope: self.core.scope(scope),
                        metrics: vec![metric],
                    },
                )),
            }
        }
        Ok(Snapshot::new(scopes))
    }
}

fn busy() -> PyErr {
    PyRuntimeError::new_err("a collection of this reader is running")
}

impl Reader {
    pub fn new(core: Arc<Core>, keep_exemplars: bool) -> Self {
        let id = core.shared.next_id();
        Self {
            core,
            id,
            keep_exemplars,
            incoming: GilCell::default(),
            closed: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Never waits: a collection gives up the GIL while it holds the state.
    fn try_state(&self) -> PyResult<std::sync::MutexGuard<'_, State>> {
        match self.state.try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => Err(busy()),
        }
    }
}
