//! A snapshot as OTLP `ExportMetricsServiceRequest` messages, split by size.
//!
//! Field numbers are those of opentelemetry-proto 1.x, `collector/metrics/v1` and `metrics/v1`.
//!
//! ```
//! use std::sync::Arc;
//! use wire::model::{Attributes, Data, Identity, Metric, Number, NumberPoint, Scope, ScopeMetrics, Snapshot};
//!
//! let point = NumberPoint {
//!     attributes: Arc::new(Attributes::default()),
//!     start_ns: 0,
//!     time_ns: 1_700_000_000_000_000_000,
//!     value: Number::Int(3),
//!     exemplars: Vec::new(),
//! };
//! let metric = Metric {
//!     identity: Arc::new(Identity { name: "bot.position".into(), ..Identity::default() }),
//!     data: Data::Gauge { points: vec![point] },
//! };
//! let scope = ScopeMetrics { scope: Arc::new(Scope::default()), metrics: vec![metric] };
//! let snapshot = Snapshot { scopes: vec![scope], ..Snapshot::default() };
//! let requests = wire::otlp::encode(&snapshot, wire::otlp::DEFAULT_MAX_BYTES);
//! assert_eq!(requests.len(), 1);
//! ```

use std::ops::Range;

use crate::model::{
    Attributes, Buckets, Data, Exemplar, ExplicitPoint, ExponentialPoint, Metric, Number,
    NumberPoint, Scope, ScopeMetrics, Snapshot, Summary, Temporality, Value,
};
use crate::protobuf::{
    bytes, double, field_len, fixed64, header, message, number, text, varint, zigzag,
};

/// What receivers accept by default: 4 MiB a message.
pub const DEFAULT_MAX_BYTES: usize = 4 << 20;

/// Requests that together hold every point of the snapshot, each complete with resource and scopes.
///
/// A request has at most `max_bytes` bytes, unless one point alone needs more: that one is sent by itself.
/// Metrics without points and scopes without metrics are left out; a snapshot without points gives no request.
#[must_use]
pub fn encode(snapshot: &Snapshot, max_bytes: usize) -> Vec<Vec<u8>> {
    let requests = encode_counted(snapshot, max_bytes, |_| true);
    requests.into_iter().map(|(request, _)| request).collect()
}

/// As [`encode`], of the metrics with a wanted name only, each request with the number of points in it.
#[must_use]
pub fn encode_counted(
    snapshot: &Snapshot,
    max_bytes: usize,
    wanted: impl Fn(&str) -> bool,
) -> Vec<(Vec<u8>, usize)> {
    let mut requests = Requests::new(snapshot, max_bytes);
    for scope in &snapshot.scopes {
        requests.scope_ended();
        for metric in &scope.metrics {
            if !wanted(&metric.identity.name) {
                continue;
            }
            requests.metric_ended();
            let place = (scope, metric);
            match &metric.data {
                Data::Sum { points, .. } | Data::Gauge { points } => {
                    for point in points {
                        requests.point(place, |out| number_point(out, point));
                    }
                }
                Data::Explicit { bounds, points, .. } => {
                    for point in points {
                        requests.point(place, |out| explicit_point(out, bounds, point));
                    }
                }
                Data::Exponential { points, .. } => {
                    for point in points {
                        requests.point(place, |out| exponential_point(out, point));
                    }
                }
            }
        }
    }
    requests.finish()
}

/// At most the bytes of a field's tag and length: fields below number 16, contents below 32 GiB.
const FRAME: usize = 6;

/// Room for one point more, so that the buffer of a full request seldom grows past its limit.
const SLACK: usize = 4096;

/// A metric of the request in the making: ranges of its bytes.
struct MetricPart {
    head: Range<usize>,
    points: Range<usize>,
    /// Number of the field that holds the points' message, by kind.
    data_field: u32,
    /// What follows the points: temporality and monotonicity.
    trailer: &'static [u8],
}

