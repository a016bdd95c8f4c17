//! Events that belong to one trace: from the candle over the signal and the order to the fill.
//!
//! For each trace the first and last time of every stage is kept. When a stage of the configured chain is seen for
//! the first time, the time since the nearest earlier stage is a step; when it is the chain's last stage, the time
//! since the first is the whole way. A bounded number of traces is kept, the one not touched for longest goes first.

use crate::event::Event;
use crate::ids::ById;

/// Traces that are kept.
pub const MAX_CHAINS: usize = 4_096;

/// How long a trace is kept after its last event, one minute.
pub const EXPIRY_NS: u64 = 60_000_000_000;

/// Different stages that are kept of one trace.
pub const MAX_STAGES: usize = 8;

const NONE: u32 = u32::MAX;

/// What is known of one stage of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stage {
    /// Which stage.
    pub id: u16,
    /// Events of it.
    pub events: u32,
    /// Ticks of the first.
    pub first: u64,
    /// Ticks of the last.
    pub last: u64,
}

/// Time between two stages of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The earlier stage.
    pub from: u16,
    /// The later stage.
    pub to: u16,
    /// Ticks from the first event of the one to the first event of the other.
    pub ticks: u64,
    /// Whether it is the whole way, from the chain's first stage to its last.
    pub whole: bool,
    /// Traces it stands for.
    pub weight: u32,
}

/// What became of the traces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Traces that went the whole way.
    pub completed: u64,
    /// Traces that began but did not reach the last stage before their time was over.
    pub expired: u64,
    /// Traces that began and made room for newer ones before they reached the last stage.
    pub evicted: u64,
    /// Events of a ninth stage of a trace, which are not kept.
    pub crowded: u64,
}

#[derive(Debug)]
struct Chain {
    trace: u64,
    stages: [Stage; MAX_STAGES],
    used: usize,
    touched: u64,
    /// The neighbours in the order of last touch.
    older: u32,
    newer: u32,
    completed: bool,
}

/// The traces of late and how their stages follow each other.
#[derive(Debug)]
pub struct Correlation {
    order: Vec<u16>,
    capacity: usize,
    places: ById<u32>,
    chains: Vec<Chain>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    outcomes: Outcomes,
}

impl Correlation {
    /// Follow traces through the stages `order`; at most `capacity` of them at a time, memory taken as needed.
    #[must_use]
    pub fn new(order: &[u16], capacity: usize) -> Self {
        Self {
            order: order.to_vec(),
            capacity: capacity.clamp(1, NONE as usize),
            places: ById::default(),
            chains: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            outcomes: Outcomes::default(),
        }
    }

    /// Note an event of a trace; each step that it completes is handed over.
    pub fn observe(&mut self, event: &Event, mut step: impl FnMut(Step)) {
        if event.correlation == 0 {
            return;
        }
        let place = self.place(event.correlation, event.ticks);
        let chain = &mut self.chains[place as usize];
        let used = chain.used;
        if let Some(stage) = chain.stages[..used]
            .iter_mut()
            .find(|stage| stage.id == event.id)
        {
            stage.events = stage.events.saturating_add(1);
            stage.last = event.ticks;
            return;
        }
        if used == MAX_STAGES {
            self.outcomes.crowded += 1;
            return;
        }
        chain.stages[used] = Stage {
            id: event.id,
            events: 1,
            first: event.ticks,
            last: event.ticks,
        };
        chain.used += 1;
        let Some(position) = self.order.iter().position(|&id| id == event.id) else {
            return;
        };
        for way in steps(chain, &self.order, position, event)
            .into_iter()
            .flatten()
        {
            if way.whole {
                chain.completed = true;
                self.outcomes.completed += 1;
            }
            step(way);
        }
    }

    /// Note that a stage of a trace ended.
    pub fn ended(&mut self, trace: u64, id: u16, ticks: u64) {
        let Some(place) = self.known(trace, ticks) else {
            return;
        };
        let chain = &mut self.chains[place as usize];
        if let Some(stage) = chain.stages[..chain.used]
            .iter_mut()
            .find(|stage| stage.id == id)
        {
            stage.last = stage.last.max(ticks);
        }
    }

    /// The stages of a trace in the order of their first events; `None` when it is not (or no longer) known.
    #[must_use]
    pub fn explain(&self, trace: u64) -> Option<Vec<Stage>> {
        let chain = &self.chains[*self.places.get(&trace)? as usize];
        let mut stages = chain.stages[..chain.used].to_vec();
        stages.sort_by_key(|stage| stage.first);
        Some(stages)
    }

