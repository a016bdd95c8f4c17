//! What waits, what is decided when, and what is counted.

#![allow(clippy::cast_possible_truncation)] // small numbers of the tests

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::*;
use crate::random::Random;
use crate::threshold::Randomness;
use crate::tracestate;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

fn retention<P>(mode: Mode) -> Retention<P> {
    Retention::new(Policy {
        mode,
        settle_ns: 0,
        ..Policy::default()
    })
}

fn child(trace: u128) -> Facts<'static> {
    Facts {
        trace,
        name: "child",
        size: 100,
        ..Facts::default()
    }
}

fn root(trace: u128) -> Facts<'static> {
    Facts {
        name: "root",
        local_root: true,
        ..child(trace)
    }
}

fn failed(facts: Facts<'static>) -> Facts<'static> {
    Facts {
        failed: true,
        ..facts
    }
}

/// Decide with nothing open; payloads and reasons of what is kept.
fn decide<P>(retention: &mut Retention<P>, now_ns: u64) -> Vec<(P, Why)> {
    let mut kept = Vec::new();
    let keep = |span: Kept<P>| kept.push((span.payload, span.why));
    retention.decide(now_ns, |_| false, keep);
    kept
}

/// A policy whose budget is used up: only one in 65,536 of the ordinary traces is kept.
fn nothing_left(policy: &Policy) -> Retention<u32> {
    let mut retention = Retention::new(Policy {
        spans_per_second: 0.0,
        settle_ns: 0,
        ..policy.clone()
    });
    retention.decide(0, |_| false, |_| {});
    retention
}

/// A trace that no sample keeps, and one that each sample keeps.
const UNLUCKY: u128 = 0xabc << 64;
const LUCKY: u128 = u128::MAX;

#[test]
fn a_trace_is_decided_when_its_root_ended_and_nothing_is_open() {
    let mut retention = retention(Mode::Budget);
    retention.offer(&child(1), 'a', 0);
    assert_eq!(decide(&mut retention, MS), []);
    retention.offer(&root(1), 'b', 2 * MS);
    retention.decide(3 * MS, |trace| trace == 1, |_| panic!("still open"));
    assert_eq!(retention.verdict(1), Verdict::Pending);
    assert_eq!(retention.verdicts().verdict(1), Verdict::Pending);
    retention.offer(&child(1), 'c', 4 * MS);
    let kept = decide(&mut retention, 5 * MS);
    assert_eq!(kept, ['a', 'b', 'c'].map(|payload| (payload, Why::Calm)));
    assert_eq!(retention.verdict(1), Verdict::Kept);
    assert_eq!(retention.counts().pending_bytes, 0);
}

#[test]
fn a_trace_with_several_roots_waits_for_all_of_them() {
    let mut retention = retention(Mode::Budget);
    retention.offer(&root(1), 'a', 0);
    retention.decide(MS, |_| true, |_| panic!("the other root is open"));
    retention.offer(&root(1), 'b', 2 * MS);
    assert_eq!(decide(&mut retention, 3 * MS).len(), 2);
}

#[test]
fn a_complete_trace_settles_before_it_is_decided() {
    let mut retention = Retention::new(Policy::default());
    retention.offer(&root(1), 'a', 0);
    assert_eq!(decide(&mut retention, 99 * MS), []);
    retention.offer(&failed(child(1)), 'b', 99 * MS);
    assert_eq!(decide(&mut retention, 198 * MS), []);
    let kept = decide(&mut retention, 199 * MS);
    assert_eq!(kept, [('a', Why::Failed), ('b', Why::Failed)]);
}

#[test]
fn a_trace_without_a_root_is_decided_by_its_age() {
    let mut retention = retention(Mode::Budget);
    retention.offer(&child(1), 'a', 0);
    retention.offer(&child(1), 'b', 20 * SECOND);
    retention.offer(&root(2), 'c', 20 * SECOND);
    let mut kept = Vec::new();
    retention.decide(30 * SECOND - 1, |_| true, |span| kept.push(span.payload));
    assert_eq!(kept, []);
    retention.decide(30 * SECOND, |_| true, |span| kept.push(span.payload));
    assert_eq!(kept, ['a', 'b']);
    retention.decide(50 * SECOND, |_| true, |span| kept.push(span.payload));
    assert_eq!(kept, ['a', 'b', 'c']);
    assert_eq!(retention.counts().early_by_age, 2);
}

#[test]
fn each_reason_keeps_a_whole_trace() {
    let over = Facts {
        duration_ns: 11,
        budget_ns: 10,
        ..root(1)
    };
    for (facts, why) in [
        (failed(child(1)), Some(Why::Failed)),
        (
            Facts {
                rejected: true,
                ..child(1)
            },
            Some(Why::Rejected),
        ),
        (
            Facts {
                marked: true,
                ..failed(child(1))
            },
            Some(Why::Marked),
        ),
        (
            Facts {
                slippage_bps: 10.1,
                ..child(1)
            },
            Some(Why::Slipped),
        ),
        (
            Facts {
                slippage_bps: -10.1,
                ..child(1)
            },
            Some(Why::Slipped),
        ),
        (
            Facts {
                slippage_bps: 10.0,
                ..child(1)
            },
            None,
        ),
        (
            Facts {
                slippage_bps: f64::NAN,
                ..child(1)
            },
            None,
        ),
        (over, Some(Why::OverBudget)),
        (
            Facts {
                local_root: false,
                ..over
            },
            None,
        ),
        (
            Facts {
                duration_ns: 10,
                ..over
            },
            None,
        ),
    ] {
        let mut retention = retention(Mode::Interesting);
        retention.offer(&child(1), 'a', 0);
        retention.offer(&facts, 'b', 0);
        retention.offer(&root(1), 'c', 0);
        let kept = decide(&mut retention, 0);
        let expected: Vec<_> = why
            .iter()
            .flat_map(|&why| ['a', 'b', 'c'].map(|payload| (payload, why)))
            .collect();
        assert_eq!(kept, expected, "{facts:?}");
        let dropped = retention.counts().dropped(Reason::NotInteresting);
        assert_eq!(dropped, if why.is_some() { 0 } else { 3 });
    }
}

#[test]
fn a_root_slower_than_nearly_all_of_its_name_is_interesting() {
    let mut retention = retention(Mode::Interesting);
    for i in 1..=200 {
        let facts = Facts {
            duration_ns: MS,
            ..root(i)
        };
        retention.offer(&facts, 'a', 0);
    }
    assert_eq!(decide(&mut retention, 0), []);
    let slow = Facts {
        duration_ns: 2 * MS,
        ..root(1_000)
    };
    retention.offer(&slow, 'b', 1);
    assert_eq!(decide(&mut retention, 1), [('b', Why::Slow)]);
    retention.offer(
        &Facts {
            name: "new",
            trace: 1_001,
            ..slow
        },
        'c',
        2,
    );
    assert_eq!(decide(&mut retention, 2), []);
}

#[test]
fn in_mode_all_everything_is_handed_on_at_once() {
    let mut retention = retention(Mode::All);
    retention.offer(&child(1), 'a', 0);
    retention.offer(&failed(child(2)), 'b', 0);
    assert_eq!(retention.verdict(3), Verdict::Kept);
    let kept = decide(&mut retention, 0);
    assert_eq!(kept, [('a', Why::All), ('b', Why::All)]);
    assert_eq!(retention.counts().kept(Why::All), 2);
}

#[test]
fn a_late_span_follows_its_trace() {
    let mut retention = nothing_left(&Policy::default());
    retention.offer(&root(UNLUCKY), 1, 0);
    retention.offer(&root(LUCKY), 2, 0);
    let mut kept = Vec::new();
    retention.decide(
        1,
        |_| false,
        |span| kept.push((span.payload, span.threshold)),
    );
    assert_eq!(kept.len(), 1);
    let threshold = kept[0].1;
    assert_eq!(threshold.to_string(), "ffff");
    assert_eq!(retention.verdict(UNLUCKY), Verdict::Dropped);

    retention.offer(&child(UNLUCKY), 3, 2);
    retention.offer(&failed(child(UNLUCKY)), 4, 2);
    retention.offer(&child(LUCKY), 5, 2);
    assert_eq!(retention.counts().pending_spans, 1);
    retention.decide(
        3,
        |_| true,
        |span| kept.push((span.payload, span.threshold)),
    );
    assert_eq!(kept, [(2, threshold), (5, threshold)]);
    let counts = retention.counts();
    assert_eq!(counts.dropped(Reason::SampledOut), 1);
    assert_eq!(counts.dropped(Reason::Late), 1);
    assert_eq!(counts.dropped(Reason::LateInteresting), 1);
    assert_eq!(counts.kept(Why::Sampled), 2);
}

#[test]
fn a_verdict_that_was_forgotten_begins_anew() {
    let mut retention = nothing_left(&Policy {
        max_late_verdicts: 8,
        ..Policy::default()
    });
    retention.offer(&root(UNLUCKY), 0, 0);
    decide(&mut retention, 0);
    for i in 1..=8 {
        retention.offer(&root(i << 64), 0, 0);
        decide(&mut retention, 0);
    }
    assert_eq!(retention.verdict(UNLUCKY), Verdict::Unknown);
    retention.offer(&child(UNLUCKY), 0, 0);
    assert_eq!(retention.verdict(UNLUCKY), Verdict::Pending);
}

#[test]
fn late_spans_of_a_trace_that_never_ends_are_limited_too() {
    let mut retention = Retention::new(Policy {
        spans_per_second: 10.0,
        ..Policy::default()
    });
    // It is kept because everything is calm; then its spans come for ever.
    let id = UNLUCKY | 1 << 55 | 1 << 54;
    retention.offer(&failed(child(id)), 0, 0);
    let mut kept = 0;
    for tick in 0..6_000_u64 {
        for _ in 0..100 {
            retention.offer(&child(id), 0, tick * 100 * MS);
        }
        retention.decide(tick * 100 * MS, |_| true, |_| kept += 1);
    }
    assert_eq!(retention.counts().early_by_age, 1);
    // 1,000 a second came for ten minutes; 100 a second are allowed, and what was saved for ten seconds.
    assert!(kept < 70_000, "{kept}");
}

#[test]
fn what_a_tracestate_says_counts_and_is_written_again_only_when_it_changes() {
    let facts = |state: &str, trace| Facts {
        head: tracestate::read(state),
        ..root(trace)
    };
    let lucky_by_rv = "ot=rv:ffffffffffffff";
    let mut retention = nothing_left(&Policy::default());
    for (payload, facts) in [
        (1, facts("", LUCKY)),
        (2, facts("ot=th:8", LUCKY - 1)),
        (3, facts("ot=th:ffffff", LUCKY - 2)),
        (4, facts(lucky_by_rv, UNLUCKY)),
        // It cannot have passed the threshold that it says it passed.
        (5, failed(facts("ot=th:8", UNLUCKY + 1))),
        (6, failed(facts("ot=th:0", UNLUCKY + 2))),
        (7, failed(facts("", UNLUCKY + 3))),
        (8, facts("ot=rv:00000000000000", LUCKY - 3)),
    ] {
        retention.offer(&facts, payload, 0);
    }
    let mut kept = Vec::new();
    let keep = |span: Kept<u32>| {
        kept.push((span.payload, span.threshold.to_string(), span.rewrite));
    };
    // Not urgent either.
    retention.decide(0, |_| false, keep);
    kept.sort_unstable();
    let expected = [
        (1, "ffff", true),
        (2, "ffff", true),
        (3, "ffffff", false),
        (4, "ffff", true),
    ];
    assert_eq!(
        kept,
        expected.map(|(payload, th, new)| (payload, th.to_owned(), new))
    );

    let mut retention = retention_with_plenty();
    retention.offer(&facts("ot=th:8", UNLUCKY + 1), 5, 0);
    retention.offer(&facts("ot=th:8", LUCKY), 6, 0);
    retention.offer(&facts("", UNLUCKY), 7, 0);
    let mut kept = Vec::new();
    let keep = |span: Kept<u32>| {
        kept.push((span.payload, span.threshold.to_string(), span.rewrite));
    };
    retention.decide(0, |_| false, keep);
    let expected = [(5, "0", true), (6, "8", false), (7, "0", false)];
    assert_eq!(
        kept,
        expected.map(|(payload, th, new)| (payload, th.to_owned(), new))
    );
}

fn retention_with_plenty() -> Retention<u32> {
    retention(Mode::Budget)
}

#[test]
fn too_many_spans_decide_the_oldest_traces_early() {
    let mut retention = nothing_left(&Policy {
        max_spans: 80,
        ..Policy::default()
    });
    for i in 0..10 {
        for _ in 0..10 {
            retention.offer(&child(i << 64), 0, 0);
            assert!(retention.counts().pending_spans <= 80);
        }
    }
    let counts = retention.counts();
    assert_eq!(counts.early_by_memory, counts.dropped_traces);
    assert_eq!(counts.dropped(Reason::Memory), 10 * counts.dropped_traces);
    assert!((2..=4).contains(&counts.dropped_traces), "{counts:?}");
    assert_eq!(retention.verdict(0), Verdict::Dropped);
    assert_eq!(retention.verdict(9 << 64), Verdict::Pending);
}

#[test]
fn one_endless_trace_does_not_grow() {
    let mut retention = Retention::new(Policy {
        max_bytes: 100_000,
        ..Policy::default()
    });
    for i in 0..100_000 {
        retention.offer(&child(1), 0, i);
        assert!(retention.counts().pending_bytes <= 100_000 + 200);
    }
    assert!(retention.counts().early_by_memory >= 1);
    let mut all = super::Retention::new(Policy {
        mode: Mode::All,
        max_spans: 1_000,
        ..Policy::default()
    });
    (0..5_000).for_each(|_| all.offer(&child(1), 0, 0));
    assert_eq!(decide(&mut all, 0).len(), 1_000);
    assert_eq!(all.counts().dropped(Reason::Memory), 4_000);
}

#[test]
fn a_flush_decides_everything() {
    let mut retention = retention(Mode::Budget);
    retention.offer(&child(1), 1, 0);
    retention.offer(&root(2), 2, 0);
    let mut kept = Vec::new();
    retention.flush(0, |span| kept.push(span.payload));
    kept.sort_unstable();
    assert_eq!(kept, [1, 2]);
    assert_eq!(retention.counts().pending_bytes, 0);
    retention.flush(0, |_| panic!("nothing is left"));
}

#[test]
fn a_clock_that_goes_back_does_no_harm() {
    let mut retention = retention(Mode::Budget);
    retention.offer(&root(1), 1, 100 * SECOND);
    assert_eq!(decide(&mut retention, SECOND).len(), 1);
    retention.offer(&root(2), 2, 0);
    assert_eq!(decide(&mut retention, 0).len(), 1);
    retention.offer(&child(3), 3, 0);
    assert_eq!(decide(&mut retention, u64::MAX).len(), 1);
}

/// What the engine may do in any order of calls: each span has one fate, traces have one verdict, nothing leaks.
#[test]
fn each_span_has_one_fate_and_its_memory_is_freed_with_it() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let alive = Rc::new(());
        let mut retention: Retention<(Rc<()>, Randomness)> = Retention::new(Policy {
            mode: [Mode::Budget, Mode::Interesting, Mode::All][seed as usize % 3],
            spans_per_second: 50.0 * random.unit(),
            burst_seconds: 3.0 * random.unit(),
            slow_history_minimum: 20,
            max_spans: 50 + random.below(300) as usize,
            max_bytes: 20_000 + random.below(100_000) as usize,
            max_age_ns: random.below(3) * SECOND,
            settle_ns: random.below(200) * MS,
            max_late_verdicts: 32,
            max_root_names: 3,
            ..Policy::default()
        });
        let traces: Vec<u128> = (0..100).map(|_| random.id()).collect();
        let mut open: HashSet<u128> = HashSet::new();
        let mut kept: HashMap<u128, u64> = HashMap::new();
        let (mut offered, mut kept_spans, mut now_ns) = (0, 0, 0);
        for _ in 0..1_500 {
            now_ns += random.below(20) * MS;
            let trace = traces[(random.below(100)) as usize];
            match random.below(20) {
                0 => drop(open.insert(trace)),
                1 => drop(open.remove(&trace)),
                2 | 3 => retention.decide(
                    now_ns,
                    |trace| open.contains(&trace),
                    |span| {
                        kept_spans += 1;
                        *kept.entry(span.trace).or_default() += 1;
                        assert!(span.threshold.keeps(span.payload.1));
                    },
                ),
                _ => {
                    let head = if random.chance(0.2) {
                        tracestate::read("ot=th:8")
                    } else {
                        tracestate::Sampling::default()
                    };
                    let facts = Facts {
                        trace,
                        name: ["a", "b", "c", "d", "e"][random.below(5) as usize],
                        local_root: random.chance(0.3),
                        duration_ns: random.next() >> random.below(60),
                        budget_ns: random.below(2) * SECOND,
                        failed: random.chance(0.02),
                        rejected: random.chance(0.02),
                        marked: random.chance(0.02),
                        slippage_bps: random.unit() * 10.1,
                        head,
                        size: random.below(500) as u32,
                    };
                    offered += 1;
                    let payload = (Rc::clone(&alive), facts.head.randomness_of(trace));
                    retention.offer(&facts, payload, now_ns);
                }
            }
            let counts = retention.counts();
            let decided = counts.kept.iter().sum::<u64>() + counts.dropped.iter().sum::<u64>();
            assert_eq!(counts.offered, offered);
            assert_eq!(decided + counts.pending_spans as u64, offered, "{counts:?}");
            assert!(retention.spans() <= retention.policy.max_spans);
            let held = retention.spans() + 1;
            assert_eq!(Rc::strong_count(&alive), held);
            let waiting = retention.pending.traces();
            let told = traces
                .iter()
                .filter(|&&id| retention.verdict(id) == Verdict::Pending);
            assert_eq!(told.count(), waiting);
        }
        retention.flush(now_ns, |_| kept_spans += 1);
        let counts = retention.counts();
        assert_eq!(counts.kept.iter().sum::<u64>(), kept_spans);
        assert_eq!(
            (
                counts.pending_spans,
                counts.pending_traces,
                counts.pending_bytes
            ),
            (0, 0, 0)
        );
        assert_eq!(Rc::strong_count(&alive), 1);
    }
}

