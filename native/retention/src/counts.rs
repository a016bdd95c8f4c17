//! What became of the spans.

use crate::kept::Why;

/// Why a span is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its trace is not one of the sample.
    SampledOut,
    /// Nothing in its trace is interesting.
    NotInteresting,
    /// It or its trace had to go, and was not worth keeping so far, because too much waited.
    Memory,
    /// Its trace was not complete in time, and was not worth keeping so far.
    Age,
    /// Its trace had been dropped before.
    Late,
    /// Its trace had been dropped before, but would have been interesting with this span.
    LateInteresting,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::SampledOut,
        Self::NotInteresting,
        Self::Memory,
        Self::Age,
        Self::Late,
        Self::LateInteresting,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SampledOut => "sampled_out",
            Self::NotInteresting => "not_interesting",
            Self::Memory => "retention_memory",
            Self::Age => "retention_age",
            Self::Late => "late",
            Self::LateInteresting => "late_interesting",
        }
    }
}

/// What became of the spans so far. Each one offered is kept, dropped or pending.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Spans offered.
    pub offered: u64,
    /// Spans kept, by [`Why`].
    pub kept: [u64; Why::ALL.len()],
    /// Spans dropped, by [`Reason`].
    pub dropped: [u64; Reason::ALL.len()],
    /// Traces kept.
    pub kept_traces: u64,
    /// Traces dropped.
    pub dropped_traces: u64,
    /// Traces that were decided before they were complete because they were too old.
    pub early_by_age: u64,
    /// Traces that were decided before they were complete because too much waited.
    pub early_by_memory: u64,
    /// Roots whose name found no room among those whose durations are remembered.
    pub unknown_roots: u64,
    /// Spans that wait.
    pub pending_spans: usize,
    /// Traces that wait.
    pub pending_traces: usize,
    /// Bytes that wait, with what holding them takes.
    pub pending_bytes: usize,
    /// The probability with which the last traces without interest were kept.
    pub probability: f64,
    /// The probability with which the last interesting traces were kept.
    pub urgent_probability: f64,
}

impl Counts {
    /// Spans kept for a reason.
    #[must_use]
    pub const fn kept(&self, why: Why) -> u64 {
        self.kept[why as usize]
    }

    /// Spans dropped for a reason.
    #[must_use]
    pub const fn dropped(&self, reason: Reason) -> u64 {
        self.dropped[reason as usize]
    }
}
