//! Durations of all spans by name, kind and status: taken before anything is dropped, so they are exact.
//!
//! The pump writes them, an exporter reads them; a lock keeps them apart. Series are never forgotten, since their
//! counts go on from the beginning; when there are as many as allowed, the spans of further ones share one series.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aggregate::dense::Dense;
use aggregate::exponential::{self, Exponential};

use crate::hash::Seed;

/// Kinds of spans in OTLP, 0 for unspecified to 5 for consumer.
const KINDS: usize = 6;

/// Statuses of spans in OTLP: unset, ok, error.
const STATUSES: usize = 3;

/// Buckets of a histogram, and the finest scale, as in OpenTelemetry's SDKs.
const SIZE: u32 = 160;
const SCALE: i8 = 20;

/// The series of a name that there is none of.
const NONE: u32 = u32::MAX;

/// Durations of all spans.
#[derive(Debug)]
pub struct SpanMetrics(Mutex<Table>);

/// The right to record, until it is dropped.
#[derive(Debug)]
pub struct Recording<'a>(MutexGuard<'a, Table>);

/// A series as it is now, counted from the beginning.
#[derive(Debug)]
pub struct Snapshot<'a> {
    /// The name of the spans; `None` for the series that further ones share, of which kind and status say nothing.
    pub name: Option<&'a str>,
    /// Their kind, as in OTLP.
    pub kind: u8,
    /// Their status, as in OTLP.
    pub status: u8,
    /// How many there were.
    pub count: u64,
    /// Seconds that they took together.
    pub sum: f64,
    /// Seconds that the shortest took.
    pub min: f64,
    /// Seconds that the longest took.
    pub max: f64,
    /// How many took no time.
    pub zeros: u64,
    /// How many of the others took how many seconds.
    pub buckets: &'a Dense,
}

#[derive(Debug)]
struct Table {
    capacity: usize,
    names: HashMap<Box<str>, [[u32; STATUSES]; KINDS], Seed>,
    series: Vec<Series>,
    overflow: Series,
}

#[derive(Debug)]
struct Series {
    name: Box<str>,
    kind: u8,
    status: u8,
    durations: Exponential,
    count: u64,
    zeros: u64,
    sum_ns: u128,
    min_ns: u64,
    max_ns: u64,
}

impl SpanMetrics {
    /// No spans yet, and room for so many series beside the shared one.
    #[must_use]
    pub fn new(max_series: usize) -> Self {
        Self(Mutex::new(Table {
            capacity: max_series.min(NONE as usize),
            names: HashMap::default(),
            series: Vec::new(),
            overflow: Series::new("", 0, 0),
        }))
    }

    /// Record some spans; until then nobody reads.
    #[must_use]
    pub fn record(&self) -> Recording<'_> {
        Recording(self.table())
    }

    /// Look at all series that have spans.
    pub fn read(&self, mut each: impl FnMut(&Snapshot)) {
        let table = self.table();
        let reading = exponential::enter();
        let mut buckets = Dense::default();
        let shared = (table.overflow.count > 0).then_some(&table.overflow);
        let all = table
            .series
            .iter()
            .map(|series| (Some(&*series.name), series));
        for (name, series) in all.chain(shared.map(|series| (None, series))) {
            series.durations.read_with(&reading, &mut buckets);
            each(&Snapshot {
                name,
                kind: series.kind,
                status: series.status,
                count: series.count,
                sum: seconds(series.sum_ns),
                min: seconds(u128::from(series.min_ns)),
                max: seconds(u128::from(series.max_ns)),
                zeros: series.zeros,
                buckets: &buckets,
            });
        }
    }

    /// Spans that are in the shared series.
    #[must_use]
    pub fn overflown(&self) -> u64 {
        self.table().overflow.count
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // Counts are valid at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recording<'_> {
    /// Count a span. What OTLP does not know as a kind or a status counts as unspecified or unset.
    pub fn span(&mut self, name: &str, kind: u8, status: u8, duration_ns: u64) {
        let kind = if usize::from(kind) < KINDS { kind } else { 0 };
        let status = if usize::from(status) < STATUSES {
            status
        } else {
            0
        };
        self.0.series(name, kind, status).record(duration_ns);
    }
}

impl Table {
    fn series(&mut self, name: &str, kind: u8, status: u8) -> &mut Series {
        let full = self.series.len() >= self.capacity;
        let (row, column) = (usize::from(kind), usize::from(status));
        let places = match self.names.get_mut(name) {
            Some(places) => places,
            None if full => return &mut self.overflow,
            None => self
                .names
                .entry(name.into())
                .or_insert([[NONE; STATUSES]; KINDS]),
        };
        let place = &mut places[row][column];
        if *place == NONE {
            if full {
                return &mut self.overflow;
            }
            // There are fewer than NONE.
            *place = u32::try_from(self.series.len()).unwrap_or(NONE);
            self.series.push(Series::new(name, kind, status));
        }
        &mut self.series[*place as usize]
    }
}

impl Series {
    fn new(name: &str, kind: u8, status: u8) -> Self {
        Self {
            name: name.into(),
            kind,
            status,
            durations: Exponential::new(SIZE, SCALE),
            count: 0,
            zeros: 0,
            sum_ns: 0,
            min_ns: u64::MAX,
            max_ns: 0,
        }
    }

    fn record(&mut self, duration_ns: u64) {
        self.count += 1;
        self.sum_ns += u128::from(duration_ns);
        self.min_ns = self.min_ns.min(duration_ns);
        self.max_ns = self.max_ns.max(duration_ns);
        if duration_ns == 0 {
            self.zeros += 1;
        } else {
            // SAFETY: `&mut self` makes this the only writer.
            unsafe { self.durations.record(seconds(u128::from(duration_ns))) };
        }
    }
}

#[allow(clippy::cast_precision_loss)] // rounded to what a double has
fn seconds(ns: u128) -> f64 {
    ns as f64 / 1e9
}

#[cfg(test)]
mod tests;
