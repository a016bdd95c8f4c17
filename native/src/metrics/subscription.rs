//! What a reader gets of one stream: its points, collected under the GIL in short pieces.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aggregate::dense::Dense;
use aggregate::exponential::enter;
use pyo3::prelude::*;
use wire::model::{
    Buckets, Data, Exemplar, ExplicitPoint, ExponentialPoint, Metric, Number, NumberPoint, Summary,
    Temporality,
};

use super::cell::Cell;
use super::explicit::Bounds;
use super::histogram::HistogramCell;
use super::stream::{Entry, Stream};

/// Nobody waits longer than this for the GIL because of a collection.
const LONGEST_HOLD: Duration = Duration::from_micros(500);

/// Whoever waits for the GIL needs this long to take it; giving it up for less gives it to nobody.
const SHORTEST_REST: Duration = Duration::from_micros(50);

/// Series between two looks at the time.
const SERIES_PER_LOOK: usize = 32;

/// What a reader makes of a stream.
#[derive(Clone)]
pub enum Aggregation {
    Sum,
    LastValue,
    Explicit(Arc<Bounds>),
    Exponential { max_size: u32, max_scale: i32 },
}

pub struct Subscription {
    pub reader: u64,
    pub stream: Arc<Stream>,
    pub aggregation: Aggregation,
    pub temporality: Temporality,
    pub min_max: bool,
    /// What each series held at the last collection; deltas only.
    pub previous: HashMap<u64, Previous>,
    pub last_epoch: u64,
}

#[derive(Default)]
pub struct Previous {
    number: Option<Number>,
    sum: f64,
    zero: u64,
    positive: Dense,
    negative: Dense,
    counts: Vec<u64>,
}

/// One collection.
pub struct Collection<'p> {
    pub python: Python<'p>,
    pub epoch: u64,
    pub now: u64,
    /// When this reader last collected; 0 is never.
    pub last: u64,
    pub reader: u64,
    pub exemplars_since: u64,
    pub gauge_ttl_ns: u64,
}

/// Gives up the GIL when it was held long enough.
pub struct Pause {
    allowed: bool,
    since: Instant,
    series: usize,
}

impl Pause {
    pub fn new(allowed: bool) -> Self {
        Self {
            allowed,
            since: Instant::now(),
            series: 0,
        }
    }

    fn after_one(&mut self, python: Python<'_>) {
        self.series += 1;
        if self.allowed
            && self.series.is_multiple_of(SERIES_PER_LOOK)
            && self.since.elapsed() > LONGEST_HOLD
        {
            python.detach(|| std::thread::sleep(SHORTEST_REST));
            self.since = Instant::now();
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stream.remove_delta_reader(self.reader);
    }
}

impl Subscription {
    pub fn collect(&mut self, collection: &Collection<'_>, pause: &mut Pause) -> Option<Metric> {
        let stream = Arc::clone(&self.stream);
        let readers = stream.delta_readers();
        let (mut numbers, mut explicit, mut exponential) = (Vec::new(), Vec::new(), Vec::new());
        let mut stale = Vec::new();
        for place in 0..stream.places() {
            stream.visit(place, |entry| {
                entry.settle(collection.epoch, collection.now);
                if !self.is_reported(entry, collection.epoch) {
                    return;
                }
                if self.is_stale(entry, collection) {
                    stale.push(place);
                    return;
                }
                match (&self.aggregation, entry.cell.clone()) {
                    (Aggregation::Sum | Aggregation::LastValue, cell) => {
                        numbers.push(self.number(entry, &cell, collection));
                    }
                    (Aggregation::Explicit(bounds), Cell::Histogram(cell)) => {
                        let bounds = Arc::clone(bounds);
                        explicit.extend(self.explicit(entry, &cell, &bounds, &readers, collection));
                    }
                    (
                        &Aggregation::Exponential {
                            max_size,
                            max_scale,
                        },
                        Cell::Histogram(cell),
                    ) => {
                        exponential.push(self.exponential(
                            entry,
                            &cell,
                            (max_size, max_scale),
                            &readers,
                            collection,
                        ));
                    }
                    _ => {}
                }
            });
            pause.after_one(collection.python);
        }
        for place in stale {
            stream.remove_at(place);
        }
        self.last_epoch = collection.epoch;
        if self.previous.len() > 2 * stream.places() + 64 {
            self.forget_gone(&stream);
        }
        let temporality = self.temporality;
        let data = match &self.aggregation {
            Aggregation::Sum if !numbers.is_empty() => Data::Sum {
                temporality,
                monotonic: stream.spec.monotonic,
                points: numbers,
            },
            Aggregation::LastValue if !numbers.is_empty() => Data::Gauge { points: numbers },
            Aggregation::Explicit(bounds) if !explicit.is_empty() => Data::Explicit {
                temporality,
                bounds: Arc::clone(bounds.upper()),
                points: explicit,
            },
            Aggregation::Exponential { .. } if !exponential.is_empty() => Data::Exponential {
                temporality,
                points: exponential,
            },
            _ => return None,
        };
        Some(Metric {
            identity: Arc::clone(&stream.spec.identity),
            data,
        })
    }

