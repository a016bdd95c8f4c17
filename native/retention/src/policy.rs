//! What the user asks for.

/// Which traces are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All of them, at once.
    All,
    /// All as long as they fit into the budget; else the interesting ones and a sample of the others.
    #[default]
    Budget,
    /// The interesting ones.
    Interesting,
}

/// How much is kept, what is interesting, and how much may wait for a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Which traces are kept.
    pub mode: Mode,
    /// The budget.
    pub spans_per_second: f64,
    /// What was not used of the budget is saved for so long.
    pub burst_seconds: f64,
    /// A local root is slow when it took longer than this share (0 to 1) of the roots of its name.
    pub slow_percentile: f64,
    /// Nothing is slow before so many roots of its name were seen in the last minutes.
    pub slow_history_minimum: u64,
    /// More slippage than this, in either direction, is interesting.
    pub slippage_bps: f64,
    /// Spans that may wait. The oldest traces are decided early when less than a quarter of this is free.
    pub max_spans: usize,
    /// Bytes that may wait, with what holding them takes; as for the spans.
    pub max_bytes: usize,
    /// A trace is decided so long after its first span at the latest.
    pub max_age_ns: u64,
    /// A complete trace is decided when no span of it came for so long: a task may be created, but not running yet.
    pub settle_ns: u64,
    /// Decisions that are remembered for spans that come later, and for [`crate::Verdicts`].
    pub max_late_verdicts: usize,
    /// Names of roots whose durations are remembered.
    pub max_root_names: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            spans_per_second: 100.0,
            burst_seconds: 10.0,
            slow_percentile: 0.99,
            slow_history_minimum: 100,
            slippage_bps: 10.0,
            max_spans: 100_000,
            max_bytes: 64 << 20,
            max_age_ns: 30_000_000_000,
            settle_ns: 100_000_000,
            max_late_verdicts: 65_536,
            max_root_names: 1_000,
        }
    }
}
