//! What was decided about the latest traces, readable by any thread.
//!
//! A table of sets with eight places each. A place is two words: what was decided, and that mixed with the trace it
//! was decided about. A reader that meets a writer finds two words that do not belong together, thus no trace, so
//! neither waits for the other. In each set the place written longest ago is used again.

use std::sync::atomic::{AtomicU64, AtomicU8, Ordering::Relaxed};

use crate::kept::Why;
use crate::threshold::Threshold;

/// What was decided about a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is kept.
    Kept,
    /// It is dropped.
    Dropped,
    /// It waits.
    Pending,
    /// It was never seen, or that was too long ago.
    Unknown,
}

const WAYS: usize = 8;

/// 2^64 divided by the golden ratio: spreads whatever it is multiplied with.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Bits of a place's word: those of the threshold, the reason, what was decided.
const WHY_SHIFT: u32 = 56;
const STATE_SHIFT: u32 = 60;
const PENDING: u64 = 1 << STATE_SHIFT;
const KEPT: u64 = 2 << STATE_SHIFT;
const DROPPED: u64 = 3 << STATE_SHIFT;

#[derive(Debug, Default)]
struct Place {
    check: AtomicU64,
    word: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Set([Place; WAYS]);

/// What was decided about the latest traces.
#[derive(Debug)]
pub struct Verdicts {
    sets: Box<[Set]>,
    /// The place of each set that is written next.
    next: Box<[AtomicU8]>,
    everything: bool,
}

/// A decision in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Kept(Threshold, Why),
    Dropped,
    Pending,
    Unknown,
}

impl Verdicts {
    /// Room for so many traces, rounded up. With `everything` all traces are kept, and none is noted.
    pub(crate) fn new(traces: usize, everything: bool) -> Self {
        let traces = if everything { 0 } else { traces };
        let sets = traces.div_ceil(WAYS).max(1).next_power_of_two();
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
            next: (0..sets).map(|_| AtomicU8::new(0)).collect(),
            everything,
        }
    }

    /// What was decided about a trace; from any thread, without waiting.
    #[must_use]
    pub fn verdict(&self, trace: u128) -> Verdict {
        if self.everything {
            return Verdict::Kept;
        }
        match self.decision(trace) {
            Decision::Kept(..) => Verdict::Kept,
            Decision::Dropped => Verdict::Dropped,
            Decision::Pending => Verdict::Pending,
            Decision::Unknown => Verdict::Unknown,
        }
    }

    pub(crate) fn decision(&self, trace: u128) -> Decision {
        let key = key(trace);
        let set = &self.sets[self.set(key)];
        let word = set.0.iter().find_map(|place| {
            let word = place.word.load(Relaxed);
            (place.check.load(Relaxed) ^ word == key && word != 0).then_some(word)
        });
        let Some(word) = word else {
            return Decision::Unknown;
        };
        match word >> STATE_SHIFT << STATE_SHIFT {
            PENDING => Decision::Pending,
            KEPT => {
                let why = Why::ALL[(word >> WHY_SHIFT & 15) as usize % Why::ALL.len()];
                Decision::Kept(Threshold::from_bits(word), why)
            }
            _ => Decision::Dropped,
        }
    }

    /// Note a decision. One thread at a time, or some are lost.
    pub(crate) fn note(&self, trace: u128, decision: Decision) {
        let word = match decision {
            Decision::Unknown => 0,
            Decision::Pending => PENDING,
            Decision::Dropped => DROPPED,
            Decision::Kept(threshold, why) => KEPT | (why as u64) << WHY_SHIFT | threshold.bits(),
        };
        let key = key(trace);
        let index = self.set(key);
        let places = &self.sets[index].0;
        let known = places.iter().position(|place| {
            let old = place.word.load(Relaxed);
            place.check.load(Relaxed) ^ old == key && old != 0
        });
        let way = known.unwrap_or_else(|| {
            let way = self.next[index].load(Relaxed);
            self.next[index].store(way.wrapping_add(1), Relaxed);
            usize::from(way) % WAYS
        });
        places[way].word.store(word, Relaxed);
        places[way].check.store(key ^ word, Relaxed);
    }

    #[allow(clippy::cast_possible_truncation)] // masked
    fn set(&self, key: u64) -> usize {
        (key.wrapping_mul(GOLDEN) >> 32) as usize & (self.sets.len() - 1)
    }
}

/// The half of a trace's id that is random in any case, mixed with the other one.
#[allow(clippy::cast_possible_truncation)] // the halves are wanted
const fn key(trace: u128) -> u64 {
    trace as u64 ^ ((trace >> 64) as u64).wrapping_mul(GOLDEN)
}

#[cfg(test)]
mod tests;
