//! A copy of a living flight, as a file would have it.
//!
//! The writer goes on meanwhile. What it may have touched before the copy was finished is taken out of the copy: all
//! records after those that were there at the beginning, and the oldest, which it may have written over.

use std::ops::Range;
use std::ptr::NonNull;
use std::sync::atomic::{fence, Ordering};

use crate::header::{word, Cursors, State, COPIES};
use crate::layout::{Layout, SLOT};
use crate::record::{ALIGN, NEED};
use crate::Flight;

impl Flight {
    /// The bytes of a recording that ends now, for [`Recording::of_bytes`](crate::recording::Recording::of_bytes).
    #[must_use]
    pub fn copy(&self) -> Vec<u8> {
        let layout = self.layout();
        let mut out = Image(vec![0; layout.total()]);
        let constant = self.constant.encode();
        for at in COPIES {
            out.put(at, &constant);
        }
        // The order matters: whoever is ahead is looked at later. A span that ends meanwhile is in the copy as open
        // and as a record, rather than not at all; entries come last, so that all are there that records speak of.
        let cursors = self.cursors();
        let delivered = cursors.delivered.0.load(Ordering::Acquire);
        let read = cursors.shared.read.0.load(Ordering::Acquire);
        let lost = cursors.rest.0.lost.load(Ordering::Acquire);
        for (index, slot) in self.slots.whole() {
            for (place, word) in slot.into_iter().enumerate() {
                out.put_word(Layout::slots_at() + index * SLOT + 8 * place, word);
            }
        }
        let written = self.written();
        out.take(self.ring.base(), layout.ring_at()..layout.total());
        fence(Ordering::Acquire);
        let begun = self.written() + NEED as u64;
        let oldest = begun.saturating_sub(layout.ring as u64);
        let key = self.constant.key;
        out.remove_records(layout.ring_at(), key, 0..oldest);
        out.remove_records(layout.ring_at(), key, written..begun);
        let used = self.table.used().load(Ordering::Acquire);
        let used = usize::try_from(used).map_or(layout.table, |used| used.min(layout.table));
        out.take(
            self.table.base(),
            layout.table_at()..layout.table_at() + used,
        );
        for (at, value) in [
            (Cursors::DELIVERED, delivered.min(written)),
            (Cursors::READ, read),
            (Cursors::WRITTEN, written),
            (Cursors::STATE, State::Snapshot.word(key)),
            (Cursors::OLDEST, oldest.min(written)),
            (Cursors::TABLE, used as u64),
            (Cursors::LOST, lost),
        ] {
            out.put_word(at, value);
        }
        out.0
    }
}

struct Image(Vec<u8>);

impl Image {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put_word(&mut self, at: usize, word: u64) {
        self.put(at, &word.to_ne_bytes());
    }

    /// Copy memory that somebody may be writing to.
    fn take(&mut self, words: NonNull<u64>, to: Range<usize>) {
        for (index, out) in self.0[to].chunks_exact_mut(8).enumerate() {
            // SAFETY: inside the part of the memory that begins at `words`, which has the length of `to`. The reads
            // are volatile since what they give may be torn; nothing is concluded from it unless its sum is right.
            let word = unsafe { words.add(index).read_volatile() };
            out.copy_from_slice(&word.to_ne_bytes());
        }
    }

    /// Take what looks like a record at one of these positions out of the ring.
    fn remove_records(&mut self, ring_at: usize, key: u64, removed: Range<u64>) {
        let ring = &mut self.0[ring_at..];
        let mask = ring.len() as u64 - 1;
        for at in (0..ring.len()).step_by(ALIGN) {
            let position = word(ring, at) ^ key;
            if position & mask == at as u64 && removed.contains(&position) {
                ring[at..at + 8].fill(0);
            }
        }
    }
}
