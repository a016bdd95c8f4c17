//! How long the roots of each name took of late, and which of them took unusually long.
//!
//! Two histograms a name, each over half of the time that is remembered: when the newer one is full it becomes the
//! older one. A root is compared before it is counted, and the bar it must exceed is the upper bound of the bucket
//! that the percentile falls into, so that of equal durations none is slow.

use std::collections::HashMap;

use aggregate::dense::Dense;
use aggregate::exponential::Exponential;
use aggregate::index::index;
use aggregate::quantile::Distribution;

use crate::hash::Seed;

/// What one of the two histograms covers.
const HALF_NS: u64 = 300_000_000_000;

/// How long a bar stands, unless there are twice as many roots before.
const REFRESH_NS: u64 = 1_000_000_000;

/// 64 buckets an octave, and so many of them before the scale drops.
const SCALE: i8 = 6;
const SIZE: u32 = 512;

#[derive(Debug)]
struct Half {
    durations: Exponential,
    count: u64,
}

impl Half {
    fn new() -> Self {
        Self {
            durations: Exponential::new(SIZE, SCALE),
            count: 0,
        }
    }
}

#[derive(Debug)]
struct History {
    name: Box<str>,
    newer: Half,
    older: Half,
    began_ns: u64,
    last_ns: u64,
    /// Nanoseconds above which a root is slow.
    bar: f64,
    refreshed_ns: u64,
    /// Roots that the bar was made of.
    refreshed_count: u64,
    /// Whether it was of use since somebody looked for room.
    touched: bool,
}

/// The names of roots and how long they took.
#[derive(Debug)]
pub(crate) struct Histories {
    percentile: f64,
    minimum: u64,
    capacity: usize,
    places: HashMap<Box<str>, usize, Seed>,
    all: Vec<History>,
    /// Where the search for room goes on.
    hand: usize,
    unknown: u64,
    scratch: [Dense; 2],
}

impl Histories {
    pub(crate) fn new(percentile: f64, minimum: u64, capacity: usize) -> Self {
        Self {
            percentile,
            minimum: minimum.max(1),
            capacity,
            places: HashMap::default(),
            all: Vec::new(),
            hand: 0,
            unknown: 0,
            scratch: Default::default(),
        }
    }

    /// How many times as long as is usual a root took, 0 when it is not slow; then it is part of its name's history.
    #[allow(clippy::cast_precision_loss)] // 104 days are exact
    pub(crate) fn observe(&mut self, name: &str, duration_ns: u64, now_ns: u64) -> f64 {
        let Some(place) = self.place(name, now_ns) else {
            self.unknown += 1;
            return 0.0;
        };
        let history = &mut self.all[place];
        history.touched = true;
        history.last_ns = history.last_ns.max(now_ns);
        let turned = history.turn(now_ns);
        let old = now_ns.saturating_sub(history.refreshed_ns) >= REFRESH_NS;
        let few = history.count() >= 2 * history.refreshed_count;
        if turned || (old || few) && history.count() >= self.minimum {
            history.refreshed_ns = now_ns;
            history.refreshed_count = history.count();
            history.bar = history.bar(self.percentile, self.minimum, &mut self.scratch);
        }
        let duration = duration_ns as f64;
        // SAFETY: `&mut self` makes this the only writer.
        unsafe { history.newer.durations.record(duration.max(1.0)) };
        history.newer.count += 1;
        if duration > history.bar {
            duration / history.bar.max(1.0)
        } else {
            0.0
        }
    }

    #[cfg(test)]
    fn is_slow(&mut self, name: &str, duration_ns: u64, now_ns: u64) -> bool {
        self.observe(name, duration_ns, now_ns) > 0.0
    }

    /// Roots whose name found no room.
    pub(crate) fn unknown(&self) -> u64 {
        self.unknown
    }

    fn place(&mut self, name: &str, now_ns: u64) -> Option<usize> {
        if let Some(&place) = self.places.get(name) {
            return Some(place);
        }
        let history = History {
            name: name.into(),
            newer: Half::new(),
            older: Half::new(),
            began_ns: now_ns,
            last_ns: now_ns,
            bar: f64::INFINITY,
            refreshed_ns: now_ns,
            refreshed_count: 0,
            touched: false,
        };
        let place = if self.all.len() < self.capacity {
            self.all.push(history);
            self.all.len() - 1
        } else {
            let place = self.make_room(now_ns)?;
            let old = std::mem::replace(&mut self.all[place], history);
            self.places.remove(&old.name);
            place
        };
        self.places.insert(name.into(), place);
        Some(place)
    }

    /// A name that was of little use: not seen since the last search, and seen rarely or long ago.
    ///
    /// Names with an order's number in them thus push out each other, not those that come again and again.
    fn make_room(&mut self, now_ns: u64) -> Option<usize> {
        let places = self.all.len();
        for _ in 0..2 * places {
            let place = self.hand % places;
            self.hand = place + 1;
            let history = &mut self.all[place];
            let idle = now_ns.saturating_sub(history.last_ns) >= 2 * HALF_NS;
            let touched = std::mem::take(&mut history.touched);
            if idle || !touched && history.count() < self.minimum {
                return Some(place);
            }
        }
        None
    }
}

impl History {
    fn count(&self) -> u64 {
        self.newer.count + self.older.count
    }

    /// Whether another half began.
    fn turn(&mut self, now_ns: u64) -> bool {
        let age = now_ns.saturating_sub(self.began_ns);
        if age < HALF_NS {
            return false;
        }
        let newer = std::mem::replace(&mut self.newer, Half::new());
        self.older = if age < 2 * HALF_NS {
            newer
        } else {
            Half::new()
        };
        self.began_ns = now_ns;
        true
    }

    fn bar(&self, percentile: f64, minimum: u64, [newer, older]: &mut [Dense; 2]) -> f64 {
        if self.count() < minimum {
            return f64::INFINITY;
        }
        self.newer.durations.read(newer);
        self.older.durations.read(older);
        if self.newer.count == 0 {
            std::mem::swap(newer, older);
        } else if self.older.count > 0 {
            newer.merge(older);
        }
        let quantile = Distribution::of_positive(0, newer, 0.0).quantile(percentile);
        let scale = i8::try_from(newer.scale).unwrap_or(SCALE);
        quantile.map_or(f64::INFINITY, |value| {
            Dense::bounds(index(value, scale), newer.scale).1
        })
    }
}

#[cfg(test)]
mod tests;