    fn is_reported(&self, entry: &Entry, epoch: u64) -> bool {
        if self.stream.spec.asynchronous {
            return entry.observed_epoch == epoch;
        }
        match self.temporality {
            Temporality::Delta => entry.touched_epoch > self.last_epoch,
            Temporality::Cumulative => entry.touched_epoch > 0,
        }
    }

    /// Whether a gauge was not set for longer than gauges live.
    fn is_stale(&self, entry: &Entry, collection: &Collection<'_>) -> bool {
        collection.gauge_ttl_ns > 0
            && !self.stream.spec.asynchronous
            && matches!(self.aggregation, Aggregation::LastValue)
            && collection.now.saturating_sub(entry.touched_ns) > collection.gauge_ttl_ns
    }

    fn start_ns(&self, entry: &Entry, collection: &Collection<'_>) -> u64 {
        match self.temporality {
            Temporality::Delta => entry.start_ns.max(collection.last),
            Temporality::Cumulative => entry.start_ns,
        }
    }

    fn number(&mut self, entry: &Entry, cell: &Cell, collection: &Collection<'_>) -> NumberPoint {
        let is_sum = matches!(self.aggregation, Aggregation::Sum);
        let total = match cell {
            Cell::Number(cell) => cell.get(),
            Cell::Histogram(cell) => Number::Float(cell.sum()),
        };
        let mut value = total;
        if is_sum && self.temporality == Temporality::Delta {
            let previous = self.previous.entry(entry.id).or_default();
            value = previous
                .number
                .map_or(total, |previous| difference(total, previous));
            previous.number = Some(total);
        }
        NumberPoint {
            attributes: entry.attributes(collection.python),
            start_ns: if is_sum {
                self.start_ns(entry, collection)
            } else {
                0
            },
            time_ns: collection.now,
            value,
            exemplars: exemplars(cell, collection),
        }
    }

    fn summary(
        &self,
        entry: &mut Entry,
        cell: &Arc<HistogramCell>,
        readers: &[u64],
        collection: &Collection<'_>,
        (count, sum): (u64, f64),
    ) -> Summary {
        let delta = (self.temporality == Temporality::Delta).then_some(collection.reader);
        let extremes = entry.extremes(cell, readers, delta);
        Summary {
            attributes: entry.attributes(collection.python),
            start_ns: self.start_ns(entry, collection),
            time_ns: collection.now,
            count,
            sum: Some(sum),
            min_max: extremes.filter(|_| self.min_max && count > 0),
            exemplars: exemplars(&Cell::Histogram(Arc::clone(cell)), collection),
        }
    }

