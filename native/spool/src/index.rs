//! Which parcels there are, where each is, and what became of those that left.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use crate::kinds::Reason;
use crate::record::{Head, Kind};

/// Where the body of a parcel is.
#[derive(Debug)]
pub(crate) enum Place {
    /// A segment, and the offset in it.
    Disk(u32, u64),
    /// Here, since the disk does not take it.
    Memory(Box<[u8]>),
    /// With whoever has it in hand, and nowhere else any more.
    Gone(Reason),
}

/// A parcel.
#[derive(Debug)]
pub(crate) struct Entry {
    pub made_ns: u64,
    pub place: Place,
    pub items: u32,
    pub len: u32,
    pub kind: Kind,
    pub in_hand: bool,
    pub adopted: bool,
}

impl Entry {
    /// What the parcel's record says under a number.
    pub fn head(&self, number: u64) -> Head {
        Head {
            number,
            made_ns: self.made_ns,
            items: self.items,
            kind: self.kind,
            len: self.len,
        }
    }
}

/// How much of a kind is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Parcels.
    pub records: u64,
    /// Spans, data points or log records in them.
    pub items: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// How many of the items a dead process left.
    pub adopted_items: u64,
    /// When the oldest was made, nanoseconds since 1970.
    pub oldest_ns: Option<u64>,
}

/// What was dropped of a kind, and why.
pub type Dropped = BTreeMap<(Kind, Reason), u64>;

/// By age, then by number.
type Line = BTreeSet<(u64, u64)>;

/// All parcels.
#[derive(Debug, Default)]
pub(crate) struct Index {
    entries: HashMap<u64, Entry>,
    waiting: [Line; Kind::COUNT],
    in_hand: [Line; Kind::COUNT],
    depths: [Depth; Kind::COUNT],
    pub dropped: Dropped,
}

impl Index {
    pub fn insert(&mut self, number: u64, entry: Entry) {
        let kind = entry.kind.index();
        let line = if entry.in_hand {
            &mut self.in_hand[kind]
        } else {
            &mut self.waiting[kind]
        };
        line.insert((entry.made_ns, number));
        let depth = &mut self.depths[kind];
        depth.records += 1;
        depth.items += u64::from(entry.items);
        depth.bytes += u64::from(entry.len);
        depth.adopted_items += u64::from(entry.items) * u64::from(entry.adopted);
        self.entries.insert(number, entry);
    }

    pub fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.entries.remove(&number)?;
        let kind = entry.kind.index();
        let key = (entry.made_ns, number);
        self.waiting[kind].remove(&key);
        self.in_hand[kind].remove(&key);
        let depth = &mut self.depths[kind];
        depth.records -= 1;
        depth.items -= u64::from(entry.items);
        depth.bytes -= u64::from(entry.len);
        depth.adopted_items -= u64::from(entry.items) * u64::from(entry.adopted);
        Some(entry)
    }

    pub fn get(&self, number: u64) -> Option<&Entry> {
        self.entries.get(&number)
    }

    /// Whether a parcel is in a segment.
    pub fn is_in(&self, number: u64, segment: u32) -> bool {
        self.get(number)
            .is_some_and(|entry| matches!(entry.place, Place::Disk(id, _) if id == segment))
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&number)
    }

    /// Hand a parcel out, or take it back into its line.
    pub fn hand(&mut self, number: u64, out: bool) {
        let Some(entry) = self.entries.get_mut(&number) else {
            return;
        };
        entry.in_hand = out;
        let (key, kind) = ((entry.made_ns, number), entry.kind.index());
        let (from, to) = if out {
            (&mut self.waiting[kind], &mut self.in_hand[kind])
        } else {
            (&mut self.in_hand[kind], &mut self.waiting[kind])
        };
        from.remove(&key);
        to.insert(key);
    }

    /// The oldest parcel of a kind that nobody has in hand, if it was made before a time.
    pub fn oldest(&self, kind: Kind, before_ns: u64) -> Option<u64> {
        let &(made_ns, number) = self.waiting[kind.index()].first()?;
        (made_ns < before_ns).then_some(number)
    }

    /// The oldest parcel of a kind that nobody has in hand, of those behind a place in line.
    pub fn first(&self, kind: Kind, behind: Option<(u64, u64)>) -> Option<u64> {
        let line = &self.waiting[kind.index()];
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        line.range((from, Bound::Unbounded))
            .next()
            .map(|&(_, number)| number)
    }

    /// The line that a parcel belongs to, and its place there.
    pub fn place_in_line(&self, number: u64) -> Option<(Kind, (u64, u64))> {
        let entry = self.entries.get(&number)?;
        Some((entry.kind, (entry.made_ns, number)))
    }

    /// How much of a kind is there.
    pub fn depth(&self, kind: Kind) -> Depth {
        let lines = [&self.waiting, &self.in_hand];
        let oldest = lines
            .into_iter()
            .filter_map(|line| line[kind.index()].first());
        Depth {
            oldest_ns: oldest.map(|&(made_ns, _)| made_ns).min(),
            ..self.depths[kind.index()]
        }
    }

    /// Parcels that somebody has in hand and that are nowhere else.
    pub fn gone(&self) -> Vec<(u64, Reason)> {
        let entries = self.entries.iter();
        let gone = entries.filter_map(|(&number, entry)| match entry.place {
            Place::Gone(reason) => Some((number, reason)),
            _ => None,
        });
        gone.collect()
    }

    /// Count what leaves undelivered.
    pub fn count(&mut self, kind: Kind, reason: Reason, items: u32) {
        *self.dropped.entry((kind, reason)).or_default() += u64::from(items);
    }

    /// A parcel is no longer anywhere here: it is dropped, unless somebody has it in hand.
    pub fn lose(&mut self, number: u64, reason: Reason) {
        match self.entries.get_mut(&number) {
            Some(entry) if entry.in_hand => entry.place = Place::Gone(reason),
            Some(_) => self.drop(number, reason),
            None => {}
        }
    }

    /// Drop a parcel and count it.
    pub fn drop(&mut self, number: u64, reason: Reason) {
        if let Some(entry) = self.remove(number) {
            self.count(entry.kind, reason, entry.items);
        }
    }
}
