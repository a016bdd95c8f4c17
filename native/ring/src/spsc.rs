//! A queue between one writer and one reader that neither blocks nor allocates.
//!
//! All memory is taken and touched at creation. Each side keeps its own position and a copy of the other's, and
//! looks at the shared one only when the copy says "full" or "empty"; the two shared positions live on cache
//! lines of their own. When the queue is full the newest element is refused and counted: nothing that was
//! accepted is ever overwritten.

use crate::sync::{Arc, AtomicU64, AtomicUsize, Ordering, UnsafeCell};

/// Keeps what it holds off its neighbours' cache lines (two, because lines are fetched in pairs).
#[derive(Debug)]
#[repr(align(128))]
struct OwnLine<T>(T);

#[derive(Debug)]
struct Shared<T> {
    slots: Box<[UnsafeCell<T>]>,
    mask: usize,
    /// Elements read, ever.
    head: OwnLine<AtomicUsize>,
    /// Elements written, ever.
    tail: OwnLine<AtomicUsize>,
    dropped: OwnLine<AtomicU64>,
}

// SAFETY: a slot is touched by the writer alone until `tail` has passed it and by the reader alone from then until
// `head` has; both positions are published with Release and taken with Acquire.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above; the slots own what they hold.
unsafe impl<T: Send> Send for Shared<T> {}

/// The writing side.
#[derive(Debug)]
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    tail: usize,
    /// The reader's position when last looked at.
    head: usize,
    dropped: u64,
}

/// The reading side.
#[derive(Debug)]
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    head: usize,
}

/// How full a queue is and what it refused, for any thread.
#[derive(Debug)]
pub struct Level<T>(Arc<Shared<T>>);

/// A queue of at least `capacity` elements (rounded up to a power of two), every page of it in memory.
///
/// # Panics
/// When `capacity` is above 2^30.
///
/// ```
/// let (mut producer, mut consumer) = ring::spsc::queue(4);
/// for number in 0_u64..5 {
///     producer.push(number);
/// }
/// let mut sum = 0;
/// consumer.drain(usize::MAX, |numbers| sum += numbers.iter().sum::<u64>());
/// assert_eq!((sum, producer.dropped()), (6, 1));
/// ```
#[must_use]
pub fn queue<T: Copy + Default + Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    assert!(capacity <= 1 << 30, "a queue of {capacity} elements");
    let capacity = capacity.max(2).next_power_of_two();
    let shared = Arc::new(Shared {
        // Written one by one: zeroed memory would be mapped only at the first push into each page.
        slots: (0..capacity)
            .map(|_| UnsafeCell::new(std::hint::black_box(T::default())))
            .collect(),
        mask: capacity - 1,
        head: OwnLine(AtomicUsize::new(0)),
        tail: OwnLine(AtomicUsize::new(0)),
        dropped: OwnLine(AtomicU64::new(0)),
    });
    let producer = Producer {
        shared: Arc::clone(&shared),
        tail: 0,
        head: 0,
        dropped: 0,
    };
    (producer, Consumer { shared, head: 0 })
}

impl<T: Copy> Producer<T> {
    /// Add an element; `false` when the queue is full and the element was dropped and counted.
    #[inline]
    pub fn push(&mut self, element: T) -> bool {
        if self.tail.wrapping_sub(self.head) > self.shared.mask && !self.look_for_room() {
            return false;
        }
        // SAFETY: the mask keeps the index inside; the reader has left this slot, see `Shared`.
        let slot = unsafe {
            self.shared
                .slots
                .get_unchecked(self.tail & self.shared.mask)
        };
        // SAFETY: as above, nobody else touches the slot now.
        slot.with_mut(|slot| unsafe { slot.write(element) });
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.0.store(self.tail, Ordering::Release);
        true
    }

