//! The traces engine as Python's provider sees it.

use std::path::PathBuf;
use std::sync::Arc;

use flight::Layout;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::ffi as py;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use retention::{Mode, Policy};
use spans::record::entry;

use super::core::{Core, Ended, Kept, Limits, Sampling, LOSSES};
use super::hooks::{Hooks, FAILED};
use super::outlet::{Demand, Outlet, Tracing};
use super::pairs::Limit;
use super::tracer::new_tracer;
use super::written::{write_entries, InFull};
use crate::flights::{recorder, Files};
use crate::gil::GilCell;

/// What is needed again in the child of a fork.
struct Settings {
    policy: Policy,
    demand: Demand,
    ring: usize,
    files: Option<Files>,
    /// The resource as an entry of a ring's table, and as a message.
    described: Vec<u8>,
    resource: Vec<u8>,
    schema_url: String,
}

/// The state of a provider: what its tracers share, and where its spans go.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Traces {
    core: Arc<Core>,
    outlet: Arc<Outlet>,
    settings: GilCell<Settings>,
}

/// An encoded request and the spans in it.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct TraceBatch {
    #[pyo3(get)]
    request: Py<PyBytes>,
    spans: usize,
    ticket: u64,
}

#[pymethods]
impl TraceBatch {
    fn __len__(&self) -> usize {
        self.spans
    }
}

const SLOTS: usize = 4_096;
const TABLE: usize = 1 << 20;

fn layout(ring: usize) -> Layout {
    Layout {
        ring,
        table: TABLE,
        slots: SLOTS,
    }
}

#[pymethods]
impl Traces {
    /// A ring of so many bytes, a power of two, in memory.
    #[new]
    fn new(ring: usize) -> PyResult<Self> {
        Hooks::get()?;
        let recorder = recorder(&layout(ring), None, "")?;
        let core = Arc::new(Core::new(Arc::clone(&recorder.flight)));
        let policy = Policy {
            mode: Mode::All,
            ..Policy::default()
        };
        Ok(Self {
            outlet: Arc::new(Outlet::new(&core, recorder, policy.clone())),
            core,
            settings: GilCell::new(Settings {
                policy,
                demand: Demand::default(),
                ring,
                files: None,
                described: Vec::new(),
                resource: Vec::new(),
                schema_url: String::new(),
            }),
        })
    }

