//! The reading side: empties the queue and knows what was measured.

use std::sync::Arc;

use aggregate::dense::Dense;

use crate::correlation::{self, Correlation, Outcomes, Stage};
use crate::distribution::{Content, Distribution};
use crate::event::{Event, Kind};
use crate::pairing::{self, Pairing, Unmatched};
use crate::producer::{EventRing, Offered};
use crate::sampling::{Governor, Sampling};
use crate::series::{Series, Statistics};
use crate::spsc::{Consumer, Level};

/// Traces and open measurements are checked for their age this often.
const SWEEP_NS: u64 = 1_000_000_000;

/// The stages of a trade in the field's requirement documents: candle, signal, order, fill.
pub const CHAIN: [u16; 4] = [1, 2, 3, 4];

/// The budgets of the same documents by stage, in nanoseconds: 50, 10 and 5 ms.
pub const BUDGETS: [(u16, u64); 3] = [(1, 50_000_000), (2, 10_000_000), (3, 5_000_000)];

/// What turns ticks into time.
pub trait Clock {
    /// Ticks at this moment.
    fn now(&self) -> u64;

    /// Nanoseconds of a difference of ticks.
    fn ns(&self, ticks: u64) -> u64;
}

/// What a reader does beside counting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Budgets by stage, in nanoseconds.
    pub budgets: Vec<(u16, u64)>,
    /// The stages whose steps are measured, in order.
    pub chain: Vec<u16>,
    /// Measurements that may be open at a time.
    pub max_open: usize,
    /// Traces that are kept.
    pub max_chains: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            budgets: BUDGETS.to_vec(),
            chain: CHAIN.to_vec(),
            max_open: pairing::MAX_OPEN,
            max_chains: correlation::MAX_CHAINS,
        }
    }
}

/// A budget was exceeded, perhaps often; told at a bounded rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which stage.
    pub id: u16,
    /// Its budget in nanoseconds.
    pub budget_ns: u64,
    /// Measurements over it since the last notice.
    pub count: u64,
    /// Measurements over it ever.
    pub total: u64,
    /// The worst of them in nanoseconds.
    pub worst_ns: u64,
}

/// What is known of the queue as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Health {
    /// Measurements that asked to be recorded.
    pub offered: u64,
    /// Those that were not sampled.
    pub skipped: u64,
    /// Events lost because the queue was full.
    pub dropped: u64,
    /// Events taken from the queue.
    pub drained: u64,
    /// The fullest the queue was found, 0 to 1, since the last time somebody asked.
    pub utilization: f64,
    /// Events the queue holds.
    pub capacity: usize,
    /// The sampling rate in force.
    pub rate: f64,
    /// Measurements without an end yet.
    pub open: usize,
    /// STARTs and ENDs that found no partner.
    pub unmatched: Unmatched,
    /// Traces that are kept.
    pub chains: usize,
    /// What became of the traces.
    pub outcomes: Outcomes,
}

/// How long traces take from one stage to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// The earlier stage.
    pub from: u16,
    /// The later stage.
    pub to: u16,
    /// Whether it is the whole way through the chain.
    pub whole: bool,
    /// Seconds.
    pub seconds: Content,
}

/// The reading side; one thread at a time.
#[derive(Debug)]
pub struct Drainer<C> {
    reader: Consumer<Event>,
    level: Level<Event>,
    offered: Arc<Offered>,
    sampling: Arc<Sampling>,
    governor: Governor,
    state: State<C>,
    fullest: f64,
    swept_ns: u64,
    /// Totals at the last reset.
    zero: (u64, u64, u64),
}

/// What events change; apart from the queue that lends them.
#[derive(Debug)]
struct State<C> {
    clock: C,
    options: Options,
    series: Vec<Option<Box<Series>>>,
    pairing: Pairing,
    correlation: Correlation,
    ways: Vec<((u16, u16, bool), Distribution)>,
    drained: u64,
    latest: u64,
    ticked_ns: u64,
}

impl<C: Clock> Drainer<C> {
    /// Read what `ring` writes.
    #[must_use]
    pub fn new(
        ring: &EventRing,
        reader: Consumer<Event>,
        sampling: Arc<Sampling>,
        clock: C,
        options: Options,
    ) -> Self {
        let state = State {
            clock,
            pairing: Pairing::new(options.max_open),
            correlation: Correlation::new(&options.chain, options.max_chains),
            options,
            series: Vec::new(),
            ways: Vec::new(),
            drained: 0,
            latest: 0,
            ticked_ns: 0,
        };
        Self {
            reader,
            level: ring.level(),
            offered: ring.offered(),
            sampling,
            governor: Governor::default(),
            state,
            fullest: 0.0,
            swept_ns: 0,
            zero: (0, 0, 0),
        }
    }

