//! Requests read by the official OTLP crate, beside what a snapshot must become there.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{any_value, AnyValue, ArrayValue, InstrumentationScope, KeyValue},
    metrics::v1::{
        exemplar, exponential_histogram_data_point, metric, number_data_point,
        AggregationTemporality, Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint,
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
        ScopeMetrics, Sum,
    },
    resource::v1::Resource,
};
use prost::Message;
use wire::model;

/// What the request says, read by the official message types.
pub fn decode(request: &[u8]) -> ExportMetricsServiceRequest {
    ExportMetricsServiceRequest::decode(request).expect("a valid request")
}

/// Every point by itself, as the bytes of a message with all that is said about it.
///
/// Splits between requests do not show, and bytes compare as numbers do not: NaN equals itself.
pub fn points(resources: &[ResourceMetrics]) -> Vec<Vec<u8>> {
    let mut points = Vec::new();
    for resource in resources {
        for scope in &resource.scope_metrics {
            for metric in scope.metrics.iter().flat_map(split) {
                let scope_metrics = ScopeMetrics {
                    scope: scope.scope.clone(),
                    metrics: vec![metric],
                    schema_url: scope.schema_url.clone(),
                };
                let alone = ResourceMetrics {
                    resource: resource.resource.clone(),
                    scope_metrics: vec![scope_metrics],
                    schema_url: resource.schema_url.clone(),
                };
                points.push(alone.encode_to_vec());
            }
        }
    }
    points
}

/// The points of all requests.
pub fn sent(requests: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let all = requests
        .iter()
        .flat_map(|request| decode(request).resource_metrics);
    points(&all.collect::<Vec<_>>())
}

/// The metric once for every point it has.
fn split(metric: &Metric) -> Vec<Metric> {
    fn each<P: Clone>(points: &[P], data: impl Fn(Vec<P>) -> metric::Data) -> Vec<metric::Data> {
        points
            .iter()
            .map(|point| data(vec![point.clone()]))
            .collect()
    }
    let each_data = match metric.data.as_ref().expect("data") {
        metric::Data::Gauge(it) => each(&it.data_points, |data_points| {
            metric::Data::Gauge(Gauge { data_points })
        }),
        metric::Data::Sum(it) => each(&it.data_points, |data_points| {
            metric::Data::Sum(Sum { data_points, ..*it })
        }),
        metric::Data::Histogram(it) => each(&it.data_points, |data_points| {
            metric::Data::Histogram(Histogram { data_points, ..*it })
        }),
        metric::Data::ExponentialHistogram(it) => each(&it.data_points, |data_points| {
            metric::Data::ExponentialHistogram(ExponentialHistogram { data_points, ..*it })
        }),
        metric::Data::Summary(_) => panic!("summaries are never sent"),
    };
    let with = |data| Metric {
        name: metric.name.clone(),
        description: metric.description.clone(),
        unit: metric.unit.clone(),
        data: Some(data),
        metadata: metric.metadata.clone(),
    };
    each_data.into_iter().map(with).collect()
}

/// The snapshot as the official message types hold it.
pub fn expected(snapshot: &model::Snapshot) -> Vec<ResourceMetrics> {
    let scopes = snapshot.scopes.iter().map(scope).collect();
    vec![ResourceMetrics {
        resource: Some(Resource {
            attributes: attributes(&snapshot.resource.attributes),
            ..Resource::default()
        }),
        scope_metrics: scopes,
        schema_url: snapshot.resource.schema_url.clone(),
    }]
}

fn scope(scope: &model::ScopeMetrics) -> ScopeMetrics {
    ScopeMetrics {
        scope: Some(InstrumentationScope {
            name: scope.scope.name.clone(),
            version: scope.scope.version.clone(),
            attributes: attributes(&scope.scope.attributes),
            dropped_attributes_count: 0,
        }),
        metrics: scope.metrics.iter().map(one_metric).collect(),
        schema_url: scope.scope.schema_url.clone(),
    }
}

fn temporality(temporality: model::Temporality) -> i32 {
    match temporality {
        model::Temporality::Delta => AggregationTemporality::Delta.into(),
        model::Temporality::Cumulative => AggregationTemporality::Cumulative.into(),
    }
}

