//! From the ring to requests: what the pump does with spans that ended, without the GIL.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use aggregate::clock::monotonic_ns;
use aggregate::fork::Renewable;
use aggregate::pump::{Notice, Task};
use flight::Flight;
use retention::metrics::SpanMetrics;
use retention::{Kept, Policy, Reason, Retention, Verdict, Verdicts, Why};
use spans::otlp::Encoder;
use spans::record::{kind, marks, Head, Text, View, Writer};
use wire::model::Metric;

use facts::{encode, offer, text, Stored, TableOf};
use recorder::Origin;
use waiting::{Waiting, NEVER, WAITING_BYTES};

use super::core::Core;
use super::durations::{self, SERIES};
use super::span::SAMPLED;
use crate::clock::wall_ns;
use crate::flights::Recorder;

mod facts;
mod recorder;
mod waiting;

pub use waiting::{Batch, Demand};

/// A request is closed when it is this long, bytes; receivers accept at least four times as much.
const REQUEST_BYTES: usize = 1 << 20;

/// A span that runs longer is shown while it runs, nanoseconds.
const LONG_NS: u64 = 10_000_000_000;

/// How often long spans are looked for, nanoseconds.
const LOOK_NS: u64 = 1_000_000_000;

/// Long spans that are remembered as shown.
const SHOWN: usize = 4_096;

/// Tells a span that was shown while it ran from the one it shows.
const SHADOW: u64 = 0x5EED_0F5A_AD07_0001;

/// What the newest provider decided.
static VERDICTS: LazyLock<Renewable<Option<Arc<Verdicts>>>> =
    LazyLock::new(|| Renewable::new(None));

/// What was decided about a trace, by its id; of spans of this engine.
pub fn verdict_of(trace_id: [u8; 16]) -> Verdict {
    let verdicts = VERDICTS.lock().clone();
    // Where nobody decides nothing is left out.
    verdicts.map_or(Verdict::Kept, |verdicts| {
        verdicts.verdict(u128::from_be_bytes(trace_id))
    })
}

struct Work {
    recorder: Arc<Recorder>,
    retention: Retention<Stored>,
    encoder: Encoder,
    /// The position of the oldest span in the encoder.
    oldest: u64,
    /// Everything before this position was read.
    read: u64,
    demand: Demand,
    durations: Arc<SpanMetrics>,
    /// Long spans that were shown, and when such were looked for last.
    shown: HashSet<u64>,
    looked_ns: u64,
    /// Since when they are counted.
    since_ns: u64,
    /// Spans that could not be read back, which would be a defect.
    malformed: u64,
}

/// Reads a core's ring, decides what is kept, and has it ready for a sender.
pub struct Outlet {
    core: Arc<Core>,
    work: Renewable<Work>,
    waiting: Renewable<Waiting>,
}

/// What became of spans.
#[derive(Debug, Default)]
pub struct Counted {
    pub kept: Vec<(&'static str, u64)>,
    pub dropped: Vec<(&'static str, u64)>,
    pub pending: u64,
    pub waiting: u64,
}

impl Outlet {
    pub fn new(core: &Arc<Core>, recorder: Arc<Recorder>, policy: Policy) -> Self {
        let work = Work::new(recorder, policy, Encoder::new(&[], ""));
        *VERDICTS.lock() = Some(work.retention.verdicts());
        Self {
            core: Arc::clone(core),
            work: Renewable::new(work),
            waiting: Renewable::new(Waiting::default()),
        }
    }

    /// The ring that is written to.
    pub fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.work.lock().recorder)
    }

    /// Read another ring from here on, which nobody writes to before this is done; what the old one has is decided.
    pub fn use_recorder(&self, recorder: Arc<Recorder>) {
        let mut work = self.work.lock();
        Self::read(&mut work);
        self.decide(&mut work, None);
        self.close_request(&mut work);
        let old = std::mem::replace(&mut work.recorder, recorder);
        work.read = 0;
        if self.waiting.lock().outstanding(&old).next().is_none() {
            old.finish();
        }
    }

