//! How the file is divided: a header page, the slots of open spans, the table, the ring.

use std::io;

/// Bytes a record's body can have; fewer in unit tests, which fill rings with them.
pub const MAX_RECORD: usize = if cfg!(test) { 64 * 1024 } else { 512 * 1024 };

/// Bytes of the header at the beginning of the file.
pub(crate) const PAGE: usize = 4096;

/// Bytes of a slot.
pub(crate) const SLOT: usize = 64;

const LEAST_RING: usize = 4 * MAX_RECORD;
const MOST_RING: usize = 1 << 30;
const MOST_TABLE: usize = 1 << 30;
const MOST_SLOTS: usize = 1 << 20;

/// How much of everything a flight holds.
///
/// Sizes are rounded up: the ring to a power of two of at least four records, the others to whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes of the ring of records, at most 2^30.
    pub ring: usize,
    /// Bytes of the table, at most 2^30.
    pub table: usize,
    /// Number of slots for open spans, at most 2^20.
    pub slots: usize,
}

impl Layout {
    /// The sizes as they are used.
    pub(crate) fn rounded(&self) -> io::Result<Self> {
        if self.ring > MOST_RING || self.table > MOST_TABLE || self.slots > MOST_SLOTS {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{self:?}: the most is {MOST_RING} bytes of ring, {MOST_TABLE} bytes of table \
                     and {MOST_SLOTS} slots"
                ),
            ));
        }
        Ok(Self {
            ring: self.ring.max(LEAST_RING).next_power_of_two(),
            table: self.table.max(1).next_multiple_of(PAGE),
            slots: self.slots.max(1).next_multiple_of(PAGE / SLOT),
        })
    }

    pub(crate) fn slots_at() -> usize {
        PAGE
    }

    pub(crate) fn table_at(&self) -> usize {
        Self::slots_at() + self.slots * SLOT
    }

    pub(crate) fn ring_at(&self) -> usize {
        self.table_at() + self.table
    }

    pub(crate) fn total(&self) -> usize {
        self.ring_at() + self.ring
    }
}