fn one_metric(metric: &model::Metric) -> Metric {
    let data = match &metric.data {
        model::Data::Sum {
            temporality: kind,
            monotonic,
            points,
        } => metric::Data::Sum(Sum {
            data_points: points.iter().map(number_point).collect(),
            aggregation_temporality: temporality(*kind),
            is_monotonic: *monotonic,
        }),
        model::Data::Gauge { points } => metric::Data::Gauge(Gauge {
            data_points: points.iter().map(number_point).collect(),
        }),
        model::Data::Explicit {
            temporality: kind,
            bounds,
            points,
        } => metric::Data::Histogram(Histogram {
            data_points: points.iter().map(|it| explicit(bounds, it)).collect(),
            aggregation_temporality: temporality(*kind),
        }),
        model::Data::Exponential {
            temporality: kind,
            points,
        } => metric::Data::ExponentialHistogram(ExponentialHistogram {
            data_points: points.iter().map(exponential).collect(),
            aggregation_temporality: temporality(*kind),
        }),
    };
    Metric {
        name: metric.identity.name.clone(),
        description: metric.identity.description.clone(),
        unit: metric.identity.unit.clone(),
        data: Some(data),
        ..Metric::default()
    }
}

fn number_point(point: &model::NumberPoint) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(&point.attributes),
        start_time_unix_nano: point.start_ns,
        time_unix_nano: point.time_ns,
        exemplars: point.exemplars.iter().map(one_exemplar).collect(),
        value: Some(match point.value {
            model::Number::Int(value) => number_data_point::Value::AsInt(value),
            model::Number::Float(value) => number_data_point::Value::AsDouble(value),
        }),
        ..NumberDataPoint::default()
    }
}

fn explicit(bounds: &[f64], point: &model::ExplicitPoint) -> HistogramDataPoint {
    let summary = &point.summary;
    HistogramDataPoint {
        attributes: attributes(&summary.attributes),
        start_time_unix_nano: summary.start_ns,
        time_unix_nano: summary.time_ns,
        count: summary.count,
        sum: summary.sum,
        bucket_counts: point.counts.clone(),
        explicit_bounds: bounds.to_vec(),
        exemplars: summary.exemplars.iter().map(one_exemplar).collect(),
        min: summary.min_max.map(|(least, _)| least),
        max: summary.min_max.map(|(_, greatest)| greatest),
        ..HistogramDataPoint::default()
    }
}

fn exponential(point: &model::ExponentialPoint) -> ExponentialHistogramDataPoint {
    let summary = &point.summary;
    let buckets = |buckets: &model::Buckets| {
        let some = !buckets.counts.is_empty();
        some.then(|| exponential_histogram_data_point::Buckets {
            offset: buckets.offset,
            bucket_counts: buckets.counts.clone(),
        })
    };
    ExponentialHistogramDataPoint {
        attributes: attributes(&summary.attributes),
        start_time_unix_nano: summary.start_ns,
        time_unix_nano: summary.time_ns,
        count: summary.count,
        sum: summary.sum,
        scale: point.scale,
        zero_count: point.zero_count,
        positive: buckets(&point.positive),
        negative: buckets(&point.negative),
        exemplars: summary.exemplars.iter().map(one_exemplar).collect(),
        min: summary.min_max.map(|(least, _)| least),
        max: summary.min_max.map(|(_, greatest)| greatest),
        ..ExponentialHistogramDataPoint::default()
    }
}

fn one_exemplar(exemplar: &model::Exemplar) -> Exemplar {
    Exemplar {
        filtered_attributes: attributes(&exemplar.filtered),
        time_unix_nano: exemplar.time_ns,
        span_id: exemplar.span_id.to_vec(),
        trace_id: exemplar.trace_id.to_vec(),
        value: Some(match exemplar.value {
            model::Number::Int(value) => exemplar::Value::AsInt(value),
            model::Number::Float(value) => exemplar::Value::AsDouble(value),
        }),
    }
}

fn attributes(attributes: &model::Attributes) -> Vec<KeyValue> {
    let pair = |(key, value): &(Box<str>, model::Value)| KeyValue {
        key: key.to_string(),
        value: Some(any_value(value)),
        ..KeyValue::default()
    };
    attributes.0.iter().map(pair).collect()
}

fn any_value(value: &model::Value) -> AnyValue {
    AnyValue {
        value: match value {
            model::Value::Str(value) => Some(any_value::Value::StringValue(value.to_string())),
            model::Value::Bool(value) => Some(any_value::Value::BoolValue(*value)),
            model::Value::Int(value) => Some(any_value::Value::IntValue(*value)),
            model::Value::Float(value) => Some(any_value::Value::DoubleValue(*value)),
            model::Value::Bytes(value) => Some(any_value::Value::BytesValue(value.to_vec())),
            model::Value::Array(values) => Some(any_value::Value::ArrayValue(ArrayValue {
                values: values.iter().map(any_value).collect(),
            })),
            model::Value::None => None,
        },
    }
}