    /// The end of all recording: when everything has arrived there is nothing to recover; whether it is so.
    pub fn finish(&self) -> bool {
        let mut work = self.work.lock();
        Self::read(&mut work);
        let all = self.advance(&work) == work.recorder.flight.written();
        if all {
            work.recorder.finish();
        }
        all
    }

    /// Note in the file how far everything has arrived or was decided against.
    fn advance(&self, work: &Work) -> u64 {
        let waiting = self.waiting.lock();
        let encoder = (work.encoder.spans() > 0).then_some(work.oldest);
        let undecided = work.retention.oldest().map(|stored| stored.position);
        let upto = waiting
            .outstanding(&work.recorder)
            .chain(encoder)
            .chain(undecided)
            .min()
            .unwrap_or(work.read);
        work.recorder.flight.set_delivered(upto);
        upto
    }

    /// The resource of all spans from here on.
    pub fn set_resource(&self, resource: &[u8], schema_url: &str) {
        let mut work = self.work.lock();
        self.close_request(&mut work);
        work.encoder = Encoder::new(resource, schema_url);
    }

    /// Keep by other rules from here on; what waits is decided by the old ones.
    pub fn set_policy(&self, policy: Policy) {
        let mut work = self.work.lock();
        Self::read(&mut work);
        self.decide(&mut work, None);
        work.retention = Retention::new(policy);
        *VERDICTS.lock() = Some(work.retention.verdicts());
    }

    /// What the sender takes from here on.
    pub fn set_demand(&self, demand: Demand) {
        let mut work = self.work.lock();
        work.demand = demand;
        *VERDICTS.lock() = demand.wanted.then(|| work.retention.verdicts());
    }

    /// Read the ring and decide what can be decided.
    pub fn tick(&self) {
        self.core.wall.follow();
        let mut work = self.work.lock();
        // Before reading: a span that ends meanwhile may come too late for this round.
        let open = open_traces(&work.recorder.flight);
        Self::read(&mut work);
        self.show_long(&mut work);
        self.decide(&mut work, Some(&open));
        self.advance(&work);
    }

    /// Read the ring and decide everything; what is kept is ready for the sender afterwards.
    pub fn flush(&self) {
        let mut work = self.work.lock();
        Self::read(&mut work);
        self.decide(&mut work, None);
        self.close_request(&mut work);
    }

    /// The oldest request, if there is one; with `rest` also one that is not full.
    pub fn take(&self, rest: bool) -> Option<Batch> {
        if let Some(batch) = self.pop() {
            return Some(batch);
        }
        if rest {
            let mut work = self.work.lock();
            self.close_request(&mut work);
        }
        self.pop()
    }

    fn pop(&self) -> Option<Batch> {
        let mut waiting = self.waiting.lock();
        let batch = waiting.batches.pop_front()?;
        waiting.bytes -= batch.request.len();
        waiting.spans -= batch.spans;
        waiting.taken.push((batch.ticket, batch.from.clone()));
        Some(batch)
    }

    /// Spans that are ready for the sender.
    pub fn ready(&self) -> usize {
        // The locks in the order in which the pump takes them.
        let encoded = self.work.lock().encoder.spans();
        self.waiting.lock().spans + encoded
    }

    /// Whether there is a request that is full.
    pub fn full(&self) -> bool {
        !self.waiting.lock().batches.is_empty()
    }

    /// Let go of what is ready; how many spans.
    pub fn clear(&self) -> usize {
        let mut work = self.work.lock();
        let mut waiting = self.waiting.lock();
        let spans = waiting.spans + work.encoder.spans();
        let encoder = (work.encoder.spans() > 0).then(|| work.origin());
        let gone = std::mem::take(&mut waiting.batches);
        let gone = gone.into_iter().map(|batch| batch.from).chain(encoder);
        // Of each ring the oldest says enough.
        for from in gone {
            let same = |(ticket, other): &&mut (u64, Origin)| {
                *ticket == NEVER && Arc::ptr_eq(&other.recorder, &from.recorder)
            };
            match waiting.taken.iter_mut().find(same) {
                Some((_, other)) => other.oldest = other.oldest.min(from.oldest),
                None => waiting.taken.push((NEVER, from)),
            }
        }
        work.encoder.clear();
        (waiting.bytes, waiting.spans) = (0, 0);
        spans
    }

