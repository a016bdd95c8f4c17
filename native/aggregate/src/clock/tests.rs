//! Ticks against the system clock, and the ratio on clocks that the test sets.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)] // small numbers
#![allow(clippy::float_cmp)] // exact ones

use super::*;

/// Clocks of which one runs at 2.5 GHz, `ns` after the first reading, which is at 1000 s.
fn at(ns: u64) -> Reading {
    Reading {
        ticks: 7_000_000 + ns * 5 / 2,
        ns: 1_000_000_000_000 + ns,
    }
}

fn known(ratio: &Ratio) -> f64 {
    f64::from_bits(ratio.seconds.load(Ordering::Relaxed))
}

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

#[test]
fn ticks_last_as_long_as_the_system_says() {
    let (start, before) = (Ticks::now(), monotonic_ns());
    std::thread::sleep(std::time::Duration::from_millis(20));
    let (after, end) = (monotonic_ns(), Ticks::now());
    let inner = (after - before) as f64 * 1e-9;
    // The ticks go around the system's; only that they last at least as long is certain.
    assert!(Ticks::seconds_between(start, end) > inner * 0.98);
    assert!(Ticks::nanoseconds_between(start, end) > (inner * 0.97e9) as u64);
}

#[test]
fn a_clock_that_went_backwards_gives_zero_and_is_counted() {
    let before = implausible();
    let now = Ticks::now();
    assert_eq!(Ticks::seconds_between(now, now - 1), 0.0);
    assert_eq!(Ticks::nanoseconds_between(now, now + (1 << 60)), 0);
    assert!(implausible() >= before + 2);
}

#[test]
fn the_first_ratio_waits_until_enough_time_has_passed() {
    let ratio = Ratio::new();
    ratio.base(|| at(0));
    let elapsed = std::cell::Cell::new(0);
    let seconds = ratio.first(|| {
        elapsed.set(elapsed.get() + 7_000);
        at(elapsed.get())
    });
    assert!((seconds / 0.4e-9 - 1.0).abs() < 1e-9);
    assert!((SHORTEST_NS..SHORTEST_NS + 7_000).contains(&elapsed.get()));
}

#[test]
fn a_clock_that_stands_still_keeps_nobody() {
    assert_eq!(Ratio::new().first(|| at(0)), 0.0);
}

#[test]
fn the_ratio_follows_a_clock_whose_speed_is_steered() {
    let ratio = Ratio::new();
    ratio.base(|| at(0));
    assert!(!ratio.refine(at(SECOND)));
    assert!((known(&ratio) / 0.4e-9 - 1.0).abs() < 1e-9);
    // From here on the system clock runs 0.05 % faster; within two minutes only that is left.
    for second in 2..130 {
        let steered = Reading {
            ns: at(SECOND).ns + (second - 1) * 1_000_500_000,
            ..at(second * SECOND)
        };
        assert!(!ratio.refine(steered));
    }
    assert!((known(&ratio) / 0.4002e-9 - 1.0).abs() < 1e-9);
}

#[test]
fn a_jump_of_the_counter_is_no_refinement() {
    let ratio = Ratio::new();
    ratio.base(|| at(0));
    ratio.refine(at(SECOND));
    let jumped = |ns| Reading {
        ticks: at(ns).ticks - 2_000_000_000,
        ..at(ns)
    };
    assert!(ratio.refine(jumped(2 * SECOND)));
    assert!((known(&ratio) / 0.4e-9 - 1.0).abs() < 1e-9);
    assert!(!ratio.refine(jumped(3 * SECOND)));
    // Back to before the base line.
    assert!(ratio.refine(at(MILLISECOND)));
    assert!((known(&ratio) / 0.4e-9 - 1.0).abs() < 1e-9);
}

#[test]
fn readings_too_close_together_say_nothing() {
    let ratio = Ratio::new();
    ratio.base(|| at(0));
    assert!(!ratio.refine(at(SHORTEST_NS - 1)));
    assert_eq!(known(&ratio), 0.0);
}

#[test]
#[cfg_attr(miri, ignore = "leaks on purpose, as a fork does")]
fn a_child_process_begins_anew_and_keeps_the_ratio() {
    let _ = Ticks::seconds_between(0, 1);
    let before = known(&RATIO);
    reset_after_fork();
    calibrate();
    assert!((known(&RATIO) / before - 1.0).abs() < GREATEST_CHANGE);
    assert_eq!(
        source(),
        Source::choose(std::env::var(SOURCE_VARIABLE).ok().as_deref())
    );
}