    /// Record into a new ring of so many bytes: a file of this folder, or memory. What the old one has is decided.
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
        let files = folder.map(|folder| Files {
            folder,
            service: service.to_owned(),
            instance,
            budget,
        });
        let recorder = recorder(&layout(ring), files.as_ref(), "")?;
        let mut settings = self.settings()?;
        (settings.ring, settings.files) = (ring, files);
        // SAFETY: the GIL is held, so that nobody writes to either ring.
        unsafe { self.core.use_ring(Arc::clone(&recorder.flight), false) };
        self.outlet.use_recorder(recorder);
        self.describe(&settings.described);
        Ok(())
    }

    /// The file that is recorded into, while there may be something to recover from it.
    #[getter]
    fn recording(&self) -> Option<PathBuf> {
        self.outlet.recorder().path().cloned()
    }

    /// Copy what is recorded now to a new file of the folder; its path.
    fn snapshot(&self, python: Python<'_>, folder: PathBuf, service: &str) -> PyResult<PathBuf> {
        let recorder = self.outlet.recorder();
        let path = python.detach(|| recorder.snapshot(folder, service))?;
        Ok(path)
    }

    /// After `close`: when everything has arrived the recording is removed; whether it is so.
    fn finish(&self, python: Python<'_>) -> bool {
        // SAFETY: as in `set_enabled`.
        unsafe { self.core.hot() }.ended == Ended::TooLate && python.detach(|| self.outlet.finish())
    }

    /// A tracer of a scope.
    #[allow(clippy::too_many_arguments)]
    fn tracer(
        &self,
        python: Python<'_>,
        scope: &Bound<'_, PyAny>,
        name: &str,
        version: &str,
        schema_url: &str,
        attributes: &Bound<'_, PyDict>,
        enabled: bool,
    ) -> PyResult<Py<PyAny>> {
        let described = spans::scope::encode(name, version, schema_url, |writer| {
            // SAFETY: a dict of cleaned values.
            unsafe { write_entries(writer, &mut InFull, attributes.as_ptr(), 0) };
        });
        let described = described
            .ok_or_else(|| PyValueError::new_err("the scope's attributes are too large"))?;
        new_tracer(python, &self.core, scope, described, enabled)
    }

    /// Whether spans are recorded.
    #[setter]
    fn set_enabled(&self, enabled: bool) {
        // SAFETY: the GIL is held, and no Python code runs here.
        unsafe { self.core.hot() }.enabled = enabled;
    }

    /// Spans that end from now on are lost, and counted as that.
    fn close(&self) {
        // SAFETY: as in `set_enabled`.
        unsafe { self.core.hot() }.ended = Ended::TooLate;
    }

    /// Whether spans that end are lost.
    #[getter]
    fn closed(&self) -> bool {
        // SAFETY: as in `set_enabled`.
        unsafe { self.core.hot() }.ended == Ended::TooLate
    }

    #[getter]
    fn enabled(&self) -> bool {
        // SAFETY: as in `set_enabled`.
        unsafe { self.core.hot() }.enabled
    }

    /// `on`, `off`, `parent_on`, or a sampler that is asked.
    fn set_sampler(&self, how: &Bound<'_, PyAny>) -> PyResult<()> {
        let known = match how.extract::<String>().as_deref() {
            Ok("on") => Some(Sampling::On),
            Ok("off") => Some(Sampling::Off),
            Ok("parent_on") => Some(Sampling::ParentOn),
            Ok(other) => return Err(PyValueError::new_err(format!("no such sampler: {other}"))),
            Err(_) => None,
        };
        // SAFETY: as in `set_enabled`; the old sampler is let go last.
        unsafe {
            let hot = self.core.hot();
            hot.sampling = known.unwrap_or(Sampling::Asked);
            let sampler = if known.is_some() {
                std::ptr::null_mut()
            } else {
                how.clone().into_ptr()
            };
            replace(|| &mut self.core.hot().sampler, sampler);
        }
        Ok(())
    }

    /// Where ids come from; `None` for the engine's own.
    fn set_id_generator(&self, generator: Option<Bound<'_, PyAny>>, random: bool) {
        // SAFETY: as in `set_sampler`.
        unsafe {
            self.core.hot().random_ids = random;
            let generator = generator.map_or(std::ptr::null_mut(), Bound::into_ptr);
            replace(|| &mut self.core.hot().generator, generator);
        }
    }

    /// opentelemetry-sdk's span processors, as one; `None` for none.
    fn set_processors(&self, processors: Option<Bound<'_, PyAny>>) {
        let processors = processors.map_or(std::ptr::null_mut(), Bound::into_ptr);
        // SAFETY: as in `set_sampler`.
        unsafe { replace(|| &mut self.core.hot().processors, processors) };
    }

    /// Counts and lengths; `None` is no limit.
    fn set_limits(
        &self,
        span: (Option<usize>, Option<usize>),
        event: (Option<usize>, Option<usize>),
        link: (Option<usize>, Option<usize>),
        events: Option<usize>,
        links: Option<usize>,
    ) {
        let limit = |(count, length): (Option<usize>, Option<usize>)| Limit {
            count: count.unwrap_or(usize::MAX),
            length: length.unwrap_or(usize::MAX),
        };
        // SAFETY: as in `set_enabled`.
        unsafe { self.core.hot() }.limits = Limits {
            span: limit(span),
            event: limit(event),
            link: limit(link),
            events: events.unwrap_or(usize::MAX),
            links: links.unwrap_or(usize::MAX),
        };
    }

    /// Whose spans they are, for receivers and as the object that spans show.
    fn set_resource(
        &self,
        schema_url: &str,
        attributes: &Bound<'_, PyDict>,
        resource: Bound<'_, PyAny>,
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
        self.describe(&described);
        self.outlet.set_resource(&message, schema_url);
        // SAFETY: as in `set_sampler`.
        unsafe { replace(|| &mut self.core.hot().resource, resource.into_ptr()) };
        let mut settings = self.settings()?;
        settings.described = described;
        settings.resource = message;
        schema_url.clone_into(&mut settings.schema_url);
        Ok(())
    }

    /// Which traces are kept: `all`, `budget` or `interesting`.
    #[pyo3(signature = (mode, *, spans_per_second=None, slow_percentile=None, slippage_bps=None, max_age=None))]
    fn set_policy(
        &self,
        python: Python<'_>,
        mode: &str,
        spans_per_second: Option<f64>,
        slow_percentile: Option<f64>,
        slippage_bps: Option<f64>,
        max_age: Option<f64>,
    ) -> PyResult<()> {
        let mut policy = Policy {
            mode: match mode {
                "all" => Mode::All,
                "budget" => Mode::Budget,
                "interesting" => Mode::Interesting,
                other => {
                    return Err(PyValueError::new_err(format!("no such retention: {other}")));
                }
            },
            ..Policy::default()
        };
        policy.spans_per_second = spans_per_second.unwrap_or(policy.spans_per_second);
        policy.slow_percentile = slow_percentile.unwrap_or(policy.slow_percentile);
        policy.slippage_bps = slippage_bps.unwrap_or(policy.slippage_bps);
        if let Some(seconds) = max_age {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
            {
                policy.max_age_ns = (seconds * 1e9) as u64;
            }
        }
        if self.settings()?.policy != policy {
            self.settings()?.policy = policy.clone();
            python.detach(|| self.outlet.set_policy(policy));
        }
        Ok(())
    }

    /// Whether there is a sender, the spans of one request, and those that may wait.
    fn set_demand(&self, wanted: bool, batch: usize, capacity: usize) -> PyResult<()> {
        let demand = Demand {
            wanted,
            batch,
            capacity,
        };
        self.settings()?.demand = demand;
        self.outlet.set_demand(demand);
        // SAFETY: as in `set_enabled`.
        unsafe { self.core.hot() }.ended = if wanted {
            Ended::Wanted
        } else {
            Ended::Unwanted
        };
        Ok(())
    }

    /// Read the ring and decide what can be decided.
    fn tick(&self, python: Python<'_>) {
        python.detach(|| self.outlet.tick());
    }

    /// Read the ring and decide everything.
    fn flush(&self, python: Python<'_>) {
        python.detach(|| self.outlet.flush());
    }

    /// The oldest request; with `rest` also one that is not full.
    fn take(&self, python: Python<'_>, rest: bool) -> Option<TraceBatch> {
        let batch = python.detach(|| self.outlet.take(rest))?;
        Some(TraceBatch {
            request: PyBytes::new(python, &batch.request).unbind(),
            spans: batch.spans,
            ticket: batch.ticket,
        })
    }

    /// Spans that are ready for a sender.
    fn ready(&self, python: Python<'_>) -> usize {
        python.detach(|| self.outlet.ready())
    }

    /// Whether there is a request that is full.
    fn full(&self, python: Python<'_>) -> bool {
        python.detach(|| self.outlet.full())
    }

    /// Let go of what is ready; how many spans.
    fn clear(&self, python: Python<'_>) -> usize {
        python.detach(|| self.outlet.clear())
    }

    /// A batch, and what came before it, has arrived or was refused.
    fn settled(&self, python: Python<'_>, batch: &TraceBatch) {
        python.detach(|| self.outlet.settled(batch.ticket));
    }

    /// Spans started; kept and dropped ones by reason; those that wait for a decision, and for the sender.
    fn counts<'p>(&self, python: Python<'p>) -> PyResult<Bound<'p, PyDict>> {
        let counted = python.detach(|| self.outlet.counted());
        let counts = PyDict::new(python);
        counts.set_item(
            "started",
            self.core.started.load(std::sync::atomic::Ordering::Relaxed),
        )?;
        let (kept, dropped) = (PyDict::new(python), PyDict::new(python));
        for (why, number) in counted.kept {
            kept.set_item(why, number)?;
        }
        for (reason, number) in counted.dropped {
            dropped.set_item(reason, number)?;
        }
        for (reason, number) in LOSSES.iter().zip(self.core.lost()) {
            dropped.set_item(reason, number)?;
        }
        counts.set_item("kept", kept)?;
        counts.set_item("dropped", dropped)?;
        counts.set_item(
            "failed_hooks",
            FAILED.load(std::sync::atomic::Ordering::Relaxed),
        )?;
        counts.set_item("pending", counted.pending)?;
        counts.set_item("waiting", counted.waiting)?;
        Ok(counts)
    }

    /// In the child of a fork: begin with an own ring, own ids and nothing counted.
    ///
    /// The ring is a file when the parent's is one; where that fails, it is memory.
    fn reset_in_child(&self) -> PyResult<()> {
        // SAFETY: the GIL is held, and there is no other thread.
        unsafe {
            let parents = Arc::clone(&self.core.hot().flight);
            let settings = self.settings()?;
            let layout = layout(settings.ring);
            settings.files.iter().for_each(Files::sweep);
            let recorder = recorder(&layout, settings.files.as_ref(), "")
                .or_else(|_| recorder(&layout, None, ""))?;
            self.core.use_ring(Arc::clone(&recorder.flight), true);
            self.describe(&settings.described);
            self.core.hot().ids.reseed();
            self.core.wall.anchor();
            self.core.forget_counts();
            self.outlet.renew(
                recorder,
                settings.policy.clone(),
                settings.demand,
                &settings.resource,
                &settings.schema_url,
            );
            parents.leave();
        }
        Ok(())
    }
}

