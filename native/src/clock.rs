//! Clocks: durations come from the monotonic clock, dates from an anchor to the wall clock.
//!
//! A span timed with the wall clock gets a negative duration when the clock is stepped. `Clock` therefore
//! reads the monotonic clock and adds an offset; the offset is measured once and again only on `resync`.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aggregate::clock::Ticks;

use pyo3::prelude::*;

/// A step smaller than this is the jitter of two clock reads, not a step.
const STEP_THRESHOLD_NS: i64 = 1_000_000;

/// How often the anchor is measured; the tightest of the readings is taken.
const ANCHOR_READINGS: usize = 5;

fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid, writable timespec; both clocks used here exist on every supported system.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Where a test holds the clock, in ticks; 0 while it runs.
static HELD: AtomicU64 = AtomicU64::new(0);

/// Where the clock stood when it was first held.
static HELD_FROM: AtomicU64 = AtomicU64::new(0);

/// Ticks of the cheapest clock that can be trusted here.
#[inline(always)]
pub fn ticks() -> u64 {
    match HELD.load(Ordering::Relaxed) {
        0 => Ticks::now(),
        held => held,
    }
}

/// Hold the clock that timers and events read, this many seconds after the moment it was first held.
///
/// For tests; with `None` it runs again.
#[pyfunction]
#[pyo3(signature = (seconds))]
pub fn hold_ticks(seconds: Option<f64>) {
    let Some(seconds) = seconds else {
        HELD.store(0, Ordering::Relaxed);
        HELD_FROM.store(0, Ordering::Relaxed);
        return;
    };
    if HELD_FROM.load(Ordering::Relaxed) == 0 {
        HELD_FROM.store(Ticks::now(), Ordering::Relaxed);
    }
    HELD.store(
        HELD_FROM.load(Ordering::Relaxed) + ticks_in(seconds),
        Ordering::Relaxed,
    );
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // less than 2^63 after thousands of years
fn ticks_in(seconds: f64) -> u64 {
    let many: u32 = 1 << 30;
    (seconds / Ticks::seconds_between(0, many.into()) * f64::from(many)).round() as u64
}

/// Seconds from one `ticks()` to another.
#[inline(always)]
pub fn seconds(start: u64, end: u64) -> f64 {
    Ticks::seconds_between(start, end)
}

/// Nanoseconds of the monotonic clock.
#[pyfunction]
pub fn monotonic_ns() -> i64 {
    read(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of the wall clock since the Unix epoch.
#[pyfunction]
pub fn wall_ns() -> i64 {
    read(libc::CLOCK_REALTIME)
}

/// Nanoseconds since the machine started, those it slept included.
pub fn boot_ns() -> i64 {
    #[cfg(target_os = "linux")]
    return read(libc::CLOCK_BOOTTIME);
    #[cfg(not(target_os = "linux"))]
    return monotonic_ns();
}

/// Offset from monotonic to wall time, from the reading with the smallest gap around it.
fn measure_offset(monotonic: impl Fn() -> i64, wall: impl Fn() -> i64) -> i64 {
    (0..ANCHOR_READINGS)
        .map(|_| {
            let before = monotonic();
            let date = wall();
            let gap = monotonic() - before;
            (gap, date - before - gap / 2)
        })
        .min()
        .map_or(0, |(_, offset)| offset)
}

/// Unix time in nanoseconds that never runs backwards between two `resync`s.
#[pyclass(frozen, module = "otel_trading._native")]
pub struct Clock {
    offset: AtomicI64,
}

#[pymethods]
impl Clock {
    #[new]
    fn new() -> Self {
        Self {
            offset: AtomicI64::new(measure_offset(monotonic_ns, wall_ns)),
        }
    }

    /// Unix time in nanoseconds.
    fn now_ns(&self) -> i64 {
        monotonic_ns() + self.offset.load(Ordering::Relaxed)
    }

    /// Follow a step of the wall clock; returns the step in nanoseconds, 0 when there was none.
    fn resync(&self) -> i64 {
        self.apply(measure_offset(monotonic_ns, wall_ns))
    }
}

impl Clock {
    fn apply(&self, measured: i64) -> i64 {
        let step = measured - self.offset.load(Ordering::Relaxed);
        if step.abs() < STEP_THRESHOLD_NS {
            return 0;
        }
        self.offset.store(measured, Ordering::Relaxed);
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn now_follows_the_wall_clock() {
        let clock = Clock::new();
        assert!((clock.now_ns() - wall_ns()).abs() < STEP_THRESHOLD_NS);
    }

    #[test]
    fn the_tightest_reading_wins() {
        // Reading n sees the clocks n, n + gap: the third one has the smallest gap.
        let gaps = [90, 70, 10, 50, 60];
        let calls = Cell::new(0_usize);
        let monotonic = || {
            let call = calls.get();
            calls.set(call + 1);
            if call.is_multiple_of(2) {
                0
            } else {
                gaps[call / 2]
            }
        };
        assert_eq!(measure_offset(monotonic, || 1_000), 995);
    }

    #[test]
    fn held_ticks_move_only_when_they_are_told() {
        hold_ticks(Some(0.0));
        let start = ticks();
        assert_eq!(ticks(), start);
        hold_ticks(Some(3_600.25));
        assert!((seconds(start, ticks()) - 3_600.25).abs() < 1e-6);
        hold_ticks(None);
        assert_eq!(HELD.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn jitter_is_no_step_and_a_step_is_followed() {
        let clock = Clock::new();
        let offset = clock.offset.load(Ordering::Relaxed);
        assert_eq!(clock.apply(offset + STEP_THRESHOLD_NS - 1), 0);
        assert_eq!(clock.offset.load(Ordering::Relaxed), offset);
        assert_eq!(clock.apply(offset - 2_000_000_000), -2_000_000_000);
        assert_eq!(clock.offset.load(Ordering::Relaxed), offset - 2_000_000_000);
    }
}
