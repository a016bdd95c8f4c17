//! Windows over times that the test sets, against a list of what was measured when.

#![allow(clippy::cast_precision_loss)] // small numbers

use super::*;
use crate::exponential::Exponential;
use crate::random::Random;

const TICK: u64 = 100 * MS;
const START: u64 = 5_000_000 * MS;

/// A series and the list of what was measured when.
struct Series {
    histogram: Exponential,
    windows: Windows,
    totals: Totals,
    values: Vec<(u64, f64)>,
    now_ns: u64,
}

impl Series {
    fn new() -> Self {
        Self {
            histogram: Exponential::new(2_048, 7),
            windows: Windows::new(START),
            totals: Totals::default(),
            values: Vec::new(),
            now_ns: START,
        }
    }

    fn record(&mut self, value: f64) {
        if value > 0.0 {
            // SAFETY: the test has one thread.
            unsafe { self.histogram.record(value) };
        } else {
            self.totals.zero += 1;
        }
        self.totals.sum += value;
        self.totals.greatest = self.totals.greatest.max(value);
        self.values.push((self.now_ns, value));
    }

    fn tick(&mut self, after_ns: u64) {
        self.now_ns += after_ns;
        let mut buckets = Dense::default();
        self.histogram.read(&mut buckets);
        self.windows.update(self.now_ns, &mut buckets, self.totals);
        self.totals.greatest = 0.0;
    }

    /// Count, sum and maximum of the values measured in the last `ns`.
    fn exact(&self, ns: u64) -> (u64, f64, f64) {
        let recent = self
            .values
            .iter()
            .filter(|(time, _)| *time >= self.now_ns.saturating_sub(ns));
        recent.fold((0, 0.0, 0.0), |(count, sum, max), (_, value)| {
            (count + 1, sum + value, f64::max(max, *value))
        })
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // minutes at most
fn nanoseconds(stats: &Stats) -> u64 {
    (stats.seconds * 1e9).round() as u64
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * right.abs().max(1.0)
}

#[test]
fn with_regular_updates_each_window_holds_exactly_its_time() {
    let mut random = Random::new(11);
    let mut series = Series::new();
    let ticks = if cfg!(miri) { 30 } else { 900 };
    for tick in 1..=ticks {
        for _ in 0..random.below(5) {
            series.record(if random.below(10) == 0 {
                0.0
            } else {
                random.spread(1e-6, 1.0)
            });
        }
        series.tick(TICK);
        for span in Span::ALL {
            let stats = series.windows.stats(span);
            // Longer slices leave later: at the window's end there is up to one slice more.
            let held = nanoseconds(&stats);
            let (count, sum, max) = series.exact(held);
            assert_eq!(stats.count, count, "{span:?} after {tick} ticks");
            assert!(close(stats.sum, sum) && close(stats.max, max));
            let lived = tick * TICK;
            assert!(held >= span.ns().min(lived) && held < span.ns() + span.slice_ns());
            assert!(span != Span::Second || held <= span.ns());
        }
    }
}

#[test]
fn rates_and_means_are_over_the_covered_time() {
    let mut series = Series::new();
    for _ in 0..20 {
        series.record(0.002);
        series.record(0.004);
        series.tick(TICK);
    }
    let stats = series.windows.stats(Span::Second);
    assert!(close(stats.rate(), 20.0) && close(stats.mean().unwrap(), 0.003));
    let stats = series.windows.stats(Span::Minute);
    assert!(close(stats.seconds, 2.0) && close(stats.rate(), 20.0));
}

#[test]
#[cfg_attr(miri, ignore = "slow there, and safe code")]
fn quantiles_are_those_of_the_window() {
    let mut series = Series::new();
    for tick in 0..100 {
        for step in 1..=100_u32 {
            series.record(f64::from(step) * if tick < 50 { 1.0 } else { 1e-3 });
        }
        series.tick(TICK);
    }
    let recent = series.windows.stats(Span::FiveSeconds).quantiles.unwrap();
    assert!((recent.p50 / 0.0505 - 1.0).abs() < 0.003, "{recent:?}");
    assert!((recent.p99 / 0.099_01 - 1.0).abs() < 0.006, "{recent:?}");
    let all = series.windows.stats(Span::Minute).quantiles.unwrap();
    assert!((all.p99 / 98.0 - 1.0).abs() < 0.006, "{all:?}");
}

#[test]
fn what_a_late_update_brings_counts_once_and_over_the_time_it_took() {
    let mut series = Series::new();
    for _ in 0..300 {
        series.record(0.001);
    }
    series.tick(3_000 * MS);
    let stats = series.windows.stats(Span::Second);
    assert_eq!(stats.count, 300);
    assert!(close(stats.rate(), 100.0));
    series.tick(TICK);
    assert_eq!(series.windows.stats(Span::Second).count, 300);
    series.tick(1_000 * MS);
    assert_eq!(series.windows.stats(Span::Second).count, 0);
    assert_eq!(series.windows.stats(Span::FiveSeconds).count, 300);
}

#[test]
fn after_a_long_silence_only_new_values_are_there() {
    let mut series = Series::new();
    series.record(1.0);
    series.tick(TICK);
    series.windows.pass(START + 600_000 * MS);
    series.now_ns = START + 600_000 * MS;
    series.record(2.0);
    series.tick(TICK);
    for span in Span::ALL {
        let stats = series.windows.stats(span);
        assert_eq!((stats.count, stats.max.to_bits()), (1, 2.0_f64.to_bits()));
    }
    assert!(series.windows.memory() < 16_384);
}

#[test]
fn time_that_goes_backwards_stands_still() {
    let mut series = Series::new();
    series.record(1.0);
    series.tick(10 * TICK);
    series.now_ns -= 5 * TICK;
    series.record(1.0);
    series.tick(TICK);
    assert_eq!(series.windows.last_ns(), START + 10 * TICK);
    assert_eq!(series.windows.stats(Span::Second).count, 2);
}

#[test]
fn after_a_reset_everything_is_new() {
    let mut series = Series::new();
    for _ in 0..5 {
        series.record(0.5);
    }
    series.tick(TICK);
    // SAFETY: the test has one thread.
    unsafe { series.histogram.reset() };
    series.totals = Totals::default();
    series.record(0.25);
    series.tick(TICK);
    let stats = series.windows.stats(Span::Second);
    assert_eq!(stats.count, 6);
    assert!(close(stats.sum, 2.75));
}

#[test]
#[cfg_attr(miri, ignore = "slow there, and safe code")]
fn a_coarser_histogram_coarsens_the_windows_and_leaves_nothing_behind() {
    let mut series = Series::new();
    for exponent in -40..40 {
        series.record(2.0_f64.powi(exponent));
        series.tick(TICK);
        let stats = series.windows.stats(Span::FiveSeconds);
        assert_eq!(stats.count, series.exact(nanoseconds(&stats)).0);
    }
    for _ in 0..700 {
        series.tick(TICK);
    }
    for window in &series.windows.by_span {
        assert!(window.sum.is_empty() && window.slices.is_empty());
    }
}

#[test]
fn a_maximum_known_before_its_bucket_waits_for_it() {
    let mut windows = Windows::new(START);
    let greatest = |greatest| Totals {
        greatest,
        ..Totals::default()
    };
    windows.update(START + TICK, &mut Dense::default(), greatest(3.0));
    let mut late = Dense {
        scale: 0,
        offset: 1,
        counts: vec![1],
    };
    windows.update(START + 2 * TICK, &mut late, greatest(0.0));
    assert!(close(windows.stats(Span::Second).max, 3.0));
}
