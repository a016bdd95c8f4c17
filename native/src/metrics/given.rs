//! Metrics made by Python, from the tuples that snapshots give.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use wire::model::{
    Attributes, Buckets, Data, ExplicitPoint, ExponentialPoint, Identity, Metric as Made, Number,
    NumberPoint, Summary, Temporality,
};

use super::attributes::plain;

/// Name, description, unit, kind, temporality, monotonic, points.
pub type Metric<'p> = (
    String,
    String,
    String,
    String,
    Option<String>,
    bool,
    Vec<Bound<'p, PyAny>>,
);

type NumberTuple<'p> = (
    Bound<'p, PyDict>,
    u64,
    u64,
    Bound<'p, PyAny>,
    Bound<'p, PyAny>,
);
type ExplicitTuple<'p> = (
    Bound<'p, PyDict>,
    u64,
    u64,
    u64,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Vec<f64>,
    Vec<u64>,
    Bound<'p, PyAny>,
);
type ExponentialTuple<'p> = (
    Bound<'p, PyDict>,
    u64,
    u64,
    u64,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    i32,
    u64,
    (i32, Vec<u64>),
    (i32, Vec<u64>),
    Bound<'p, PyAny>,
);

/// A metric of such a tuple; exemplars are left behind.
pub fn metric(
    (name, description, unit, kind, temporality, monotonic, points): Metric<'_>,
) -> PyResult<Made> {
    let temporality = match temporality.as_deref() {
        Some("delta") => Temporality::Delta,
        _ => Temporality::Cumulative,
    };
    let data = match kind.as_str() {
        "sum" => Data::Sum {
            temporality,
            monotonic,
            points: points.iter().map(number).collect::<PyResult<_>>()?,
        },
        "gauge" => Data::Gauge {
            points: points.iter().map(number).collect::<PyResult<_>>()?,
        },
        "explicit" => explicit(temporality, &points)?,
        "exponential" => Data::Exponential {
            temporality,
            points: points.iter().map(exponential).collect::<PyResult<_>>()?,
        },
        other => return Err(PyValueError::new_err(format!("no kind {other:?}"))),
    };
    let identity = Arc::new(Identity {
        name,
        description,
        unit,
    });
    Ok(Made { identity, data })
}

fn number(point: &Bound<'_, PyAny>) -> PyResult<NumberPoint> {
    let (attributes, start_ns, time_ns, value, _): NumberTuple<'_> = point.extract()?;
    let value = match value.extract() {
        Ok(whole) => Number::Int(whole),
        Err(_) => Number::Float(value.extract()?),
    };
    Ok(NumberPoint {
        attributes: owned(&attributes),
        start_ns,
        time_ns,
        value,
        exemplars: Vec::new(),
    })
}

fn explicit(temporality: Temporality, points: &[Bound<'_, PyAny>]) -> PyResult<Data> {
    let mut bounds = Vec::new();
    let mut made = Vec::new();
    for point in points {
        let (attributes, start_ns, time_ns, count, sum, min, max, own, counts, _): ExplicitTuple<
            '_,
        > = point.extract()?;
        if counts.len() != own.len() + 1 || (!made.is_empty() && own != bounds) {
            return Err(PyValueError::new_err(
                "a histogram has one bucket more than bounds, the same for all points",
            ));
        }
        bounds = own;
        let summary = summary(&attributes, (start_ns, time_ns), count, sum, min.zip(max));
        made.push(ExplicitPoint { summary, counts });
    }
    Ok(Data::Explicit {
        temporality,
        bounds: bounds.into(),
        points: made,
    })
}

fn exponential(point: &Bound<'_, PyAny>) -> PyResult<ExponentialPoint> {
    let (
        attributes,
        start_ns,
        time_ns,
        count,
        sum,
        min,
        max,
        scale,
        zero_count,
        positive,
        negative,
        _,
    ): ExponentialTuple<'_> = point.extract()?;
    let side = |(offset, counts)| Buckets { offset, counts };
    Ok(ExponentialPoint {
        summary: summary(&attributes, (start_ns, time_ns), count, sum, min.zip(max)),
        scale,
        zero_count,
        positive: side(positive),
        negative: side(negative),
    })
}

fn summary(
    attributes: &Bound<'_, PyDict>,
    (start_ns, time_ns): (u64, u64),
    count: u64,
    sum: Option<f64>,
    min_max: Option<(f64, f64)>,
) -> Summary {
    Summary {
        attributes: owned(attributes),
        start_ns,
        time_ns,
        count,
        sum,
        min_max,
        exemplars: Vec::new(),
    }
}

fn owned(attributes: &Bound<'_, PyDict>) -> Arc<Attributes> {
    Arc::new(plain(attributes))
}
