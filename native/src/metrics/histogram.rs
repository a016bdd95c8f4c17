//! The cell of a histogram: base-2 exponential buckets always, explicit ones where a reader wants them.

use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use aggregate::budget::Budget;
use aggregate::dense::Dense;
use aggregate::exponential::Exponential;

use super::exemplar::{Countdown, Reservoir};
use super::explicit::{Bounds, ExplicitCounts};
use crate::gil::GilCell;

/// How finely a histogram is kept in the process; an export may be coarser, never finer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    pub max_size: u32,
    pub max_scale: i8,
}

/// Counts, sum, extremes and buckets, written with the GIL held.
#[repr(C, align(64))]
pub struct HistogramCell {
    count: AtomicU64,
    sum: AtomicU64,
    min: AtomicU64,
    max: AtomicU64,
    zero: AtomicU64,
    pub countdown: Countdown,
    /// Whether anything was measured since the last collection.
    pub touched: AtomicBool,
    pub budget: Budget,
    /// The greatest measurement since a watch took it.
    recent: AtomicU64,
    pub positive: Exponential,
    negative: OnceLock<Box<Exponential>>,
    /// A list of `ExplicitCounts`, most often of one.
    explicit: AtomicPtr<ExplicitCounts>,
    resolution: Resolution,
    pub exemplars: GilCell<Option<Box<Reservoir>>>,
}

#[inline(always)]
fn increment(place: &AtomicU64) {
    place.store(place.load(Relaxed).wrapping_add(1), Relaxed);
}

#[inline(always)]
fn float(place: &AtomicU64) -> f64 {
    f64::from_bits(place.load(Relaxed))
}

impl HistogramCell {
    pub fn new(resolution: Resolution, explicit: &[Arc<Bounds>]) -> Self {
        let cell = Self {
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            min: AtomicU64::new(f64::INFINITY.to_bits()),
            max: AtomicU64::new(f64::NEG_INFINITY.to_bits()),
            zero: AtomicU64::new(0),
            countdown: Countdown::default(),
            touched: AtomicBool::new(false),
            budget: Budget::new(None),
            recent: AtomicU64::new(0),
            positive: Exponential::new(resolution.max_size, resolution.max_scale),
            negative: OnceLock::new(),
            explicit: AtomicPtr::default(),
            resolution,
            exemplars: GilCell::default(),
        };
        for bounds in explicit {
            cell.count_by(bounds);
        }
        cell
    }

    /// Record a finite value.
    #[inline(always)]
    pub fn record(&self, value: f64) {
        // The greatest first: a watch that finds the value in its bucket then finds it here, too.
        if value > float(&self.recent) {
            self.recent.store(value.to_bits(), Relaxed);
        }
        self.budget.check(value);
        self.sum
            .store((float(&self.sum) + value).to_bits(), Relaxed);
        if value > 0.0 {
            // SAFETY: the GIL is held, so nobody else writes.
            unsafe { self.positive.record(value) };
        } else if value == 0.0 {
            increment(&self.zero);
        } else {
            // SAFETY: as above.
            unsafe { self.negative().record(-value) };
        }
        increment(&self.count);
        if value < float(&self.min) {
            self.min.store(value.to_bits(), Relaxed);
        }
        if value > float(&self.max) {
            self.max.store(value.to_bits(), Relaxed);
        }
        self.touched.store(true, Relaxed);
        let mut explicit = self.explicit.load(Relaxed);
        while !explicit.is_null() {
            // SAFETY: a list that only grows, in front, and lives as long as the cell.
            let counts = unsafe { &*explicit };
            counts.record(value);
            explicit = counts.next;
        }
    }

    #[cold]
    fn negative(&self) -> &Exponential {
        let Resolution {
            max_size,
            max_scale,
        } = self.resolution;
        self.negative
            .get_or_init(|| Box::new(Exponential::new(max_size, max_scale)))
    }

