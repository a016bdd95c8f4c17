//! Decides about traces that are complete, or that cannot wait any longer.

use std::sync::Arc;

use crate::budget::{Budget, Demand};
use crate::counts::{Counts, Reason};
use crate::kept::{Kept, Why};
use crate::pending::{Held, Trace};
use crate::policy::{Mode, Policy};
use crate::threshold::{Randomness, Threshold};
use crate::verdicts::{Decision, Verdicts};

/// Why a trace is decided now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Complete,
    Age,
    Memory,
}

/// A span that came when its trace was kept already.
#[derive(Debug)]
pub(crate) struct Late<P> {
    pub(crate) trace: u128,
    pub(crate) randomness: Randomness,
    pub(crate) threshold: Threshold,
    pub(crate) why: Why,
    pub(crate) held: Held<P>,
}

#[derive(Debug)]
pub(crate) struct Judge {
    mode: Mode,
    budget: Budget,
    pub(crate) verdicts: Arc<Verdicts>,
    pub(crate) counts: Counts,
}

impl Judge {
    pub(crate) fn new(policy: &Policy) -> Self {
        let everything = policy.mode == Mode::All;
        Self {
            mode: policy.mode,
            budget: Budget::new(policy.spans_per_second, policy.burst_seconds),
            verdicts: Arc::new(Verdicts::new(policy.max_late_verdicts, everything)),
            counts: Counts {
                probability: 1.0,
                urgent_probability: 1.0,
                ..Counts::default()
            },
        }
    }

    /// Decide about some traces together, and about late spans of traces that are kept.
    ///
    /// What is kept is handed over with the bytes that it took.
    pub(crate) fn decide<P>(
        &mut self,
        traces: Vec<(Trace<P>, Cause)>,
        late: Vec<Late<P>>,
        now_ns: u64,
        mut keep: impl FnMut(Kept<P>, usize),
    ) {
        for (_, cause) in &traces {
            self.counts.early_by_age += u64::from(*cause == Cause::Age);
            self.counts.early_by_memory += u64::from(*cause == Cause::Memory);
        }
        let (urgent, others): (Vec<_>, Vec<_>) = traces
            .into_iter()
            .partition(|(trace, _)| trace.interest.is_any());
        if self.mode == Mode::Budget {
            let (slow, urgent) = urgent
                .into_iter()
                .partition(|(trace, _)| trace.interest.is_only_slow());
            self.within_budget(urgent, slow, others, late, now_ns, &mut keep);
            return;
        }
        self.late(late, Threshold::ALWAYS, &mut keep);
        self.traces(urgent, Some(Threshold::ALWAYS), Why::All, &mut keep);
        self.traces(others, None, Why::All, &mut keep);
    }