    #[cold]
    fn look_for_room(&mut self) -> bool {
        self.head = self.shared.head.0.load(Ordering::Acquire);
        if self.tail.wrapping_sub(self.head) <= self.shared.mask {
            return true;
        }
        self.dropped += 1;
        self.shared.dropped.0.store(self.dropped, Ordering::Relaxed);
        false
    }

    /// Elements refused so far.
    #[inline]
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A view of the level for other threads.
    #[must_use]
    pub fn level(&self) -> Level<T> {
        Level(Arc::clone(&self.shared))
    }
}

impl<T: Copy> Consumer<T> {
    /// Hand over what is there, oldest first, in at most two slices of at most `limit` elements together; how many.
    ///
    /// The room is given back after each slice; when `take` panics, its slice is delivered again.
    pub fn drain(&mut self, limit: usize, mut take: impl FnMut(&[T])) -> usize {
        let tail = self.shared.tail.0.load(Ordering::Acquire);
        let available = tail.wrapping_sub(self.head).min(limit);
        let mut left = available;
        while left > 0 {
            let first = self.head & self.shared.mask;
            let run = left.min(self.shared.mask + 1 - first);
            self.hand_over(first, run, &mut take);
            self.head = self.head.wrapping_add(run);
            self.shared.head.0.store(self.head, Ordering::Release);
            left -= run;
        }
        available
    }

    #[cfg(not(loom))]
    fn hand_over(&self, first: usize, run: usize, take: &mut impl FnMut(&[T])) {
        let slots = &self.shared.slots[first..first + run];
        // SAFETY: the writer has left these slots and returns only after `head` has passed them; the cell is
        // transparent to its content.
        take(unsafe { std::slice::from_raw_parts(slots.as_ptr().cast::<T>(), run) });
    }

    /// The checker follows single cells, so each is read on its own.
    #[cfg(loom)]
    fn hand_over(&self, first: usize, run: usize, take: &mut impl FnMut(&[T])) {
        let slots = &self.shared.slots[first..first + run];
        let copied: Vec<T> = slots
            .iter()
            // SAFETY: as without the checker.
            .map(|slot| slot.with(|slot| unsafe { slot.read() }))
            .collect();
        take(&copied);
    }

    /// A view of the level for other threads.
    #[must_use]
    pub fn level(&self) -> Level<T> {
        Level(Arc::clone(&self.shared))
    }
}

