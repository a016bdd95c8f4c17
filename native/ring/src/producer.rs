//! The writing side of the event queue: what a measurement calls.

use std::sync::{
    atomic::{AtomicU64, Ordering},
    Arc,
};

use crate::event::{Event, Kind};
use crate::sampling::{Random, Sampling};
use crate::spsc::{queue, Consumer, Level, Producer};

/// Events the queue holds by default, as requirement documents of the field ask: 4 MiB.
pub const CAPACITY: usize = 131_072;

/// What the writer saw, for any thread.
#[derive(Debug, Default)]
pub struct Offered {
    total: AtomicU64,
    skipped: AtomicU64,
}

impl Offered {
    /// Measurements that asked to be recorded while recording was on; an END belongs to its START.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Those that were not sampled.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }
}

/// The writing side; one thread at a time. `now` gives the clock's ticks and is called for what is recorded only.
#[derive(Debug)]
pub struct EventRing {
    producer: Producer<Event>,
    sampling: Arc<Sampling>,
    offered: Arc<Offered>,
    random: Random,
    total: u64,
    skipped: u64,
    next_token: u64,
}

impl EventRing {
    /// A queue of at least `capacity` events and its reading side.
    ///
    /// ```
    /// # use ring::{event::Kind, producer::EventRing, sampling::Sampling};
    /// let sampling = std::sync::Arc::new(Sampling::new(1.0, 1_000.0));
    /// let (mut events, mut reader) = EventRing::new(8, sampling, 1);
    /// let token = events.start(3, 0, || 1_000);
    /// events.end(3, token, || 2_500);
    /// reader.drain(8, |batch| assert_eq!(batch[1].ticks - batch[0].ticks, 1_500));
    /// ```
    #[must_use]
    pub fn new(capacity: usize, sampling: Arc<Sampling>, seed: u64) -> (Self, Consumer<Event>) {
        let (producer, consumer) = queue(capacity);
        let ring = Self {
            producer,
            sampling,
            offered: Arc::default(),
            random: Random::new(seed),
            total: 0,
            skipped: 0,
            next_token: 1,
        };
        (ring, consumer)
    }

    /// Give out tokens from this one on: an END of another queue's STARTs then pairs with nothing here.
    #[must_use]
    pub fn from_token(mut self, token: u64) -> Self {
        self.next_token = token.max(1);
        self
    }

    /// The token that is given next.
    #[must_use]
    pub fn next_token(&self) -> u64 {
        self.next_token
    }

    /// Write an event as it is, without sampling; `false` when the queue is full.
    #[inline]
    pub fn push(&mut self, event: Event) -> bool {
        self.producer.push(event)
    }

    /// Something begins: a token for its end, or 0 when it is not recorded.
    #[inline]
    pub fn start(&mut self, id: u16, correlation: u64, now: impl FnOnce() -> u64) -> u64 {
        let weight = self.weigh(correlation);
        if weight == 0 {
            return 0;
        }
        let token = self.next_token;
        let event = Event::edge(Kind::Start, id, token, now()).of(correlation, weight);
        if !self.producer.push(event) {
            return 0;
        }
        self.next_token += 1;
        token
    }

    /// What has this token ends; nothing for the token 0. `false` when the queue is full.
    #[inline]
    pub fn end(&mut self, id: u16, token: u64, now: impl FnOnce() -> u64) -> bool {
        token == 0 || self.producer.push(Event::edge(Kind::End, id, token, now()))
    }

    /// A counter grows by `amount`; `false` when it was not recorded.
    #[inline]
    pub fn count(
        &mut self,
        id: u16,
        amount: f64,
        correlation: u64,
        now: impl FnOnce() -> u64,
    ) -> bool {
        self.sampled(Kind::Counter, id, amount, correlation, now)
    }

    /// A value is observed; `false` when it was not recorded.
    #[inline]
    pub fn observe(
        &mut self,
        id: u16,
        amount: f64,
        correlation: u64,
        now: impl FnOnce() -> u64,
    ) -> bool {
        self.sampled(Kind::Histogram, id, amount, correlation, now)
    }

    /// A gauge has the value `amount` now. Gauges are never sampled: a value that is left out would stay wrong.
    #[inline]
    pub fn gauge(
        &mut self,
        id: u16,
        amount: f64,
        correlation: u64,
        now: impl FnOnce() -> u64,
    ) -> bool {
        if !self.sampling.is_enabled() {
            return false;
        }
        self.offer();
        self.producer
            .push(Event::number(Kind::Gauge, id, amount, now()).of(correlation, 1))
    }