impl MetricPart {
    fn data_len(&self) -> usize {
        self.points.len() + self.trailer.len()
    }

    fn len(&self) -> usize {
        self.head.len() + field_len(self.data_len())
    }
}

/// A scope of the request in the making.
struct ScopePart {
    head: Range<usize>,
    metrics: Vec<MetricPart>,
}

impl ScopePart {
    fn len(&self) -> usize {
        let metrics = self.metrics.iter().map(|metric| field_len(metric.len()));
        self.head.len() + metrics.sum::<usize>()
    }
}

/// Collects encoded points and frames them whenever a request is full.
///
/// Points are encoded once, into one buffer. The messages around them only need their lengths, which are known
/// when the request is closed; it is then assembled in a vector of exactly its size.
struct Requests<'a> {
    resource: Vec<u8>,
    schema_url: &'a str,
    max_bytes: usize,
    parts: Vec<u8>,
    scopes: Vec<ScopePart>,
    scope_open: bool,
    metric_open: bool,
    /// The request in the making has at most this many bytes.
    bound: usize,
    /// Points of the request in the making.
    points: usize,
    done: Vec<(Vec<u8>, usize)>,
}

impl<'a> Requests<'a> {
    fn new(snapshot: &'a Snapshot, max_bytes: usize) -> Self {
        let mut resource = Vec::new();
        message(&mut resource, 1, |out| {
            attributes(out, 1, &snapshot.resource.attributes);
        });
        let mut requests = Self {
            resource,
            schema_url: &snapshot.resource.schema_url,
            max_bytes,
            parts: Vec::new(),
            scopes: Vec::new(),
            scope_open: false,
            metric_open: false,
            bound: 0,
            points: 0,
            done: Vec::new(),
        };
        requests.bound = requests.empty_bound();
        requests
    }

    fn empty_bound(&self) -> usize {
        FRAME + self.resource.len() + FRAME + self.schema_url.len()
    }

    fn scope_ended(&mut self) {
        self.scope_open = false;
        self.metric_open = false;
    }

    fn metric_ended(&mut self) {
        self.metric_open = false;
    }

    /// Adds what `write` appends as a point, in a new request when this one would become too long.
    fn point(
        &mut self,
        (scope, metric): (&ScopeMetrics, &Metric),
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let is_first = self.scopes.is_empty();
        self.open(scope, metric);
        let start = self.parts.len();
        message(&mut self.parts, 1, write);
        self.bound += self.parts.len() - start;
        if self.bound > self.max_bytes && !is_first {
            let point = self.parts.split_off(start);
            self.close();
            self.open(scope, metric);
            self.parts.extend_from_slice(&point);
            self.bound += point.len();
        }
        let part = self.scopes.last_mut().and_then(|it| it.metrics.last_mut());
        if let Some(part) = part {
            part.points.end = self.parts.len();
            self.points += 1;
        }
    }

    /// Begins the scope and the metric unless they are under way.
    fn open(&mut self, scope: &ScopeMetrics, metric: &Metric) {
        if !self.scope_open {
            let start = self.parts.len();
            message(&mut self.parts, 1, |out| scope_head(out, &scope.scope));
            text(&mut self.parts, 3, &scope.scope.schema_url);
            let head = start..self.parts.len();
            self.bound += FRAME + head.len();
            self.scopes.push(ScopePart {
                head,
                metrics: Vec::new(),
            });
            self.scope_open = true;
        }
        if !self.metric_open {
            let start = self.parts.len();
            text(&mut self.parts, 1, &metric.identity.name);
            text(&mut self.parts, 2, &metric.identity.description);
            text(&mut self.parts, 3, &metric.identity.unit);
            let end = self.parts.len();
            let (data_field, trailer) = frame_of(&metric.data);
            self.bound += 2 * FRAME + end - start + trailer.len();
            if let Some(scope) = self.scopes.last_mut() {
                scope.metrics.push(MetricPart {
                    head: start..end,
                    points: end..end,
                    data_field,
                    trailer,
                });
            }
            self.metric_open = true;
        }
    }

