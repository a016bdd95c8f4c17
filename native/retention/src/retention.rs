//! The engine: what waits, what is decided, and what became of it.

use std::sync::Arc;

use crate::counts::{Counts, Reason};
use crate::history::Histories;
use crate::judge::{Cause, Judge, Late};
use crate::kept::{Facts, Interest, Kept, Why};
use crate::pending::{Held, Pending, Trace};
use crate::policy::{Mode, Policy};
use crate::threshold::Threshold;
use crate::verdicts::{Decision, Verdict, Verdicts};

/// Decides which traces are kept. `P` is what is stored of a span.
///
/// ```
/// use retention::{Facts, Policy, Retention, Why};
///
/// let mut retention = Retention::new(Policy { settle_ns: 0, ..Policy::default() });
/// let order = Facts {
///     trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
///     name: "place_order",
///     local_root: true,
///     duration_ns: 12_000_000,
///     failed: true,
///     ..Facts::default()
/// };
/// retention.offer(&order, "payload", 0);
/// let mut kept = Vec::new();
/// retention.decide(100, |_trace| false, |span| kept.push((span.payload, span.why)));
/// assert_eq!(kept, [("payload", Why::Failed)]);
/// ```
#[derive(Debug)]
pub struct Retention<P> {
    policy: Policy,
    histories: Histories,
    judge: Judge,
    pending: Pending<P>,
    /// Late spans of traces that are kept, and their bytes.
    late: Vec<Late<P>>,
    late_bytes: usize,
    /// What was decided between two calls of [`Retention::decide`], and its bytes.
    decided: Vec<Kept<P>>,
    decided_bytes: usize,
}

