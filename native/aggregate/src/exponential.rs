//! The base-2 exponential histogram of OpenTelemetry for one writer at a time and any number of readers.
//!
//! Counters live in a [`Block`] whose scale and place are fixed. A value outside makes the writer build another block
//! with room for it (moved, grown, or at a coarser scale), publish it with one store and retire the old one. A reader
//! therefore always finds scale, place and counters that belong together and never retries; the writer never waits
//! for it. Counters have 32 bits until one overflows, which halves what a series takes.
//!
//! The result is that of the SDK's `ExponentialBucketHistogramAggregation`: the finest scale not above `max_scale` at
//! which the buckets in use, and all between them, are at most `max_size`.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::block::{Block, Shape};
use crate::dense::{change_of_scale, Dense};
use crate::index::{index, MAX_SCALE, MIN_SCALE};
use crate::reclaim::{Guard, Node, Readers};
use crate::sync::{AtomicI32, AtomicI8, AtomicPtr, AtomicU32, Ordering};

/// Buckets of a histogram with few values.
const INITIAL_SIZE: u32 = 16;

/// Bounds of `max_size`, the same as the SDK's.
pub const SIZES: std::ops::RangeInclusive<u32> = 2..=16_384;

/// Counts of positive magnitudes by exponential bucket.
///
/// ```
/// use aggregate::{dense::Dense, exponential::Exponential};
///
/// let latencies = Exponential::new(160, 20);
/// for seconds in [0.001, 0.002, 0.004] {
///     // SAFETY: no other thread writes.
///     unsafe { latencies.record(seconds) };
/// }
/// let mut buckets = Dense::default();
/// latencies.read(&mut buckets);
/// assert_eq!(buckets.total(), 3);
/// assert_eq!(buckets.scale, 6); // two octaves in at most 160 buckets
/// ```
#[derive(Debug)]
pub struct Exponential {
    block: AtomicPtr<Block>,
    // The writer's copies of the block's shape: one cache line less to touch.
    base: AtomicI32,
    capacity: AtomicU32,
    max_size: u32,
    scale: AtomicI8,
    max_scale: i8,
    #[cfg(loom)]
    readers: &'static Readers<Block>,
}

/// Measurements for which there was no memory.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many measurements of the process no histogram counted because there was no memory for buckets.
#[must_use]
pub fn lost() -> u64 {
    LOST.load(Relaxed)
}

/// The readers of all histograms of the process.
#[cfg(not(loom))]
static READERS: Readers<Block> = Readers::new();

/// A reader of all histograms, for [`Exponential::read_with`].
///
/// Memory that writers replace meanwhile is kept until the last reader is gone, so none should stay for long.
#[derive(Debug)]
pub struct Reading {
    _guard: Guard<'static, Block>,
}

/// Become a reader of all histograms, to read many of them at the price of one.
#[cfg(not(loom))]
#[must_use]
pub fn enter() -> Reading {
    Reading {
        _guard: READERS.enter(),
    }
}

/// Forget the readers that a `fork` left in the parent process.
///
/// # Safety
/// The caller is the only thread of the process.
#[cfg(not(loom))]
pub unsafe fn reset_after_fork() {
    // SAFETY: by contract.
    unsafe { READERS.reset_after_fork() };
}

impl Exponential {
    /// No values yet. `max_size` is clamped to [`SIZES`], `max_scale` to -10 ..= 20; no bucket is allocated.
    #[must_use]
    pub fn new(max_size: u32, max_scale: i8) -> Self {
        let max_scale = max_scale.clamp(MIN_SCALE, MAX_SCALE);
        Self {
            block: AtomicPtr::new(ptr::null_mut()),
            base: AtomicI32::new(0),
            capacity: AtomicU32::new(0),
            max_size: max_size.clamp(*SIZES.start(), *SIZES.end()),
            scale: AtomicI8::new(max_scale),
            max_scale,
            #[cfg(loom)]
            readers: Box::leak(Box::new(Readers::new())),
        }
    }

    /// Count one value.
    ///
    /// `magnitude` is finite and above 0. Anything else is counted in a bucket that says nothing.
    ///
    /// # Safety
    /// No other thread calls a method of the same histogram that writes at the same time.
    #[inline]
    pub unsafe fn record(&self, magnitude: f64) {
        // SAFETY: by contract.
        unsafe { self.record_n(magnitude, 1) };
    }

