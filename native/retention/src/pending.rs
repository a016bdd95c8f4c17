//! Spans that wait until their trace is decided.

use std::collections::{HashMap, VecDeque};

use crate::hash::Seed;
use crate::kept::{Facts, Interest};
use crate::threshold::{Randomness, Threshold};

/// Less room than this is never given back.
const ROOM: usize = 4_096;

/// A span that waits.
#[derive(Debug)]
pub(crate) struct Held<P> {
    pub(crate) payload: P,
    /// The threshold it passed before.
    pub(crate) head: Threshold,
    pub(crate) size: u32,
    pub(crate) local_root: bool,
    /// Whether its tracestate has a threshold that it cannot have passed.
    pub(crate) inconsistent: bool,
}

impl<P> Held<P> {
    pub(crate) fn new(facts: &Facts, payload: P) -> Self {
        let head = facts.head.threshold.unwrap_or_default();
        let inconsistent = !head.keeps(facts.head.randomness_of(facts.trace));
        Self {
            payload,
            head: if inconsistent {
                Threshold::ALWAYS
            } else {
                head
            },
            size: facts.size,
            local_root: facts.local_root,
            inconsistent,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.size as usize + size_of::<Self>()
    }
}

/// The spans of a trace that ended so far.
#[derive(Debug)]
pub(crate) struct Trace<P> {
    pub(crate) id: u128,
    pub(crate) randomness: Randomness,
    /// The greatest threshold that a span passed before.
    pub(crate) head: Threshold,
    pub(crate) interest: Interest,
    pub(crate) spans: Vec<Held<P>>,
    bytes: usize,
    first_ns: u64,
    last_ns: u64,
    root_ended: bool,
    explicit: bool,
}

impl<P> Trace<P> {
    /// What a trace takes without its spans: itself, and its places in the table, in the order and among the complete.
    const BYTES: usize = size_of::<Self>() + 3 * size_of::<u128>() + size_of::<u64>();
}

/// All traces that wait.
#[derive(Debug)]
pub(crate) struct Pending<P> {
    traces: HashMap<u128, Trace<P>, Seed>,
    /// First spans by age; those whose trace is gone stay until they are met.
    order: VecDeque<(u64, u128)>,
    /// Traces of which a local root ended.
    ended: Vec<u128>,
    spans: usize,
    bytes: usize,
}

impl<P> Default for Pending<P> {
    fn default() -> Self {
        Self {
            traces: HashMap::default(),
            order: VecDeque::new(),
            ended: Vec::new(),
            spans: 0,
            bytes: 0,
        }
    }
}

impl<P> Pending<P> {
    pub(crate) fn spans(&self) -> usize {
        self.spans
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn traces(&self) -> usize {
        self.traces.len()
    }

    pub(crate) fn contains(&self, trace: u128) -> bool {
        self.traces.contains_key(&trace)
    }

    /// The first span of each trace.
    pub(crate) fn firsts(&self) -> impl Iterator<Item = &P> {
        let firsts = self.traces.values().filter_map(|trace| trace.spans.first());
        firsts.map(|held| &held.payload)
    }

    /// Add a span to a trace that waits; for another one it is handed back.
    pub(crate) fn add(
        &mut self,
        facts: &Facts,
        interest: Interest,
        held: Held<P>,
        now_ns: u64,
    ) -> Result<(), Held<P>> {
        let Some(trace) = self.traces.get_mut(&facts.trace) else {
            return Err(held);
        };
        let bytes = held.bytes();
        trace.last_ns = trace.last_ns.max(now_ns);
        trace.interest.join(interest);
        trace.head = trace.head.max(held.head);
        if let (Some(randomness), false) = (facts.head.randomness, trace.explicit) {
            trace.randomness = randomness;
            trace.explicit = true;
        }
        if facts.local_root && !trace.root_ended {
            trace.root_ended = true;
            self.ended.push(trace.id);
        }
        trace.bytes += bytes;
        trace.spans.push(held);
        self.bytes += bytes;
        self.spans += 1;
        Ok(())
    }

    /// Wait for the spans of a trace that was not known.
    pub(crate) fn begin(&mut self, id: u128, now_ns: u64) {
        let trace = Trace {
            id,
            randomness: Randomness::of_trace(id),
            head: Threshold::ALWAYS,
            interest: Interest::default(),
            spans: Vec::new(),
            bytes: Trace::<P>::BYTES,
            first_ns: now_ns,
            last_ns: now_ns,
            root_ended: false,
            explicit: false,
        };
        self.bytes += trace.bytes;
        self.traces.insert(id, trace);
        self.order.push_back((now_ns, id));
        if self.order.len() > 2 * self.traces.len() + ROOM {
            let traces = &self.traces;
            self.order.retain(|&entry| is_current(traces, entry));
        }
    }

    /// The traces of which a root ended, nothing is open, and nothing came for `settle_ns`.
    pub(crate) fn take_complete(
        &mut self,
        now_ns: u64,
        settle_ns: u64,
        is_open: impl Fn(u128) -> bool,
        mut take: impl FnMut(Trace<P>),
    ) {
        let mut ended = std::mem::take(&mut self.ended);
        ended.retain(|&id| {
            let Some(trace) = self.traces.get(&id) else {
                return false;
            };
            let settled = now_ns.saturating_sub(trace.last_ns) >= settle_ns;
            if !settled || is_open(id) {
                return true;
            }
            if let Some(trace) = self.remove(id) {
                take(trace);
            }
            false
        });
        self.ended = ended;
    }

    /// The oldest trace, if its first span came at that time or before.
    pub(crate) fn take_oldest(&mut self, until_ns: u64) -> Option<Trace<P>> {
        while let Some(&entry) = self.order.front() {
            if is_current(&self.traces, entry) {
                return (entry.0 <= until_ns)
                    .then(|| self.remove(entry.1))
                    .flatten();
            }
            self.order.pop_front();
        }
        None
    }

    fn remove(&mut self, id: u128) -> Option<Trace<P>> {
        let trace = self.traces.remove(&id)?;
        self.spans -= trace.spans.len();
        self.bytes -= trace.bytes;
        Some(trace)
    }

    /// Give back room that was needed once.
    pub(crate) fn tidy(&mut self) {
        let traces = self.traces.len();
        let room = 2 * traces.max(ROOM);
        if self.traces.capacity() > 4 * room {
            self.traces.shrink_to(room);
        }
        if self.order.capacity() > 4 * room.max(self.order.len()) {
            self.order.shrink_to(room);
        }
        if self.ended.capacity() > 4 * room {
            self.ended.shrink_to(room);
        }
    }
}

/// Whether an entry of the order is that of a trace that still waits.
fn is_current<P>(traces: &HashMap<u128, Trace<P>, Seed>, (first_ns, id): (u64, u128)) -> bool {
    traces
        .get(&id)
        .is_some_and(|trace| trace.first_ns == first_ns)
}
