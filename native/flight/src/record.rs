//! The 16 bytes before every record and every entry of the table, and how they prove that it is whole.
//!
//! The first word is the record's position under the file's random key and is stored last. Entries of the table
//! are sealed the same way, with positions beyond any that the ring can reach.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::layout::MAX_RECORD;
use files::checksum::{checksum, UNIT};

/// Bytes before a body.
pub(crate) const HEADER: usize = 16;

/// Records begin at multiples of this.
pub(crate) const ALIGN: usize = UNIT;

/// What must be free to begin a record.
pub(crate) const NEED: usize = HEADER + MAX_RECORD;

/// The kind of what fills the ring up to its end.
pub(crate) const PAD: u8 = 0;

/// Set in the positions of table entries.
pub(crate) const TABLE: u64 = 1 << 63;

const LEN_BITS: u32 = 24;

/// A header as it stands in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub commit: u64,
    len_kind: u32,
    sum: u32,
}

impl Header {
    pub fn new(commit: u64, word: u64) -> Self {
        let word = word.to_ne_bytes();
        let half =
            |at: usize| u32::from_ne_bytes([word[at], word[at + 1], word[at + 2], word[at + 3]]);
        Self {
            commit,
            len_kind: half(0),
            sum: half(4),
        }
    }

    pub fn kind(self) -> u8 {
        (self.len_kind >> LEN_BITS) as u8
    }

    pub fn len(self) -> usize {
        (self.len_kind & ((1 << LEN_BITS) - 1)) as usize
    }

    /// Bytes from the header to the next one.
    pub fn size(self) -> usize {
        size(self.len())
    }

    /// Whether the sum is that of the body, which is given up to the next record.
    pub fn proves(self, padded: &[u8]) -> bool {
        let (padded, len) = match self.kind() {
            PAD => (&[] as &[u8], 0),
            _ => (padded, self.len()),
        };
        self.sum == checksum(seed(self.commit, self.len_kind), padded, len)
    }
}

/// Bytes from the header of a body of `len` to the next one.
#[inline]
pub(crate) const fn size(len: usize) -> usize {
    HEADER + len.next_multiple_of(ALIGN)
}

#[inline]
fn seed(commit: u64, len_kind: u32) -> u64 {
    commit ^ (u64::from(len_kind) << 32)
}

/// The body of a record.
///
/// # Safety
/// There are more than [`HEADER`] bytes at `record`.
#[inline]
pub(crate) unsafe fn body(record: *mut u64) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { record.byte_add(HEADER).cast() }
}

/// Make a record of the body after its header; what it takes in all.
///
/// # Safety
/// The bytes of the record (for a pad its header) belong to the caller, and `record` is aligned.
#[inline]
#[allow(clippy::cast_possible_truncation)] // lengths have 24 bits
pub(crate) unsafe fn seal(record: *mut u64, commit: u64, kind: u8, len: usize) -> usize {
    let len_kind = len as u32 | u32::from(kind) << LEN_BITS;
    let summed = if kind == PAD { 0 } else { len };
    // SAFETY: inside what the caller owns.
    let padded =
        unsafe { std::slice::from_raw_parts(body(record), summed.next_multiple_of(ALIGN)) };
    let sum = checksum(seed(commit, len_kind), padded, summed);
    // SAFETY: as above; the first word is looked at by other processes only, after this one.
    unsafe {
        record.add(1).cast::<[u32; 2]>().write([len_kind, sum]);
        AtomicU64::from_ptr(record).store(commit, Ordering::Release);
    }
    size(len)
}

/// Read a header; `None` when there is none with that first word.
///
/// # Safety
/// The header at `record` can be read and `record` is aligned; nobody writes to it once its first word is `commit`.
#[inline]
pub(crate) unsafe fn header(record: *mut u64, commit: u64) -> Option<Header> {
    // SAFETY: the caller's.
    let found = unsafe { AtomicU64::from_ptr(record).load(Ordering::Acquire) };
    // SAFETY: as above.
    (found == commit).then(|| Header::new(commit, unsafe { record.add(1).read() }))
}