    /// Frames what was collected as one request and begins the next.
    fn close(&mut self) {
        for scope in &mut self.scopes {
            scope.metrics.retain(|metric| !metric.points.is_empty());
        }
        self.scopes.retain(|scope| !scope.metrics.is_empty());
        if !self.scopes.is_empty() {
            let request = self.assemble();
            self.done.push((request, self.points));
        }
        self.points = 0;
        self.scopes.clear();
        self.parts.clear();
        self.parts
            .reserve(self.max_bytes.min(DEFAULT_MAX_BYTES) + SLACK);
        self.scope_ended();
        self.bound = self.empty_bound();
    }

    fn assemble(&self) -> Vec<u8> {
        let scopes = self.scopes.iter().map(|scope| field_len(scope.len()));
        let schema_url = match self.schema_url.len() {
            0 => 0,
            length => field_len(length),
        };
        let length = self.resource.len() + scopes.sum::<usize>() + schema_url;
        let mut out = Vec::with_capacity(field_len(length));
        header(&mut out, 1, length);
        out.extend_from_slice(&self.resource);
        for scope in &self.scopes {
            header(&mut out, 2, scope.len());
            out.extend_from_slice(&self.parts[scope.head.clone()]);
            for metric in &scope.metrics {
                header(&mut out, 2, metric.len());
                out.extend_from_slice(&self.parts[metric.head.clone()]);
                header(&mut out, metric.data_field, metric.data_len());
                out.extend_from_slice(&self.parts[metric.points.clone()]);
                out.extend_from_slice(metric.trailer);
            }
        }
        text(&mut out, 3, self.schema_url);
        out
    }

    fn finish(mut self) -> Vec<(Vec<u8>, usize)> {
        self.close();
        self.done
    }
}

/// The field of `Metric` that holds the data, and what stands behind the points there.
pub(crate) fn frame_of(data: &Data) -> (u32, &'static [u8]) {
    const DELTA: &[u8] = &[0x10, 1];
    const CUMULATIVE: &[u8] = &[0x10, 2];
    let temporality_bytes = |temporality: &Temporality| match temporality {
        Temporality::Delta => DELTA,
        Temporality::Cumulative => CUMULATIVE,
    };
    match data {
        Data::Gauge { .. } => (5, &[]),
        Data::Sum {
            temporality,
            monotonic: false,
            ..
        } => (7, temporality_bytes(temporality)),
        Data::Sum { temporality, .. } => match temporality {
            Temporality::Delta => (7, &[0x10, 1, 0x18, 1]),
            Temporality::Cumulative => (7, &[0x10, 2, 0x18, 1]),
        },
        Data::Explicit { temporality, .. } => (9, temporality_bytes(temporality)),
        Data::Exponential { temporality, .. } => (10, temporality_bytes(temporality)),
    }
}

pub(crate) fn scope_head(out: &mut Vec<u8>, scope: &Scope) {
    text(out, 1, &scope.name);
    text(out, 2, &scope.version);
    attributes(out, 3, &scope.attributes);
}

fn number_point(out: &mut Vec<u8>, point: &NumberPoint) {
    times(out, point.start_ns, point.time_ns);
    number_value(out, (4, 6), point.value);
    exemplars(out, 5, &point.exemplars);
    attributes(out, 7, &point.attributes);
}

pub(crate) fn explicit_point(out: &mut Vec<u8>, bounds: &[f64], point: &ExplicitPoint) {
    let summary = &point.summary;
    summary_head(out, summary);
    header(out, 6, point.counts.len() * 8);
    for count in &point.counts {
        out.extend_from_slice(&count.to_le_bytes());
    }
    if !bounds.is_empty() {
        header(out, 7, bounds.len() * 8);
        for bound in bounds {
            out.extend_from_slice(&bound.to_le_bytes());
        }
    }
    exemplars(out, 8, &summary.exemplars);
    attributes(out, 9, &summary.attributes);
    if let Some((least, greatest)) = summary.min_max {
        double(out, 11, least);
        double(out, 12, greatest);
    }
}

