//! Dates of spans: ticks of the fast clock, anchored to the wall clock.
//!
//! Durations are differences of ticks, so they never run backwards. The anchor is looked at by the pump; it follows a
//! step of the wall clock at once and its slow drift in steps too small to be seen.

use std::sync::atomic::{fence, AtomicU64, Ordering};

use crate::clock::{seconds, ticks, wall_ns};

/// A difference this large is a step of the wall clock, nanoseconds.
const STEP_NS: i64 = 1_000_000;

/// Anchors kept: one in use, the others for readers that were interrupted meanwhile.
const ANCHORS: usize = 4;

#[derive(Debug, Default)]
struct Anchor {
    ticks: AtomicU64,
    date_ns: AtomicU64,
}

/// Wall time of the process's ticks. Readers never wait for the thread that moves the anchor.
#[derive(Debug, Default)]
pub struct Wall {
    moved: AtomicU64,
    anchors: [Anchor; ANCHORS],
}

impl Wall {
    pub fn new() -> Self {
        let wall = Self::default();
        wall.anchor();
        wall
    }

    /// Unix time in nanoseconds of a tick not long ago.
    #[inline(always)]
    pub fn date_ns(&self, tick: u64) -> u64 {
        loop {
            let moved = self.moved.load(Ordering::Acquire);
            let anchor = self.at(moved);
            let (base, date) = (
                anchor.ticks.load(Ordering::Relaxed),
                anchor.date_ns.load(Ordering::Relaxed),
            );
            fence(Ordering::Acquire);
            let since = self.moved.load(Ordering::Relaxed).wrapping_sub(moved);
            if since < ANCHORS as u64 - 1 {
                return date.wrapping_add_signed(nanoseconds(base, tick));
            }
        }
    }

    /// Look where the wall clock stands; one thread at a time.
    pub fn follow(&self) {
        let (now, date) = reading();
        let ahead = self.date_ns(now).cast_signed() - date.cast_signed();
        // Not back by a little: spans that follow each other would seem to overlap.
        if ahead <= 0 || ahead >= STEP_NS {
            self.set(now, date);
        } else {
            self.set(now, self.date_ns(now));
        }
    }

    /// Forget the past.
    pub fn anchor(&self) {
        let (now, date) = reading();
        self.set(now, date);
    }

    fn set(&self, base: u64, date: u64) {
        let next = self.moved.load(Ordering::Relaxed).wrapping_add(1);
        fence(Ordering::Release);
        let anchor = self.at(next);
        anchor.ticks.store(base, Ordering::Relaxed);
        anchor.date_ns.store(date, Ordering::Relaxed);
        self.moved.store(next, Ordering::Release);
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // only the lowest bits
    fn at(&self, moved: u64) -> &Anchor {
        &self.anchors[moved as usize % ANCHORS]
    }
}

#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // 292 years
fn nanoseconds(from: u64, to: u64) -> i64 {
    if to >= from {
        (seconds(from, to) * 1e9) as i64
    } else {
        -((seconds(to, from) * 1e9) as i64)
    }
}

/// Ticks and wall clock at one moment: the tightest of three attempts.
fn reading() -> (u64, u64) {
    let attempt = || {
        let before = ticks();
        let date = wall_ns().unsigned_abs();
        let after = ticks();
        (after.wrapping_sub(before), before.midpoint(after), date)
    };
    let (_, tick, date) = attempt().min(attempt()).min(attempt());
    (tick, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_become_dates() {
        let wall = Wall::new();
        let date = wall.date_ns(ticks()).cast_signed();
        assert!((date - wall_ns()).abs() < STEP_NS, "{date}");
    }

    #[test]
    fn a_tick_before_the_anchor_has_an_earlier_date() {
        let wall = Wall::new();
        let tick = ticks();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let before = wall.date_ns(tick);
        wall.anchor();
        assert!(wall.date_ns(tick).abs_diff(before) < 100_000);
    }

    #[test]
    fn a_step_of_the_wall_clock_is_followed_and_jitter_is_not() {
        let wall = Wall::new();
        let (now, date) = reading();
        wall.set(now, date + 5_000_000);
        wall.follow();
        assert!(wall.date_ns(ticks()).abs_diff(wall_ns().unsigned_abs()) < 100_000);
        let (now, date) = reading();
        wall.set(now, date + 500_000);
        wall.follow();
        assert!(wall.date_ns(now) >= date + 400_000);
        wall.set(now, date - 500_000);
        wall.follow();
        assert!(wall.date_ns(ticks()).abs_diff(wall_ns().unsigned_abs()) < 100_000);
    }
}
