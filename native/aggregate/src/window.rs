//! What happened in the last second, five seconds and minute, from totals that only grow.
//!
//! Each update takes the difference from the one before and adds it to three windows. A window is a queue of slices
//! (ten or twelve when updates come regularly) and the sum of their buckets, so its cost per update is that of the
//! buckets in the difference, not of its length. Slices keep only buckets that are not empty.
//!
//! Time is what the caller says. A late update makes a long slice: its values stay until its end has left the window,
//! and the rate is over the time the slices really cover, so nothing is lost or counted twice. Time that goes
//! backwards counts as standing still.

use std::collections::VecDeque;

use crate::dense::Dense;
use crate::quantile::{Distribution, Quantiles};

/// The windows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// One second, in slices of 100 ms.
    Second,
    /// Five seconds, in slices of 500 ms.
    FiveSeconds,
    /// One minute, in slices of 5 s.
    Minute,
}

const MS: u64 = 1_000_000;

impl Span {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Second, Self::FiveSeconds, Self::Minute];

    /// The window of that many seconds: 1, 5 or 60.
    #[must_use]
    pub fn of_seconds(seconds: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|span| span.ns() == seconds * 1_000 * MS)
    }

    const fn ns(self) -> u64 {
        match self {
            Self::Second => 1_000 * MS,
            Self::FiveSeconds => 5_000 * MS,
            Self::Minute => 60_000 * MS,
        }
    }

    const fn slice_ns(self) -> u64 {
        match self {
            Self::Second => 100 * MS,
            Self::FiveSeconds => 500 * MS,
            Self::Minute => 5_000 * MS,
        }
    }
}

/// What a series says about itself over some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stats {
    /// The seconds that the numbers cover, a slice more than the window at most when updates are regular.
    pub seconds: f64,
    /// Measurements.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The greatest; 0 if there was none.
    pub max: f64,
    /// Quantiles, if there was a measurement.
    pub quantiles: Option<Quantiles>,
}

impl Stats {
    /// Measurements per second.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of people's programs
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 {
            self.count as f64 / self.seconds
        } else {
            0.0
        }
    }

    /// The mean, if there was a measurement.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// Totals since a series began, and the greatest measurement since the update before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Measurements that are zero.
    pub zero: u64,
    /// Sum of all measurements.
    pub sum: f64,
    /// The greatest since the last update, 0 if there was none.
    pub greatest: f64,
}

/// The three windows of one series.
#[derive(Debug)]
pub struct Windows {
    start_ns: u64,
    last_ns: u64,
    buckets: Dense,
    totals: Totals,
    greatest: f64,
    by_span: [Window; 3],
}

impl Windows {
    /// Nothing measured before `now_ns`.
    #[must_use]
    pub fn new(now_ns: u64) -> Self {
        Self {
            start_ns: now_ns,
            last_ns: now_ns,
            buckets: Dense::default(),
            totals: Totals::default(),
            greatest: 0.0,
            by_span: Span::ALL.map(Window::new),
        }
    }

    /// Take in what was measured since the update before. `buckets` holds the totals;
    /// what is in it afterwards is of no use but for its memory.
    pub fn update(&mut self, now_ns: u64, buckets: &mut Dense, totals: Totals) {
        let before = std::mem::replace(&mut self.totals, totals);
        std::mem::swap(&mut self.buckets, buckets);
        let added = self.buckets.since(buckets);
        let grown = added.is_some() && totals.zero >= before.zero;
        let begin_ns = self.last_ns;
        self.pass(now_ns);
        self.greatest = self.greatest.max(totals.greatest);
        let mut slice = Slice {
            begin_ns,
            end_ns: self.last_ns,
            scale: self.buckets.scale,
            buckets: added.unwrap_or_default().into(),
            zero: totals.zero,
            sum: totals.sum,
            max: self.greatest,
        };
        if grown {
            slice.zero -= before.zero;
            slice.sum -= before.sum;
        } else {
            // A reset: all there is came after it.
            slice.buckets = self.buckets.buckets().collect();
        }
        // A greatest measurement may be known shortly before it is in a bucket: it then waits for that.
        if slice.zero > 0 || !slice.buckets.is_empty() {
            self.greatest = 0.0;
            for window in &mut self.by_span {
                window.add(&slice);
            }
        }
    }