impl<P> Retention<P> {
    /// Nothing waits.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            histories: Histories::new(
                policy.slow_percentile,
                policy.slow_history_minimum,
                policy.max_root_names,
            ),
            judge: Judge::new(&policy),
            pending: Pending::default(),
            late: Vec::new(),
            late_bytes: 0,
            decided: Vec::new(),
            decided_bytes: 0,
            policy,
        }
    }

    /// Take in a span that ended. Time is that of any clock, the same for all calls.
    pub fn offer(&mut self, facts: &Facts, payload: P, now_ns: u64) {
        self.judge.counts.offered += 1;
        let held = Held::new(facts, payload);
        if self.policy.mode == Mode::All {
            self.keep_at_once(facts.trace, held);
            return;
        }
        let interest = self.interest(facts, now_ns);
        if self.is_full() {
            self.relieve(now_ns);
        }
        if self.is_full() {
            self.judge.drop(Reason::Memory);
            return;
        }
        let Err(held) = self.pending.add(facts, interest, held, now_ns) else {
            return;
        };
        match self.judge.verdicts.decision(facts.trace) {
            Decision::Kept(threshold, why) => {
                self.late_bytes += held.bytes();
                self.late.push(Late {
                    trace: facts.trace,
                    randomness: facts.head.randomness_of(facts.trace),
                    threshold,
                    why,
                    held,
                });
            }
            Decision::Dropped if interest.is_any() => self.judge.drop(Reason::LateInteresting),
            Decision::Dropped => self.judge.drop(Reason::Late),
            Decision::Pending | Decision::Unknown => {
                self.judge.verdicts.note(facts.trace, Decision::Pending);
                self.pending.begin(facts.trace, now_ns);
                // It waits now, so nothing comes back.
                let _ = self.pending.add(facts, interest, held, now_ns);
            }
        }
    }

    /// Decide about the traces that are complete or too old; `keep` gets the spans that are kept, those of a trace
    /// in the order in which they were offered.
    ///
    /// `is_open` says whether spans of a trace are still open. What was open before the spans that ended were
    /// collected should count as open, as well as what is open now: a span that ended since was not offered yet, and
    /// a trace that is decided without it takes no notice of how it ended.
    pub fn decide(
        &mut self,
        now_ns: u64,
        is_open: impl Fn(u128) -> bool,
        mut keep: impl FnMut(Kept<P>),
    ) {
        let mut traces = Vec::new();
        self.pending
            .take_complete(now_ns, self.policy.settle_ns, is_open, |trace| {
                traces.push((trace, Cause::Complete));
            });
        if let Some(until_ns) = now_ns.checked_sub(self.policy.max_age_ns) {
            let aged = std::iter::from_fn(|| self.pending.take_oldest(until_ns));
            traces.extend(aged.map(|trace| (trace, Cause::Age)));
        }
        self.hand_over(&mut keep);
        self.take_surplus(&mut traces);
        self.finish(traces, now_ns, &mut keep);
    }

    /// Of what is not decided, or decided and not handed over: at least what was offered first.
    pub fn oldest(&self) -> impl Iterator<Item = &P> {
        let late = self.late.iter().map(|late| &late.held.payload);
        let decided = self.decided.iter().map(|kept| &kept.payload);
        self.pending.firsts().chain(late).chain(decided)
    }

    /// Decide about everything, because nothing will come any more.
    pub fn flush(&mut self, now_ns: u64, mut keep: impl FnMut(Kept<P>)) {
        let all = std::iter::from_fn(|| self.pending.take_oldest(u64::MAX));
        let traces = all.map(|trace| (trace, Cause::Complete)).collect();
        self.hand_over(&mut keep);
        self.finish(traces, now_ns, &mut keep);
    }

    /// What was decided about a trace.
    #[must_use]
    pub fn verdict(&self, trace: u128) -> Verdict {
        if self.pending.contains(trace) {
            Verdict::Pending
        } else {
            self.judge.verdicts.verdict(trace)
        }
    }

    /// The table of what was decided, for other threads.
    #[must_use]
    pub fn verdicts(&self) -> Arc<Verdicts> {
        Arc::clone(&self.judge.verdicts)
    }

    /// What became of the spans so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            unknown_roots: self.histories.unknown(),
            pending_spans: self.pending.spans() + self.late.len(),
            pending_traces: self.pending.traces(),
            pending_bytes: self.bytes(),
            ..self.judge.counts
        }
    }

    fn interest(&mut self, facts: &Facts, now_ns: u64) -> Interest {
        let mut interest = Interest::default();
        interest.add_if(facts.marked, Why::Marked);
        interest.add_if(facts.failed, Why::Failed);
        interest.add_if(facts.rejected, Why::Rejected);
        let slipped = facts.slippage_bps.abs() > self.policy.slippage_bps;
        interest.add_if(slipped, Why::Slipped);
        if facts.local_root {
            let over = facts.budget_ns > 0 && facts.duration_ns > facts.budget_ns;
            interest.add_if(over, Why::OverBudget);
            let slowness = self
                .histories
                .observe(facts.name, facts.duration_ns, now_ns);
            interest.add_if(slowness > 0.0, Why::Slow);
            interest.slowness = slowness;
        }
        interest
    }

    fn keep_at_once(&mut self, trace: u128, held: Held<P>) {
        if self.is_full() {
            self.judge.drop(Reason::Memory);
            return;
        }
        let (decided, decided_bytes) = (&mut self.decided, &mut self.decided_bytes);
        self.judge.keep(
            held,
            trace,
            Threshold::ALWAYS,
            Why::All,
            &mut |kept, bytes| {
                decided.push(kept);
                *decided_bytes += bytes;
            },
        );
    }

    /// Hand over what was decided before.
    fn hand_over(&mut self, keep: &mut impl FnMut(Kept<P>)) {
        self.decided_bytes = 0;
        std::mem::take(&mut self.decided).into_iter().for_each(keep);
    }

    fn finish(
        &mut self,
        traces: Vec<(Trace<P>, Cause)>,
        now_ns: u64,
        keep: &mut impl FnMut(Kept<P>),
    ) {
        self.late_bytes = 0;
        let late = std::mem::take(&mut self.late);
        self.judge
            .decide(traces, late, now_ns, |kept, _| keep(kept));
        self.pending.tidy();
    }

    /// Take the oldest traces until a quarter of what may wait is free.
    fn take_surplus(&mut self, traces: &mut Vec<(Trace<P>, Cause)>) {
        let enough = |limit: usize| limit - limit.div_ceil(4);
        let max_spans = enough(self.policy.max_spans);
        let max_bytes = enough(self.policy.max_bytes);
        while self.spans() > max_spans || self.bytes() > max_bytes {
            let Some(trace) = self.pending.take_oldest(u64::MAX) else {
                break;
            };
            traces.push((trace, Cause::Memory));
        }
    }

    /// Decide about the oldest traces at once. What is kept of them takes room until it is handed over.
    fn relieve(&mut self, now_ns: u64) {
        let mut traces = Vec::new();
        self.take_surplus(&mut traces);
        if traces.is_empty() && self.late.is_empty() {
            return;
        }
        self.late_bytes = 0;
        let late = std::mem::take(&mut self.late);
        let (decided, decided_bytes) = (&mut self.decided, &mut self.decided_bytes);
        self.judge.decide(traces, late, now_ns, |kept, bytes| {
            decided.push(kept);
            *decided_bytes += bytes;
        });
    }

    fn is_full(&self) -> bool {
        self.spans() >= self.policy.max_spans || self.bytes() >= self.policy.max_bytes
    }

    fn spans(&self) -> usize {
        self.pending.spans() + self.late.len() + self.decided.len()
    }

    fn bytes(&self) -> usize {
        self.pending.bytes() + self.late_bytes + self.decided_bytes
    }
}

#[cfg(test)]
mod tests;
