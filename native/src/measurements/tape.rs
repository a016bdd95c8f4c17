//! A ring of what changed, tick by tick, in which each series' last value always stands.
//!
//! A record is a time and values that are new since the record before. Since the ring goes round, all values are
//! written again, as a checkpoint, each time an eighth of it was written: nothing before the last one is needed.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use spans::measurement::{self, Body};
use spans::record::{entry, kind};
use wire::model::Scope;
use wire::parts;

use crate::flights::Recorder;
use crate::metrics::tracking::{kind_of, Newcomer, Reading, Stamp};
use crate::metrics::StreamSpec;
use crate::recordings::RECOVERED;

/// A record is closed when it is longer, bytes.
const RECORD: usize = 64 << 10;

/// A checkpoint is due when such a part of the ring was written; it may take as much, and so may one tick. With the
/// room that a record needs, and as much at the ring's end, the last one is always whole.
const PARTS: u64 = 8;

/// A series that is followed.
struct Series {
    newcomer: Newcomer,
    /// Its entry of the table, once it has a value.
    id: Option<u32>,
    last: Option<Stamp>,
}

pub struct Tape {
    recorder: Arc<Recorder>,
    explicit: bool,
    /// By the addresses of their cells.
    series: HashMap<usize, Series>,
    /// Entries of streams and scopes by their addresses, which stay theirs while these are here.
    frames: HashMap<(usize, u8), (u32, Arc<StreamSpec>)>,
    scopes: HashMap<usize, (u32, Arc<Scope>)>,
    /// The positions behind the records that are there.
    ends: VecDeque<u64>,
    checkpoint: u64,
    /// The position behind the last change.
    changed: u64,
    delivered: u64,
    /// Values that found no room.
    lost: u64,
    values: Vec<u8>,
    body: Body,
}

impl Tape {
    pub fn new(recorder: Arc<Recorder>, explicit: bool, resource: &[u8]) -> Self {
        let tape = Self {
            recorder,
            explicit,
            series: HashMap::new(),
            frames: HashMap::new(),
            scopes: HashMap::new(),
            ends: VecDeque::new(),
            checkpoint: 0,
            changed: 0,
            delivered: 0,
            lost: 0,
            values: Vec::new(),
            body: Body::default(),
        };
        tape.describe(resource);
        tape
    }

    pub fn recorder(&self) -> Arc<Recorder> {
        Arc::clone(&self.recorder)
    }

    pub fn describe(&self, resource: &[u8]) {
        if !resource.is_empty() {
            self.define(entry::METRICS_RESOURCE, resource);
        }
    }

    fn define(&self, kind: u8, bytes: &[u8]) -> Option<u32> {
        // SAFETY: a tape belongs to whoever has the lock around it, and nobody else writes.
        unsafe { self.recorder.flight.define(kind, bytes) }
    }

    /// Go on with the series of another tape.
    pub fn take_over(&mut self, old: &mut Self) {
        self.series = std::mem::take(&mut old.series);
        for series in self.series.values_mut() {
            (series.id, series.last) = (None, None);
        }
    }

    pub fn add(&mut self, newcomers: Vec<Newcomer>) {
        for newcomer in newcomers {
            // One that began anew is another series.
            let series = Series {
                id: None,
                last: None,
                newcomer,
            };
            self.series.insert(series.newcomer.cell.address(), series);
        }
    }

    /// Record what changed.
    pub fn tick(&mut self, now_ns: u64) {
        self.write(now_ns, false);
        let part = self.recorder.flight.capacity() as u64 / PARTS;
        if self.recorder.flight.written() - self.checkpoint >= part {
            let begin = self.recorder.flight.written();
            self.write(now_ns, true);
            self.checkpoint = begin;
        }
    }

