#![allow(clippy::float_cmp)] // exact by construction

use super::*;
use std::sync::atomic::{AtomicU64, Ordering};

const MS: u64 = 1_000_000;

/// A tick is two nanoseconds.
#[derive(Debug, Default)]
struct Fake(Arc<AtomicU64>);

impl Clock for Fake {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn ns(&self, ticks: u64) -> u64 {
        ticks * 2
    }
}

struct Bench {
    events: EventRing,
    drainer: Drainer<Fake>,
    sampling: Arc<Sampling>,
    now: Arc<AtomicU64>,
}

fn bench(capacity: usize, rate: f64, limit: f64) -> Bench {
    let sampling = Arc::new(Sampling::new(rate, limit));
    let (events, reader) = EventRing::new(capacity, Arc::clone(&sampling), 5);
    let now = Arc::new(AtomicU64::new(0));
    let clock = Fake(Arc::clone(&now));
    let drainer = Drainer::new(
        &events,
        reader,
        Arc::clone(&sampling),
        clock,
        Options::default(),
    );
    Bench {
        events,
        drainer,
        sampling,
        now,
    }
}

fn tick(bench: &mut Bench, now_ns: u64) -> Vec<Violation> {
    let mut violations = Vec::new();
    bench
        .drainer
        .tick(now_ns, |violation| violations.push(violation));
    violations
}

#[test]
fn durations_counts_gauges_and_values_end_up_in_their_series() {
    let mut bench = bench(64, 1.0, 0.0);
    let token = bench.events.start(1, 0, || 100);
    bench.events.end(1, token, || 100 + 2 * MS);
    bench.events.count(20, 2.5, 0, || 0);
    bench.events.count(20, 1.0, 0, || 0);
    bench.events.gauge(7, 5.0, 0, || 0);
    bench.events.gauge(7, 3.0, 0, || 0);
    bench.events.observe(8, -0.25, 0, || 0);
    tick(&mut bench, 0);
    let all = bench.drainer.statistics();
    assert_eq!(
        all.iter().map(|series| series.id).collect::<Vec<_>>(),
        [1, 7, 8, 20]
    );
    assert_eq!(
        all[0].seconds.as_ref().map(|seconds| seconds.sum),
        Some(0.004)
    );
    assert_eq!(
        (all[1].last, all[3].total, all[3].count),
        (Some(3.0), Some(3.5), 2)
    );
    assert_eq!(all[2].values.as_ref().map(|values| values.min), Some(-0.25));
    assert_eq!(bench.drainer.statistics_of(20).as_ref(), Some(&all[3]));
    assert_eq!(bench.drainer.statistics_of(60_000), None);
}

#[test]
fn the_documents_budgets_hold_by_default() {
    let mut bench = bench(64, 1.0, 0.0);
    for (stage, milliseconds) in [(1, 51), (2, 9), (3, 6), (4, 500)] {
        let token = bench.events.start(stage, 0, || 0);
        bench.events.end(stage, token, || milliseconds * MS / 2);
    }
    let told: Vec<_> = tick(&mut bench, 0)
        .iter()
        .map(|told| (told.id, told.worst_ns / MS))
        .collect();
    assert_eq!(told, [(1, 51), (3, 6)]);
    bench.drainer.set_budget(4, Some(MS));
    bench.drainer.set_budget(3, None);
    for stage in [3, 4] {
        let token = bench.events.start(stage, 0, || 0);
        bench.events.end(stage, token, || 4 * MS);
    }
    assert_eq!(
        tick(&mut bench, 1)
            .iter()
            .map(|told| told.id)
            .collect::<Vec<_>>(),
        [4]
    );
    assert_eq!(
        bench
            .drainer
            .statistics_of(3)
            .map(|series| series.violations),
        Some(1)
    );
}

#[test]
fn sampled_counts_stay_near_the_truth_and_sampled_pairs_whole() {
    let rounds: u32 = if cfg!(miri) { 500 } else { 40_000 };
    let mut bench = bench(2 * rounds as usize, 0.2, 0.0);
    for _ in 0..rounds {
        let token = bench.events.start(3, 0, || 0);
        bench.events.end(3, token, || 6 * MS);
        bench.events.count(20, 1.0, 0, || 0);
    }
    tick(&mut bench, 0);
    let truth = f64::from(rounds);
    let error = 6.0 * (truth * 5.0).sqrt();
    let stage = bench.drainer.statistics_of(3).expect("seen");
    #[allow(clippy::cast_precision_loss)]
    let counted = stage.count as f64;
    assert!((counted - truth).abs() < error, "{counted}");
    assert_eq!(
        stage.violations, stage.count,
        "all of them were over the budget"
    );
    let total = bench
        .drainer
        .statistics_of(20)
        .and_then(|series| series.total)
        .expect("seen");
    assert!((total - truth).abs() < error, "{total}");
    let health = bench.drainer.health();
    assert_eq!(
        (health.unmatched.total(), health.open, health.dropped),
        (0, 0, 0)
    );
    assert!(health.skipped > 0 && health.offered == 2 * u64::from(rounds));
}

