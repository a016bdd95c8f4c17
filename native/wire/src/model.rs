//! What was collected: the OpenTelemetry data model of metrics, as values that own what they hold.

use std::sync::Arc;

/// One collection of one reader.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Who reports; the same object in every snapshot of a process.
    pub resource: Arc<Resource>,
    /// The metrics by instrumentation scope; a scope occurs once.
    pub scopes: Vec<ScopeMetrics>,
}

/// The resource all metrics are reported for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Its attributes.
    pub attributes: Attributes,
    /// Its schema URL, empty when there is none.
    pub schema_url: String,
}

/// An instrumentation scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// Name of the library that measures.
    pub name: String,
    /// Its version, empty when there is none.
    pub version: String,
    /// Its schema URL, empty when there is none.
    pub schema_url: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// The metrics of one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct ScopeMetrics {
    /// The scope.
    pub scope: Arc<Scope>,
    /// Its metrics; a name may occur twice when two instruments share it.
    pub metrics: Vec<Metric>,
}

/// One metric stream with its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Name, unit and description.
    pub identity: Arc<Identity>,
    /// The points.
    pub data: Data,
}

/// What a metric is called.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    /// The OpenTelemetry name.
    pub name: String,
    /// The description, may be empty.
    pub description: String,
    /// The UCUM unit, may be empty.
    pub unit: String,
}

/// Whether points hold totals since the start or since the last collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Temporality {
    /// Since the last collection of the reader.
    Delta,
    /// Since the series began.
    Cumulative,
}

/// The points of a metric, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// Sums, monotonic (a counter) or not (an up-down counter).
    Sum {
        /// Delta or cumulative.
        temporality: Temporality,
        /// Whether the sum only grows.
        monotonic: bool,
        /// The series.
        points: Vec<NumberPoint>,
    },
    /// Last values.
    Gauge {
        /// The series.
        points: Vec<NumberPoint>,
    },
    /// Histograms with explicit upper bounds.
    Explicit {
        /// Delta or cumulative.
        temporality: Temporality,
        /// Upper bounds, inclusive, ascending; one bucket more than bounds.
        bounds: Arc<[f64]>,
        /// The series.
        points: Vec<ExplicitPoint>,
    },
    /// Base-2 exponential histograms.
    Exponential {
        /// Delta or cumulative.
        temporality: Temporality,
        /// The series.
        points: Vec<ExponentialPoint>,
    },
}

/// A whole number or a double, as it was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A double; may be NaN or infinite only in gauges of observers.
    Float(f64),
}

/// One value of a sum or gauge.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberPoint {
    /// The series' attributes.
    pub attributes: Arc<Attributes>,
    /// Unix nanoseconds of the beginning; 0 for a gauge.
    pub start_ns: u64,
    /// Unix nanoseconds of the collection.
    pub time_ns: u64,
    /// The value.
    pub value: Number,
    /// Measurements made inside sampled spans.
    pub exemplars: Vec<Exemplar>,
}

/// What every histogram point has.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The series' attributes.
    pub attributes: Arc<Attributes>,
    /// Unix nanoseconds of the beginning.
    pub start_ns: u64,
    /// Unix nanoseconds of the collection.
    pub time_ns: u64,
    /// Measurements.
    pub count: u64,
    /// Their sum; `None` where instruments may record negative values and the wire format then forbids it.
    pub sum: Option<f64>,
    /// The least and the greatest measurement; `None` when there was none or they are not recorded.
    pub min_max: Option<(f64, f64)>,
    /// Measurements made inside sampled spans.
    pub exemplars: Vec<Exemplar>,
}

/// One series of an explicit histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplicitPoint {
    /// Count, sum, extremes.
    pub summary: Summary,
    /// Measurements by bucket (not cumulated): one more than bounds.
    pub counts: Vec<u64>,
}

/// One series of an exponential histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialPoint {
    /// Count, sum, extremes.
    pub summary: Summary,
    /// Bucket `i` holds magnitudes in `(base^i, base^(i+1)]` with `base = 2^(2^-scale)`.
    pub scale: i32,
    /// Measurements that are zero.
    pub zero_count: u64,
    /// Magnitudes of positive measurements.
    pub positive: Buckets,
    /// Magnitudes of negative measurements.
    pub negative: Buckets,
}

/// A dense run of exponential buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Index of the first.
    pub offset: i32,
    /// Measurements by bucket.
    pub counts: Vec<u64>,
}

/// A measurement with the span it was made in.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// The measured value.
    pub value: Number,
    /// Unix nanoseconds.
    pub time_ns: u64,
    /// The trace's id.
    pub trace_id: [u8; 16],
    /// The span's id.
    pub span_id: [u8; 8],
    /// Attributes of the measurement that the series leaves out.
    pub filtered: Attributes,
}

/// Attributes in the order they were given; a key occurs once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes(pub Vec<(Box<str>, Value)>);

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Str(Box<str>),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A double.
    Float(f64),
    /// Raw bytes.
    Bytes(Box<[u8]>),
    /// A list.
    Array(Vec<Value>),
    /// Nothing.
    None,
}
