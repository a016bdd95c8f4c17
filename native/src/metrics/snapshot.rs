//! A collection: for the SDK's readers as tuples, for everything else as bytes.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use pyo3::IntoPyObjectExt;
use wire::model::{
    self, Attributes, Data, Exemplar, Number, NumberPoint, ScopeMetrics, Summary, Temporality,
    Value,
};

use super::attributes::plain;

/// Who reports.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Resource(pub Arc<model::Resource>);

#[pymethods]
impl Resource {
    #[new]
    #[pyo3(signature = (attributes, schema_url=String::new()))]
    fn new(attributes: &Bound<'_, PyDict>, schema_url: String) -> Self {
        Self(Arc::new(model::Resource {
            attributes: plain(attributes),
            schema_url,
        }))
    }
}

/// What a reader collected.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Snapshot {
    scope_ids: Vec<usize>,
    inner: Mutex<model::Snapshot>,
}

impl Snapshot {
    pub fn new(scopes: Vec<(usize, ScopeMetrics)>) -> Self {
        let (scope_ids, scopes) = scopes.into_iter().unzip();
        Self {
            scope_ids,
            inner: Mutex::new(model::Snapshot {
                resource: Arc::default(),
                scopes,
            }),
        }
    }

    /// Use the snapshot for a resource, without the GIL.
    fn encode<R: Send>(
        &self,
        python: Python<'_>,
        resource: &Resource,
        encode: impl FnOnce(&model::Snapshot) -> R + Send,
    ) -> R {
        let resource = Arc::clone(&resource.0);
        python.detach(|| {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.resource = resource;
            encode(&inner)
        })
    }
}

#[pymethods]
impl Snapshot {
    fn __len__(&self) -> usize {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .scopes
            .iter()
            .flat_map(|scope| &scope.metrics)
            .map(|metric| points(&metric.data))
            .sum()
    }

    /// The points as tuples, of all metrics or those with these names: see the stub.
    #[pyo3(signature = (names=None))]
    #[allow(clippy::needless_pass_by_value)] // extracted from Python
    fn metrics<'p>(
        &self,
        python: Python<'p>,
        names: Option<HashSet<String>>,
    ) -> PyResult<Bound<'p, PyList>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let found = PyList::empty(python);
        for (id, scope) in self.scope_ids.iter().zip(&inner.scopes) {
            for metric in &scope.metrics {
                let identity = &metric.identity;
                if names
                    .as_ref()
                    .is_some_and(|names| !names.contains(&identity.name))
                {
                    continue;
                }
                let (kind, temporality, monotonic, points) = tuples(python, &metric.data)?;
                found.append((
                    *id,
                    &identity.name,
                    &identity.description,
                    &identity.unit,
                    kind,
                    temporality,
                    monotonic,
                    points,
                ))?;
            }
        }
        Ok(found)
    }

    /// Add metrics, as `metrics()` gives them but for the scope's id, under a scope of this name.
    #[allow(clippy::needless_pass_by_value)] // extracted from Python
    fn add(&self, scope: String, metrics: Vec<super::given::Metric<'_>>) -> PyResult<()> {
        let metrics = metrics
            .into_iter()
            .map(super::given::metric)
            .collect::<PyResult<Vec<_>>>()?;
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.scopes.push(ScopeMetrics {
            scope: Arc::new(model::Scope {
                name: scope,
                ..model::Scope::default()
            }),
            metrics,
        });
        Ok(())
    }

    /// Add how long a provider's spans took, under a scope of this name: in exponential buckets, and in explicit ones
    /// where there are `bounds`.
    #[pyo3(signature = (scope, traces, bounds=None, exponential=true))]
    fn add_spans(
        &self,
        scope: String,
        traces: &Bound<'_, crate::tracing::Traces>,
        bounds: Option<Vec<f64>>,
        exponential: bool,
    ) {
        let bounds: Option<Arc<[f64]>> = bounds.map(Into::into);
        let explicit = bounds.and_then(|bounds| traces.get().durations(Some(&bounds)));
        let exponential = exponential.then(|| traces.get().durations(None)).flatten();
        let metrics: Vec<_> = explicit.into_iter().chain(exponential).collect();
        if metrics.is_empty() {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.scopes.push(ScopeMetrics {
            scope: Arc::new(model::Scope {
                name: scope,
                ..model::Scope::default()
            }),
            metrics,
        });
    }

    /// OTLP export requests of at most about `max_bytes` each, with the number of points in each.
    ///
    /// `only` metrics whose names begin with one of these, and those `without` any of these.
    #[pyo3(signature = (resource, max_bytes=4_194_304, *, only=None, without=Vec::new()))]
    #[allow(clippy::needless_pass_by_value)]
    fn otlp<'p>(
        &self,
        python: Python<'p>,
        resource: &Resource,
        max_bytes: usize,
        only: Option<Vec<String>>,
        without: Vec<String>,
    ) -> PyResult<Vec<(Bound<'p, PyBytes>, usize)>> {
        let begins =
            |name: &str, with: &[String]| with.iter().any(|prefix| name.starts_with(prefix));
        let wanted = |name: &str| {
            only.as_ref().is_none_or(|with| begins(name, with)) && !begins(name, &without)
        };
        let requests = self.encode(python, resource, |snapshot| {
            wire::otlp::encode_counted(snapshot, max_bytes, wanted)
        });
        requests
            .into_iter()
            .map(|(request, points)| Ok((bytes_of(python, request)?, points)))
            .collect()
    }

    /// The page for a scraper and its content type, by what it accepts.
    fn expose<'p>(
        &self,
        python: Python<'p>,
        resource: &Resource,
        accept: &str,
    ) -> PyResult<(Bound<'p, PyBytes>, &'static str)> {
        let format = wire::exposition::negotiate(accept);
        let page = self.encode(python, resource, |snapshot| {
            let options = wire::exposition::Options {
                // As text each would be a series of its own.
                created: format == wire::exposition::Format::Protobuf,
                ..wire::exposition::Options::default()
            };
            wire::exposition::render(snapshot, format, options)
        });
        Ok((bytes_of(python, page.body)?, format.content_type()))
    }

    /// The points as JSON, for files.
    fn json<'p>(&self, python: Python<'p>, resource: &Resource) -> Bound<'p, PyBytes> {
        PyBytes::new(python, &self.encode(python, resource, wire::json::encode))
    }
}

