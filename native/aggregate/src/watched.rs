//! A timer: durations recorded by one thread at a time, watched by others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use crate::budget::{Budget, Excess, Limiter, NOTICE_INTERVAL_NS};
use crate::dense::Dense;
use crate::exponential::Exponential;
use crate::fork::Renewable;
use crate::quantile::Distribution;
use crate::window::{Span, Stats, Totals, Windows};

/// Scale of timers' histograms: quantiles within 0.55 % as long as durations spread over 32 octaves, 1 ns to 4 s.
pub const SCALE: i8 = 6;
/// Buckets of timers' histograms at most.
pub const SIZE: u32 = 2_048;

/// Durations in seconds. What is written per measurement fills one cache line, the bucket apart.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Watched {
    histogram: Exponential,
    sum: AtomicU64,
    /// The greatest measurement since somebody took it.
    recent: AtomicU64,
    least: AtomicU64,
    budget: Budget,
    // The second line.
    zero: AtomicU64,
    greatest: AtomicU64,
    name: Arc<str>,
    watch: Renewable<Watch>,
}

/// What those who watch have between them.
#[derive(Debug)]
struct Watch {
    windows: Windows,
    limiter: Limiter,
    zero: u64,
    /// Whether the update before found something: a measurement may then have been recorded half.
    settling: bool,
    scratch: Dense,
}

impl Watch {
    fn new(now_ns: u64) -> Self {
        Self {
            windows: Windows::new(now_ns),
            limiter: Limiter::new(NOTICE_INTERVAL_NS),
            zero: 0,
            settling: false,
            scratch: Dense::default(),
        }
    }
}

/// All that was recorded, for export.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// The positive measurements.
    pub buckets: Dense,
    /// How many measurements are zero.
    pub zero: u64,
    /// The sum of all.
    pub sum: f64,
    /// The least and the greatest, if there is any.
    pub min_max: Option<(f64, f64)>,
}

impl Watched {
    /// A timer without measurements, whose time begins at `now_ns` of the monotonic clock.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, budget_ns: Option<u64>, now_ns: u64) -> Self {
        Self {
            histogram: Exponential::new(SIZE, SCALE),
            sum: AtomicU64::new(0),
            recent: AtomicU64::new(0),
            least: AtomicU64::new(f64::INFINITY.to_bits()),
            budget: Budget::new(budget_ns),
            zero: AtomicU64::new(0),
            greatest: AtomicU64::new(0),
            name: name.into(),
            watch: Renewable::new(Watch::new(now_ns)),
        }
    }

    /// Record a duration, finite and not negative.
    ///
    /// # Safety
    /// No other thread records or resets at the same time.
    #[inline]
    pub unsafe fn record(&self, seconds: f64) {
        // The greatest first: whoever finds the measurement in its bucket then finds it here too.
        if seconds > load(&self.recent) {
            store(&self.recent, seconds);
        }
        if seconds < load(&self.least) {
            store(&self.least, seconds);
        }
        store(&self.sum, load(&self.sum) + seconds);
        self.budget.check(seconds);
        if seconds > 0.0 {
            // SAFETY: by contract.
            unsafe { self.histogram.record(seconds) };
        } else {
            self.zero
                .store(self.zero.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its budget.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Bring the windows up to date; says what is to be told about the budget. From any thread, every 100 ms.
    pub fn tick(&self, now_ns: u64) -> Option<Excess> {
        let mut watch = self.watch.lock();
        let greatest = self.update(&mut watch, now_ns);
        watch.limiter.observe(&self.budget, greatest, now_ns)
    }

    /// Statistics of a window, or since the beginning, as of now; from any thread.
    #[must_use]
    pub fn stats(&self, span: Option<Span>, now_ns: u64) -> Stats {
        let mut watch = self.watch.lock();
        let greatest = self.update(&mut watch, now_ns);
        watch.limiter.note(&self.budget, greatest);
        if let Some(span) = span {
            return watch.windows.stats(span);
        }
        let recorded = self.recorded();
        let max = recorded.min_max.map_or(0.0, |(_, max)| max);
        let values = Distribution {
            range: recorded.min_max.unwrap_or_default(),
            ..Distribution::of_positive(recorded.zero, &recorded.buckets, max)
        };
        Stats {
            seconds: watch.windows.age(),
            count: values.count(),
            sum: recorded.sum,
            max,
            quantiles: values.quantiles(),
        }
    }

    /// All that was recorded; from any thread.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        let mut recorded = Recorded::default();
        self.histogram.read(&mut recorded.buckets);
        recorded.zero = self.zero.load(Ordering::Relaxed);
        recorded.sum = load(&self.sum);
        // In this order: a greatest value on its way from one to the other is then seen in one of them.
        let recent = load(&self.recent);
        let greatest = recent.max(f64::from_bits(self.greatest.load(Ordering::Acquire)));
        let least = load(&self.least);
        recorded.min_max = (least <= greatest).then_some((least, greatest));
        recorded
    }

    /// How many measurements were above the budget.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.budget.violations()
    }

    /// Begin from nothing, with new locks: for the child of a `fork`, or to measure anew.
    ///
    /// # Safety
    /// As for [`Watched::record`].
    pub unsafe fn reset(&self, now_ns: u64) {
        // SAFETY: by contract.
        unsafe { self.histogram.reset() };
        for cell in [&self.sum, &self.recent, &self.zero, &self.greatest] {
            cell.store(0, Ordering::Relaxed);
        }
        store(&self.least, f64::INFINITY);
        self.budget.reset();
        self.watch.renew(Watch::new(now_ns));
    }

    /// Bytes it takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let watch = self.watch.lock();
        let buckets = self.histogram.memory() - size_of::<Exponential>();
        let scratch = watch.scratch.counts.capacity() * size_of::<u64>();
        size_of::<Self>() + size_of::<Watch>() + buckets + scratch + watch.windows.memory()
    }

    /// Take in what was recorded since the last call; returns the greatest of it, 0 if there was nothing.
    fn update(&self, watch: &mut Watch, now_ns: u64) -> f64 {
        let zero = self.zero.load(Ordering::Relaxed);
        let recent = load(&self.recent);
        let found = recent > 0.0 || zero != watch.zero;
        if !std::mem::replace(&mut watch.settling, found) && !found {
            watch.windows.pass(now_ns);
            return 0.0;
        }
        let mut scratch = std::mem::take(&mut watch.scratch);
        self.histogram.read(&mut scratch);
        // Nothing is lost between the steps: the value stays in `recent` until `greatest` has it, and what is
        // recorded meanwhile is either taken here or stays for the next time.
        self.greatest
            .fetch_max(load(&self.recent).to_bits(), Ordering::Release);
        let greatest = f64::from_bits(self.recent.swap(0, Ordering::AcqRel));
        self.greatest
            .fetch_max(greatest.to_bits(), Ordering::Release);
        watch.zero = zero;
        let totals = Totals {
            zero,
            sum: load(&self.sum),
            greatest,
        };
        watch.windows.update(now_ns, &mut scratch, totals);
        watch.scratch = scratch;
        greatest
    }
}

#[inline]
fn load(cell: &AtomicU64) -> f64 {
    f64::from_bits(cell.load(Ordering::Relaxed))
}

#[inline]
fn store(cell: &AtomicU64, value: f64) {
    cell.store(value.to_bits(), Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