#[test]
fn an_engine_can_move_to_another_thread() {
    fn moves<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    moves::<Retention<Vec<u8>>>();
    is_shared::<Verdicts>();
}

#[test]
fn with_room_for_very_few_spans_each_still_has_its_turn() {
    for max_spans in 0..9 {
        let mut retention = Retention::new(Policy {
            max_spans,
            ..Policy::default()
        });
        let mut kept = 0;
        for i in 0..100 {
            retention.offer(&root(i), (), 0);
            retention.decide(0, |_| true, |_| kept += 1);
        }
        retention.flush(0, |_| kept += 1);
        assert_eq!(kept, if max_spans == 0 { 0 } else { 100 }, "{max_spans}");
    }
}

#[test]
fn the_oldest_that_waits_is_told() {
    let mut retention = retention(Mode::Interesting);
    let oldest = |retention: &Retention<u32>| retention.oldest().min().copied();
    assert_eq!(oldest(&retention), None);
    retention.offer(&child(1), 10, 0);
    retention.offer(&child(2), 11, 0);
    retention.offer(&failed(root(1)), 12, 0);
    assert_eq!(oldest(&retention), Some(10));
    assert_eq!(decide(&mut retention, SECOND).len(), 2);
    assert_eq!(oldest(&retention), Some(11));
    // Late spans of a trace that is kept wait, too.
    retention.offer(&child(1), 13, SECOND);
    retention.flush(SECOND, |_| {});
    assert_eq!(oldest(&retention), None);
    retention.offer(&child(1), 14, SECOND);
    assert_eq!(oldest(&retention), Some(14));
}
