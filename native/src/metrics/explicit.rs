//! Buckets with explicit upper bounds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;

/// Where the search begins for values of one binary exponent: one step instead of a walk from the first bound.
#[derive(Debug)]
pub struct Bounds {
    upper: Arc<[f64]>,
    first_exponent: usize,
    hints: Box<[u16]>,
}

const EXPONENT_SHIFT: u32 = 52;

impl Bounds {
    /// Of ascending upper bounds, each inclusive.
    pub fn new(upper: &[f64]) -> Self {
        let positive = || upper.iter().filter(|bound| **bound > 0.0);
        let first_exponent = positive().next().map_or(0, |bound| exponent(*bound));
        let last_exponent = positive()
            .next_back()
            .map_or(first_exponent, |bound| exponent(*bound));
        let hints = (first_exponent..=last_exponent)
            .map(|exponent| {
                let least = f64::from_bits((exponent as u64) << EXPONENT_SHIFT);
                u16::try_from(upper.partition_point(|bound| *bound < least)).unwrap_or(u16::MAX)
            })
            .collect();
        Self {
            upper: upper.into(),
            first_exponent,
            hints,
        }
    }

    pub fn upper(&self) -> &Arc<[f64]> {
        &self.upper
    }

    /// The bucket of a finite value.
    #[inline]
    pub fn bucket(&self, value: f64) -> usize {
        let exponent = exponent(value);
        let mut bucket = if value > 0.0 && exponent >= self.first_exponent {
            let step = (exponent - self.first_exponent).min(self.hints.len() - 1);
            usize::from(self.hints[step])
        } else {
            0
        };
        while bucket < self.upper.len() && value > self.upper[bucket] {
            bucket += 1;
        }
        bucket
    }
}

/// The biased exponent: sign and mantissa left away.
fn exponent(value: f64) -> usize {
    ((value.to_bits() >> EXPONENT_SHIFT) & 0x7FF) as usize
}

/// Counts by bucket, written with the GIL held.
#[derive(Debug)]
pub struct ExplicitCounts {
    pub bounds: Arc<Bounds>,
    counts: Box<[AtomicU64]>,
    /// The next of the histogram's list, or null.
    pub next: *mut Self,
}

// SAFETY: `next` is only followed while the histogram that owns the list is alive; it never changes.
unsafe impl Sync for ExplicitCounts {}
// SAFETY: as above.
unsafe impl Send for ExplicitCounts {}

impl ExplicitCounts {
    pub fn new(bounds: Arc<Bounds>, next: *mut Self) -> Self {
        let counts = (0..=bounds.upper.len())
            .map(|_| AtomicU64::new(0))
            .collect();
        Self {
            bounds,
            counts,
            next,
        }
    }

    #[inline]
    pub fn record(&self, value: f64) {
        self.record_n(value, 1);
    }

    #[inline]
    pub fn record_n(&self, value: f64, n: u64) {
        let count = &self.counts[self.bounds.bucket(value)];
        count.store(count.load(Relaxed).wrapping_add(n), Relaxed);
    }

    pub fn read(&self) -> Vec<u64> {
        self.counts
            .iter()
            .map(|count| count.load(Relaxed))
            .collect()
    }

    pub fn reset(&self) {
        for count in &self.counts {
            count.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_finds_what_a_walk_finds() {
        let bounds = [
            -5.0,
            -1.0,
            0.0,
            1e-6,
            0.25,
            0.5,
            0.6,
            0.7,
            1.0,
            1e3,
            1e3 + 1.0,
        ];
        let fast = Bounds::new(&bounds);
        let around = |value: f64| [value.next_down(), value, value.next_up()];
        let others = [
            f64::MIN,
            -0.0,
            f64::MIN_POSITIVE,
            5e-324,
            0.3,
            2.0,
            999.0,
            f64::MAX,
        ];
        for value in bounds.iter().flat_map(|bound| around(*bound)).chain(others) {
            assert_eq!(
                fast.bucket(value),
                bounds.partition_point(|bound| *bound < value),
                "{value}"
            );
        }
    }

    #[test]
    fn without_bounds_there_is_one_bucket() {
        assert_eq!(Bounds::new(&[]).bucket(3.0), 0);
        assert_eq!(Bounds::new(&[-1.0, 0.0]).bucket(3.0), 2);
    }
}
