//! A snapshot as one JSON object, for dumps to a file.
//!
//! ```json
//! {
//!   "timestamp": 1700000060.5,
//!   "resource": {"service.name": "basis-bot"},
//!   "metrics": [
//!     {
//!       "name": "bot.frames", "unit": "{frame}", "kind": "counter", "scope": "my_bot",
//!       "points": [{"attributes": {"venue": "binance"}, "value": 3}]
//!     },
//!     {
//!       "name": "bot.decide", "unit": "s", "kind": "histogram", "scope": "my_bot", "temporality": "delta",
//!       "points": [{
//!         "attributes": {}, "count": 2, "sum": 0.3, "min": 0.1, "max": 0.2,
//!         "quantiles": {"p50": 0.1, "p95": 0.2, "p99": 0.2, "p999": 0.2}
//!       }]
//!     }
//!   ]
//! }
//! ```
//!
//! Everything is on one line. `timestamp` is the Unix time in seconds of the latest point, with nanoseconds.
//! `kind` is `counter`, `up_down_counter`, `gauge` or `histogram`; `temporality` is there when it is not
//! cumulative. `sum`, `min`, `max` and `quantiles` are absent where they are not known. Numbers JSON does not
//! have, NaN and infinities, are `null`; bytes are hexadecimal text.

use crate::labels::hexadecimal;
use crate::model::{
    Attributes, Data, Metric, Number, NumberPoint, Snapshot, Summary, Temporality, Value,
};
use crate::numbers::{number, seconds, whole};
use crate::quantiles;

/// The shares of measurements that are reported, and what they are called.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

/// The snapshot as one line without a line end.
#[must_use]
pub fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"{\"timestamp\":");
    seconds(&mut out, latest(snapshot));
    out.extend_from_slice(b",\"resource\":");
    attributes(&mut out, &snapshot.resource.attributes);
    out.extend_from_slice(b",\"metrics\":[");
    let mut separator = Separator::default();
    for scope in &snapshot.scopes {
        for metric in &scope.metrics {
            separator.write(&mut out);
            one_metric(&mut out, &scope.scope.name, metric);
        }
    }
    out.extend_from_slice(b"]}");
    out
}

/// Writes a comma before all but the first.
#[derive(Default)]
struct Separator {
    needed: bool,
}

impl Separator {
    fn write(&mut self, out: &mut Vec<u8>) {
        if self.needed {
            out.push(b',');
        }
        self.needed = true;
    }
}

fn latest(snapshot: &Snapshot) -> u64 {
    let metrics = snapshot.scopes.iter().flat_map(|scope| &scope.metrics);
    let times = metrics.filter_map(|metric| match &metric.data {
        Data::Sum { points, .. } | Data::Gauge { points } => {
            points.iter().map(|it| it.time_ns).max()
        }
        Data::Explicit { points, .. } => points.iter().map(|it| it.summary.time_ns).max(),
        Data::Exponential { points, .. } => points.iter().map(|it| it.summary.time_ns).max(),
    });
    times.max().unwrap_or_default()
}

fn one_metric(out: &mut Vec<u8>, scope: &str, metric: &Metric) {
    let (kind, temporality) = match &metric.data {
        Data::Sum {
            monotonic: true,
            temporality,
            ..
        } => ("counter", *temporality),
        Data::Sum { temporality, .. } => ("up_down_counter", *temporality),
        Data::Gauge { .. } => ("gauge", Temporality::Cumulative),
        Data::Explicit { temporality, .. } | Data::Exponential { temporality, .. } => {
            ("histogram", *temporality)
        }
    };
    for (before, value) in [
        ("{\"name\":", &*metric.identity.name),
        (",\"unit\":", &*metric.identity.unit),
        (",\"kind\":", kind),
        (",\"scope\":", scope),
    ] {
        out.extend_from_slice(before.as_bytes());
        text(out, value);
    }
    if temporality == Temporality::Delta {
        out.extend_from_slice(b",\"temporality\":\"delta\"");
    }
    out.extend_from_slice(b",\"points\":[");
    match &metric.data {
        Data::Sum { points, .. } | Data::Gauge { points } => {
            separated(out, points, number_point);
        }
        Data::Explicit { bounds, points, .. } => separated(out, points, |out, point| {
            histogram_point(out, &point.summary, |share| {
                quantiles::of_explicit(bounds, point, share)
            });
        }),
        Data::Exponential { points, .. } => separated(out, points, |out, point| {
            histogram_point(out, &point.summary, |share| {
                quantiles::of_exponential(point, share)
            });
        }),
    }
    out.extend_from_slice(b"]}");
}

fn separated<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    let mut separator = Separator::default();
    for item in items {
        separator.write(out);
        write(out, item);
    }
}

fn number_point(out: &mut Vec<u8>, point: &NumberPoint) {
    out.extend_from_slice(b"{\"attributes\":");
    attributes(out, &point.attributes);
    out.extend_from_slice(b",\"value\":");
    match point.value {
        Number::Float(value) => float(out, value),
        value @ Number::Int(_) => number(out, value),
    }
    out.push(b'}');
}

fn histogram_point(out: &mut Vec<u8>, summary: &Summary, quantile: impl Fn(f64) -> Option<f64>) {
    out.extend_from_slice(b"{\"attributes\":");
    attributes(out, &summary.attributes);
    out.extend_from_slice(b",\"count\":");
    whole(out, summary.count);
    if let Some(sum) = summary.sum {
        out.extend_from_slice(b",\"sum\":");
        float(out, sum);
    }
    if let Some((least, greatest)) = summary.min_max {
        out.extend_from_slice(b",\"min\":");
        float(out, least);
        out.extend_from_slice(b",\"max\":");
        float(out, greatest);
    }
    let known = QUANTILES.map(|(name, share)| quantile(share).map(|value| (name, value)));
    if known.iter().all(Option::is_some) {
        out.extend_from_slice(b",\"quantiles\":{");
        separated(out, &known, |out, quantile| {
            if let Some((name, value)) = quantile {
                text(out, name);
                out.push(b':');
                float(out, *value);
            }
        });
        out.push(b'}');
    }
    out.push(b'}');
}

fn attributes(out: &mut Vec<u8>, attributes: &Attributes) {
    out.push(b'{');
    separated(out, &attributes.0, |out, (key, of_key)| {
        text(out, key);
        out.push(b':');
        value(out, of_key);
    });
    out.push(b'}');
}

/// A value of an attribute.
pub(crate) fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Str(value) => text(out, value),
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::Int(value) => number(out, Number::Int(*value)),
        Value::Float(value) => float(out, *value),
        Value::Bytes(value) => text(out, &hexadecimal(value)),
        Value::Array(values) => {
            out.push(b'[');
            separated(out, values, self::value);
            out.push(b']');
        }
        Value::None => out.extend_from_slice(b"null"),
    }
}

fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        number(out, Number::Float(value));
    } else {
        out.extend_from_slice(b"null");
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for &byte in text.as_bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(hexadecimal(&[byte]).as_bytes());
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
