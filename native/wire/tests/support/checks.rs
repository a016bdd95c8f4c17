//! What must hold for any snapshot; the property tests and the fuzz target run these.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::exposition::{render, Format, Options};
use wire::model::{
    Attributes, Buckets, Data, ExplicitPoint, ExponentialPoint, Identity, Metric, Number, Snapshot,
    Temporality, Value,
};

use super::{otlp_oracle, prometheus_oracle, text_oracle};

/// Everything that holds for any snapshot.
pub fn all(snapshot: &Snapshot, max_bytes: usize) {
    otlp(snapshot, max_bytes);
    for scope_labels in [false, true] {
        pages(snapshot, scope_labels);
    }
    values_on_pages(snapshot);
    json(snapshot);
}

/// The official decoder reads each point once, in order; only a request of one point exceeds the limit.
pub fn otlp(snapshot: &Snapshot, max_bytes: usize) {
    let requests = wire::otlp::encode(snapshot, max_bytes);
    let sent = otlp_oracle::sent(&requests);
    assert!(sent == otlp_oracle::points(&otlp_oracle::expected(snapshot)));
    for request in &requests {
        let points = otlp_oracle::points(&otlp_oracle::decode(request).resource_metrics);
        assert!(!points.is_empty());
        assert!(request.len() <= max_bytes || points.len() == 1);
    }
}

/// Every page is valid, and all three formats agree on what is on it.
pub fn pages(snapshot: &Snapshot, scope_labels: bool) {
    let options = Options {
        scope_labels,
        ..Options::default()
    };
    let [open, classic, protobuf] = [Format::OpenMetrics, Format::Text, Format::Protobuf]
        .map(|it| render(snapshot, it, options));
    assert_eq!(open.dropped, classic.dropped);
    assert_eq!(open.dropped, protobuf.dropped);
    let open = text_oracle::parse(&open.body, true);
    let classic = text_oracle::parse(&classic.body, false);
    let protobuf = prometheus_oracle::decode(&protobuf.body);
    assert_eq!(open.len(), classic.len());
    assert_eq!(open.len(), protobuf.len());
    for (open, family) in open.iter().zip(&protobuf) {
        let name = match &*open.kind {
            "counter" => format!("{}_total", open.name),
            "info" => format!("{}_info", open.name),
            _ => open.name.clone(),
        };
        assert_eq!(name, family.name());
        assert_eq!(open.help, family.help().replace('\0', "\u{fffd}"));
        assert_eq!(open.unit, family.unit());
    }
}

/// Points of one series each arrive with their values on the pages.
pub fn values_on_pages(snapshot: &Snapshot) {
    let snapshot = distinct(snapshot);
    let shown = Shown::new(&snapshot);
    let mut dropped = 0;
    for metric in snapshot.scopes.iter().flat_map(|scope| &scope.metrics) {
        let name = &*metric.identity.name;
        match &metric.data {
            Data::Sum {
                monotonic: true,
                points,
                ..
            } => {
                for (id, point) in points.iter().enumerate() {
                    let value = Some(as_double(point.value)).filter(|&value| value >= 0.0);
                    let counter = shown
                        .message(&format!("{name}_total"), id)
                        .and_then(|it| it.counter.clone());
                    assert!(same(shown.line(name, "_total", id), value));
                    assert!(same(counter.and_then(|it| it.value), value));
                    dropped += usize::from(value.is_none());
                }
            }
            Data::Sum { points, .. } | Data::Gauge { points } => {
                for (id, point) in points.iter().enumerate() {
                    let value = Some(as_double(point.value));
                    let gauge = shown.message(name, id).and_then(|it| it.gauge.clone());
                    assert!(same(shown.line(name, "", id), value));
                    assert!(same(gauge.and_then(|it| it.value), value));
                }
            }
            Data::Explicit { points, .. } => {
                for (id, point) in points.iter().enumerate() {
                    assert!(same(shown.line(name, "_sum", id), point.summary.sum));
                    explicit(point, &shown.histogram(name, id));
                }
            }
            Data::Exponential { points, .. } => {
                for (id, point) in points.iter().enumerate() {
                    assert!(same(shown.line(name, "_sum", id), point.summary.sum));
                    native(point, &shown.histogram(name, id));
                }
            }
        }
    }
    assert_eq!(shown.dropped, [dropped; 2]);
}