    fn write(&mut self, now_ns: u64, checkpoint: bool) {
        let most = self.recorder.flight.capacity() as u64 / PARTS;
        let begin = self.recorder.flight.written();
        let mut series = std::mem::take(&mut self.series);
        self.body.begin(now_ns, checkpoint);
        series.retain(|_, series| {
            let Some(stamp) = series.newcomer.cell.stamp() else {
                return false;
            };
            let is_new = series.last.map_or(!stamp.is_zero(), |last| last != stamp);
            if is_new || checkpoint && series.last.is_some() {
                if self.recorder.flight.written() - begin > most {
                    self.lost += 1;
                } else if self.put(series).is_some() {
                    series.last = Some(stamp);
                }
                if self.body.len() > RECORD {
                    self.commit(checkpoint);
                    self.body.begin(now_ns, checkpoint);
                }
            }
            true
        });
        self.series = series;
        self.commit(checkpoint);
        if self.lost > 0 {
            self.recorder.flight.set_lost(self.lost);
        }
    }

    /// Put a series' value into the record in the making.
    fn put(&mut self, series: &mut Series) -> Option<()> {
        let reading = series.newcomer.cell.read(self.explicit)?;
        let id = match series.id {
            Some(id) => id,
            None => *series.id.insert(self.entry(&series.newcomer, &reading)?),
        };
        self.values.clear();
        match &reading {
            Reading::Number(value) => parts::number_of(&mut self.values, *value),
            Reading::Explicit(bounds, point) => {
                parts::explicit_of(&mut self.values, bounds, point);
            }
            Reading::Exponential(point) => parts::exponential_of(&mut self.values, point),
        }
        self.body.put(id, &self.values);
        Some(())
    }

    /// The table's entry of a series; `None` when it is full, which is counted.
    fn entry(&mut self, newcomer: &Newcomer, reading: &Reading) -> Option<u32> {
        let found = self.frame(newcomer, reading).and_then(|frame| {
            let data = kind_of(&newcomer.spec, reading);
            let start_ns = match &data {
                wire::model::Data::Gauge { .. } => 0,
                _ => newcomer.start_ns,
            };
            let fixed = parts::series(&data, &newcomer.attributes, start_ns);
            self.define(entry::SERIES, &measurement::series(frame, &fixed))
        });
        self.lost += u64::from(found.is_none());
        found
    }

    fn frame(&mut self, newcomer: &Newcomer, reading: &Reading) -> Option<u32> {
        let data = kind_of(&newcomer.spec, reading);
        let frame = parts::frame(&newcomer.spec.identity, &data, RECOVERED);
        let key = (Arc::as_ptr(&newcomer.spec) as usize, frame.field);
        if let Some((id, _)) = self.frames.get(&key) {
            return Some(*id);
        }
        let scope = self.scope(&newcomer.spec.scope_itself)?;
        let id = self.define(entry::METRIC, &measurement::metric(scope, &frame))?;
        self.frames.insert(key, (id, Arc::clone(&newcomer.spec)));
        Some(id)
    }

    fn scope(&mut self, scope: &Arc<Scope>) -> Option<u32> {
        let key = Arc::as_ptr(scope) as usize;
        if let Some((id, _)) = self.scopes.get(&key) {
            return Some(*id);
        }
        let id = self.define(entry::METRICS_SCOPE, &parts::scope(scope))?;
        self.scopes.insert(key, (id, Arc::clone(scope)));
        Some(id)
    }

    fn commit(&mut self, checkpoint: bool) {
        if self.body.is_empty() {
            return;
        }
        let recorder = Arc::clone(&self.recorder);
        let flight = &*recorder.flight;
        let body = self.body.as_bytes();
        loop {
            // SAFETY: a tape belongs to whoever has the lock around it, and nobody else reads or writes.
            unsafe {
                if let Some(room) = flight.begin() {
                    room[..body.len()].copy_from_slice(body);
                    flight.commit(kind::MEASUREMENT, body.len());
                    break;
                }
                let Some(oldest) = self.ends.pop_front() else {
                    return;
                };
                flight.free(oldest);
            }
        }
        let end = flight.written();
        self.ends.push_back(end);
        if !checkpoint {
            self.changed = end;
        }
    }

    pub fn mark(&self) -> u64 {
        self.recorder.flight.written()
    }

    pub fn settle(&mut self, mark: u64) {
        self.delivered = self.delivered.max(mark.min(self.mark()));
        self.recorder.flight.set_delivered(self.delivered);
    }

    /// Remove the file when all is delivered; whether it is so.
    pub fn finish(&mut self, delivered: bool) -> bool {
        let all = delivered || self.changed <= self.delivered;
        if all {
            self.recorder.finish();
        }
        all
    }
}