    /// A request has arrived, or was refused.
    pub fn settled(&self, ticket: u64) {
        let work = self.work.lock();
        {
            let mut waiting = self.waiting.lock();
            let Some(place) = waiting.taken.iter().position(|(known, _)| *known == ticket) else {
                return;
            };
            let (_, from) = waiting.taken.remove(place);
            let current = Arc::ptr_eq(&from.recorder, &work.recorder);
            if !current && waiting.outstanding(&from.recorder).next().is_none() {
                from.recorder.finish();
            }
        }
        self.advance(&work);
    }

    /// What became of spans so far.
    pub fn counted(&self) -> Counted {
        let work = self.work.lock();
        let counts = work.retention.counts();
        let waiting = self.waiting.lock();
        let kept = Why::ALL.map(|why| (why.as_str(), counts.kept(why)));
        let decided = Reason::ALL.map(|reason| (reason.as_str(), counts.dropped(reason)));
        let lost = [
            ("queue_full", waiting.dropped),
            ("malformed", work.malformed),
        ];
        Counted {
            kept: kept.into(),
            dropped: decided.into_iter().chain(lost).collect(),
            pending: counts.pending_spans as u64,
            waiting: (waiting.spans + work.encoder.spans()) as u64,
        }
    }

    /// How long spans took so far; see `durations::metric`.
    pub fn durations(&self, bounds: Option<&Arc<[f64]>>) -> Option<Metric> {
        let (durations, since) = {
            let work = self.work.lock();
            (Arc::clone(&work.durations), work.since_ns)
        };
        durations::metric(&durations, since, wall_ns().unsigned_abs(), bounds)
    }

    /// In the child of a fork: with the child's own ring, and nothing of the parent's.
    pub fn renew(
        &self,
        recorder: Arc<Recorder>,
        policy: Policy,
        demand: Demand,
        resource: &[u8],
        schema_url: &str,
    ) {
        let mut work = Work::new(recorder, policy, Encoder::new(resource, schema_url));
        work.demand = demand;
        VERDICTS.renew(demand.wanted.then(|| work.retention.verdicts()));
        self.work.renew(work);
        self.waiting.renew(Waiting::default());
    }

    fn read(work: &mut Work) {
        let Work {
            recorder,
            retention,
            durations,
            malformed,
            read,
            ..
        } = work;
        let flight = &*recorder.flight;
        // Before reading: what is written meanwhile may not be read.
        *read = flight.written();
        let now = monotonic_ns();
        let mut durations = durations.record();
        flight.read(|position, record, body| {
            if record != kind::SPAN {
                return;
            }
            if let Ok(view) = View::parse(record, body) {
                let table = TableOf(flight);
                let head = view.head();
                let took = head.end_ns.saturating_sub(head.start_ns);
                durations.span(text(&table, head.name), head.kind, head.status, took);
                offer(retention, &table, &view, position, body, now);
            } else {
                *malformed += 1;
            }
        });
    }

    /// Offer spans that run for long as spans of their own, below them.
    fn show_long(&self, work: &mut Work) {
        let now = monotonic_ns();
        if now.saturating_sub(work.looked_ns) < LOOK_NS {
            return;
        }
        work.looked_ns = now;
        let date = self.core.wall.date_ns(crate::clock::ticks());
        let mut long = Vec::new();
        work.recorder.flight.open_spans(|span| {
            if date.saturating_sub(span.start_ns) >= LONG_NS {
                long.push(span);
            }
        });
        work.shown.retain(|id| {
            long.iter()
                .any(|span| u64::from_be_bytes(span.span_id) == *id)
        });
        let table = TableOf(&work.recorder.flight);
        let position = work.recorder.flight.written();
        for span in long {
            let id = u64::from_be_bytes(span.span_id);
            if work.shown.len() >= SHOWN || !work.shown.insert(id) {
                continue;
            }
            let mut buffer = [0; 256];
            let mut writer = Writer::new(&mut buffer);
            writer.head(&Head {
                trace_id: span.trace_id,
                span_id: (id ^ SHADOW).to_be_bytes(),
                parent_id: span.span_id,
                start_ns: span.start_ns,
                end_ns: date,
                name: Text::Known(span.name),
                scope: span.scope,
                kind: 1,
                trace_flags: SAMPLED,
                marks: marks::KEEP | marks::PENDING,
                ..Head::default()
            });
            let Some(length) = writer.finish() else {
                continue;
            };
            if let Ok(view) = View::parse(kind::PENDING, &buffer[..length]) {
                let body = &buffer[..length];
                offer(&mut work.retention, &table, &view, position, body, now);
            }
        }
    }