#[test]
fn what_does_not_fit_is_counted_exactly() {
    let mut bench = bench(16, 1.0, 0.0);
    for _ in 0..100 {
        bench.events.count(20, 1.0, 0, || 0);
    }
    tick(&mut bench, 0);
    let health = bench.drainer.health();
    assert_eq!(
        (health.dropped, health.drained, health.utilization),
        (84, 16, 1.0)
    );
    assert_eq!(bench.drainer.health().utilization, 0.0);
}

#[test]
fn a_trace_is_followed_through_its_stages() {
    let mut bench = bench(64, 1.0, 0.0);
    for (stage, ticks) in [(1, 0), (2, 10), (3, 30), (4, 60)] {
        let token = bench.events.start(stage, 77, || ticks);
        bench.events.end(stage, token, || ticks + 5);
    }
    bench.now.store(100, Ordering::Relaxed);
    tick(&mut bench, 0);
    let ways = bench.drainer.ways();
    let ends: Vec<_> = ways
        .iter()
        .map(|way| (way.from, way.to, way.whole, way.seconds.max))
        .collect();
    assert_eq!(
        ends,
        [
            (1, 2, false, 20e-9),
            (2, 3, false, 40e-9),
            (3, 4, false, 60e-9),
            (1, 4, true, 120e-9)
        ]
    );
    let story = bench.drainer.explain(77).expect("known");
    assert_eq!(
        (story[0].first, story[3].last, story[0].events),
        (200, 70, 1)
    );
}

#[test]
fn the_load_lowers_the_rate_within_a_tick_of_a_second() {
    let mut bench = bench(8_192, 1.0, 1_000.0);
    tick(&mut bench, 0);
    for second in 1..=3 {
        (0..4_000).for_each(|_| _ = bench.events.count(20, 1.0, 0, || 0));
        tick(&mut bench, second * SWEEP_NS);
    }
    assert_eq!(bench.sampling.rate(), 0.25);
    let health = bench.drainer.health();
    assert_eq!(health.offered, 12_000);
    assert!(
        (5_000..7_000).contains(&health.skipped),
        "{}",
        health.skipped
    );
}

#[test]
fn a_measurement_that_never_ends_is_forgotten_after_five_minutes() {
    let mut bench = bench(64, 1.0, 0.0);
    bench.events.start(1, 9, || 1);
    tick(&mut bench, 0);
    bench.now.store(pairing::EXPIRY_NS / 2, Ordering::Relaxed);
    tick(&mut bench, SWEEP_NS);
    assert_eq!(
        (bench.drainer.health().open, bench.drainer.health().chains),
        (1, 0)
    );
    bench
        .now
        .store(pairing::EXPIRY_NS / 2 + 2, Ordering::Relaxed);
    tick(&mut bench, 2 * SWEEP_NS);
    let health = bench.drainer.health();
    assert_eq!((health.open, health.unmatched.expired), (0, 1));
}

#[test]
fn another_queue_takes_over_without_a_loss() {
    let mut bench = bench(4, 1.0, 0.0);
    let token = bench.events.start(1, 0, || 0);
    (0..9).for_each(|_| _ = bench.events.count(20, 1.0, 0, || 0));
    let (events, reader) = EventRing::new(64, Arc::clone(&bench.sampling), 5);
    let mut events = events.from_token(bench.events.next_token());
    bench.drainer.follow(&events, reader);
    events.end(1, token, || 5);
    events.count(20, 1.0, 0, || 0);
    tick(&mut bench, 0);
    let health = bench.drainer.health();
    assert_eq!(
        (health.offered, health.dropped, health.capacity),
        (11, 6, 64)
    );
    assert_eq!(
        bench
            .drainer
            .statistics_of(20)
            .and_then(|series| series.total),
        Some(4.0)
    );
    assert_eq!(
        bench.drainer.statistics_of(1).map(|series| series.count),
        Some(1)
    );
}

#[test]
fn after_a_reset_everything_starts_at_zero_and_open_measurements_end() {
    let mut bench = bench(4, 1.0, 0.0);
    let token = bench.events.start(1, 0, || 0);
    (0..9).for_each(|_| _ = bench.events.count(20, 1.0, 0, || 0));
    bench.drainer.reset();
    assert!(bench.drainer.statistics().is_empty());
    let zero = bench.drainer.health();
    assert_eq!((zero.offered, zero.dropped, zero.drained), (0, 0, 0));
    bench.events.end(1, token, || 10);
    tick(&mut bench, 0);
    assert_eq!(
        bench.drainer.statistics_of(1).map(|series| series.count),
        Some(1)
    );
}
