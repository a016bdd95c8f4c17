//! Parcels in memory: what the disk does not take, within a budget.

use std::collections::BTreeSet;

use crate::index::{Index, Place};
use crate::kinds::{Lane, Reason};

/// Which parcels are in memory, oldest first.
#[derive(Debug)]
pub(crate) struct Memory {
    budget: u64,
    bytes: u64,
    /// Of them, those of important parcels.
    important: u64,
    lanes: [BTreeSet<(u64, u64)>; Lane::ALL.len()],
}

impl Memory {
    pub fn new(budget: u64) -> Self {
        Self {
            budget,
            bytes: 0,
            important: 0,
            lanes: [BTreeSet::new(), BTreeSet::new()],
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether so many more bytes find room where at most low parcels go.
    pub fn spares(&self, bytes: u64) -> bool {
        self.important + bytes <= self.budget
    }

    /// The oldest parcel, important ones first.
    pub fn first(&self) -> Option<u64> {
        let lanes = self.lanes.iter();
        lanes
            .filter_map(|lane| lane.first())
            .map(|key| key.1)
            .next()
    }

    /// Keep a parcel that is in the index, where others of no more importance make room for it.
    pub fn keep(&mut self, number: u64, body: Box<[u8]>, index: &mut Index) {
        let Some((lane, key)) = index
            .get(number)
            .map(|entry| (entry.kind.lane, (entry.made_ns, number)))
        else {
            return;
        };
        let len = body.len() as u64;
        while self.bytes + len > self.budget {
            let evicted = self.evicted(lane).filter(|_| len <= self.budget);
            let Some(other) = evicted else {
                index.lose(number, Reason::DiskUnavailable);
                return;
            };
            self.take(other, index);
            index.lose(other, Reason::DiskUnavailable);
        }
        self.bytes += len;
        self.important += len * u64::from(lane == Lane::Important);
        self.lanes[lane as usize].insert(key);
        if let Some(entry) = index.get_mut(number) {
            entry.place = Place::Memory(body);
        }
    }

    /// Who goes for a parcel of a lane: a low one, then an important one for an important one.
    fn evicted(&self, lane: Lane) -> Option<u64> {
        let low = self.lanes[Lane::Low as usize].first();
        let important = self.lanes[Lane::Important as usize].first();
        let key = low.or(important.filter(|_| lane == Lane::Important));
        key.map(|&(_, number)| number)
    }

    /// A parcel leaves the memory: its body, when it was there.
    pub fn take(&mut self, number: u64, index: &mut Index) -> Option<Box<[u8]>> {
        let entry = index.get_mut(number)?;
        if !matches!(entry.place, Place::Memory(_)) {
            return None;
        }
        let nowhere = Place::Gone(Reason::DiskUnavailable);
        let Place::Memory(body) = std::mem::replace(&mut entry.place, nowhere) else {
            return None;
        };
        let (len, lane) = (body.len() as u64, entry.kind.lane);
        self.bytes -= len;
        self.important -= len * u64::from(lane == Lane::Important);
        self.lanes[lane as usize].remove(&(entry.made_ns, number));
        Some(body)
    }
}
