//! How long spans took, by name, kind and status: counted before anything is left out, as metrics.

use std::sync::{Arc, LazyLock};

use retention::metrics::{Snapshot, SpanMetrics};
use wire::model::{
    Attributes, Buckets, Data, ExplicitPoint, ExponentialPoint, Identity, Metric, Summary,
    Temporality, Value,
};

/// Names of spans, of kinds and statuses, that have series of their own.
pub const SERIES: usize = 2_000;

const KINDS: [&str; 6] = [
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
];
const STATUSES: [&str; 3] = ["unset", "ok", "error"];

static IDENTITY: LazyLock<Arc<Identity>> = LazyLock::new(|| {
    Arc::new(Identity {
        name: "trading.span.duration".to_owned(),
        description: "Spans of all traces, those that are not kept too.".to_owned(),
        unit: "s".to_owned(),
    })
});

/// The durations so far: with `bounds` in explicit buckets, else in exponential ones.
pub fn metric(
    spans: &SpanMetrics,
    start_ns: u64,
    time_ns: u64,
    bounds: Option<&Arc<[f64]>>,
) -> Option<Metric> {
    let (mut explicit, mut exponential) = (Vec::new(), Vec::new());
    spans.read(|series| {
        let summary = summary(series, start_ns, time_ns);
        match bounds {
            Some(bounds) => explicit.push(ExplicitPoint {
                counts: counts(series, bounds),
                summary,
            }),
            None => exponential.push(ExponentialPoint {
                summary,
                scale: series.buckets.scale,
                zero_count: series.zeros,
                positive: Buckets {
                    offset: if series.buckets.counts.is_empty() {
                        0
                    } else {
                        series.buckets.offset
                    },
                    counts: series.buckets.counts.clone(),
                },
                negative: Buckets::default(),
            }),
        }
    });
    if explicit.is_empty() && exponential.is_empty() {
        return None;
    }
    let temporality = Temporality::Cumulative;
    let data = match bounds {
        Some(bounds) => Data::Explicit {
            temporality,
            bounds: Arc::clone(bounds),
            points: explicit,
        },
        None => Data::Exponential {
            temporality,
            points: exponential,
        },
    };
    Some(Metric {
        identity: Arc::clone(&IDENTITY),
        data,
    })
}

fn summary(series: &Snapshot<'_>, start_ns: u64, time_ns: u64) -> Summary {
    Summary {
        attributes: Arc::new(attributes(series)),
        start_ns,
        time_ns,
        count: series.count,
        sum: Some(series.sum),
        min_max: Some((series.min, series.max)),
        exemplars: Vec::new(),
    }
}

fn attributes(series: &Snapshot<'_>) -> Attributes {
    let Some(name) = series.name else {
        return Attributes(vec![("otel.metric.overflow".into(), Value::Bool(true))]);
    };
    let word = |words: &[&str], index: u8| {
        Value::Str((*words.get(usize::from(index)).unwrap_or(&words[0])).into())
    };
    Attributes(vec![
        ("span.name".into(), Value::Str(name.into())),
        ("span.kind".into(), word(&KINDS, series.kind)),
        ("status.code".into(), word(&STATUSES, series.status)),
    ])
}

/// Measurements by explicit bucket; an exponential one belongs where its middle is.
fn counts(series: &Snapshot<'_>, bounds: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; bounds.len() + 1];
    counts[0] = series.zeros;
    for (index, count) in series.buckets.buckets() {
        let (low, high) = aggregate::dense::Dense::bounds(index, series.buckets.scale);
        let middle = low.midpoint(high);
        counts[bounds.partition_point(|bound| *bound < middle)] += count;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded() -> SpanMetrics {
        let spans = SpanMetrics::new(SERIES);
        let mut recording = spans.record();
        for duration in [1_000_000, 2_000_000, 40_000_000] {
            recording.span("tick", 1, 0, duration);
        }
        recording.span("order", 3, 2, 0);
        drop(recording);
        spans
    }

    #[test]
    fn nothing_is_no_metric() {
        assert_eq!(metric(&SpanMetrics::new(SERIES), 1, 2, None), None);
    }

    #[test]
    fn durations_are_in_the_buckets_they_belong_to() {
        let bounds: Arc<[f64]> = [0.001_5, 0.01].into();
        let Some(Metric {
            data: Data::Explicit { points, .. },
            ..
        }) = metric(&recorded(), 1, 2, Some(&bounds))
        else {
            panic!("no explicit histogram");
        };
        assert_eq!(points[0].counts, [1, 1, 1]);
        assert_eq!(points[1].counts, [1, 0, 0]);
        assert_eq!(
            points[1].summary.attributes.0[2],
            ("status.code".into(), Value::Str("error".into()))
        );
    }

    #[test]
    fn exponential_buckets_hold_all_measurements() {
        let Some(Metric {
            data: Data::Exponential { points, .. },
            ..
        }) = metric(&recorded(), 1, 2, None)
        else {
            panic!("no exponential histogram");
        };
        assert_eq!(points[0].positive.counts.iter().sum::<u64>(), 3);
        assert_eq!((points[1].zero_count, points[1].summary.count), (1, 1));
        assert!((points[0].summary.sum.unwrap_or_default() - 0.043).abs() < 1e-9);
    }
}