/// What two formats show of a snapshot whose points have the label `id`.
struct Shown {
    lines: BTreeMap<(String, String), f64>,
    messages: BTreeMap<(String, String), prometheus_oracle::Metric>,
    dropped: [usize; 2],
}

impl Shown {
    fn new(snapshot: &Snapshot) -> Self {
        let options = Options {
            target_info: false,
            ..Options::default()
        };
        let text = render(snapshot, Format::Text, options);
        let protobuf = render(snapshot, Format::Protobuf, options);
        let mut shown = Self {
            lines: BTreeMap::new(),
            messages: BTreeMap::new(),
            dropped: [text.dropped, protobuf.dropped],
        };
        let families = text_oracle::parse(&text.body, false);
        for sample in families.iter().flat_map(|family| &family.samples) {
            if !sample.labels.contains_key("le") {
                let place = (sample.name.clone(), sample.labels["id"].clone());
                shown.lines.insert(place, sample.number());
            }
        }
        for family in prometheus_oracle::decode(&protobuf.body) {
            for metric in &family.metric {
                let id = metric.label[0].value().to_owned();
                let place = (family.name().to_owned(), id);
                shown.messages.insert(place, metric.clone());
            }
        }
        shown
    }

    fn line(&self, name: &str, suffix: &str, id: usize) -> Option<f64> {
        self.lines
            .get(&(format!("{name}{suffix}"), id.to_string()))
            .copied()
    }

    fn message(&self, name: &str, id: usize) -> Option<&prometheus_oracle::Metric> {
        self.messages.get(&(name.to_owned(), id.to_string()))
    }

    fn histogram(&self, name: &str, id: usize) -> prometheus_oracle::Histogram {
        assert!(self.line(name, "_count", id).is_some());
        let message = self.message(name, id).and_then(|it| it.histogram.clone());
        message.expect("a histogram")
    }
}

/// A classic histogram holds all measurements, and the sum.
fn explicit(point: &ExplicitPoint, message: &prometheus_oracle::Histogram) {
    let total = match &*point.counts {
        [] => point.summary.count,
        counts => counts
            .iter()
            .fold(0_u64, |sum, &count| sum.saturating_add(count)),
    };
    assert_eq!(message.sample_count(), total);
    assert_eq!(
        message.bucket.last().expect("a bucket").cumulative_count(),
        total
    );
    assert!(message.schema.is_none());
    assert!(same(message.sample_sum, point.summary.sum));
}

/// A native histogram holds the buckets of the exponential one, joined where the scale is too fine.
fn native(point: &ExponentialPoint, message: &prometheus_oracle::Histogram) {
    let counts = point.positive.counts.iter().chain(&point.negative.counts);
    let total = counts.fold(point.zero_count, |sum, &count| sum.saturating_add(count));
    if point.scale < -4 || i64::try_from(total).is_err() {
        assert!(message.schema.is_none());
        assert!(!message.bucket.is_empty());
        return;
    }
    let schema = point.scale.min(8);
    assert_eq!(message.schema(), schema);
    assert_eq!(message.zero_count(), point.zero_count);
    assert!(message.bucket.is_empty());
    assert!(!message.positive_span.is_empty() || !message.negative_span.is_empty());
    let by = point.scale - schema;
    let in_range = |buckets: &Buckets| buckets.offset.unsigned_abs() < 1 << 30;
    if in_range(&point.positive) && in_range(&point.negative) {
        let positive =
            prometheus_oracle::native_buckets(&message.positive_span, &message.positive_delta);
        let negative =
            prometheus_oracle::native_buckets(&message.negative_span, &message.negative_delta);
        assert_eq!(positive, joined(&point.positive, by));
        assert_eq!(negative, joined(&point.negative, by));
        assert_eq!(message.sample_count(), total);
    }
}

