//! Which roots are slow.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small numbers of the tests

use super::*;
use crate::random::Random;

const SECOND: u64 = 1_000_000_000;

fn histories() -> Histories {
    Histories::new(0.99, 100, 10)
}

#[test]
fn nothing_is_slow_before_there_is_a_history() {
    let mut histories = histories();
    for i in 0..100 {
        assert!(!histories.is_slow("tick", 1_000 + i * 1_000_000, i));
    }
    assert!(histories.is_slow("tick", 200_000_000, 101));
    assert!(!histories.is_slow("other", u64::MAX, 102));
}

#[test]
fn equal_durations_are_never_slow() {
    for duration in [0, 1, 999, 1_000_000, 123_456_789, 1 << 40] {
        let mut histories = histories();
        let slow = (0..1_000).filter(|i| histories.is_slow("tick", duration, i * SECOND / 10));
        assert_eq!(slow.count(), 0, "{duration}");
        assert!(histories.is_slow("tick", duration * 2 + 100, 100 * SECOND));
        // Also with one that is greater, so that the greatest is not what bounds them.
        let slow = (0..1_000).filter(|i| {
            let now_ns = (101 + i) * SECOND / 10;
            histories.is_slow("tick", duration, now_ns)
        });
        assert_eq!(slow.count(), 0, "{duration}");
    }
}

#[test]
fn a_root_does_not_raise_the_bar_it_is_compared_with() {
    let mut histories = Histories::new(1.0, 1, 10);
    histories.is_slow("tick", 1_000, 0);
    // Each is slower than all before, the bar is due with each, and made of those before.
    for i in 1..30 {
        assert!(histories.is_slow("tick", 1_000 << i, 2 * i * SECOND));
        assert!(!histories.is_slow("tick", 1_000 << i, (2 * i + 1) * SECOND));
    }
}

#[test]
fn one_in_a_hundred_is_slow_and_it_is_the_slowest() {
    let mut random = Random::new(4);
    let mut histories = histories();
    let mut all = Vec::new();
    for i in 0..50_000_u64 {
        let duration = (1e6 * random.lognormal(1.0)) as u64;
        let slow = histories.is_slow("tick", duration, i * SECOND / 1_000);
        all.push((duration, slow));
    }
    let late = &mut all[10_000..];
    let slow = late.iter().filter(|&&(_, slow)| slow).count();
    assert!((350..=420).contains(&slow), "{slow} of 40,000");
    late.sort_unstable();
    assert!(late[..39_000].iter().all(|&(_, slow)| !slow));
    assert!(late[39_800..].iter().all(|&(_, slow)| slow));
}

#[test]
fn a_bar_follows_the_last_minutes() {
    let mut histories = histories();
    let mut observe = |minute: u64, duration| {
        (0..120)
            .map(|i| histories.is_slow("tick", duration, (60 * minute + i / 2) * SECOND))
            .filter(|&slow| slow)
            .count()
    };
    assert_eq!(observe(0, 1_000_000), 0);
    assert!(observe(1, 5_000_000) > 0);
    (2..11).for_each(|minute| {
        observe(minute, 5_000_000);
    });
    assert_eq!(observe(11, 5_000_000), 0);
    // Ten minutes later nothing is known of the time before.
    assert_eq!(observe(40, 1 << 40), 0);
    assert_eq!(observe(52, 1 << 50), 0);
}

#[test]
fn names_that_come_once_push_out_each_other_only() {
    let mut histories = histories();
    for i in 0..200 {
        histories.is_slow("tick", 1_000_000, i);
        histories.is_slow("fill", 2_000_000, i);
    }
    for i in 0..10_000 {
        histories.is_slow(&format!("order {i}"), 1_000, 1_000 + i);
    }
    assert!(histories.places.len() <= 10 && histories.all.len() <= 10);
    assert!(histories.is_slow("tick", 1_500_000, 20_000));
    assert!(!histories.is_slow("fill", 1_500_000, 20_000));
    assert_eq!(histories.unknown(), 0);
}

#[test]
fn without_room_a_name_has_no_history_until_another_is_idle() {
    let mut histories = histories();
    for i in 0..10 {
        for _ in 0..100 {
            histories.is_slow(&format!("name {i}"), 1_000, 0);
        }
    }
    assert!(!histories.is_slow("new", 1_000, 1));
    assert_eq!(histories.unknown(), 1);
    for i in 0..100 {
        assert!(!histories.is_slow("new", 1_000, 1_000 * SECOND + i));
    }
    assert!(histories.is_slow("new", 2_000, 1_001 * SECOND));
    let mut nothing = Histories::new(0.99, 100, 0);
    assert!(!nothing.is_slow("tick", 1, 0));
    assert_eq!(nothing.unknown(), 1);
}