impl Drop for Snapshot {
    /// Freeing many points takes milliseconds, which nobody has to wait for.
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let scopes = std::mem::take(&mut inner.scopes);
        let size: usize = scopes
            .iter()
            .flat_map(|scope| &scope.metrics)
            .map(|metric| points(&metric.data))
            .sum();
        if size > FREED_AT_ONCE {
            Python::attach(|python| python.detach(|| drop(scopes)));
        }
    }
}

/// Points whose freeing is not worth giving up the GIL for.
const FREED_AT_ONCE: usize = 1_000;

/// Bytes for Python; the copy of what is long is made without the GIL.
fn bytes_of(python: Python<'_>, content: Vec<u8>) -> PyResult<Bound<'_, PyBytes>> {
    // SAFETY: a new bytes object, which nobody else knows before it is written.
    unsafe {
        let size = content.len().cast_signed();
        let made = pyo3::ffi::PyBytes_FromStringAndSize(std::ptr::null(), size);
        let object = Bound::from_owned_ptr_or_err(python, made)?.cast_into_unchecked::<PyBytes>();
        let target = pyo3::ffi::PyBytes_AsString(made) as usize;
        python.detach(move || {
            std::ptr::copy_nonoverlapping(content.as_ptr(), target as *mut u8, content.len());
        });
        Ok(object)
    }
}

fn points(data: &Data) -> usize {
    match data {
        Data::Sum { points, .. } | Data::Gauge { points } => points.len(),
        Data::Explicit { points, .. } => points.len(),
        Data::Exponential { points, .. } => points.len(),
    }
}

type Tuples<'p> = (&'static str, Option<&'static str>, bool, Bound<'p, PyList>);

