//! How long the encoders take: `cargo bench -p wire`.
//!
//! The least of several runs counts: what a busy machine adds is not the encoder's.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wire::exposition::{render, Format, Options};
use wire::model::{
    Attributes, Buckets, Data, ExplicitPoint, ExponentialPoint, Identity, Metric, Number,
    NumberPoint, Scope, ScopeMetrics, Snapshot, Summary, Temporality, Value,
};

const RUNS: usize = 10;

fn attributes(series: u32) -> Arc<Attributes> {
    let text = |value: &str| Value::Str(value.into());
    Arc::new(Attributes(vec![
        ("trading.venue.name".into(), text("binance")),
        (
            "trading.instrument.symbol".into(),
            text(&format!("ASSET{series}/USDT")),
        ),
    ]))
}

fn summary(series: u32, count: u64) -> Summary {
    Summary {
        attributes: attributes(series),
        start_ns: 1_700_000_000_000_000_000,
        time_ns: 1_700_000_060_000_000_000,
        count,
        sum: Some(12.5),
        min_max: Some((0.001, 0.9)),
        exemplars: Vec::new(),
    }
}

fn snapshot_of(name: &str, data: Data) -> Snapshot {
    let identity = Identity {
        name: name.into(),
        description: "Time from a request to its answer".into(),
        unit: "s".into(),
    };
    let metric = Metric {
        identity: Arc::new(identity),
        data,
    };
    Snapshot {
        scopes: vec![ScopeMetrics {
            scope: Arc::new(Scope::default()),
            metrics: vec![metric],
        }],
        ..Snapshot::default()
    }
}

fn exponential(series: u32, buckets: u64) -> Snapshot {
    let point = |index: u32| {
        let counts: Vec<u64> = (0..buckets).map(|bucket| bucket * 37 % 200).collect();
        ExponentialPoint {
            summary: summary(index, counts.iter().sum()),
            scale: 5,
            zero_count: 0,
            positive: Buckets {
                offset: -310,
                counts,
            },
            negative: Buckets::default(),
        }
    };
    let data = Data::Exponential {
        temporality: Temporality::Cumulative,
        points: (0..series).map(point).collect(),
    };
    snapshot_of("trading.venue.request.duration", data)
}

/// The least time of several runs, and the bytes one run gave.
fn least(run: impl Fn() -> usize) -> (Duration, usize) {
    let timed = (0..RUNS).map(|_| {
        let begun = Instant::now();
        let bytes = black_box(run());
        (begun.elapsed(), bytes)
    });
    timed.min().unwrap_or_default()
}

fn report(what: &str, run: impl Fn() -> usize) {
    let (time, bytes) = least(run);
    println!("{what:<58} {time:>10.2?} {bytes:>11} bytes");
}

fn explicit(series: u32) -> Snapshot {
    let bounds: Arc<[f64]> = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    ]
    .into();
    let point = |index: u32| ExplicitPoint {
        summary: summary(index, 15 * 37),
        counts: vec![37; bounds.len() + 1],
    };
    let data = Data::Explicit {
        temporality: Temporality::Cumulative,
        points: (0..series).map(point).collect(),
        bounds: Arc::clone(&bounds),
    };
    snapshot_of("trading.venue.request.duration", data)
}

fn counters(series: u32) -> Snapshot {
    let point = |index: u32| NumberPoint {
        attributes: attributes(index),
        start_ns: 1_700_000_000_000_000_000,
        time_ns: 1_700_000_060_000_000_000,
        value: Number::Int(index.into()),
        exemplars: Vec::new(),
    };
    let data = Data::Sum {
        temporality: Temporality::Cumulative,
        monotonic: true,
        points: (0..series).map(point).collect(),
    };
    snapshot_of("trading.market_data.messages", data)
}

fn main() {
    let length = |parts: Vec<Vec<u8>>| parts.iter().map(Vec::len).sum();
    for buckets in [20, 60, 160] {
        let snapshot = exponential(100_000, buckets);
        let what = format!("OTLP, 100,000 exponential points of {buckets} buckets");
        report(&what, || {
            length(wire::otlp::encode(&snapshot, wire::otlp::DEFAULT_MAX_BYTES))
        });
    }
    for (what, snapshot) in [
        ("10,000 counters", counters(10_000)),
        ("10,000 explicit histograms", explicit(10_000)),
        ("10,000 exponential histograms", exponential(10_000, 60)),
    ] {
        for format in [Format::Text, Format::OpenMetrics, Format::Protobuf] {
            report(&format!("{format:?}, {what}"), || {
                render(&snapshot, format, Options::default()).body.len()
            });
        }
        report(&format!("JSON, {what}"), || {
            wire::json::encode(&snapshot).len()
        });
    }
}
