//! Series for whoever follows their values without the GIL.

use std::sync::{Arc, Weak};

use aggregate::dense::Dense;
use aggregate::exponential::enter;
use aggregate::fork::Renewable;
use pyo3::Python;
use wire::model::{
    Attributes, Buckets, Data, ExplicitPoint, ExponentialPoint, Number, Summary, Temporality,
};

use super::cell::{Cell, CellKind};
use super::histogram::HistogramCell;
use super::number::NumberCell;
use super::shared::Shared;
use super::stream::{Entry, StreamSpec};

/// Buckets of a histogram that are recorded.
const BUCKETS: u32 = 160;

/// Series that were made since somebody looked.
pub struct Tracker(pub Renewable<Vec<Newcomer>>);

/// More newcomers do not wait for somebody to look.
const WAITING: usize = 1 << 16;

impl Default for Tracker {
    fn default() -> Self {
        Self(Renewable::new(Vec::new()))
    }
}

impl Tracker {
    pub fn tell(&self, newcomer: Newcomer) {
        let mut waiting = self.0.lock();
        if waiting.len() < WAITING {
            waiting.push(newcomer);
        }
    }
}

impl Shared {
    /// Have whoever follows the series know of one that is new, or begins anew.
    pub fn tell(&self, spec: &Arc<StreamSpec>, entry: Option<&Entry>) {
        let (Some(entry), Ok(tracker)) = (entry, self.tracker.borrow()) else {
            return;
        };
        if let Some(tracker) = &*tracker {
            tracker.tell(Newcomer {
                spec: Arc::clone(spec),
                cell: Held::of(&entry.cell),
                attributes: Python::attach(|python| entry.attributes(python)),
                start_ns: entry.start_ns,
            });
        }
    }
}

/// A new series, or one that began anew.
pub struct Newcomer {
    pub spec: Arc<StreamSpec>,
    pub cell: Held,
    pub attributes: Arc<Attributes>,
    pub start_ns: u64,
}

/// A cell, as long as its series or a handle has it.
#[derive(Clone)]
pub enum Held {
    Number(Weak<NumberCell>),
    Histogram(Weak<HistogramCell>),
}

/// What a cell held at a moment.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    Number(Number),
    Explicit(Arc<[f64]>, ExplicitPoint),
    Exponential(ExponentialPoint),
}

/// Changes whenever something is measured, but for the same value of a gauge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stamp {
    Number(Number),
    Histogram { count: u64, sum: f64 },
}

impl Stamp {
    /// Whether nothing was ever measured, as far as can be told.
    pub fn is_zero(self) -> bool {
        match self {
            Self::Number(value) => value == Number::Int(0),
            Self::Histogram { count, .. } => count == 0,
        }
    }
}

impl Held {
    pub fn of(cell: &Cell) -> Self {
        match cell {
            Cell::Number(cell) => Self::Number(Arc::downgrade(cell)),
            Cell::Histogram(cell) => Self::Histogram(Arc::downgrade(cell)),
        }
    }

    /// Which cell it is; no other has this address while somebody has this.
    pub fn address(&self) -> usize {
        match self {
            Self::Number(cell) => cell.as_ptr() as usize,
            Self::Histogram(cell) => cell.as_ptr() as usize,
        }
    }

    /// `None` when the cell is gone.
    pub fn stamp(&self) -> Option<Stamp> {
        Some(match self {
            Self::Number(cell) => Stamp::Number(settled(&*cell.upgrade()?, NumberCell::get)),
            Self::Histogram(cell) => {
                let cell = cell.upgrade()?;
                Stamp::Histogram {
                    count: cell.count(),
                    sum: cell.sum(),
                }
            }
        })
    }

    /// All of it, histograms in explicit buckets where that is wanted and they have such.
    pub fn read(&self, explicit: bool) -> Option<Reading> {
        match self {
            Self::Number(cell) => {
                let cell = cell.upgrade()?;
                Some(Reading::Number(settled(&*cell, NumberCell::get)))
            }
            Self::Histogram(cell) => {
                let cell = cell.upgrade()?;
                Some(settled(&*cell, |cell| histogram(cell, explicit)))
            }
        }
    }
}

/// What two readings agree on: somebody may be in the middle of a change. Who changes all the time is read as it is.
fn settled<C, T: PartialEq>(cell: &C, read: impl Fn(&C) -> T) -> T {
    let mut found = read(cell);
    for _ in 0..3 {
        let again = read(cell);
        if again == found {
            break;
        }
        found = again;
    }
    found
}

fn histogram(cell: &HistogramCell, explicit: bool) -> Reading {
    let summary = |count| Summary {
        attributes: Arc::default(),
        start_ns: 0,
        time_ns: 0,
        count,
        sum: Some(cell.sum()),
        min_max: None,
        exemplars: Vec::new(),
    };
    if explicit {
        if let Some((bounds, counts)) = cell.first_explicit() {
            let summary = summary(counts.iter().sum());
            return Reading::Explicit(bounds, ExplicitPoint { summary, counts });
        }
    }
    let (mut positive, mut negative) = (Dense::default(), Dense::default());
    {
        let reading = enter();
        cell.positive.read_with(&reading, &mut positive);
        if let Some(negatives) = cell.negatives() {
            negatives.read_with(&reading, &mut negative);
        }
    }
    let zero_count = cell.zero();
    let scale = super::subscription::coarsen(&mut positive, &mut negative, BUCKETS, 20);
    let count = zero_count + positive.total() + negative.total();
    let buckets = |dense: Dense| Buckets {
        offset: dense.offset,
        counts: dense.counts,
    };
    Reading::Exponential(ExponentialPoint {
        summary: summary(count),
        scale,
        zero_count,
        positive: buckets(positive),
        negative: buckets(negative),
    })
}

/// What kind of metric a stream's series are, without points.
pub fn kind_of(spec: &StreamSpec, reading: &Reading) -> Data {
    let temporality = Temporality::Cumulative;
    match reading {
        Reading::Number(_) if spec.cell == CellKind::LastValue => {
            Data::Gauge { points: Vec::new() }
        }
        Reading::Number(_) => Data::Sum {
            temporality,
            monotonic: spec.monotonic,
            points: Vec::new(),
        },
        Reading::Explicit(bounds, _) => Data::Explicit {
            temporality,
            bounds: Arc::clone(bounds),
            points: Vec::new(),
        },
        Reading::Exponential(_) => Data::Exponential {
            temporality,
            points: Vec::new(),
        },
    }
}