    /// Decide about what is complete; about everything when nobody tells which traces are open.
    fn decide(&self, work: &mut Work, open: Option<&HashSet<u128>>) {
        let Work {
            recorder,
            retention,
            encoder,
            oldest,
            demand,
            ..
        } = work;
        let flight = &*recorder.flight;
        let now = monotonic_ns();
        let table = TableOf(flight);
        let demand = *demand;
        let keep = |kept: Kept<Stored>| {
            if demand.wanted {
                if encoder.is_empty() {
                    *oldest = kept.payload.position;
                }
                *oldest = kept.payload.position.min(*oldest);
                encode(encoder, &table, &kept);
                if encoder.spans() >= demand.batch || encoder.len() >= REQUEST_BYTES {
                    let from = Origin {
                        recorder: Arc::clone(recorder),
                        oldest: *oldest,
                    };
                    self.push(encoder, demand, from);
                }
            }
        };
        let Some(before) = open else {
            retention.flush(now, keep);
            return;
        };
        let now_open = std::cell::OnceCell::new();
        let is_open = |trace: u128| {
            before.contains(&trace)
                || now_open
                    .get_or_init(|| open_traces(flight))
                    .contains(&trace)
        };
        retention.decide(now, is_open, keep);
    }

    fn close_request(&self, work: &mut Work) {
        if work.encoder.spans() > 0 {
            let from = work.origin();
            self.push(&mut work.encoder, work.demand, from);
        }
    }

    fn push(&self, encoder: &mut Encoder, demand: Demand, from: Origin) {
        let spans = encoder.spans();
        let request = encoder.finish();
        let mut waiting = self.waiting.lock();
        waiting.bytes += request.len();
        waiting.spans += spans;
        waiting.tickets += 1;
        let ticket = waiting.tickets;
        waiting.batches.push_back(Batch {
            request,
            spans,
            ticket,
            from,
        });
        while waiting.bytes > WAITING_BYTES || waiting.spans > demand.capacity {
            let Some(oldest) = waiting.batches.pop_front() else {
                break;
            };
            waiting.bytes -= oldest.request.len();
            waiting.spans -= oldest.spans;
            waiting.dropped += oldest.spans as u64;
        }
    }
}

impl Work {
    fn new(recorder: Arc<Recorder>, policy: Policy, encoder: Encoder) -> Self {
        Self {
            recorder,
            retention: Retention::new(policy),
            encoder,
            oldest: 0,
            read: 0,
            demand: Demand::default(),
            durations: Arc::new(SpanMetrics::new(SERIES)),
            shown: HashSet::new(),
            looked_ns: 0,
            since_ns: wall_ns().unsigned_abs(),
            malformed: 0,
        }
    }

    /// Where the spans in the encoder are from.
    fn origin(&self) -> Origin {
        Origin {
            recorder: Arc::clone(&self.recorder),
            oldest: self.oldest,
        }
    }
}

fn open_traces(flight: &Flight) -> HashSet<u128> {
    let mut open = HashSet::new();
    flight.open_spans(|span| {
        open.insert(u128::from_be_bytes(span.trace_id));
    });
    open
}

/// The outlet's part of the pump's work.
pub struct Tracing(pub Arc<Outlet>);

impl Task for Tracing {
    fn tick(&mut self, _now_ns: u64, _notices: &mut Vec<Notice>) {
        self.0.tick();
    }
}
