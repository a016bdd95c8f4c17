//! Pages of Prometheus protobuf: delimited `io.prometheus.client.MetricFamily` messages, with native histograms.
//!
//! An exponential histogram becomes a native one, an explicit one classic buckets; a series that the snapshot
//! holds in both forms carries both, and the scraper takes what it is configured for.

use std::borrow::Cow;

use crate::buckets::{
    classic_of_explicit, classic_of_exponential, coarser, trimmed, ClassicBucket,
};
use crate::exposition::{Options, Page};
use crate::families::{as_double, collect, Family, Kind, Series, Value};
use crate::model::{Buckets, Exemplar, ExponentialPoint, Snapshot};
use crate::openmetrics::{exemplar_labels, newest};
use crate::protobuf::{delimited, double, message, number, text, varint, zigzag};

/// The scales Prometheus knows.
const COARSEST: i32 = -4;
const FINEST: i32 = 8;

/// So many empty buckets are rather written than skipped.
const MOST_WRITTEN_EMPTY: usize = 2;

/// The snapshot as delimited messages.
#[must_use]
pub fn encode(snapshot: &Snapshot, options: Options) -> Page {
    let page = collect(snapshot, options, label);
    let mut out = Vec::new();
    if let Some(target) = &page.target {
        delimited(&mut out, |out| {
            text(out, 1, "target_info");
            text(out, 2, "Target metadata");
            number(out, 3, kind_number(Kind::Gauge));
            message(out, 4, |out| {
                out.extend_from_slice(&page.labels[target.clone()]);
                message(out, 2, |out| double(out, 1, 1.0));
            });
        });
    }
    let mut writer = Writer {
        labels: &page.labels,
        created: options.created,
        buckets: Vec::new(),
    };
    for family in &page.all {
        delimited(&mut out, |out| writer.family(out, family));
    }
    Page {
        body: out,
        dropped: page.dropped,
    }
}

/// A `LabelPair` as field 1 of a metric or exemplar.
fn label(out: &mut Vec<u8>, _start: usize, name: &str, value: &str) {
    message(out, 1, |out| {
        text(out, 1, name);
        text(out, 2, value);
    });
}

fn kind_number(kind: Kind) -> u64 {
    match kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 4,
    }
}

struct Writer<'a> {
    labels: &'a [u8],
    created: bool,
    buckets: Vec<ClassicBucket>,
}

impl Writer<'_> {
    fn family(&mut self, out: &mut Vec<u8>, family: &Family) {
        match family.kind {
            Kind::Counter => text(out, 1, &format!("{}_total", family.name)),
            Kind::Gauge | Kind::Histogram => text(out, 1, &family.name),
        }
        text(out, 2, family.help);
        number(out, 3, kind_number(family.kind));
        for series in &family.series {
            message(out, 4, |out| {
                out.extend_from_slice(&self.labels[series.labels.clone()]);
                match (&series.value, family.kind) {
                    (Value::Number(value), Kind::Counter) => message(out, 3, |out| {
                        double(out, 1, as_double(*value));
                        if let Some(it) = newest(series.exemplars, |_| true) {
                            exemplar(out, 2, it);
                        }
                        self.created(out, 3, series.start_ns);
                    }),
                    (Value::Number(value), _) => {
                        message(out, 2, |out| double(out, 1, as_double(*value)));
                    }
                    (Value::Histogram { .. }, _) => {
                        message(out, 7, |out| self.histogram(out, series));
                    }
                }
            });
        }
        text(out, 5, &family.unit);
    }

    fn created(&self, out: &mut Vec<u8>, field: u32, start_ns: u64) {
        if self.created && start_ns > 0 {
            timestamp(out, field, start_ns);
        }
    }

    fn histogram(&mut self, out: &mut Vec<u8>, series: &Series) {
        let Value::Histogram {
            explicit,
            exponential,
        } = &series.value
        else {
            return;
        };
        let native = exponential.filter(|point| has_native_form(point));
        let derived = exponential.filter(|point| !has_native_form(point));
        self.buckets.clear();
        if let Some((bounds, point)) = explicit {
            classic_of_explicit(bounds, point, &mut self.buckets);
        } else if let Some(point) = derived {
            classic_of_exponential(point, &mut self.buckets);
        }
        let classic_count = self.buckets.last().map(|&(_, count)| count);
        let count = native.map(count_of).or(classic_count);
        number(out, 1, count.unwrap_or_default());
        let summary = exponential
            .map(|point| &point.summary)
            .or(explicit.map(|(_, point)| &point.summary));
        if let Some(sum) = summary.and_then(|summary| summary.sum) {
            double(out, 2, sum);
        }
        let mut lower = f64::NEG_INFINITY;
        for &(upper, count) in &self.buckets {
            message(out, 3, |out| {
                number(out, 1, count);
                double(out, 2, upper);
                if let Some(it) = newest(series.exemplars, |value| lower < value && value <= upper)
                {
                    exemplar(out, 3, it);
                }
            });
            lower = upper;
        }
        if let Some(point) = native {
            native_histogram(out, point);
            for it in &point.summary.exemplars {
                if it.time_ns > 0 {
                    exemplar(out, 16, it);
                }
            }
        }
        self.created(out, 15, series.start_ns);
    }
}