    /// Say that nothing was measured since the update before.
    pub fn pass(&mut self, now_ns: u64) {
        self.last_ns = self.last_ns.max(now_ns);
        for window in &mut self.by_span {
            window.forget_until(self.last_ns.saturating_sub(window.span.ns()));
        }
    }

    /// When the last update was.
    #[must_use]
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Seconds from the beginning to the last update.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn age(&self) -> f64 {
        (self.last_ns - self.start_ns) as f64 * 1e-9
    }

    /// The statistics of a window that ends with the last update.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn stats(&self, span: Span) -> Stats {
        let window = &self.by_span[span as usize];
        let slices = window.slices.iter();
        let zero = slices.clone().map(|slice| slice.zero).sum();
        let sum = slices.clone().map(|slice| slice.sum).sum();
        let max = slices.map(|slice| slice.max).fold(0.0, f64::max);
        let oldest = window
            .slices
            .front()
            .map_or(u64::MAX, |slice| slice.begin_ns);
        let begin_ns = self
            .last_ns
            .saturating_sub(span.ns())
            .min(oldest)
            .max(self.start_ns);
        let values = Distribution::of_positive(zero, &window.sum, max);
        Stats {
            seconds: (self.last_ns - begin_ns) as f64 * 1e-9,
            count: values.count(),
            sum,
            max,
            quantiles: values.quantiles(),
        }
    }

    /// Bytes behind the windows.
    #[must_use]
    pub fn memory(&self) -> usize {
        let windows: usize = self.by_span.iter().map(Window::memory).sum();
        windows + self.buckets.counts.capacity() * size_of::<u64>()
    }
}

/// What was measured in some time.
#[derive(Clone, Debug)]
struct Slice {
    begin_ns: u64,
    end_ns: u64,
    scale: i32,
    buckets: Box<[(i32, u64)]>,
    zero: u64,
    sum: f64,
    max: f64,
}

impl Slice {
    /// Take in a slice that follows.
    fn extend(&mut self, next: &Self) {
        let mut both = self.dense();
        both.merge(&next.dense());
        *self = Self {
            begin_ns: self.begin_ns,
            end_ns: next.end_ns,
            scale: both.scale,
            buckets: both.buckets().collect(),
            zero: self.zero + next.zero,
            sum: self.sum + next.sum,
            max: self.max.max(next.max),
        };
    }

    fn dense(&self) -> Dense {
        let mut dense = Dense {
            scale: self.scale,
            ..Dense::default()
        };
        dense.add(self.scale, self.buckets.iter().copied());
        dense
    }
}

#[derive(Debug)]
struct Window {
    span: Span,
    slices: VecDeque<Slice>,
    /// The buckets of all slices.
    sum: Dense,
}

impl Window {
    fn new(span: Span) -> Self {
        Self {
            span,
            slices: VecDeque::new(),
            sum: Dense::default(),
        }
    }

    fn add(&mut self, slice: &Slice) {
        if self.slices.is_empty() {
            self.sum.clear(slice.scale);
        }
        self.sum.add(slice.scale, slice.buckets.iter().copied());
        let longest = self.span.slice_ns();
        match self.slices.back_mut() {
            Some(last) if slice.end_ns - last.begin_ns <= longest => last.extend(slice),
            _ => self.slices.push_back(slice.clone()),
        }
    }

    /// Drop the slices that ended by then.
    fn forget_until(&mut self, end_ns: u64) {
        while self
            .slices
            .front()
            .is_some_and(|slice| slice.end_ns <= end_ns)
        {
            if let Some(slice) = self.slices.pop_front() {
                self.sum.remove(slice.scale, slice.buckets.iter().copied());
            }
        }
    }

    fn memory(&self) -> usize {
        let of_slice = |slice: &Slice| size_of_val(&*slice.buckets);
        self.slices.iter().map(of_slice).sum::<usize>()
            + self.slices.capacity() * size_of::<Slice>()
            + self.sum.counts.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests;
