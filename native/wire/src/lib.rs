//! Metric data as plain values, and its encodings: OTLP, `OpenMetrics` text and Prometheus protobuf.
//!
//! Nothing here knows Python: a snapshot is taken with the GIL held and encoded without it.

#![forbid(unsafe_code)]

mod buckets;
pub mod exposition;
mod families;
pub mod json;
mod labels;
pub mod model;
pub mod names;
mod numbers;
pub mod openmetrics;
pub mod otlp;
pub mod parts;
pub mod prometheus_protobuf;
pub mod protobuf;
mod quantiles;