fn joined(buckets: &Buckets, by: i32) -> Vec<(i64, u64)> {
    let mut joined: BTreeMap<i64, u64> = BTreeMap::new();
    for (index, &count) in (i64::from(buckets.offset)..).zip(&buckets.counts) {
        let index = (index >> by.min(63)) + 1;
        let known = joined.entry(index).or_default();
        *known = known.saturating_add(count);
    }
    joined.into_iter().filter(|&(_, count)| count > 0).collect()
}

/// The dump is JSON with each point once.
pub fn json(snapshot: &Snapshot) {
    let dump: serde_json::Value =
        serde_json::from_slice(&wire::json::encode(snapshot)).expect("JSON");
    let metrics: Vec<&Metric> = snapshot
        .scopes
        .iter()
        .flat_map(|scope| &scope.metrics)
        .collect();
    let dumped = dump["metrics"].as_array().expect("a list");
    assert_eq!(dumped.len(), metrics.len());
    assert_eq!(
        dump["resource"].as_object().expect("an object").len(),
        snapshot.resource.attributes.0.len()
    );
    for (dumped, metric) in dumped.iter().zip(metrics) {
        assert_eq!(dumped["name"], *metric.identity.name);
        let points = dumped["points"].as_array().expect("a list");
        let counts: Vec<Option<u64>> = match &metric.data {
            Data::Sum { points, .. } | Data::Gauge { points } => {
                points.iter().map(|_| None).collect()
            }
            Data::Explicit { points, .. } => {
                points.iter().map(|it| Some(it.summary.count)).collect()
            }
            Data::Exponential { points, .. } => {
                points.iter().map(|it| Some(it.summary.count)).collect()
            }
        };
        assert_eq!(
            points
                .iter()
                .map(|point| point["count"].as_u64())
                .collect::<Vec<_>>(),
            counts
        );
        for quantiles in points
            .iter()
            .filter_map(|point| point["quantiles"].as_object())
        {
            let values: Vec<f64> = quantiles
                .values()
                .filter_map(serde_json::Value::as_f64)
                .collect();
            assert!(values.is_sorted(), "{values:?}");
        }
    }
}

/// The snapshot with a name for every metric, a label for every point, and nothing delta.
fn distinct(snapshot: &Snapshot) -> Snapshot {
    let mut snapshot = snapshot.clone();
    let metrics = snapshot
        .scopes
        .iter_mut()
        .flat_map(|scope| &mut scope.metrics);
    for (index, metric) in metrics.enumerate() {
        metric.identity = Arc::new(Identity {
            name: format!("metric{index}"),
            ..Identity::default()
        });
        let labels = |id: usize| {
            let value = Value::Str(id.to_string().into());
            Arc::new(Attributes(vec![("id".into(), value)]))
        };
        match &mut metric.data {
            Data::Sum {
                temporality,
                points,
                ..
            } => {
                *temporality = Temporality::Cumulative;
                points
                    .iter_mut()
                    .enumerate()
                    .for_each(|(id, it)| it.attributes = labels(id));
            }
            Data::Gauge { points } => {
                points
                    .iter_mut()
                    .enumerate()
                    .for_each(|(id, it)| it.attributes = labels(id));
            }
            Data::Explicit {
                temporality,
                points,
                ..
            } => {
                *temporality = Temporality::Cumulative;
                points
                    .iter_mut()
                    .enumerate()
                    .for_each(|(id, it)| it.summary.attributes = labels(id));
            }
            Data::Exponential {
                temporality,
                points,
            } => {
                *temporality = Temporality::Cumulative;
                points
                    .iter_mut()
                    .enumerate()
                    .for_each(|(id, it)| it.summary.attributes = labels(id));
            }
        }
    }
    snapshot
}

fn same(one: Option<f64>, other: Option<f64>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq() || one.is_nan() && other.is_nan(),
        (None, None) => true,
        _ => false,
    }
}

#[expect(clippy::cast_precision_loss, reason = "as the pages round it")]
fn as_double(number: Number) -> f64 {
    match number {
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    }
}
