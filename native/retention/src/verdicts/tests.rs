//! The table alone, and between two threads.

#![allow(clippy::cast_precision_loss)] // small numbers of the tests

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::random::Random;

#[test]
fn what_was_noted_last_is_found() {
    let verdicts = Verdicts::new(64, false);
    let sampled = Decision::Kept(Threshold::rounded(0.3, 4), Why::Sampled);
    assert_eq!(verdicts.decision(7), Decision::Unknown);
    for decision in [
        Decision::Pending,
        sampled,
        Decision::Dropped,
        Decision::Kept(Threshold::ALWAYS, Why::All),
        Decision::Unknown,
    ] {
        verdicts.note(7, decision);
        assert_eq!(verdicts.decision(7), decision);
    }
    verdicts.note(7 << 64, sampled);
    assert_eq!(verdicts.verdict(7 << 64), Verdict::Kept);
    assert_eq!(verdicts.verdict(7), Verdict::Unknown);
    assert_eq!(verdicts.verdict(0), Verdict::Unknown);
    verdicts.note(0, Decision::Dropped);
    assert_eq!(verdicts.verdict(0), Verdict::Dropped);
}

#[test]
fn every_reason_and_threshold_comes_back() {
    let verdicts = Verdicts::new(8, false);
    let mut random = Random::new(6);
    for why in Why::ALL {
        for _ in 0..100 {
            let id = random.id();
            let decision = Decision::Kept(Threshold::from_bits(random.next()), why);
            verdicts.note(id, decision);
            assert_eq!(verdicts.decision(id), decision);
        }
    }
}

#[test]
fn the_latest_are_known_and_the_earliest_forgotten() {
    const ROOM: usize = 65_536;
    let verdicts = Verdicts::new(ROOM, false);
    let mut random = Random::new(7);
    let ids: Vec<_> = (0..3 * ROOM).map(|_| random.id()).collect();
    for &id in &ids {
        verdicts.note(id, Decision::Pending);
        verdicts.note(id, Decision::Dropped);
    }
    let known = |ids: &[u128]| {
        let known = ids
            .iter()
            .filter(|&&id| verdicts.verdict(id) == Verdict::Dropped);
        known.count() as f64 / ids.len() as f64
    };
    assert!(known(&ids[..ROOM]) < 0.02);
    assert!(known(&ids[2 * ROOM + ROOM / 2..]) > 0.94);
    assert!(known(&ids[3 * ROOM - ROOM / 8..]) > 0.999);
}

#[test]
fn with_everything_kept_no_table_is_asked() {
    assert_eq!(Verdicts::new(0, true).verdict(1), Verdict::Kept);
}

#[test]
fn a_reader_never_sees_the_verdict_of_another_trace() {
    let verdicts = Verdicts::new(64, false);
    let done = AtomicBool::new(false);
    let rounds = if cfg!(miri) { 300 } else { 300_000 };
    // Even traces are kept, odd ones dropped.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(8);
            for _ in 0..rounds {
                let id = u128::from(random.below(1_000));
                verdicts.note(id, Decision::Pending);
                let decision = if id % 2 == 0 {
                    Decision::Kept(Threshold::from_bits(random.next()), Why::Calm)
                } else {
                    Decision::Dropped
                };
                verdicts.note(id, decision);
            }
            done.store(true, Ordering::Release);
        });
        let mut random = Random::new(9);
        let mut seen = [0; 2];
        while !done.load(Ordering::Acquire) {
            let id = u128::from(random.below(1_000));
            match verdicts.verdict(id) {
                Verdict::Kept => assert_eq!(id % 2, 0),
                Verdict::Dropped => assert_eq!(id % 2, 1),
                Verdict::Pending | Verdict::Unknown => continue,
            }
            seen[usize::from(id % 2 == 0)] += 1;
        }
        assert!(cfg!(miri) || seen.iter().all(|&seen| seen > 0));
    });
}