    /// Read from another queue from now on, after all that is in this one.
    pub fn follow(&mut self, ring: &EventRing, reader: Consumer<Event>) {
        self.drain();
        let (offered, skipped, dropped) = self.zero;
        // What the old queue counted stays counted.
        self.zero = (
            offered.wrapping_sub(self.offered.total()),
            skipped.wrapping_sub(self.offered.skipped()),
            dropped.wrapping_sub(self.level.dropped()),
        );
        self.governor.recount();
        (self.reader, self.level, self.offered) = (reader, ring.level(), ring.offered());
    }

    /// Say when it is, before the first tick: windows begin then.
    pub fn begin(&mut self, now_ns: u64) {
        if self.state.ticked_ns == 0 {
            self.state.ticked_ns = now_ns;
        }
    }

    /// Take what is in the queue, follow the load, move the windows; `now_ns` is any clock that runs forward.
    ///
    /// Budgets that were exceeded are handed to `notice`, each at most every ten seconds. How many events there were.
    pub fn tick(&mut self, now_ns: u64, mut notice: impl FnMut(Violation)) -> usize {
        self.begin(now_ns);
        let drained = self.drain();
        self.governor
            .tick(now_ns, self.offered.total(), &self.sampling);
        self.state.ticked_ns = now_ns;
        let mut memory = Dense::default();
        for (id, series) in self.state.series.iter_mut().enumerate() {
            let (Some(series), Ok(id)) = (series, u16::try_from(id)) else {
                continue;
            };
            if let Some(violation) = series.tick(id, now_ns, &mut memory) {
                notice(violation);
            }
        }
        if now_ns.saturating_sub(self.swept_ns) >= SWEEP_NS {
            self.swept_ns = now_ns;
            self.state.sweep();
        }
        drained
    }

    /// Take what is in the queue; how many events.
    pub fn drain(&mut self) -> usize {
        self.fullest = self.fullest.max(self.level.utilization());
        let state = &mut self.state;
        self.reader.drain(self.level.capacity(), |batch| {
            for event in batch {
                state.take(event);
            }
        })
    }

    /// Everything about every stage, counter, gauge and histogram seen so far, ascending by id.
    #[must_use]
    pub fn statistics(&self) -> Vec<Statistics> {
        let series = self.state.series.iter().enumerate();
        series
            .filter_map(|(id, series)| Some(series.as_ref()?.statistics(u16::try_from(id).ok()?)))
            .collect()
    }

    /// Everything about one of them; `None` when it was never seen.
    #[must_use]
    pub fn statistics_of(&self, id: u16) -> Option<Statistics> {
        Some(
            self.state
                .series
                .get(usize::from(id))?
                .as_ref()?
                .statistics(id),
        )
    }

    /// Durations since the last call by stage: seconds that stand for a bucket each, with how often they were.
    pub fn fresh(&mut self) -> Vec<(u16, Vec<(f64, u64)>)> {
        let series = self.state.series.iter_mut().enumerate();
        series
            .filter_map(|(id, series)| Some((u16::try_from(id).ok()?, series.as_mut()?.fresh())))
            .filter(|(_, fresh)| !fresh.is_empty())
            .collect()
    }

    /// How long traces take between stages.
    #[must_use]
    pub fn ways(&self) -> Vec<Way> {
        let ways = self.state.ways.iter();
        ways.map(|&((from, to, whole), ref seconds)| Way {
            from,
            to,
            whole,
            seconds: seconds.content(),
        })
        .collect()
    }

    /// The stages of a trace with their times in nanoseconds before now, oldest first.
    #[must_use]
    pub fn explain(&self, trace: u64) -> Option<Vec<Stage>> {
        let now = self.state.clock.now();
        let ago = |ticks: u64| self.state.clock.ns(now.saturating_sub(ticks));
        let stages = self.state.correlation.explain(trace)?;
        let timed = stages.into_iter().map(|stage| Stage {
            first: ago(stage.first),
            last: ago(stage.last),
            ..stage
        });
        Some(timed.collect())
    }

