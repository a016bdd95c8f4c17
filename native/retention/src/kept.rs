//! What is said of a span when it is offered and when it is kept.

use crate::threshold::Threshold;
use crate::tracestate::Sampling;

/// What the decision needs to know of a span that ended.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // independent of each other
pub struct Facts<'a> {
    /// Its trace.
    pub trace: u128,
    /// Its name.
    pub name: &'a str,
    /// Whether it has no parent, or one in another process.
    pub local_root: bool,
    /// How long it took.
    pub duration_ns: u64,
    /// How long it may take if it is a local root; 0 when nobody said.
    pub budget_ns: u64,
    /// Whether its status is an error.
    pub failed: bool,
    /// Whether a venue rejected something.
    pub rejected: bool,
    /// Whether the bot asked to keep it.
    pub marked: bool,
    /// By how much a fill missed its price; 0 when that is not known.
    pub slippage_bps: f64,
    /// What stands in its tracestate about sampling.
    pub head: Sampling,
    /// Bytes of what is stored of it.
    pub size: u32,
}

/// Why a span is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Everything is kept.
    All,
    /// Everything fitted into the budget.
    Calm,
    /// The bot asked for it.
    Marked,
    /// A span of its trace failed.
    Failed,
    /// A venue rejected something.
    Rejected,
    /// A fill missed its price.
    Slipped,
    /// A local root took longer than it may.
    OverBudget,
    /// A local root took longer than nearly all of its name.
    Slow,
    /// It is one of the sample.
    Sampled,
}

impl Why {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::All,
        Self::Calm,
        Self::Marked,
        Self::Failed,
        Self::Rejected,
        Self::Slipped,
        Self::OverBudget,
        Self::Slow,
        Self::Sampled,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Calm => "calm",
            Self::Marked => "marked",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::OverBudget => "over_budget",
            Self::Slow => "slow",
            Self::Slipped => "slipped",
            Self::Sampled => "sampled",
        }
    }
}

/// A span that is kept.
#[derive(Clone, Debug)]
pub struct Kept<P> {
    /// What was stored of it.
    pub payload: P,
    /// Its trace.
    pub trace: u128,
    /// Why its trace is kept.
    pub why: Why,
    /// The threshold that it passed, here or before: `th` of its tracestate.
    pub threshold: Threshold,
    /// Whether its tracestate does not say so yet. Without `th` it says that everything is kept.
    pub rewrite: bool,
    /// Whether it has no parent, or one in another process.
    pub local_root: bool,
}

/// What is interesting in a trace: a set of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Interest {
    reasons: u16,
    /// How many times as long as is usual a local root took; 0 when none was slow.
    pub(crate) slowness: f64,
}

impl Interest {
    pub(crate) fn add_if(&mut self, condition: bool, why: Why) {
        self.reasons |= u16::from(condition) << why as u16;
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.reasons |= other.reasons;
        self.slowness = self.slowness.max(other.slowness);
    }

    pub(crate) const fn is_any(self) -> bool {
        self.reasons != 0
    }

    /// Whether a local root was slow, which one in a hundred is by definition, and nothing else is interesting.
    pub(crate) const fn is_only_slow(self) -> bool {
        self.reasons == 1 << Why::Slow as u16
    }

    /// The first reason there is.
    pub(crate) fn why(self) -> Option<Why> {
        Why::ALL
            .get(self.reasons.trailing_zeros() as usize)
            .copied()
    }
}
