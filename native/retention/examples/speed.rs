//! Nanoseconds a span: `cargo run --release -p retention --example speed`.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // times for people

use std::hint::black_box;
use std::time::Instant;

use retention::{metrics::SpanMetrics, tracestate, Facts, Mode, Policy, Retention, Threshold};

const TICK: u64 = 100_000_000;
const SPANS: u32 = 8;
const TRACES: u32 = 1_000;
const TICKS: u32 = 60;

/// Nanoseconds a span, the least of several rounds of `spans` spans.
fn least_ns(spans: u32, mut round: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        round();
        start.elapsed().as_secs_f64() * 1e9 / f64::from(spans)
    };
    (0..TICKS).map(time).fold(f64::INFINITY, f64::min)
}

fn report(what: &str, ns: f64) {
    println!("{what:60} {ns:8.1} ns");
}

struct Ids(u64);

impl Ids {
    fn next(&mut self) -> u128 {
        let mut word = || {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB)
        };
        u128::from(word()) << 64 | u128::from(word())
    }
}

/// A thousand traces of eight spans a tick, one trace after the other or all at the same time.
fn engine(what: &str, mode: Mode, spans_per_second: f64, interleaved: bool) {
    let mut retention: Retention<Box<[u8]>> = Retention::new(Policy {
        mode,
        spans_per_second,
        ..Policy::default()
    });
    let mut ids = Ids(1);
    let mut now_ns = 0;
    let ns = least_ns(TRACES * SPANS, || {
        now_ns += TICK;
        let traces: Vec<u128> = (0..TRACES).map(|_| ids.next()).collect();
        let mut offer = |trace: u128, span: u32| {
            let facts = Facts {
                trace,
                name: if span + 1 == SPANS { "on_tick" } else { "risk" },
                local_root: span + 1 == SPANS,
                duration_ns: trace as u64 >> 40,
                size: 128,
                ..Facts::default()
            };
            // What a caller does to hold a record is part of the price.
            retention.offer(&facts, Box::new([0; 128]), now_ns);
        };
        for i in 0..TRACES * SPANS {
            let (trace, span) = if interleaved {
                (i % TRACES, i / TRACES)
            } else {
                (i / SPANS, i % SPANS)
            };
            offer(traces[trace as usize], span);
        }
        retention.decide(now_ns, |_| false, |kept| drop(black_box(kept)));
    });
    report(what, ns);
}

fn main() {
    println!("offer and decide, per span of traces of {SPANS}:");
    for (order, interleaved) in [("one by one", false), ("interleaved", true)] {
        engine(&format!("  all, {order}"), Mode::All, 100.0, interleaved);
        engine(&format!("  calm, {order}"), Mode::Budget, 1e9, interleaved);
        engine(
            &format!("  sampled, {order}"),
            Mode::Budget,
            100.0,
            interleaved,
        );
        engine(
            &format!("  interesting, {order}"),
            Mode::Interesting,
            100.0,
            interleaved,
        );
    }
    report(
        "  for comparison: allocate and free 128 bytes",
        least_ns(8_000, || {
            for _ in 0..8_000 {
                black_box(Box::new([0_u8; 128]));
            }
        }),
    );

    let metrics = SpanMetrics::new(1_000);
    let names: Vec<String> = (0..50).map(|i| format!("span number {i}")).collect();
    let ns = least_ns(8_000, || {
        let mut recording = metrics.record();
        for i in 0..8_000_u64 {
            let name = &names[(i * 7 % 50) as usize];
            recording.span(name, 1, 0, black_box(1_000 + i * 977));
        }
    });
    report("SpanMetrics: a span", ns);
    report(
        "SpanMetrics: read a series",
        least_ns(50, || {
            metrics.read(|series| {
                black_box(series.count);
            });
        }),
    );

    let mut retention = Retention::new(Policy::default());
    let mut ids = Ids(1);
    let traces: Vec<u128> = (0..65_536).map(|_| ids.next()).collect();
    for &trace in &traces {
        let facts = Facts {
            trace,
            local_root: true,
            ..Facts::default()
        };
        retention.offer(&facts, (), 0);
    }
    retention.flush(0, |_| {});
    let verdicts = retention.verdicts();
    let ns = least_ns(65_536, || {
        for &trace in &traces {
            black_box(verdicts.verdict(trace));
        }
    });
    report("Verdicts: a verdict", ns);

    let state = "ot=rv:d29d6a7215ced0;th:c,vendor=something";
    let ns = least_ns(1_000, || {
        for _ in 0..1_000 {
            black_box(tracestate::read(black_box(state)));
        }
    });
    report("tracestate: read", ns);
    let threshold = Threshold::rounded(0.001, 4);
    let ns = least_ns(1_000, || {
        for _ in 0..1_000 {
            black_box(tracestate::with_threshold(black_box(state), threshold));
        }
    });
    report("tracestate: write", ns);
}