pub(crate) fn exponential_point(out: &mut Vec<u8>, point: &ExponentialPoint) {
    let summary = &point.summary;
    attributes(out, 1, &summary.attributes);
    summary_head(out, summary);
    if point.scale != 0 {
        number(out, 6, zigzag(point.scale.into()));
    }
    if point.zero_count != 0 {
        fixed64(out, 7, point.zero_count);
    }
    buckets(out, 8, &point.positive);
    buckets(out, 9, &point.negative);
    exemplars(out, 11, &summary.exemplars);
    if let Some((least, greatest)) = summary.min_max {
        double(out, 12, least);
        double(out, 13, greatest);
    }
}

/// Times, count and sum: the same fields in both histograms.
fn summary_head(out: &mut Vec<u8>, summary: &Summary) {
    times(out, summary.start_ns, summary.time_ns);
    fixed64(out, 4, summary.count);
    if let Some(sum) = summary.sum {
        double(out, 5, sum);
    }
}

fn times(out: &mut Vec<u8>, start_ns: u64, time_ns: u64) {
    if start_ns != 0 {
        fixed64(out, 2, start_ns);
    }
    fixed64(out, 3, time_ns);
}

pub(crate) fn number_value(out: &mut Vec<u8>, (as_double, as_int): (u32, u32), value: Number) {
    match value {
        Number::Float(value) => double(out, as_double, value),
        Number::Int(value) => fixed64(out, as_int, u64::from_ne_bytes(value.to_ne_bytes())),
    }
}

fn buckets(out: &mut Vec<u8>, field: u32, buckets: &Buckets) {
    if buckets.counts.is_empty() {
        return;
    }
    message(out, field, |out| {
        if buckets.offset != 0 {
            number(out, 1, zigzag(buckets.offset.into()));
        }
        message(out, 2, |out| {
            for &count in &buckets.counts {
                varint(out, count);
            }
        });
    });
}

fn exemplars(out: &mut Vec<u8>, field: u32, exemplars: &[Exemplar]) {
    for exemplar in exemplars {
        message(out, field, |out| {
            fixed64(out, 2, exemplar.time_ns);
            number_value(out, (3, 6), exemplar.value);
            bytes(out, 4, &exemplar.span_id);
            bytes(out, 5, &exemplar.trace_id);
            attributes(out, 7, &exemplar.filtered);
        });
    }
}

/// `KeyValue` messages.
pub(crate) fn attributes(out: &mut Vec<u8>, field: u32, attributes: &Attributes) {
    for (key, value) in &attributes.0 {
        if let Value::Str(value) = value {
            // By far the most frequent kind: its lengths follow from the text's, nothing has to move.
            let text_len = field_len(value.len());
            header(out, field, field_len(key.len()) + field_len(text_len));
            bytes(out, 1, key.as_bytes());
            header(out, 2, text_len);
            bytes(out, 1, value.as_bytes());
        } else {
            message(out, field, |out| {
                bytes(out, 1, key.as_bytes());
                message(out, 2, |out| any_value(out, value));
            });
        }
    }
}

/// The content of an `AnyValue`; nothing at all for `None`.
fn any_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Str(value) => bytes(out, 1, value.as_bytes()),
        Value::Bool(value) => number(out, 2, u64::from(*value)),
        Value::Int(value) => number(out, 3, u64::from_ne_bytes(value.to_ne_bytes())),
        Value::Float(value) => double(out, 4, *value),
        Value::Array(values) => message(out, 5, |out| {
            for value in values {
                message(out, 1, |out| any_value(out, value));
            }
        }),
        Value::Bytes(value) => bytes(out, 7, value),
        Value::None => {}
    }
}