    fn explicit(
        &mut self,
        entry: &mut Entry,
        cell: &Arc<HistogramCell>,
        bounds: &Arc<Bounds>,
        readers: &[u64],
        collection: &Collection<'_>,
    ) -> Option<ExplicitPoint> {
        let (mut counts, mut sum) = (cell.explicit(bounds)?, cell.sum());
        if self.temporality == Temporality::Delta {
            let previous = self.previous.entry(entry.id).or_default();
            let (totals, total) = (counts.clone(), sum);
            for (count, previous) in counts.iter_mut().zip(&previous.counts) {
                *count = count.saturating_sub(*previous);
            }
            sum -= previous.sum;
            (previous.counts, previous.sum) = (totals, total);
        }
        let summary = self.summary(entry, cell, readers, collection, (counts.iter().sum(), sum));
        Some(ExplicitPoint { summary, counts })
    }

    fn exponential(
        &mut self,
        entry: &mut Entry,
        cell: &Arc<HistogramCell>,
        (max_size, max_scale): (u32, i32),
        readers: &[u64],
        collection: &Collection<'_>,
    ) -> ExponentialPoint {
        let (mut positive, mut negative) = (Dense::default(), Dense::default());
        {
            let reading = enter();
            cell.positive.read_with(&reading, &mut positive);
            if let Some(negatives) = cell.negatives() {
                negatives.read_with(&reading, &mut negative);
            }
        }
        let (mut zero, mut sum) = (cell.zero(), cell.sum());
        if self.temporality == Temporality::Delta {
            let previous = self.previous.entry(entry.id).or_default();
            let totals = (positive.clone(), negative.clone(), zero, sum);
            positive.subtract(&previous.positive);
            negative.subtract(&previous.negative);
            zero = zero.saturating_sub(previous.zero);
            sum -= previous.sum;
            (
                previous.positive,
                previous.negative,
                previous.zero,
                previous.sum,
            ) = totals;
        }
        let scale = coarsen(&mut positive, &mut negative, max_size, max_scale);
        let count = zero + positive.total() + negative.total();
        ExponentialPoint {
            summary: self.summary(entry, cell, readers, collection, (count, sum)),
            scale,
            zero_count: zero,
            positive: buckets(positive),
            negative: buckets(negative),
        }
    }

    #[cold]
    fn forget_gone(&mut self, stream: &Stream) {
        let alive: std::collections::HashSet<u64> = (0..stream.places())
            .filter_map(|place| stream.visit(place, |entry| entry.id))
            .collect();
        self.previous.retain(|id, _| alive.contains(id));
    }
}

/// Bring both signs to one scale, at most `max_scale`, at which each fits.
pub fn coarsen(positive: &mut Dense, negative: &mut Dense, max_size: u32, max_scale: i32) -> i32 {
    positive.trim();
    negative.trim();
    positive.fit(max_size);
    negative.fit(max_size);
    let used = [&*positive, &*negative]
        .into_iter()
        .filter(|side| !side.counts.is_empty())
        .map(|side| side.scale);
    let scale = used.min().unwrap_or(max_scale).min(max_scale);
    positive.downscale_to(scale);
    negative.downscale_to(scale);
    scale
}

fn buckets(dense: Dense) -> Buckets {
    Buckets {
        offset: if dense.counts.is_empty() {
            0
        } else {
            dense.offset
        },
        counts: dense.counts,
    }
}

fn difference(total: Number, previous: Number) -> Number {
    #[allow(clippy::cast_precision_loss)]
    let float = |number| match number {
        Number::Int(value) => value as f64,
        Number::Float(value) => value,
    };
    match (total, previous) {
        (Number::Int(total), Number::Int(previous)) => Number::Int(total.wrapping_sub(previous)),
        _ => Number::Float(float(total) - float(previous)),
    }
}

fn exemplars(cell: &Cell, collection: &Collection<'_>) -> Vec<Exemplar> {
    let reservoir = cell.exemplars().borrow();
    let kept = reservoir.ok().and_then(|reservoir| {
        reservoir
            .as_ref()
            .map(|kept| kept.since(collection.exemplars_since))
    });
    kept.unwrap_or_default()
}
