//! A record: 64 bytes that say what it is and prove it, and the body.

use files::checksum::{self, checksum, UNIT};

use crate::kinds::{Lane, Signal};

/// Bytes that a body can have.
pub const MAX_BODY: usize = 64 << 20;

/// Bytes before a body.
pub(crate) const HEADER: usize = 64;

/// Records begin at multiples of this.
pub(crate) const ALIGN: usize = UNIT;

/// Where the word is that says whether the record is settled; it is in no sum.
pub(crate) const STATE: usize = 48;

/// "OTSPOOL1" in the file.
pub(crate) const MAGIC: [u8; 8] = *b"OTSPOOL1";

/// What the sum of the header covers.
const SUMMED: usize = 40;

/// Signal and lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// What the parcel holds.
    pub signal: Signal,
    /// How important it is.
    pub lane: Lane,
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = Signal::ALL.len() * Lane::ALL.len();

    /// Each has its place.
    #[must_use]
    pub fn index(self) -> usize {
        self.signal as usize * Lane::ALL.len() + self.lane as usize
    }

    /// All there are, in the order of their places.
    pub fn all() -> impl Iterator<Item = Self> {
        let lanes = |&signal| Lane::ALL.iter().map(move |&lane| Self { signal, lane });
        Signal::ALL.iter().flat_map(lanes)
    }
}

/// What a record says about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number in the spool that it was appended to.
    pub number: u64,
    /// When it was made, nanoseconds since 1970.
    pub made_ns: u64,
    /// Spans, data points or log records in it.
    pub items: u32,
    /// Signal and lane.
    pub kind: Kind,
    /// Bytes of the body.
    pub len: u32,
}

impl Head {
    /// Bytes of the record in its segment.
    pub(crate) fn size(&self) -> u64 {
        size(self.len as usize)
    }

    /// The record's first bytes, at an offset of a segment of the spool `key`.
    pub(crate) fn encode(&self, key: u64, at: u64, body: &[u8]) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &self.number.to_le_bytes());
        put(16, &self.made_ns.to_le_bytes());
        put(24, &self.len.to_le_bytes());
        put(28, &self.items.to_le_bytes());
        put(32, &[self.kind.signal as u8, self.kind.lane as u8]);
        put(36, &body_sum(key, at, body).to_le_bytes());
        let sum = checksum(seed(key, at), &out[..48], SUMMED);
        out[40..44].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// What 64 bytes at an offset say, and the sum of the body; `None` when they are no record's.
    pub(crate) fn decode(key: u64, at: u64, bytes: &[u8]) -> Option<(Self, u32)> {
        if bytes.len() < HEADER || bytes[..8] != MAGIC {
            return None;
        }
        if checksum(seed(key, at), &bytes[..48], SUMMED) != half(bytes, 40) {
            return None;
        }
        let kind = Kind {
            signal: *Signal::ALL.get(usize::from(bytes[32]))?,
            lane: *Lane::ALL.get(usize::from(bytes[33]))?,
        };
        let head = Self {
            number: word(bytes, 8),
            made_ns: word(bytes, 16),
            len: half(bytes, 24),
            items: half(bytes, 28),
            kind,
        };
        (head.len as usize <= MAX_BODY).then(|| (head, half(bytes, 36)))
    }
}

/// Bytes of a record with a body of so many.
pub(crate) fn size(body: usize) -> u64 {
    (HEADER + body.next_multiple_of(ALIGN)) as u64
}

/// What stands at [`STATE`] of a settled record. Of one that waits it is zero.
pub(crate) fn settled(key: u64, at: u64) -> u64 {
    seed(key, at).rotate_left(31) | 1
}

/// The sum of a body.
pub(crate) fn body_sum(key: u64, at: u64, body: &[u8]) -> u32 {
    checksum::of(!seed(key, at), body)
}

/// A record proves itself only at its place: what looks like one in a body, or was moved, does not.
fn seed(key: u64, at: u64) -> u64 {
    key ^ at.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

pub(crate) fn half(bytes: &[u8], at: usize) -> u32 {
    let mut half = [0; 4];
    half.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(half)
}