    /// Forget traces without an event since these ticks.
    pub fn expire(&mut self, before: u64) {
        while self.oldest != NONE && self.chains[self.oldest as usize].touched < before {
            let incomplete = self.forget_oldest();
            self.outcomes.expired += u64::from(incomplete);
        }
    }

    /// Traces that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no trace is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What became of the traces so far.
    #[must_use]
    pub const fn outcomes(&self) -> Outcomes {
        self.outcomes
    }

    /// The stages of the chain.
    #[must_use]
    pub fn order(&self) -> &[u16] {
        &self.order
    }

    /// Forget all traces and count from zero.
    pub fn reset(&mut self) {
        *self = Self::new(&self.order, self.capacity);
    }

    /// Where a known trace is, which is the newest now.
    fn known(&mut self, trace: u64, ticks: u64) -> Option<u32> {
        if let Some(newest) = self.chains.get_mut(self.newest as usize) {
            if newest.trace == trace {
                newest.touched = newest.touched.max(ticks);
                return Some(self.newest);
            }
        }
        let place = *self.places.get(&trace)?;
        self.unlink(place);
        self.link_newest(place, ticks);
        Some(place)
    }

    /// Where a trace is from now on.
    fn place(&mut self, trace: u64, ticks: u64) -> u32 {
        if let Some(place) = self.known(trace, ticks) {
            return place;
        }
        if self.places.len() >= self.capacity {
            let incomplete = self.forget_oldest();
            self.outcomes.evicted += u64::from(incomplete);
        }
        let chain = Chain {
            trace,
            stages: [Stage::default(); MAX_STAGES],
            used: 0,
            touched: ticks,
            older: NONE,
            newer: NONE,
            completed: false,
        };
        let place = if let Some(place) = self.free.pop() {
            self.chains[place as usize] = chain;
            place
        } else {
            self.chains.push(chain);
            u32::try_from(self.chains.len() - 1).unwrap_or(NONE)
        };
        self.places.insert(trace, place);
        self.link_newest(place, ticks);
        place
    }

    /// Whether it had begun and not reached its end.
    fn forget_oldest(&mut self) -> bool {
        let place = self.oldest;
        self.unlink(place);
        self.free.push(place);
        let chain = &self.chains[place as usize];
        self.places.remove(&chain.trace);
        let began = chain.stages[..chain.used]
            .iter()
            .any(|stage| self.order.contains(&stage.id));
        began && !chain.completed
    }

    fn link_newest(&mut self, place: u32, ticks: u64) {
        let newest = self.newest;
        let chain = &mut self.chains[place as usize];
        (chain.older, chain.newer) = (newest, NONE);
        chain.touched = chain.touched.max(ticks);
        if newest == NONE {
            self.oldest = place;
        } else {
            self.chains[newest as usize].newer = place;
        }
        self.newest = place;
    }

    fn unlink(&mut self, place: u32) {
        let (older, newer) = {
            let chain = &self.chains[place as usize];
            (chain.older, chain.newer)
        };
        if older == NONE {
            self.oldest = newer;
        } else {
            self.chains[older as usize].newer = newer;
        }
        if newer == NONE {
            self.newest = older;
        } else {
            self.chains[newer as usize].older = older;
        }
    }
}

/// The step from the nearest earlier stage, and the whole way when this is the last.
fn steps(chain: &Chain, order: &[u16], position: usize, event: &Event) -> [Option<Step>; 2] {
    let seen = |id: u16| {
        chain.stages[..chain.used]
            .iter()
            .find(|stage| stage.id == id)
    };
    let since = |earlier: &Stage, whole: bool| {
        // A stage that was overtaken by a later one is no step.
        let ticks = event.ticks.checked_sub(earlier.first)?;
        Some(Step {
            from: earlier.id,
            to: event.id,
            ticks,
            whole,
            weight: event.weight,
        })
    };
    let nearest = order[..position].iter().rev().find_map(|&id| seen(id));
    let first = (position > 0 && position == order.len() - 1)
        .then(|| seen(order[0]))
        .flatten();
    [
        nearest.and_then(|stage| since(stage, false)),
        first.and_then(|stage| since(stage, true)),
    ]
}

#[cfg(all(test, not(loom)))]
mod tests;
