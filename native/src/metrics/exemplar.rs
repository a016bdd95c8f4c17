//! Exemplars: measurements that point at the sampled span they were made in.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use retention::Verdict;
use wire::model::{Attributes, Exemplar, Number};

use crate::clock::wall_ns;
use crate::tracing::{span_of, verdict_of, SAMPLED};

/// Exemplars of one series: the latest of each magnitude, so that a slow outlier is not pushed out by many fast ones.
#[derive(Debug, Default)]
pub struct Reservoir(Vec<(i32, Exemplar, bool)>);

const CAPACITY: usize = 8;

/// The first, second, fourth … measurement after a collection is looked at, then every so many.
const LONGEST_INTERVAL: u32 = 1_024;

impl Reservoir {
    /// `own` are exemplars in spans of the native engine, which decides later whether their traces are kept.
    pub fn offer(&mut self, magnitude: i32, exemplar: Exemplar, own: bool) {
        if let Some(place) = self.0.iter_mut().find(|(key, ..)| *key == magnitude) {
            (place.1, place.2) = (exemplar, own);
            return;
        }
        if self.0.len() == CAPACITY {
            let oldest = (0..CAPACITY)
                .min_by_key(|index| self.0[*index].1.time_ns)
                .unwrap_or(0);
            self.0.swap_remove(oldest);
        }
        self.0.push((magnitude, exemplar, own));
    }

    /// The exemplars taken after a moment, oldest first; those only whose traces can be found.
    pub fn since(&self, time_ns: u64) -> Vec<Exemplar> {
        let mut found: Vec<Exemplar> = self
            .0
            .iter()
            .filter(|(_, exemplar, own)| {
                exemplar.time_ns > time_ns
                    && (!own || verdict_of(exemplar.trace_id) == Verdict::Kept)
            })
            .map(|(_, exemplar, _)| exemplar.clone())
            .collect();
        found.sort_by_key(|exemplar| exemplar.time_ns);
        found
    }
}

/// Which measurements are looked at: looking costs a hundred nanoseconds, passing one by costs none.
#[derive(Debug, Default)]
pub struct Countdown {
    left: AtomicU32,
    interval: AtomicU32,
}

impl Countdown {
    /// Whether this measurement is to be looked at.
    #[inline(always)]
    pub fn is_due(&self) -> bool {
        let left = self.left.load(Relaxed);
        self.left.store(left.wrapping_sub(1), Relaxed);
        left == 0
    }

    /// After a look: wait twice as long as the last time.
    pub fn wait_longer(&self) {
        let interval = self.interval.load(Relaxed);
        self.left.store(interval, Relaxed);
        self.interval
            .store((interval * 2 + 1).min(LONGEST_INTERVAL), Relaxed);
    }

    /// After a collection: look at the next measurement.
    pub fn restart(&self) {
        self.left.store(0, Relaxed);
        self.interval.store(0, Relaxed);
    }
}

/// The binary magnitude of a value: exemplars are kept by it.
pub fn magnitude(value: f64) -> i32 {
    let exponent = i32::try_from((value.to_bits() >> 52) & 0x7FF).unwrap_or(0);
    if value < 0.0 {
        -exponent
    } else {
        exponent
    }
}

/// OpenTelemetry's place for the current span.
struct SpanPlace {
    variable: Option<Py<PyAny>>,
    get_current: Py<PyAny>,
    key: Py<PyAny>,
}

static PLACE: PyOnceLock<Option<SpanPlace>> = PyOnceLock::new();

fn find_place(python: Python<'_>) -> PyResult<SpanPlace> {
    let context = python.import("opentelemetry.context")?;
    let runtime = context
        .getattr("_RUNTIME_CONTEXT")
        .and_then(|runtime| runtime.getattr("_current_context"));
    let variable = runtime.ok().filter(|variable| {
        // SAFETY: a live object; the macro only looks at its type.
        unsafe { pyo3::ffi::PyContextVar_CheckExact(variable.as_ptr()) != 0 }
    });
    Ok(SpanPlace {
        variable: variable.map(Bound::unbind),
        get_current: context.getattr("get_current")?.unbind(),
        key: python
            .import("opentelemetry.trace.propagation")?
            .getattr("_SPAN_KEY")?
            .unbind(),
    })
}

/// Trace and span id of the sampled span of a context, by default the current one, and whether it is the native
/// engine's.
pub fn sampled_span(
    python: Python<'_>,
    context: Option<Bound<'_, PyAny>>,
) -> Option<([u8; 16], [u8; 8], bool)> {
    let place = PLACE
        .get_or_init(python, || find_place(python).ok())
        .as_ref()?;
    let context = match context.filter(|context| !context.is_none()) {
        Some(context) => context,
        None => current_context(python, place)?,
    };
    let span = context.cast::<PyDict>().ok()?.get_item(&place.key).ok()??;
    // SAFETY: the GIL is held, and the span is alive.
    if let Some(own) = unsafe { span_of(span.as_ptr()) } {
        let ids = own.ids;
        let trace = u128::from(ids.trace[0]) << 64 | u128::from(ids.trace[1]);
        return (ids.flags & SAMPLED != 0)
            .then(|| (trace.to_be_bytes(), ids.span.to_be_bytes(), true));
    }
    let identity = span.call_method0("get_span_context").ok()?;
    let flags: u8 = identity.getattr("trace_flags").ok()?.extract().ok()?;
    let trace: u128 = identity.getattr("trace_id").ok()?.extract().ok()?;
    let span: u64 = identity.getattr("span_id").ok()?.extract().ok()?;
    (flags & 1 == 1 && trace != 0).then(|| (trace.to_be_bytes(), span.to_be_bytes(), false))
}

fn current_context<'p>(python: Python<'p>, place: &SpanPlace) -> Option<Bound<'p, PyAny>> {
    let Some(variable) = &place.variable else {
        return place.get_current.bind(python).call0().ok();
    };
    let mut found = std::ptr::null_mut();
    // SAFETY: checked to be a ContextVar; `found` is null or a new reference.
    unsafe {
        let result =
            pyo3::ffi::PyContextVar_Get(variable.as_ptr(), std::ptr::null_mut(), &raw mut found);
        if result < 0 {
            pyo3::ffi::PyErr_Clear();
        }
        Bound::from_owned_ptr_or_opt(python, found)
    }
}

/// An exemplar taken now.
pub fn taken_now(
    value: Number,
    (trace_id, span_id): ([u8; 16], [u8; 8]),
    filtered: Attributes,
) -> Exemplar {
    Exemplar {
        value,
        time_ns: wall_ns().unsigned_abs(),
        trace_id,
        span_id,
        filtered,
    }
}
