//! The table in which a stream finds its series.

/// An open-addressing table from hashes to places.
#[derive(Default)]
pub struct Slots {
    slots: Box<[(u64, u32)]>,
    used: usize,
}

const EMPTY: u32 = u32::MAX;
const FIRST_SIZE: usize = 8;

impl Slots {
    #[inline(always)]
    pub fn find(&self, hash: u64, equal: impl Fn(usize) -> bool) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        #[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
        let mut slot = hash as usize & mask;
        loop {
            let (known, place) = self.slots[slot];
            if place == EMPTY {
                return None;
            }
            if known == hash && equal(place as usize) {
                return Some(place as usize);
            }
            slot = (slot + 1) & mask;
        }
    }

    pub fn insert(&mut self, hash: u64, place: usize) {
        if (self.used + 1) * 2 > self.slots.len() {
            let larger = (self.slots.len() * 2).max(FIRST_SIZE);
            let old = std::mem::replace(&mut self.slots, vec![(0, EMPTY); larger].into());
            for (hash, place) in old.iter().filter(|(_, place)| *place != EMPTY) {
                self.put(*hash, *place);
            }
        }
        self.put(hash, u32::try_from(place).unwrap_or(EMPTY - 1));
        self.used += 1;
    }

    #[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
    fn put(&mut self, hash: u64, place: u32) {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot].1 != EMPTY {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = (hash, place);
    }
}