    /// Count a value `n` times.
    ///
    /// # Safety
    /// As for [`Exponential::record`].
    #[inline]
    #[allow(clippy::cast_sign_loss)] // below the base is far above the capacity
    pub unsafe fn record_n(&self, magnitude: f64, n: u64) {
        let index = index(magnitude, self.scale.load(Ordering::Relaxed));
        let position = index.wrapping_sub(self.base.load(Ordering::Relaxed)) as u32;
        if position < self.capacity.load(Ordering::Relaxed) {
            // SAFETY: with a capacity above 0 there is a block, and only the writer replaces it.
            let counter = unsafe { Block::counter(self.block.load(Ordering::Relaxed), position) };
            let count = u64::from(counter.load(Ordering::Relaxed)).checked_add(n);
            if let Some(count) = count.and_then(|count| u32::try_from(count).ok()) {
                counter.store(count, Ordering::Relaxed);
                return;
            }
        }
        // SAFETY: by contract.
        unsafe { self.record_elsewhere(index, n) };
    }

    /// Copy the buckets as they are now; from any thread. The count of all values is [`Dense::total`].
    ///
    /// Values recorded by another thread during the copy may or may not be in it.
    pub fn read(&self, into: &mut Dense) {
        let _guard = self.readers().enter();
        self.copy(into);
    }

    /// [`Exponential::read`] for a thread that is already a reader.
    #[cfg(not(loom))]
    pub fn read_with(&self, _reading: &Reading, into: &mut Dense) {
        self.copy(into);
    }

    /// Copy the buckets; the caller is a reader.
    fn copy(&self, into: &mut Dense) {
        let block = self.block.load(Ordering::Acquire);
        if block.is_null() {
            into.clear(i32::from(self.scale.load(Ordering::Relaxed)));
        } else {
            // SAFETY: the reader entered before the load, so the block is not freed while it is borrowed.
            unsafe { Block::copy(block, into) };
        }
    }