/// Whether the scale and all counts are ones Prometheus can hold.
fn has_native_form(point: &ExponentialPoint) -> bool {
    point.scale >= COARSEST && i64::try_from(count_of(point)).is_ok()
}

/// All measurements in the buckets; Prometheus refuses a histogram whose count is another.
fn count_of(point: &ExponentialPoint) -> u64 {
    let buckets = point.positive.counts.iter().chain(&point.negative.counts);
    buckets.fold(point.zero_count, |sum, &count| sum.saturating_add(count))
}

fn native_histogram(out: &mut Vec<u8>, point: &ExponentialPoint) {
    let schema = point.scale.min(FINEST);
    let by = point.scale.saturating_sub(schema).unsigned_abs();
    number(out, 5, zigzag(schema.into()));
    // Our zero bucket holds zeros and nothing near them.
    double(out, 6, 0.0);
    number(out, 7, point.zero_count);
    let negative = native_buckets(&point.negative, by);
    spans_and_deltas(out, (9, 10), &negative);
    let positive = native_buckets(&point.positive, by);
    spans_and_deltas(out, (12, 13), &positive);
    if negative.1.is_empty() && positive.1.is_empty() {
        // Without a span an empty native histogram looks like a classic one without buckets.
        span(out, 12, 0, 0);
    }
}

fn native_buckets(buckets: &Buckets, by: u32) -> (i64, Cow<'_, [u64]>) {
    let (offset, counts) = trimmed(buckets);
    let (offset, counts) = coarser(offset, counts, by);
    // Prometheus counts buckets by their upper bound, OpenTelemetry by their lower one.
    (offset + 1, counts)
}

/// Runs of buckets, and their counts as differences from one to the next.
fn spans_and_deltas(
    out: &mut Vec<u8>,
    (span_field, delta_field): (u32, u32),
    (first, counts): &(i64, Cow<'_, [u64]>),
) {
    if counts.is_empty() {
        return;
    }
    let mut gap = *first;
    let mut written = Vec::with_capacity(counts.len());
    let mut rest: &[u64] = counts;
    while !rest.is_empty() {
        let length = run_length(rest);
        span(out, span_field, gap, length);
        written.extend_from_slice(&rest[..length]);
        rest = &rest[length..];
        let empty = rest.iter().take_while(|&&count| count == 0).count();
        gap = i64::try_from(empty).unwrap_or_default();
        rest = &rest[empty..];
    }
    message(out, delta_field, |out| {
        let mut before = 0_u64;
        for count in written {
            let delta = i64::from_ne_bytes(count.wrapping_sub(before).to_ne_bytes());
            varint(out, zigzag(delta));
            before = count;
        }
    });
}

/// Buckets up to the first gap that is worth a new span; the last of `counts` is not empty.
fn run_length(counts: &[u64]) -> usize {
    let mut empty = 0;
    for (index, &count) in counts.iter().enumerate() {
        empty = if count == 0 { empty + 1 } else { 0 };
        if empty > MOST_WRITTEN_EMPTY {
            return index + 1 - empty;
        }
    }
    counts.len()
}

fn span(out: &mut Vec<u8>, field: u32, offset: i64, length: usize) {
    message(out, field, |out| {
        number(out, 1, zigzag(offset));
        number(out, 2, length as u64);
    });
}

fn exemplar(out: &mut Vec<u8>, field: u32, exemplar: &Exemplar) {
    message(out, field, |out| {
        for (name, value) in exemplar_labels(exemplar) {
            label(out, 0, &name, &value);
        }
        double(out, 2, as_double(exemplar.value));
        if exemplar.time_ns > 0 {
            timestamp(out, 3, exemplar.time_ns);
        }
    });
}

/// A `google.protobuf.Timestamp`.
fn timestamp(out: &mut Vec<u8>, field: u32, ns: u64) {
    message(out, field, |out| {
        number(out, 1, ns / 1_000_000_000);
        number(out, 2, ns % 1_000_000_000);
    });
}