    fn within_budget<P>(
        &mut self,
        urgent: Vec<(Trace<P>, Cause)>,
        mut slow: Vec<(Trace<P>, Cause)>,
        mut others: Vec<(Trace<P>, Cause)>,
        late: Vec<Late<P>>,
        now_ns: u64,
        keep: &mut impl FnMut(Kept<P>, usize),
    ) {
        self.budget.begin(now_ns);
        let spans = |traces: &[(Trace<P>, Cause)]| -> usize {
            traces.iter().map(|(trace, _)| trace.spans.len()).sum()
        };
        let demand = |(trace, _): &(Trace<P>, Cause)| Demand {
            spans: trace.spans.len(),
            head: trace.head,
        };
        if self
            .budget
            .fits(spans(&urgent) + spans(&slow) + spans(&others) + late.len())
        {
            let hurried = spans(&urgent) + late.len();
            let all = hurried + spans(&slow) + spans(&others);
            self.budget.pay(all, hurried);
            self.late(late, Threshold::ALWAYS, keep);
            self.traces(urgent, Some(Threshold::ALWAYS), Why::Calm, keep);
            self.traces(slow, Some(Threshold::ALWAYS), Why::Calm, keep);
            self.traces(others, Some(Threshold::ALWAYS), Why::Calm, keep);
            self.counts.probability = 1.0;
            self.counts.urgent_probability = 1.0;
            return;
        }
        let demands: Vec<_> = late
            .iter()
            .map(|late| Demand {
                spans: 1,
                head: late.threshold.max(late.held.head),
            })
            .chain(urgent.iter().map(demand))
            .collect();
        if !demands.is_empty() {
            let threshold = self.budget.urgent(&demands);
            let paid = self.late(late, threshold, keep)
                + self.traces(urgent, Some(threshold), Why::Sampled, keep);
            self.budget.pay(paid, paid);
            self.counts.urgent_probability = threshold.probability();
        }
        // The slowest against their own history are certain to be kept, so they stand for themselves. Which ones these
        // are has nothing to do with the ids that decide about the rest: that stays a fair sample of what is left.
        slow.sort_by(|(one, _), (other, _)| {
            other.interest.slowness.total_cmp(&one.interest.slowness)
        });
        let within = slow
            .iter()
            .take_while(|(trace, _)| self.budget.slow(trace.spans.len()))
            .count();
        others.extend(slow.drain(within..));
        self.traces(slow, Some(Threshold::ALWAYS), Why::Sampled, keep);
        let demands: Vec<_> = others.iter().map(demand).collect();
        if !demands.is_empty() {
            let threshold = self.budget.others(&demands);
            let paid = self.traces(others, Some(threshold), Why::Sampled, keep);
            self.budget.pay(paid, 0);
            self.counts.probability = threshold.probability();
        }
    }

    /// Keep the traces that pass a threshold, none if there is none; returns how many spans these are.
    fn traces<P>(
        &mut self,
        traces: Vec<(Trace<P>, Cause)>,
        threshold: Option<Threshold>,
        otherwise: Why,
        keep: &mut impl FnMut(Kept<P>, usize),
    ) -> usize {
        let mut kept = 0;
        for (trace, cause) in traces {
            let spans = trace.spans.len();
            let passed = threshold.filter(|threshold| threshold.keeps(trace.randomness));
            if let Some(threshold) = passed {
                let why = trace.interest.why().unwrap_or(otherwise);
                let decision = Decision::Kept(threshold, why);
                self.verdicts.note(trace.id, decision);
                self.counts.kept_traces += 1;
                kept += spans;
                for held in trace.spans {
                    self.keep(held, trace.id, threshold, why, keep);
                }
            } else {
                self.verdicts.note(trace.id, Decision::Dropped);
                self.counts.dropped_traces += 1;
                let reason = match cause {
                    Cause::Age => Reason::Age,
                    Cause::Memory => Reason::Memory,
                    Cause::Complete if threshold.is_some() => Reason::SampledOut,
                    Cause::Complete => Reason::NotInteresting,
                };
                self.counts.dropped[reason as usize] += spans as u64;
            }
        }
        kept
    }

    /// Keep the late spans that pass a threshold; returns how many.
    fn late<P>(
        &mut self,
        late: Vec<Late<P>>,
        threshold: Threshold,
        keep: &mut impl FnMut(Kept<P>, usize),
    ) -> usize {
        let mut kept = 0;
        for late in late {
            if threshold.keeps(late.randomness) {
                let threshold = late.threshold.max(threshold);
                self.keep(late.held, late.trace, threshold, late.why, keep);
                kept += 1;
            } else {
                self.drop(Reason::SampledOut);
            }
        }
        kept
    }

    /// Keep a span.
    pub(crate) fn keep<P>(
        &mut self,
        held: Held<P>,
        trace: u128,
        threshold: Threshold,
        why: Why,
        keep: &mut impl FnMut(Kept<P>, usize),
    ) {
        self.counts.kept[why as usize] += 1;
        let bytes = held.bytes();
        let threshold = threshold.max(held.head);
        let kept = Kept {
            rewrite: held.inconsistent || threshold != held.head,
            payload: held.payload,
            trace,
            why,
            threshold,
            local_root: held.local_root,
        };
        keep(kept, bytes);
    }

    /// Count a span that is dropped.
    pub(crate) fn drop(&mut self, reason: Reason) {
        self.counts.dropped[reason as usize] += 1;
    }
}
