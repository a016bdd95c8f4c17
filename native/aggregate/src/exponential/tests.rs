//! Histograms against the definition, and under readers.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small numbers of the tests

use std::sync::atomic::AtomicBool;

use super::*;
use crate::index::tests::{index_by_squaring, magnitudes};
use crate::random::Random;

const ROUNDS: u64 = if cfg!(miri) { 3 } else { 1_000 };

/// A histogram that is written by the test alone.
struct Written(Exponential);

impl Written {
    fn new(max_size: u32, max_scale: i8) -> Self {
        Self(Exponential::new(max_size, max_scale))
    }

    fn record(&self, magnitude: f64, n: u64) {
        // SAFETY: only the test's thread has the histogram.
        unsafe { self.0.record_n(magnitude, n) };
    }

    fn read(&self) -> Dense {
        let mut dense = Dense::default();
        self.0.read(&mut dense);
        dense
    }
}

/// What a histogram must hold, from the values: the finest scale at which they fit, found by trial.
fn expected(values: &[(f64, u64)], max_size: u32, max_scale: i8) -> Dense {
    let scale = (MIN_SCALE..=max_scale)
        .rev()
        .find(|&scale| {
            let indices = values
                .iter()
                .map(|&(value, _)| index_by_squaring(value, scale));
            let (low, high) = (indices.clone().min().unwrap(), indices.max().unwrap());
            high.abs_diff(low) < max_size
        })
        .unwrap();
    let mut indices: Vec<(i32, u64)> = values
        .iter()
        .map(|&(value, n)| (index_by_squaring(value, scale), n))
        .collect();
    indices.sort_unstable();
    let (first, last) = (indices[0].0, indices[indices.len() - 1].0);
    let mut counts = vec![0; (last - first + 1) as usize];
    for (index, n) in indices {
        counts[(index - first) as usize] += n;
    }
    Dense {
        scale: i32::from(scale),
        offset: first,
        counts,
    }
}

fn check(values: &[(f64, u64)], max_size: u32, max_scale: i8) {
    let histogram = Written::new(max_size, max_scale);
    for &(value, n) in values {
        histogram.record(value, n);
    }
    assert_eq!(
        histogram.read(),
        expected(values, max_size, max_scale),
        "{values:?}"
    );
}

#[test]
fn sequences_of_any_magnitudes_give_the_buckets_of_the_definition() {
    let mut random = Random::new(1);
    let mut values = magnitudes(u64::MAX);
    for _ in 0..ROUNDS {
        let count = 1 + random.below(30) as usize;
        let sequence: Vec<_> = values
            .by_ref()
            .take(count)
            .map(|value| (value, 1))
            .collect();
        check(
            &sequence,
            2 + random.below(400) as u32,
            random.below(20) as i8 - 8,
        );
    }
}

#[test]
#[cfg_attr(
    miri,
    ignore = "slow there, and the sequences of any magnitudes take the same paths"
)]
fn sequences_of_close_magnitudes_give_the_buckets_of_the_definition() {
    let mut random = Random::new(2);
    for _ in 0..ROUNDS {
        let center = random.spread(1e-9, 1e9);
        let width = random.spread(1.000_001, 1e3);
        let count = 1 + random.below(60);
        let sequence: Vec<_> = (0..count)
            .map(|_| (random.spread(center, center * width), random.below(1 << 33)))
            .filter(|&(_, n)| n > 0)
            .collect();
        if !sequence.is_empty() {
            check(
                &sequence,
                [2, 20, 160, 320, 2_048][random.below(5) as usize],
                7,
            );
        }
    }
}

#[test]
fn a_slowly_rising_or_falling_value_never_leaves_the_definition() {
    for factor in [1.02, 0.98] {
        let histogram = Written::new(160, 20);
        let mut values = Vec::new();
        let mut value = 1.0;
        for step in 0..if cfg!(miri) { 20 } else { 600 } {
            histogram.record(value, 1);
            values.push((value, 1));
            value *= factor;
            if step % 50 == 0 {
                assert_eq!(histogram.read(), expected(&values, 160, 20));
            }
        }
    }
}

