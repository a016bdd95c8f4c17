//! A timer alone and with a thread that watches it.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::random::Random;

const MS: u64 = 1_000_000;

fn record(timer: &Watched, seconds: f64) {
    // SAFETY: only the test's own thread records.
    unsafe { timer.record(seconds) };
}

#[test]
fn what_is_written_per_measurement_fills_one_cache_line() {
    assert_eq!(std::mem::offset_of!(Watched, zero), 64);
    assert!(size_of::<Watched>() <= 128);
}

#[test]
fn what_was_recorded_is_complete() {
    let timer = Watched::new("t", None, 0);
    assert_eq!(timer.recorded().min_max, None);
    for seconds in [0.25, 0.0, 0.5, 0.125] {
        record(&timer, seconds);
    }
    let _ = timer.tick(1);
    let recorded = timer.recorded();
    assert_eq!((recorded.zero, recorded.buckets.total()), (1, 3));
    assert_eq!((recorded.sum, recorded.min_max), (0.875, Some((0.0, 0.5))));
}

#[test]
fn statistics_are_those_of_now_without_anybody_watching() {
    let timer = Watched::new("t", Some(10 * MS), 0);
    for _ in 0..10 {
        record(&timer, 0.02);
    }
    let stats = timer.stats(Some(Span::FiveSeconds), 1_000 * MS);
    assert_eq!((stats.count, timer.violations()), (10, 10));
    assert!((stats.rate() - 10.0).abs() < 1e-9);
    let all = timer.stats(None, 20_000 * MS);
    assert!((all.seconds - 20.0).abs() < 1e-9 && all.count == 10);
    assert!((all.quantiles.unwrap().p99 - 0.02).abs() < 1e-15);
    assert_eq!(timer.stats(Some(Span::Second), 20_000 * MS).count, 0);
}

#[test]
fn a_query_does_not_take_the_worst_violation_from_the_notice() {
    let timer = Watched::new("t", Some(10 * MS), 0);
    record(&timer, 0.5);
    let _ = timer.stats(None, MS);
    let excess = timer.tick(100 * MS).unwrap();
    assert!((excess.worst - 0.5).abs() < 1e-15 && excess.violations == 1);
    assert_eq!(timer.tick(200 * MS), None);
}

#[test]
#[cfg_attr(miri, ignore = "leaks on purpose, as a fork does")]
fn after_a_reset_a_lock_left_by_a_lost_thread_blocks_nobody() {
    let timer = Watched::new("t", Some(MS), 0);
    record(&timer, 1.0);
    std::mem::forget(timer.watch.lock());
    // SAFETY: the test has one thread.
    unsafe { timer.reset(5) };
    assert_eq!(
        timer.recorded(),
        Recorded {
            buckets: timer.recorded().buckets,
            ..Recorded::default()
        }
    );
    assert_eq!((timer.stats(None, 6).count, timer.violations()), (0, 0));
}

#[test]
fn a_watched_timer_loses_nothing_while_it_is_written() {
    let timer = Watched::new("t", Some(500 * MS), 0);
    let done = AtomicBool::new(false);
    let (mut told, mut worst, mut greatest) = (0, 0.0_f64, 0.0_f64);
    let rounds = if cfg!(miri) { 60 } else { 200_000 };
    let mut over = 0;
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut now_ns, mut seen, mut told) = (0, 0, 0);
            loop {
                let finished = done.load(Ordering::Acquire);
                now_ns += 20_000 * MS;
                if let Some(excess) = timer.tick(now_ns) {
                    told += excess.violations;
                    worst = worst.max(excess.worst);
                }
                let stats = timer.stats(None, now_ns);
                assert!(stats.count >= seen);
                seen = stats.count;
                if finished {
                    return told;
                }
            }
        });
        let mut random = Random::new(9);
        for _ in 0..rounds {
            let seconds = random.spread(1e-9, 1.0);
            greatest = greatest.max(seconds);
            over += u64::from(seconds > 0.5);
            record(&timer, seconds);
        }
        done.store(true, Ordering::Release);
        told = watcher.join().unwrap();
    });
    assert_eq!((told, timer.violations()), (over, over));
    assert_eq!(timer.recorded().buckets.total(), rounds);
    assert_eq!(
        timer.recorded().min_max.unwrap().1.to_bits(),
        greatest.to_bits()
    );
    assert!(over == 0 || worst.to_bits() == greatest.to_bits());
}