    /// How the queue does; asking starts the search for its fullest moment anew.
    pub fn health(&mut self) -> Health {
        let (offered, skipped, dropped) = self.zero;
        let utilization = self.fullest.max(self.level.utilization());
        self.fullest = 0.0;
        Health {
            offered: self.offered.total().wrapping_sub(offered),
            skipped: self.offered.skipped().wrapping_sub(skipped),
            dropped: self.level.dropped().wrapping_sub(dropped),
            drained: self.state.drained,
            utilization,
            capacity: self.level.capacity(),
            rate: self.sampling.rate(),
            open: self.state.pairing.open(),
            unmatched: self.state.pairing.unmatched(),
            chains: self.state.correlation.len(),
            outcomes: self.state.correlation.outcomes(),
        }
    }

    /// Another budget for a stage, or none; what was counted stays.
    pub fn set_budget(&mut self, id: u16, budget_ns: Option<u64>) {
        self.state.options.budgets.retain(|&(stage, _)| stage != id);
        if let Some(budget_ns) = budget_ns {
            self.state.options.budgets.push((id, budget_ns));
        }
        if let Some(Some(series)) = self.state.series.get_mut(usize::from(id)) {
            series.set_budget(budget_ns);
        }
    }

    /// Count from zero: what is in the queue and all traces are forgotten, measurements under way may still end.
    pub fn reset(&mut self) {
        self.drain();
        self.zero = (
            self.offered.total(),
            self.offered.skipped(),
            self.level.dropped(),
        );
        self.fullest = 0.0;
        let state = &mut self.state;
        state.series.clear();
        state.ways.clear();
        state.drained = 0;
        state.pairing.reset();
        state.correlation.reset();
    }
}

impl Clock for aggregate::clock::Ticks {
    fn now(&self) -> u64 {
        Self::now()
    }

    fn ns(&self, ticks: u64) -> u64 {
        Self::nanoseconds_between(0, ticks)
    }
}

impl<C: Clock> State<C> {
    #[inline]
    fn take(&mut self, event: &Event) {
        self.drained += 1;
        self.latest = self.latest.max(event.ticks);
        match event.kind {
            Kind::Start => self.pairing.start(event),
            Kind::End => {
                if let Some(pair) = self.pairing.end(event) {
                    let ns = self.clock.ns(pair.ticks);
                    let since_ns = self.ticked_ns;
                    self.series(pair.id).measured(ns, pair.weight, since_ns);
                    self.correlation
                        .ended(pair.correlation, pair.id, event.ticks);
                }
                return;
            }
            Kind::Counter => self.series(event.id).counted(event.amount(), event.weight),
            Kind::Gauge => self.series(event.id).set(event.amount()),
            Kind::Histogram => self.series(event.id).observed(event.amount(), event.weight),
        }
        if event.correlation != 0 {
            self.follow(event);
        }
    }

    fn follow(&mut self, event: &Event) {
        let Self {
            clock,
            correlation,
            ways,
            ..
        } = self;
        correlation.observe(event, |step| {
            let key = (step.from, step.to, step.whole);
            let place = ways
                .iter()
                .position(|(way, _)| *way == key)
                .unwrap_or_else(|| {
                    ways.push((key, Distribution::default()));
                    ways.len() - 1
                });
            ways[place]
                .1
                .record(seconds(clock.ns(step.ticks)), step.weight);
        });
    }

    fn series(&mut self, id: u16) -> &mut Series {
        let place = usize::from(id);
        if place >= self.series.len() {
            self.series.resize_with(place + 1, || None);
        }
        let budgets = &self.options.budgets;
        self.series[place].get_or_insert_with(|| {
            let budget = budgets.iter().find(|(stage, _)| *stage == id);
            Box::new(Series::new(budget.map(|&(_, budget_ns)| budget_ns)))
        })
    }

    fn sweep(&mut self) {
        let now = self.clock.now().max(self.latest);
        let per_second = self.clock.ns(1_000_000_000).max(1);
        let before = |age_ns: u64| {
            let ticks = u128::from(age_ns) * 1_000_000_000 / u128::from(per_second);
            now.saturating_sub(u64::try_from(ticks).unwrap_or(u64::MAX))
        };
        self.pairing.expire(before(pairing::EXPIRY_NS));
        self.correlation.expire(before(correlation::EXPIRY_NS));
    }
}

/// Nanoseconds as the seconds that OpenTelemetry exports.
#[allow(clippy::cast_precision_loss)] // durations are below 2^53 ns, 104 days
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[cfg(all(test, not(loom)))]
mod tests;
