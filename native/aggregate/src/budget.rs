//! Time budgets: each measurement above one is counted, but only some of them make a notice.

use std::sync::atomic::{AtomicU64, Ordering};

/// Notices about one timer are at least this far apart.
pub const NOTICE_INTERVAL_NS: u64 = 10_000_000_000;

/// How long something may take, and how often it took longer.
#[derive(Debug)]
pub struct Budget {
    /// Bits of seconds; infinity when there is no budget.
    threshold: AtomicU64,
    over: AtomicU64,
}

impl Budget {
    /// A budget in nanoseconds, or none.
    #[must_use]
    pub fn new(threshold_ns: Option<u64>) -> Self {
        Self {
            threshold: AtomicU64::new(seconds(threshold_ns).to_bits()),
            over: AtomicU64::new(0),
        }
    }

    /// Change the budget, from any thread; what was counted remains.
    pub fn set(&self, threshold_ns: Option<u64>) {
        self.threshold
            .store(seconds(threshold_ns).to_bits(), Ordering::Relaxed);
    }

    /// The budget in seconds, infinity when there is none.
    #[inline]
    #[must_use]
    pub fn seconds(&self) -> f64 {
        f64::from_bits(self.threshold.load(Ordering::Relaxed))
    }

    /// Count a measurement that is above the budget. One thread at a time, or counts are lost.
    #[inline]
    pub fn check(&self, seconds: f64) {
        if seconds > self.seconds() {
            self.over
                .store(self.over.load(Ordering::Relaxed) + 1, Ordering::Release);
        }
    }

    /// How many measurements were above the budget.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.over.load(Ordering::Acquire)
    }

    /// Count from 0 again; for the thread that checks.
    pub fn reset(&self) {
        self.over.store(0, Ordering::Relaxed);
    }
}

#[allow(clippy::cast_precision_loss)] // exact up to 104 days
fn seconds(threshold_ns: Option<u64>) -> f64 {
    threshold_ns.map_or(f64::INFINITY, |ns| ns as f64 / 1e9)
}

/// Measurements above a budget since the notice before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excess {
    /// How many since the notice before.
    pub violations: u64,
    /// How many ever.
    pub total: u64,
    /// The greatest of them, in seconds.
    pub worst: f64,
    /// The budget, in seconds.
    pub budget: f64,
}

/// Turns violations into few notices.
#[derive(Clone, Debug)]
pub struct Limiter {
    interval_ns: u64,
    last_ns: Option<u64>,
    told: u64,
    worst: f64,
}

impl Limiter {
    /// At most one notice per interval.
    #[must_use]
    pub fn new(interval_ns: u64) -> Self {
        Self {
            interval_ns,
            last_ns: None,
            told: 0,
            worst: 0.0,
        }
    }

    /// Remember the greatest measurement since the last call.
    pub fn note(&mut self, budget: &Budget, greatest: f64) {
        if greatest > budget.seconds() {
            self.worst = self.worst.max(greatest);
        }
    }

    /// What there is to tell at `now_ns`, given the greatest measurement since the last call.
    ///
    /// The first violation is told at once, later ones together when the interval is over.
    pub fn observe(&mut self, budget: &Budget, greatest: f64, now_ns: u64) -> Option<Excess> {
        let total = budget.violations();
        self.note(budget, greatest);
        if total < self.told {
            self.told = 0;
        }
        let waited = self
            .last_ns
            .is_none_or(|last| now_ns.saturating_sub(last) >= self.interval_ns);
        if total == self.told || !waited {
            return None;
        }
        let excess = Excess {
            violations: total - self.told,
            total,
            worst: self.worst,
            budget: budget.seconds(),
        };
        *self = Self {
            interval_ns: self.interval_ns,
            last_ns: Some(now_ns),
            told: total,
            worst: 0.0,
        };
        Some(excess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn each_measurement_above_the_budget_counts_and_none_at_it() {
        let budget = Budget::new(Some(10 * MS));
        for seconds in [0.01, 0.010_000_001, 0.009, 5.0] {
            budget.check(seconds);
        }
        assert_eq!(budget.violations(), 2);
    }

    #[test]
    fn without_a_budget_nothing_is_too_long() {
        let budget = Budget::new(None);
        budget.check(f64::MAX);
        assert_eq!(budget.violations(), 0);
        budget.set(Some(0));
        budget.check(1e-9);
        assert_eq!(budget.violations(), 1);
    }

    #[test]
    fn the_first_violation_is_told_at_once_and_the_rest_together() {
        let budget = Budget::new(Some(10 * MS));
        let mut limiter = Limiter::new(1_000);
        assert_eq!(limiter.observe(&budget, 0.001, 0), None);
        let mut tell = |seconds: f64, now_ns| {
            budget.check(seconds);
            limiter.observe(&budget, seconds, now_ns)
        };
        let first = Excess {
            violations: 1,
            total: 1,
            worst: 0.02,
            budget: 0.01,
        };
        assert_eq!(tell(0.02, 100), Some(first));
        assert_eq!(tell(0.05, 200), None);
        assert_eq!(tell(0.03, 1_099), None);
        let rest = Excess {
            violations: 2,
            total: 3,
            worst: 0.05,
            budget: 0.01,
        };
        assert_eq!(tell(0.001, 1_100), Some(rest));
        assert_eq!(tell(0.001, 9_000), None);
    }

    #[test]
    fn a_clock_that_went_back_delays_a_notice_but_loses_nothing() {
        let budget = Budget::new(Some(MS));
        let mut limiter = Limiter::new(1_000);
        budget.check(1.0);
        assert!(limiter.observe(&budget, 1.0, 5_000).is_some());
        budget.check(2.0);
        assert_eq!(limiter.observe(&budget, 2.0, 10), None);
        let told = limiter.observe(&budget, 0.0, 6_000).unwrap();
        assert_eq!(
            (told.violations, told.worst.to_bits()),
            (1, 2.0_f64.to_bits())
        );
    }
}