#[test]
fn counters_grow_beyond_32_bits_one_by_one() {
    let histogram = Written::new(160, 7);
    histogram.record(1.5, u64::from(u32::MAX));
    assert_eq!(histogram.read().counts, [u64::from(u32::MAX)]);
    for _ in 0..3 {
        histogram.record(1.5, 1);
    }
    histogram.record(3.0, 1);
    assert_eq!(histogram.read().total(), u64::from(u32::MAX) + 4);
    histogram.record(1.5, 1 << 40);
    assert_eq!(
        histogram.read().total(),
        u64::from(u32::MAX) + 4 + (1 << 40)
    );
}

#[test]
fn reset_returns_to_the_finest_scale_and_clear_stays() {
    let histogram = Written::new(160, 20);
    for _ in 0..2 {
        histogram.record(1e-6, 1);
        histogram.record(1e6, 1);
        assert_eq!(histogram.read().scale, 2);
        // SAFETY: only this thread has the histogram.
        unsafe { histogram.0.clear() };
        assert!(histogram.0.is_empty());
        histogram.record(1.1, 1);
        assert_eq!(
            histogram.read(),
            Dense {
                scale: 2,
                offset: 0,
                counts: vec![1]
            }
        );
        // SAFETY: as above.
        unsafe { histogram.0.reset() };
        assert_eq!(
            histogram.read(),
            Dense {
                scale: 20,
                offset: 0,
                counts: vec![]
            }
        );
    }
}

#[test]
fn what_is_no_magnitude_breaks_nothing() {
    let histogram = Written::new(2, 20);
    for value in [
        f64::NAN,
        f64::INFINITY,
        -1.0,
        f64::NEG_INFINITY,
        0.0,
        1.0,
        -0.0,
        -f64::NAN,
    ] {
        histogram.record(value, 1);
    }
    assert_eq!(histogram.read().total(), 8);
}

#[test]
fn sizes_and_scales_are_clamped() {
    let histogram = Written::new(0, 100);
    assert_eq!(histogram.read().scale, 20);
    histogram.record(1e-300, 1);
    histogram.record(1e300, 1);
    assert_eq!(
        histogram.read(),
        Dense {
            scale: -10,
            offset: -1,
            counts: vec![1, 1]
        }
    );
}

#[test]
fn a_series_with_one_value_is_small() {
    let histogram = Written::new(2_048, 7);
    assert!(histogram.0.memory() <= 32);
    histogram.record(0.001, 1);
    assert!(histogram.0.memory() <= 128, "{}", histogram.0.memory());
}

#[test]
fn readers_see_totals_that_only_grow_while_the_writer_moves_the_buckets() {
    let histograms: Vec<_> = (0..if cfg!(miri) { 3 } else { 500 })
        .map(|_| Exponential::new(160, 20))
        .collect();
    let (written, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let total = |dense: &mut Dense| -> u64 {
        histograms
            .iter()
            .map(|histogram| {
                histogram.read(dense);
                dense.total()
            })
            .sum()
    };
    let watch = || {
        let (mut dense, mut before) = (Dense::default(), 0);
        loop {
            let finished = done.load(Ordering::Acquire);
            let least = before.max(written.load(Ordering::Acquire));
            before = total(&mut dense);
            assert!(before >= least);
            if finished {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(watch);
        scope.spawn(watch);
        let mut random = Random::new(3);
        for histogram in &histograms {
            for i in 0..if cfg!(miri) { 30 } else { 1_000 } {
                let value = random.spread(1.0, 1.0 + f64::from(i));
                // SAFETY: only this thread writes.
                unsafe { histogram.record_n(value, 1 << 24) };
                written.fetch_add(1 << 24, Ordering::Release);
            }
        }
        done.store(true, Ordering::Release);
    });
    assert_eq!(
        total(&mut Dense::default()),
        written.load(Ordering::Relaxed)
    );
}