    /// Whether no value was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let _reading = self.readers().enter();
        let block = self.block.load(Ordering::Acquire);
        // SAFETY: as in `copy`.
        block.is_null() || unsafe { Block::occupied(block) }.next().is_none()
    }

    /// Begin anew with nothing, at the finest scale again.
    ///
    /// # Safety
    /// As for [`Exponential::record`].
    pub unsafe fn reset(&self) {
        self.scale.store(self.max_scale, Ordering::Relaxed);
        self.capacity.store(0, Ordering::Relaxed);
        // SAFETY: by contract.
        unsafe { self.replace(ptr::null_mut()) };
    }

    /// Forget the values but keep scale and size: for a series reported as differences, whose values stay alike.
    ///
    /// # Safety
    /// As for [`Exponential::record`].
    pub unsafe fn clear(&self) {
        let old = self.block.load(Ordering::Relaxed);
        if old.is_null() {
            return;
        }
        // SAFETY: only the writer, which is the caller, replaces the block.
        let shape = Shape {
            wide: false,
            ..unsafe { Block::shape(old) }
        };
        let new = Block::allocate(shape);
        if new.is_null() {
            self.capacity.store(0, Ordering::Relaxed);
        }
        // SAFETY: by contract.
        unsafe { self.replace(new) };
    }

    /// Bytes of the header and the buckets.
    #[must_use]
    pub fn memory(&self) -> usize {
        let _reading = self.readers().enter();
        let block = self.block.load(Ordering::Acquire);
        // SAFETY: as in `copy`.
        size_of::<Self>()
            + if block.is_null() {
                0
            } else {
                unsafe { Block::size(block) }
            }
    }

    /// Count a value for which the block has no bucket, or whose counter overflows, in a new block.
    ///
    /// # Safety
    /// As for [`Exponential::record`].
    #[cold]
    #[inline(never)]
    unsafe fn record_elsewhere(&self, index: i32, n: u64) {
        let old = self.block.load(Ordering::Relaxed);
        let old_base = self.base.load(Ordering::Relaxed);
        let occupied = || {
            let live = (!old.is_null()).then_some(old);
            // SAFETY: only the writer, which is the caller, replaces the block.
            live.into_iter()
                .flat_map(|block| unsafe { Block::occupied(block) })
                .map(|(position, count)| (old_base.wrapping_add_unsigned(position), count))
        };
        let lowest = occupied().next().map(|(index, _)| index);
        let highest = occupied().last().map(|(index, _)| index);
        let (low, high) = (
            index.min(lowest.unwrap_or(index)),
            index.max(highest.unwrap_or(index)),
        );
        let change = change_of_scale(low, high, self.max_size);
        let span = (high >> change).abs_diff(low >> change) + 1;
        let capacity = self.capacity_for(span);
        // Values tend to go on where they came from: most of the room is on that side.
        let room = capacity - span;
        let room_below = match (lowest, highest) {
            (Some(lowest), _) if index < lowest => room - room / 4,
            (_, Some(highest)) if index > highest => room / 4,
            _ => room / 2,
        };
        let total = occupied().fold(n, |total, (_, count)| total.saturating_add(count));
        let shape = Shape {
            base: (low >> change).wrapping_sub_unsigned(room_below),
            capacity,
            scale: self.scale.load(Ordering::Relaxed).wrapping_sub(change),
            wide: total > u64::from(u32::MAX),
        };
        let new = Block::allocate(shape);
        if new.is_null() {
            LOST.fetch_add(n, Relaxed);
            return;
        }
        for (index, count) in occupied().chain([(index, n)]) {
            let position = (index >> change).abs_diff(shape.base);
            // SAFETY: the new block is not shared, and its buckets go from below `low` to `high` or above.
            unsafe { Block::add(new, position, count) };
        }
        self.base.store(shape.base, Ordering::Relaxed);
        self.scale.store(shape.scale, Ordering::Relaxed);
        self.capacity.store(shape.capacity, Ordering::Relaxed);
        // SAFETY: by contract.
        unsafe { self.replace(new) };
    }

    fn capacity_for(&self, span: u32) -> u32 {
        let enough = span.next_power_of_two().max(INITIAL_SIZE);
        enough
            .max(self.capacity.load(Ordering::Relaxed))
            .min(self.max_size)
    }

    /// Publish a block, or none, and retire the one before.
    ///
    /// # Safety
    /// As for [`Exponential::record`].
    unsafe fn replace(&self, new: *mut Block) {
        let old = self.block.swap(new, Ordering::Release);
        if !old.is_null() {
            // SAFETY: the swap took the only pointer to it.
            unsafe { self.readers().retire(old) };
        }
    }

    #[cfg(not(loom))]
    #[allow(clippy::unused_self)] // the model checker's histograms each have their own
    fn readers(&self) -> &'static Readers<Block> {
        &READERS
    }

    #[cfg(loom)]
    fn readers(&self) -> &'static Readers<Block> {
        self.readers
    }
}

impl Drop for Exponential {
    fn drop(&mut self) {
        let block = self.block.load(Ordering::Relaxed);
        if !block.is_null() {
            // SAFETY: nobody else has a reference to the histogram any more.
            unsafe { Block::free(block) };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

/// `RUSTFLAGS="--cfg loom" cargo test --release --lib loom`
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::{atomic::AtomicU64, Arc};

    #[test]
    fn loom_a_reader_finds_all_that_was_recorded_before_in_whatever_block() {
        loom::model(|| {
            // Two buckets at most: the third value needs another block at a coarser scale.
            let histogram = Arc::new(Exponential::new(2, 0));
            let recorded = Arc::new(AtomicU64::new(0));
            // SAFETY: nobody else writes yet.
            unsafe { histogram.record(1.5) };
            let reader = {
                let (histogram, recorded) = (Arc::clone(&histogram), Arc::clone(&recorded));
                loom::thread::spawn(move || {
                    let least = recorded.load(Ordering::Acquire);
                    let mut dense = Dense::default();
                    histogram.read(&mut dense);
                    assert!(dense.total() > least && dense.total() <= 3);
                    // A coarser scale only together with the value that asked for it.
                    assert!(dense.scale == 0 || dense.total() == 3);
                })
            };
            for value in [3.0, 100.0] {
                // SAFETY: only this thread writes.
                unsafe { histogram.record(value) };
                recorded.fetch_add(1, Ordering::Release);
            }
            reader.join().unwrap();
        });
    }
}
