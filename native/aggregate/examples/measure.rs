//! Nanoseconds and bytes of the histogram, the clock and the windows: `cargo run --release --example measure`.

#![allow(clippy::cast_precision_loss)] // times for people

use std::hint::black_box;
use std::time::Instant;

use aggregate::clock::{self, Ticks};
use aggregate::dense::Dense;
use aggregate::exponential::{self, Exponential};
use aggregate::watched::Watched;
use aggregate::window::Span;

const VALUES: usize = 4_096;

/// Nanoseconds per call, the least of several rounds of `calls` calls.
fn least_ns(calls: usize, mut round: impl FnMut()) -> f64 {
    let time = |_| {
        let start = Instant::now();
        round();
        start.elapsed().as_secs_f64() * 1e9 / calls as f64
    };
    (0..40).map(time).fold(f64::INFINITY, f64::min)
}

fn report(what: &str, ns: f64) {
    println!("{what:60} {ns:10.1} ns");
}

/// Durations around `center` seconds that spread over `octaves` octaves, evenly by logarithm.
fn durations(center: f64, octaves: f64) -> Vec<f64> {
    let mut state = 1_u64;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let unit = (state >> 33) as f64 / (1_u64 << 31) as f64;
        center * ((unit - 0.5) * octaves).exp2()
    };
    (0..VALUES).map(next).collect()
}

fn record_all(histogram: &Exponential, values: &[f64]) {
    for &value in values {
        // SAFETY: this program has one thread.
        unsafe { histogram.record(black_box(value)) };
    }
}

fn repeat<T>(call: impl Fn() -> T) {
    for _ in 0..VALUES {
        black_box(call());
    }
}

/// A timer and its windows: what a pump costs.
fn watched(values: &[f64]) {
    let timer = Watched::new("timer", Some(10_000_000), 0);
    let record = || {
        for &value in values {
            // SAFETY: this program has one thread.
            unsafe { timer.record(black_box(value)) };
        }
    };
    report("Watched::record", least_ns(VALUES, record));
    let mut now_ns = 0;
    let mut tick = |count: usize| {
        let mut least = f64::INFINITY;
        for _ in 0..700 {
            for &value in values
                .iter()
                .cycle()
                .skip(usize::try_from(now_ns / 1_000).unwrap() % VALUES)
                .take(count)
            {
                // SAFETY: as above.
                unsafe { timer.record(value) };
            }
            now_ns += 100_000_000;
            least = least.min(least_ns_once(|| {
                black_box(timer.tick(now_ns));
            }));
        }
        report(&format!("tick after {count} measurements"), least);
        println!("    {} bytes with windows", timer.memory());
    };
    tick(1_000);
    tick(100);
    tick(1);
    tick(0);
    record();
    for span in Span::ALL {
        let ns = least_ns(1, || {
            black_box(timer.stats(Some(span), now_ns));
        });
        report(&format!("stats of {span:?}"), ns);
    }
    println!(
        "timer without measurements: {} bytes",
        Watched::new("t", None, 0).memory()
    );
}

fn least_ns_once(call: impl FnOnce()) -> f64 {
    let start = Instant::now();
    call();
    start.elapsed().as_secs_f64() * 1e9
}

fn main() {
    let values = durations(1e-3, 8.0);
    let narrow = durations(1e-3, 1e-4);
    let sum_only = least_ns(VALUES, || {
        black_box(
            values
                .iter()
                .fold(0.0, |sum, value| sum + black_box(*value)),
        );
    });
    report("loop that only adds the values", sum_only);
    let cases = [
        ("scale 4 (160 buckets)", 160, 20, &values),
        ("scale 6 (timer)", 2_048, 6, &values),
        ("scale 20", 160, 20, &narrow),
    ];
    let mut dense = Dense::default();
    for (what, max_size, max_scale, values) in cases {
        let histogram = Exponential::new(max_size, max_scale);
        report(
            &format!("record, {what}"),
            least_ns(VALUES, || record_all(&histogram, values)),
        );
        histogram.read(&mut dense);
        println!(
            "    scale {}, {} buckets, {} bytes",
            dense.scale,
            dense.counts.len(),
            histogram.memory()
        );
        report(
            &format!("read, {what}"),
            least_ns(1, || histogram.read(&mut dense)),
        );
        let reading = exponential::enter();
        report(
            &format!("read as one of many, {what}"),
            least_ns(1, || histogram.read_with(&reading, &mut dense)),
        );
    }
    let one = Exponential::new(160, 20);
    record_all(&one, &[0.001]);
    println!(
        "series with one value: {} bytes, {} of them the header",
        one.memory(),
        size_of::<Exponential>()
    );
    println!("clock: {:?}", clock::source());
    report("Ticks::now", least_ns(VALUES, || repeat(Ticks::now)));
    let between = || Ticks::seconds_between(Ticks::now(), Ticks::now());
    report(
        "Ticks::now twice and the seconds between",
        least_ns(VALUES, || repeat(between)),
    );
    report("calibrate", least_ns(1, clock::calibrate));
    watched(&values);
}