    /// Count by these explicit bounds, too. What was recorded before is placed by its exponential bucket; one that is
    /// divided by a bound counts as below it.
    pub fn count_by(&self, bounds: &Arc<Bounds>) {
        let next = self.explicit.load(Relaxed);
        let counts = Box::new(ExplicitCounts::new(Arc::clone(bounds), next));
        if self.count() > 0 {
            self.place_earlier(&counts);
        }
        self.explicit.store(Box::into_raw(counts), Relaxed);
    }

    #[cold]
    fn place_earlier(&self, counts: &ExplicitCounts) {
        counts.record_n(0.0, self.zero());
        let mut read = Dense::default();
        self.positive.read(&mut read);
        for (index, count) in read.buckets() {
            let (low, _) = Dense::bounds(index, read.scale);
            counts.record_n(low * (1.0 + f64::EPSILON), count);
        }
        if let Some(negatives) = self.negatives() {
            negatives.read(&mut read);
            for (index, count) in read.buckets() {
                let (_, high) = Dense::bounds(index, read.scale);
                counts.record_n(-high, count);
            }
        }
    }

    /// The explicit counts, the latest first.
    fn explicits(&self) -> impl Iterator<Item = &ExplicitCounts> {
        let mut next = self.explicit.load(Relaxed);
        std::iter::from_fn(move || {
            // SAFETY: null, or a member of the list, which lives as long as the cell.
            let counts = unsafe { next.as_ref() }?;
            next = counts.next;
            Some(counts)
        })
    }

    /// The greatest measurement since the last call; any thread may ask, but only one watch of a cell.
    pub fn take_recent(&self) -> f64 {
        f64::from_bits(self.recent.swap(0, Relaxed))
    }

    pub fn has_recent(&self) -> bool {
        float(&self.recent) > 0.0
    }

    pub fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    pub fn sum(&self) -> f64 {
        float(&self.sum)
    }

    pub fn zero(&self) -> u64 {
        self.zero.load(Relaxed)
    }

    /// The extremes since `take_extremes`; infinite when there was nothing.
    pub fn extremes(&self) -> (f64, f64) {
        (float(&self.min), float(&self.max))
    }

    /// The extremes, which begin anew.
    pub fn take_extremes(&self) -> (f64, f64) {
        let extremes = self.extremes();
        self.min.store(f64::INFINITY.to_bits(), Relaxed);
        self.max.store(f64::NEG_INFINITY.to_bits(), Relaxed);
        extremes
    }

    pub fn negatives(&self) -> Option<&Exponential> {
        self.negative.get().map(AsRef::as_ref)
    }

    /// Counts by the given bounds.
    pub fn explicit(&self, bounds: &Arc<Bounds>) -> Option<Vec<u64>> {
        self.explicits()
            .find(|counts| Arc::ptr_eq(&counts.bounds, bounds))
            .map(ExplicitCounts::read)
    }

    /// Bounds and counts of the explicit buckets that were wanted first.
    pub fn first_explicit(&self) -> Option<(Arc<[f64]>, Vec<u64>)> {
        let first = self.explicits().last()?;
        Some((Arc::clone(first.bounds.upper()), first.read()))
    }

    /// Begin at zero again.
    pub fn reset(&self) {
        self.budget.reset();
        for place in [&self.count, &self.sum, &self.zero, &self.recent] {
            place.store(0, Relaxed);
        }
        self.take_extremes();
        // SAFETY: the GIL is held, so nobody else writes.
        unsafe { self.positive.reset() };
        if let Some(negative) = self.negative.get() {
            // SAFETY: as above.
            unsafe { negative.reset() };
        }
        self.explicits().for_each(ExplicitCounts::reset);
        if let Ok(mut exemplars) = self.exemplars.borrow() {
            *exemplars = None;
        }
        self.touched.store(false, Relaxed);
    }
}

impl Drop for HistogramCell {
    fn drop(&mut self) {
        let mut next = *self.explicit.get_mut();
        while !next.is_null() {
            // SAFETY: every member of the list was a box, and nobody reads it any more.
            next = unsafe { Box::from_raw(next) }.next;
        }
    }
}
