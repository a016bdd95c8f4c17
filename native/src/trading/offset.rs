//! How far a venue's clock is ahead of ours, from nothing but the times in its frames.
//!
//! A frame's raw latency is its receipt by our clock less its event by the venue's. No frame arrives before it was
//! sent, so the least raw latency of a while, where it is negative, tells how far the venue's clock is ahead at least.
//! The minimum rolls over a window of ten buckets, so that drift and steps of either clock are followed.
//!
//! Where the venue tells its time, as NTP does, that is taken instead: then also a clock that is behind shows.

const BUCKETS: usize = 10;

/// No bucket has this minimum: it is empty.
const EMPTY: i64 = i64::MAX;

/// A clock that changes by more has been set.
pub const STEP_NS: i64 = 250_000_000;

/// Raw latencies beyond come from no clock: an event time in another unit, or none at all.
const POSSIBLE_NS: i64 = 3_600_000_000_000;

/// A frame that is earlier than all others by a step is believed when as many follow each other.
const BELIEVED: u8 = 3;

/// What became of an event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The latency, never negative; and whether the raw one was.
    Latency(i64, bool),
    /// It cannot be, or not yet be believed.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    offset: i64,
    round_trip: i64,
    at: i64,
}

/// The estimate for one venue.
#[derive(Debug)]
pub struct Offset {
    width: i64,
    base: i64,
    minima: [i64; BUCKETS],
    /// Where the current bucket is.
    place: usize,
    /// When it began, by our wall clock.
    begun: i64,
    /// The least of all.
    least: i64,
    /// What is added to a raw latency.
    added: i64,
    doubts: u8,
    probe: Option<Probe>,
    steps: u64,
    /// How far our own clock was set forward meanwhile; everything here is by the clock as it was before.
    set: i64,
}

impl Offset {
    /// An estimate over a window, with the latency that the fastest frame is taken to have.
    pub fn new(window_ns: i64, base_ns: i64) -> Self {
        Self {
            width: (window_ns / 10).max(1),
            base: base_ns,
            minima: [EMPTY; BUCKETS],
            place: 0,
            begun: i64::MIN,
            least: EMPTY,
            added: 0,
            doubts: 0,
            probe: None,
            steps: 0,
            set: 0,
        }
    }

    /// What is added to receipt less event time, in nanoseconds.
    pub fn offset(&self) -> i64 {
        self.added.saturating_sub(self.set)
    }

    /// How many times one of the clocks was found to be set.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Count steps from zero; what is known of the clock stays.
    pub fn rest(&mut self) {
        self.steps = 0;
    }

    /// The latency of a frame, by the times of its event (the venue's) and its receipt (ours).
    #[inline(always)]
    pub fn take(&mut self, event: i64, received: i64) -> Taken {
        let received = received.wrapping_sub(self.set);
        let Some(raw) = received
            .checked_sub(event)
            .filter(|raw| raw.unsigned_abs() <= POSSIBLE_NS.unsigned_abs())
        else {
            return Taken::Refused;
        };
        if received.wrapping_sub(self.begun).cast_unsigned() >= self.width.cast_unsigned() {
            self.turn(received);
        }
        if raw < self.least {
            if !self.lower(raw) {
                return Taken::Refused;
            }
        } else {
            self.doubts = 0;
            let current = &mut self.minima[self.place];
            *current = raw.min(*current);
        }
        Taken::Latency((raw + self.added).max(0), raw + self.set < 0)
    }

    /// The venue told its time: what was asked at `sent` was answered at `received`, by our clock.
    ///
    /// Whether it was of use: the shortest way of a while tells most.
    pub fn probe(&mut self, sent: i64, server: i64, received: i64) -> bool {
        let (sent, received) = (sent.wrapping_sub(self.set), received.wrapping_sub(self.set));
        let round_trip = received.saturating_sub(sent);
        let offset = server.saturating_sub(sent.saturating_add(round_trip / 2));
        if !(0..=POSSIBLE_NS).contains(&round_trip)
            || offset.unsigned_abs() > POSSIBLE_NS.unsigned_abs()
        {
            return false;
        }
        if let Some(known) = self.probe {
            let apart = offset.abs_diff(known.offset).cast_signed();
            if apart > STEP_NS + i64::midpoint(round_trip, known.round_trip) {
                self.steps += 1;
                self.minima = [EMPTY; BUCKETS];
                self.least = EMPTY;
            } else if round_trip > known.round_trip && received - known.at < self.width {
                return true;
            }
        }
        self.probe = Some(Probe {
            offset,
            round_trip,
            at: received,
        });
        self.settle();
        true
    }

    /// Our own clock was set forward by so much: what is known holds by the clock as it was.
    pub fn shift(&mut self, by: i64) {
        self.steps += 1;
        self.set = self.set.saturating_add(by);
    }

    /// A raw latency below all others; whether it is believed.
    #[cold]
    fn lower(&mut self, raw: i64) -> bool {
        if self.least != EMPTY && self.least.saturating_sub(raw) > STEP_NS {
            self.doubts += 1;
            if self.doubts < BELIEVED {
                return false;
            }
            self.steps += 1;
        }
        self.doubts = 0;
        self.least = raw;
        self.minima[self.place] = raw;
        self.settle();
        true
    }