fn tuples<'p>(python: Python<'p>, data: &Data) -> PyResult<Tuples<'p>> {
    let list = PyList::empty(python);
    let (kind, temporality, monotonic) = match data {
        Data::Sum {
            temporality,
            monotonic,
            points,
        } => {
            numbers(python, &list, points)?;
            ("sum", Some(*temporality), *monotonic)
        }
        Data::Gauge { points } => {
            numbers(python, &list, points)?;
            ("gauge", None, false)
        }
        Data::Explicit {
            temporality,
            bounds,
            points,
        } => {
            let bounds = PyTuple::new(python, bounds.iter())?;
            for point in points {
                let (head, exemplars) = summary(python, &point.summary)?;
                let counts = PyTuple::new(python, &point.counts)?;
                list.append(
                    head.as_sequence()
                        .concat(
                            (&bounds, counts, exemplars)
                                .into_pyobject(python)?
                                .as_sequence(),
                        )?
                        .to_tuple()?,
                )?;
            }
            ("explicit", Some(*temporality), false)
        }
        Data::Exponential {
            temporality,
            points,
        } => {
            for point in points {
                let (head, exemplars) = summary(python, &point.summary)?;
                let side = |buckets: &model::Buckets| -> PyResult<_> {
                    Ok((buckets.offset, PyTuple::new(python, &buckets.counts)?))
                };
                let tail = (
                    point.scale,
                    point.zero_count,
                    side(&point.positive)?,
                    side(&point.negative)?,
                    exemplars,
                );
                list.append(
                    head.as_sequence()
                        .concat(tail.into_pyobject(python)?.as_sequence())?
                        .to_tuple()?,
                )?;
            }
            ("exponential", Some(*temporality), false)
        }
    };
    let temporality = temporality.map(|temporality| match temporality {
        Temporality::Delta => "delta",
        Temporality::Cumulative => "cumulative",
    });
    Ok((kind, temporality, monotonic, list))
}

fn numbers<'p>(
    python: Python<'p>,
    list: &Bound<'p, PyList>,
    points: &[NumberPoint],
) -> PyResult<()> {
    for point in points {
        list.append((
            dict(python, &point.attributes)?,
            point.start_ns,
            point.time_ns,
            number(python, point.value)?,
            exemplars(python, &point.exemplars)?,
        ))?;
    }
    Ok(())
}

/// What all histogram points begin with: attributes, start, time, count, sum, min, max.
fn summary<'p>(
    python: Python<'p>,
    summary: &Summary,
) -> PyResult<(Bound<'p, PyTuple>, Bound<'p, PyList>)> {
    let (min, max) = summary.min_max.unzip();
    let attributes = dict(python, &summary.attributes)?;
    let head = (
        attributes,
        summary.start_ns,
        summary.time_ns,
        summary.count,
        summary.sum,
        min,
        max,
    );
    Ok((
        head.into_pyobject(python)?,
        exemplars(python, &summary.exemplars)?,
    ))
}

fn number(python: Python<'_>, value: Number) -> PyResult<Bound<'_, PyAny>> {
    match value {
        Number::Int(value) => value.into_bound_py_any(python),
        Number::Float(value) => value.into_bound_py_any(python),
    }
}

fn exemplars<'p>(python: Python<'p>, taken: &[Exemplar]) -> PyResult<Bound<'p, PyList>> {
    let list = PyList::empty(python);
    for exemplar in taken {
        let (trace, span) = (
            u128::from_be_bytes(exemplar.trace_id),
            u64::from_be_bytes(exemplar.span_id),
        );
        list.append((
            number(python, exemplar.value)?,
            exemplar.time_ns,
            (trace != 0).then_some(trace),
            (trace != 0).then_some(span),
            dict(python, &exemplar.filtered)?,
        ))?;
    }
    Ok(list)
}

fn dict<'p>(python: Python<'p>, attributes: &Attributes) -> PyResult<Bound<'p, PyDict>> {
    let found = PyDict::new(python);
    for (key, item) in &attributes.0 {
        found.set_item(&**key, value(python, item)?)?;
    }
    Ok(found)
}

fn value<'p>(python: Python<'p>, plain: &Value) -> PyResult<Bound<'p, PyAny>> {
    match plain {
        Value::Str(text) => (**text).into_bound_py_any(python),
        Value::Bool(flag) => flag.into_bound_py_any(python),
        Value::Int(whole) => whole.into_bound_py_any(python),
        Value::Float(float) => float.into_bound_py_any(python),
        Value::Bytes(bytes) => Ok(PyBytes::new(python, bytes).into_any()),
        Value::Array(items) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| value(python, item))
                .collect::<PyResult<_>>()?;
            Ok(PyTuple::new(python, items)?.into_any())
        }
        Value::None => Ok(python.None().into_bound(python)),
    }
}