impl Traces {
    fn settings(&self) -> PyResult<std::cell::RefMut<'_, Settings>> {
        self.settings
            .borrow()
            .map_err(|_| PyRuntimeError::new_err("the traces engine is in use"))
    }

    /// Have the ring say whose spans they are.
    fn describe(&self, resource: &[u8]) {
        // SAFETY: as in `set_enabled`. Without an entry the service's name has to do.
        let _full = unsafe { self.core.hot().flight.define(entry::RESOURCE, resource) };
    }

    /// How long spans took so far.
    pub fn durations(&self, bounds: Option<&Arc<[f64]>>) -> Option<wire::model::Metric> {
        self.outlet.durations(bounds)
    }

    /// What the pump does for it.
    pub fn task(&self) -> Tracing {
        Tracing(Arc::clone(&self.outlet))
    }
}

/// Exchange a reference; the old one is let go when nothing is borrowed any more, since that may run Python code.
unsafe fn replace<'a>(place: impl FnOnce() -> &'a mut Kept, new: *mut py::PyObject) {
    let old = std::mem::replace(&mut place().0, new);
    unsafe { py::Py_XDECREF(old) };
}

/// Entries of the table stand in full.
struct NoTable;

impl spans::record::Table for NoTable {
    fn entry(&self, _: u32) -> Option<(u8, &[u8])> {
        None
    }
}
