//! A day of a bot whose tasks are cancelled: memory does not grow.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)] // small numbers of the tests

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use retention::{metrics::SpanMetrics, Facts, Policy, Reason, Retention};

#[path = "../../aggregate/src/random.rs"]
mod random;
use random::Random;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: everything is handed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: by contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: by contract.
        unsafe { System.dealloc(memory, layout) };
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const TICK: u64 = 500_000_000;
const TICKS_PER_HOUR: u64 = 7_200;

#[test]
fn a_day_with_cancelled_tasks_and_endless_names_leaves_memory_as_it_was() {
    let mut random = Random::new(1);
    let mut retention = Retention::new(Policy {
        max_late_verdicts: 4_096,
        ..Policy::default()
    });
    let metrics = SpanMetrics::new(50);
    let mut delivered = 0_u64;
    let mut by_hour = Vec::new();
    for tick in 0..24 * TICKS_PER_HOUR {
        let now_ns = tick * TICK;
        // Each hour begins with a minute of trouble.
        let traces = match tick % TICKS_PER_HOUR {
            0..120 => 50,
            _ => u64::from(random.chance(0.8)),
        };
        for _ in 0..traces {
            let trace = random.id();
            // A task that was cancelled leaves no root, one that hangs keeps its trace open for ever.
            let cancelled = random.chance(0.05);
            let name = if random.chance(0.1) {
                format!("order {trace}")
            } else {
                "on_tick".to_owned()
            };
            for child in (0..4).rev() {
                let facts = Facts {
                    trace,
                    name: if child > 0 { "risk" } else { &name },
                    local_root: child == 0,
                    duration_ns: (1e6 * random.lognormal(1.0)) as u64,
                    failed: random.chance(0.001),
                    size: 200,
                    ..Facts::default()
                };
                metrics.record().span(facts.name, 1, 0, facts.duration_ns);
                if child > 0 || !cancelled {
                    retention.offer(&facts, vec![0_u8; 200], now_ns);
                }
            }
        }
        let is_hanging = |trace: u128| trace.trailing_zeros() >= 7;
        retention.decide(now_ns, is_hanging, |kept| {
            delivered += u64::from(kept.payload.len() == 200);
        });
        let counts = retention.counts();
        assert!(counts.pending_traces < 50 * 62, "{counts:?}");
        if (tick + 1) % TICKS_PER_HOUR == 0 {
            by_hour.push(ALLOCATED.load(Ordering::Relaxed));
        }
    }
    let counts = retention.counts();
    println!("bytes by hour: {by_hour:?}");
    println!("{counts:?}");
    assert_eq!(counts.kept.iter().sum::<u64>(), delivered);
    assert!(counts.early_by_age > 5_000, "{counts:?}");
    assert!(counts.dropped(Reason::SampledOut) > 0);
    // The first hours fill the tables. What waits at the end of an hour is not always the same.
    let filled = by_hour[3..].iter().min().unwrap();
    let most = by_hour[3..].iter().max().unwrap();
    assert!(most - filled < 200_000, "{by_hour:?}");
    let growth = (by_hour[23] as f64 - by_hour[4] as f64) / 19.0;
    assert!(growth < 10_000.0, "{growth} bytes an hour");

    retention.flush(24 * TICKS_PER_HOUR * TICK, |_| {});
    drop((retention, metrics));
    let left = ALLOCATED.load(Ordering::Relaxed);
    assert!(left < 100_000, "{left} bytes are left");
}