    /// Events lost because the queue was full.
    #[inline]
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.producer.dropped()
    }

    /// How full the queue is, 0 to 1.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        self.producer.level().utilization()
    }

    /// The level for other threads.
    #[must_use]
    pub fn level(&self) -> Level<Event> {
        self.producer.level()
    }

    /// What was offered, for other threads.
    #[must_use]
    pub fn offered(&self) -> Arc<Offered> {
        Arc::clone(&self.offered)
    }

    #[inline]
    fn sampled(
        &mut self,
        kind: Kind,
        id: u16,
        amount: f64,
        correlation: u64,
        now: impl FnOnce() -> u64,
    ) -> bool {
        let weight = self.weigh(correlation);
        weight > 0
            && self
                .producer
                .push(Event::number(kind, id, amount, now()).of(correlation, weight))
    }

    #[inline]
    fn weigh(&mut self, correlation: u64) -> u32 {
        let weight = self.sampling.weigh(correlation, &mut self.random);
        if weight == 0 {
            self.skip();
        } else {
            self.offer();
        }
        weight
    }

    #[inline]
    fn offer(&mut self) {
        self.total += 1;
        self.offered.total.store(self.total, Ordering::Relaxed);
    }

    #[cold]
    fn skip(&mut self) {
        if self.sampling.is_enabled() {
            self.offer();
            self.skipped += 1;
            self.offered.skipped.store(self.skipped, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn ring(capacity: usize, rate: f64) -> (EventRing, Consumer<Event>) {
        EventRing::new(capacity, Arc::new(Sampling::new(rate, 0.0)), 11)
    }

    fn all(consumer: &mut Consumer<Event>) -> Vec<Event> {
        let mut taken = Vec::new();
        consumer.drain(usize::MAX, |slice| taken.extend_from_slice(slice));
        taken
    }

    #[test]
    fn a_start_that_is_not_sampled_has_no_end() {
        let (mut events, mut reader) = ring(4_096, 0.3);
        for _ in 0..1_000 {
            let token = events.start(1, 0, || 0);
            assert!(events.end(1, token, || 5));
        }
        let taken = all(&mut reader);
        assert!((400..800).contains(&taken.len()), "{}", taken.len());
        for pair in taken.chunks(2) {
            assert_eq!((pair[0].kind, pair[1].kind), (Kind::Start, Kind::End));
            assert_eq!(pair[0].token(), pair[1].token());
        }
        let offered = events.offered();
        assert_eq!(offered.total(), 1_000);
        assert_eq!(offered.skipped() + taken.len() as u64 / 2, 1_000);
    }

    #[test]
    fn a_start_that_finds_the_queue_full_has_no_end_and_counts_once() {
        let (mut events, mut reader) = ring(2, 1.0);
        let tokens: Vec<u64> = (0..3).map(|_| events.start(1, 0, || 0)).collect();
        assert_eq!((tokens[2], events.dropped()), (0, 1));
        assert_eq!(all(&mut reader).len(), 2);
        assert!(events.end(1, tokens[2], || 1));
        assert_eq!((all(&mut reader).len(), events.dropped()), (0, 1));
    }

    #[test]
    fn gauges_pass_whatever_the_rate() {
        let (mut events, mut reader) = ring(64, 0.0);
        assert!(events.gauge(7, 3.5, 9, || 1));
        assert!(!events.count(7, 1.0, 0, || 1));
        let taken = all(&mut reader);
        assert_eq!(taken, [Event::number(Kind::Gauge, 7, 3.5, 1).of(9, 1)]);
    }

    #[test]
    fn off_records_and_offers_nothing() {
        let sampling = Arc::new(Sampling::new(1.0, 0.0));
        let (mut events, mut reader) = EventRing::new(8, Arc::clone(&sampling), 1);
        let token = events.start(1, 0, || 0);
        sampling.set_enabled(false);
        assert_eq!(events.start(1, 0, || 0), 0);
        assert!(
            !events.count(1, 1.0, 0, || 0)
                && !events.gauge(1, 1.0, 0, || 0)
                && !events.observe(1, 1.0, 0, || 0)
        );
        assert!(events.end(1, token, || 1), "what began is allowed to end");
        assert_eq!((all(&mut reader).len(), events.offered().total()), (2, 1));
    }

    #[test]
    fn a_successor_never_reuses_a_token() {
        let (mut first, _reader) = ring(8, 1.0);
        let token = first.start(1, 0, || 0);
        let mut second = ring(8, 1.0).0.from_token(first.next_token());
        assert!(second.start(1, 0, || 0) > token);
    }
}