impl<T> Level<T> {
    /// Elements refused so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.0.load(Ordering::Relaxed)
    }

    /// Elements the queue can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.0.mask + 1
    }

    /// Elements waiting; a moment's estimate while both sides work.
    #[must_use]
    pub fn len(&self) -> usize {
        // The reader's position first: it can only be behind the writer's that is read after it.
        let head = self.0.head.0.load(Ordering::Acquire);
        let tail = self.0.tail.0.load(Ordering::Acquire);
        tail.wrapping_sub(head).min(self.capacity())
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How full the queue is, 0 to 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // capacities are far below 2^52
    pub fn utilization(&self) -> f64 {
        self.len() as f64 / self.capacity() as f64
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn all<T: Copy>(consumer: &mut Consumer<T>) -> Vec<T> {
        let mut taken = Vec::new();
        consumer.drain(usize::MAX, |slice| taken.extend_from_slice(slice));
        taken
    }

    #[test]
    fn what_goes_in_comes_out_in_order_across_the_end_of_the_memory() {
        let (mut producer, mut consumer) = queue(8);
        for round in 0_u64..20 {
            for number in 0..5 {
                assert!(producer.push(round * 5 + number));
            }
            assert_eq!(
                all(&mut consumer),
                (round * 5..round * 5 + 5).collect::<Vec<_>>()
            );
        }
        assert_eq!(producer.dropped(), 0);
    }

    #[test]
    fn a_full_queue_keeps_the_old_and_counts_each_new() {
        let (mut producer, mut consumer) = queue(4);
        let accepted: Vec<bool> = (0_u64..10).map(|number| producer.push(number)).collect();
        assert_eq!(accepted.iter().filter(|&&accepted| accepted).count(), 4);
        assert_eq!((producer.dropped(), consumer.level().dropped()), (6, 6));
        assert_eq!(all(&mut consumer), [0, 1, 2, 3]);
        assert!(producer.push(10));
        assert_eq!(all(&mut consumer), [10]);
    }

    #[test]
    fn capacities_are_powers_of_two() {
        let capacity = |wanted| queue::<u8>(wanted).0.level().capacity();
        assert_eq!([0, 2, 3, 100].map(capacity), [2, 2, 4, 128]);
    }

    #[test]
    fn a_limit_leaves_the_rest_for_later() {
        let (mut producer, mut consumer) = queue(8);
        (0_u64..6).for_each(|number| assert!(producer.push(number)));
        let mut taken = Vec::new();
        assert_eq!(consumer.drain(4, |slice| taken.extend_from_slice(slice)), 4);
        assert_eq!(taken, [0, 1, 2, 3]);
        assert_eq!(consumer.level().len(), 2);
        assert_eq!(all(&mut consumer), [4, 5]);
        assert!(consumer.level().is_empty());
    }

    #[test]
    #[allow(clippy::float_cmp)] // quarters are exact
    fn the_level_tells_how_full_it_is() {
        let (mut producer, _consumer) = queue(8);
        (0_u64..6).for_each(|number| assert!(producer.push(number)));
        assert_eq!(producer.level().utilization(), 0.75);
    }

    #[test]
    fn a_slice_whose_reader_panics_is_delivered_again() {
        let (mut producer, mut consumer) = queue(4);
        assert!(producer.push(1_u64));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            consumer.drain(usize::MAX, |_| panic!("reader"));
        }));
        assert!(panicked.is_err());
        assert_eq!(all(&mut consumer), [1]);
    }

    #[test]
    fn two_threads_lose_nothing_but_what_is_counted() {
        let total: u64 = if cfg!(miri) { 2_000 } else { 500_000 };
        let (mut producer, mut consumer) = queue::<[u64; 4]>(64);
        let writer = std::thread::spawn(move || {
            for number in 0..total {
                producer.push([number; 4]);
                if number % 61 == 0 {
                    std::thread::yield_now();
                }
            }
            producer.dropped()
        });
        let (mut received, mut next) = (0, 0);
        let mut check = |slice: &[[u64; 4]]| {
            for element in slice {
                assert!(element.iter().all(|&word| word == element[0]), "torn");
                assert!(element[0] >= next, "lapped");
                next = element[0] + 1;
                received += 1;
            }
        };
        while !writer.is_finished() {
            consumer.drain(usize::MAX, &mut check);
        }
        let dropped = writer.join().expect("the writer");
        consumer.drain(usize::MAX, &mut check);
        assert_eq!(received + dropped, total);
    }
}

#[cfg(all(test, loom))]
mod model {
    use super::*;

    /// Every interleaving of `pushes` into a queue of two with a reader that drains twice and once at the end.
    fn check(pushes: u64) {
        loom::model(move || {
            let (mut producer, mut consumer) = queue::<u64>(2);
            let level = producer.level();
            let writer = loom::thread::spawn(move || {
                let accepted = (1..=pushes).filter(|&number| producer.push(number));
                accepted.collect::<Vec<_>>()
            });
            let mut received = Vec::new();
            for _ in 0..2 {
                consumer.drain(usize::MAX, |slice| received.extend_from_slice(slice));
                assert!(level.len() <= 2);
            }
            let accepted = writer.join().unwrap();
            consumer.drain(usize::MAX, |slice| received.extend_from_slice(slice));
            assert_eq!(received, accepted);
            assert_eq!(accepted.len() as u64 + level.dropped(), pushes);
        });
    }

    #[test]
    fn no_interleaving_tears_loses_or_laps() {
        check(4);
    }
}
