//! Pieces of OTLP requests for metrics, put together later: what never changes of a series is encoded once.
//!
//! Fields of a message may come in any order, and of a field that comes twice the last one holds.

use crate::model::{
    Attributes, Data, ExplicitPoint, ExponentialPoint, Identity, Number, Resource, Scope, Value,
};
use crate::otlp::{
    attributes, explicit_point, exponential_point, frame_of, number_value, scope_head,
};
use crate::protobuf::{bytes, field_len, fixed64, header, message, number, text};

/// The fields of a `Metric` around its points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Name, description, unit and metadata.
    pub head: Vec<u8>,
    /// The number of the field that holds the points' message.
    pub field: u8,
    /// What follows the points there.
    pub trailer: Vec<u8>,
}

/// The frame of a metric whose points are such; `mark` is an attribute of its metadata, which tells no series apart.
#[must_use]
pub fn frame(identity: &Identity, like: &Data, mark: &str) -> Frame {
    let mut head = Vec::new();
    text(&mut head, 1, &identity.name);
    text(&mut head, 2, &identity.description);
    text(&mut head, 3, &identity.unit);
    message(&mut head, 12, |out| {
        bytes(out, 1, mark.as_bytes());
        message(out, 2, |out| number(out, 2, 1));
    });
    let (field, trailer) = frame_of(like);
    Frame {
        head,
        field: u8::try_from(field).unwrap_or(0),
        trailer: trailer.to_vec(),
    }
}

/// What a request says of a resource.
#[must_use]
pub fn resource(resource: &Resource) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, 1, |out| attributes(out, 1, &resource.attributes));
    text(&mut out, 3, &resource.schema_url);
    out
}

/// A resource of which nothing but the service's name is known.
#[must_use]
pub fn service(name: &str) -> Vec<u8> {
    resource(&Resource {
        attributes: Attributes(vec![("service.name".into(), Value::Str(name.into()))]),
        schema_url: String::new(),
    })
}

/// What a request says of a scope.
#[must_use]
pub fn scope(scope: &Scope) -> Vec<u8> {
    let mut out = Vec::new();
    message(&mut out, 1, |out| scope_head(out, scope));
    text(&mut out, 3, &scope.schema_url);
    out
}

/// What stays the same of the points of a series: attributes and begin (0 for none).
#[must_use]
pub fn series(like: &Data, of: &Attributes, start_ns: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let field = match like {
        Data::Sum { .. } | Data::Gauge { .. } => 7,
        Data::Explicit { .. } => 9,
        Data::Exponential { .. } => 1,
    };
    attributes(&mut out, field, of);
    if start_ns != 0 {
        fixed64(&mut out, 2, start_ns);
    }
    out
}

/// The value of a point of a sum or a gauge.
pub fn number_of(out: &mut Vec<u8>, value: Number) {
    number_value(out, (4, 6), value);
}

/// What changes of a point of an explicit histogram, but for its time.
pub fn explicit_of(out: &mut Vec<u8>, bounds: &[f64], point: &ExplicitPoint) {
    explicit_point(out, bounds, point);
}

/// What changes of a point of an exponential histogram, but for its time.
pub fn exponential_of(out: &mut Vec<u8>, point: &ExponentialPoint) {
    exponential_point(out, point);
}

/// A point in the making: what stays the same, what changed, and when.
#[must_use]
pub fn point(series: &[u8], value: &[u8], time_ns: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(series.len() + value.len() + 9);
    out.extend_from_slice(value);
    out.extend_from_slice(series);
    fixed64(&mut out, 3, time_ns);
    out
}

/// A metric with its points, as the field of a scope.
pub fn metric(out: &mut Vec<u8>, frame: &Frame, points: &[Vec<u8>]) {
    let lengths = points.iter().map(|point| field_len(point.len()));
    let data = lengths.sum::<usize>() + frame.trailer.len();
    header(out, 2, frame.head.len() + field_len(data));
    out.extend_from_slice(&frame.head);
    header(out, frame.field.into(), data);
    for point in points {
        bytes(out, 1, point);
    }
    out.extend_from_slice(&frame.trailer);
}

/// A request: what it says of its resource, and its scopes, each with its metrics.
#[must_use]
pub fn request(resource: &[u8], scopes: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    let lengths = scopes
        .iter()
        .map(|(scope, metrics)| field_len(scope.len() + metrics.len()));
    let length = resource.len() + lengths.sum::<usize>();
    let mut out = Vec::with_capacity(field_len(length));
    header(&mut out, 1, length);
    out.extend_from_slice(resource);
    for (scope, metrics) in scopes {
        header(&mut out, 2, scope.len() + metrics.len());
        out.extend_from_slice(scope);
        out.extend_from_slice(metrics);
    }
    out
}