    /// Another bucket's time has come.
    #[cold]
    fn turn(&mut self, now: i64) {
        let passed = now.saturating_sub(self.begun);
        let window = self.width.saturating_mul(10);
        if passed < 0 && passed > -window {
            return; // a clock that is a little behind stays in the bucket there is
        }
        if passed < 0 || passed >= window {
            self.minima = [EMPTY; BUCKETS];
            self.begun = now;
        } else {
            for _ in 0..passed / self.width {
                self.place = (self.place + 1) % BUCKETS;
                self.minima[self.place] = EMPTY;
                self.begun += self.width;
            }
        }
        self.probe = self
            .probe
            .filter(|probe| now.saturating_sub(probe.at) < window);
        let before = self.least;
        self.least = self.minima.into_iter().min().unwrap_or(EMPTY);
        if self.least != EMPTY && self.least.saturating_sub(before) > STEP_NS {
            self.steps += 1;
        }
        if self.least != EMPTY || self.probe.is_some() {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.added = match (self.probe, self.least) {
            (Some(probe), EMPTY) => probe.offset,
            (Some(probe), least) => probe.offset.max(-least),
            (None, EMPTY) => 0,
            (None, least) => (self.base - least).max(0),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const START: i64 = 1_700_000_000 * SECOND;

    fn estimate() -> Offset {
        Offset::new(600 * SECOND, 0)
    }

    fn latency(offset: &mut Offset, raw: i64, now: i64) -> i64 {
        match offset.take(now - raw, now) {
            Taken::Latency(latency, _) => latency,
            Taken::Refused => panic!("refused"),
        }
    }

    /// A venue whose clock is ahead: the fastest frame has no latency, the others what they took longer.
    #[test]
    fn negative_latencies_are_shifted_by_the_least() {
        let mut offset = estimate();
        assert_eq!(latency(&mut offset, -1_200, START), 0);
        assert_eq!(latency(&mut offset, -1_100, START + 1), 100);
        assert_eq!(latency(&mut offset, -1_270, START + 2), 0);
        assert_eq!(latency(&mut offset, -1_200, START + 3), 70);
        assert_eq!(offset.offset(), 1_270);
    }

    /// Where the clocks agree, latencies are what they are.
    #[test]
    fn positive_latencies_stay() {
        let mut offset = estimate();
        assert_eq!(latency(&mut offset, 50, START), 50);
        assert_eq!(offset.offset(), 0);
        let mut fast = Offset::new(600 * SECOND, 30);
        assert_eq!(latency(&mut fast, 20, START), 30);
        assert_eq!(latency(&mut fast, 40, START), 50);
    }

    /// What is older than the window is forgotten, bucket by bucket; a large change counts as a step.
    #[test]
    fn the_minimum_rolls() {
        let mut offset = estimate();
        latency(&mut offset, -SECOND, START);
        for second in 1..=700 {
            latency(&mut offset, -SECOND / 2, START + second * SECOND);
        }
        assert_eq!((offset.offset(), offset.steps()), (SECOND / 2, 1));
        latency(&mut offset, -10, START + 10_000 * SECOND);
        assert_eq!(offset.offset(), 10);
    }

    /// One frame with a wrong time spoils nothing; three in succession are a clock that was set.
    #[test]
    fn a_single_early_frame_is_not_believed() {
        let mut offset = estimate();
        latency(&mut offset, 10, START);
        assert_eq!(offset.take(START + 900 * SECOND, START), Taken::Refused);
        assert_eq!(latency(&mut offset, 12, START), 12);
        for refused in [true, true, false] {
            let taken = offset.take(START + SECOND, START);
            assert_eq!(taken == Taken::Refused, refused);
        }
        assert_eq!((offset.offset(), offset.steps()), (SECOND, 1));
    }

    /// Event times that no clock can have are refused, whatever they are.
    #[test]
    fn impossible_times_are_refused() {
        let mut offset = estimate();
        for event in [
            1,
            START / 1_000_000,
            i64::MIN,
            i64::MAX,
            START - 3_601 * SECOND,
        ] {
            assert_eq!(offset.take(event, START), Taken::Refused);
        }
        assert_eq!((offset.offset(), offset.steps()), (0, 0));
    }

    /// Our clock was set: the offset is another one, latencies are the same, and no wait for the window.
    #[test]
    fn a_step_of_our_own_clock_shifts_all_that_is_known() {
        let mut offset = estimate();
        latency(&mut offset, -100, START);
        offset.shift(40 * SECOND);
        assert_eq!(
            latency(&mut offset, 40 * SECOND - 90, START + 40 * SECOND),
            10
        );
        assert_eq!(offset.steps(), 1);
    }

    /// A venue that tells its time is believed, except where a frame would have come before it was sent.
    #[test]
    fn a_probe_is_preferred() {
        let mut offset = estimate();
        assert!(offset.probe(START, START - 300 + 50, START + 100));
        assert_eq!(offset.offset(), -300);
        assert_eq!(latency(&mut offset, 340, START), 40);
        assert_eq!(latency(&mut offset, 200, START), 0);
        assert_eq!(offset.offset(), -200);
        assert!(!offset.probe(START, START, START - 1));
        assert!(!offset.probe(START, 1_700_000_000, START));
    }
}
