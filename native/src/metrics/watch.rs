//! A watched histogram: windows, percentiles and a budget, looked after without the GIL.

use std::sync::Arc;

use aggregate::budget::{Excess, Limiter, NOTICE_INTERVAL_NS};
use aggregate::dense::Dense;
use aggregate::fork::Renewable;
use aggregate::quantile::Distribution;
use aggregate::window::{Span, Stats, Totals, Windows};

use super::histogram::HistogramCell;

pub struct Watch {
    name: Arc<str>,
    cell: Arc<HistogramCell>,
    state: Renewable<State>,
}

struct State {
    windows: Windows,
    limiter: Limiter,
    zero: u64,
    greatest: f64,
    /// Whether the update before found something: a measurement may then have been recorded half.
    settling: bool,
    scratch: Dense,
}

impl State {
    fn new(now_ns: u64) -> Self {
        Self {
            windows: Windows::new(now_ns),
            limiter: Limiter::new(NOTICE_INTERVAL_NS),
            zero: 0,
            greatest: 0.0,
            settling: false,
            scratch: Dense::default(),
        }
    }
}

impl Watch {
    pub fn new(name: &str, cell: Arc<HistogramCell>, now_ns: u64) -> Self {
        Self {
            name: name.into(),
            cell,
            state: Renewable::new(State::new(now_ns)),
        }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn cell(&self) -> &Arc<HistogramCell> {
        &self.cell
    }

    /// Bring the windows up to date; what there is to tell about the budget. From any thread.
    pub fn tick(&self, now_ns: u64) -> Option<Excess> {
        let mut state = self.state.lock();
        let greatest = self.update(&mut state, now_ns);
        state.limiter.observe(&self.cell.budget, greatest, now_ns)
    }

    /// Statistics of a window, or since the beginning, as of now. From any thread.
    pub fn stats(&self, span: Option<Span>, now_ns: u64) -> Stats {
        let mut state = self.state.lock();
        let greatest = self.update(&mut state, now_ns);
        state.limiter.note(&self.cell.budget, greatest);
        if let Some(span) = span {
            return state.windows.stats(span);
        }
        let mut all = Dense::default();
        self.cell.positive.read(&mut all);
        let values = Distribution::of_positive(self.cell.zero(), &all, state.greatest);
        Stats {
            seconds: state.windows.age(),
            count: values.count(),
            sum: self.cell.sum(),
            max: state.greatest,
            quantiles: values.quantiles(),
        }
    }

    /// Begin anew, with another lock: in the child of a fork.
    pub fn renew(&self, now_ns: u64) {
        self.state.renew(State::new(now_ns));
    }

    fn update(&self, state: &mut State, now_ns: u64) -> f64 {
        let zero = self.cell.zero();
        let found = self.cell.has_recent() || zero != state.zero;
        if !std::mem::replace(&mut state.settling, found) && !found {
            state.windows.pass(now_ns);
            return 0.0;
        }
        let mut scratch = std::mem::take(&mut state.scratch);
        self.cell.positive.read(&mut scratch);
        let greatest = self.cell.take_recent();
        state.greatest = state.greatest.max(greatest);
        state.zero = zero;
        let totals = Totals {
            zero,
            sum: self.cell.sum(),
            greatest,
        };
        state.windows.update(now_ns, &mut scratch, totals);
        state.scratch = scratch;
        greatest
    }
}
