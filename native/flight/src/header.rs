//! The first page: what the file is, whose it is, how far everybody is.

use std::mem::offset_of;
use std::sync::atomic::AtomicU64;

use files::checksum::checksum;
use files::owner::cut;

use crate::handshake::Shared;
use crate::layout::{Layout, PAGE};
use crate::sync::OwnLine;

/// Whose recording it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The process.
    pub pid: u32,
    /// `service.instance.id`.
    pub instance: [u8; 16],
    /// When the process began to record, in nanoseconds since 1970.
    pub started_ns: u64,
    /// `service.name`, of which 144 bytes are kept.
    pub service: String,
}

/// "OTFLIGHT" as a number: on a machine of the other byte order it is another.
pub(crate) const MAGIC: u64 = 0x4F54_464C_4947_4854;
pub(crate) const VERSION: u32 = 1;

/// Bytes of the part that never changes, its checksum included.
pub(crate) const CONSTANT: usize = 256;

/// It is there twice, at the beginning and at the end of the page.
pub(crate) const COPIES: [usize; 2] = [0, PAGE - CONSTANT];

const SUM_AT: usize = CONSTANT - 16;
const SERVICE_AT: usize = 96;
const SERVICE_BYTES: usize = SUM_AT - SERVICE_AT;

/// What the state word says, under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The process is still at it, or died.
    Unfinished,
    /// The process ended and left nothing to recover.
    Clean,
    /// What there was to recover was recovered.
    Recovered,
    /// A copy of a recording that went on.
    Snapshot,
}

impl State {
    pub(crate) fn word(self, key: u64) -> u64 {
        match self {
            Self::Unfinished => 0,
            Self::Clean => key ^ 1,
            Self::Recovered => key ^ 2,
            Self::Snapshot => key ^ 3,
        }
    }

    pub(crate) fn of(word: u64, key: u64) -> Option<Self> {
        [
            Self::Unfinished,
            Self::Clean,
            Self::Recovered,
            Self::Snapshot,
        ]
        .into_iter()
        .find(|state| state.word(key) == word)
    }
}

/// What changes, at [`Cursors::AT`].
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Cursors {
    pub shared: Shared,
    pub delivered: OwnLine<AtomicU64>,
    pub rest: OwnLine<Rest>,
}

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Rest {
    pub state: AtomicU64,
    /// In a snapshot, what is before this position is not there.
    pub oldest: AtomicU64,
    /// Bytes of the table that are used.
    pub table: AtomicU64,
    /// Records that had to go before they were delivered.
    pub lost: AtomicU64,
}

impl Cursors {
    pub const AT: usize = 1024;
    pub const WRITTEN: usize = Self::AT + offset_of!(Shared, written);
    pub const READ: usize = Self::AT + offset_of!(Shared, read);
    pub const DELIVERED: usize = Self::AT + offset_of!(Self, delivered);
    const REST: usize = Self::AT + offset_of!(Self, rest);
    pub const STATE: usize = Self::REST + offset_of!(Rest, state);
    pub const OLDEST: usize = Self::REST + offset_of!(Rest, oldest);
    pub const TABLE: usize = Self::REST + offset_of!(Rest, table);
    pub const LOST: usize = Self::REST + offset_of!(Rest, lost);
}

const _: () = assert!(Cursors::AT >= CONSTANT && Cursors::AT + size_of::<Cursors>() <= COPIES[1]);

/// The part that never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Constant {
    pub layout: Layout,
    pub key: u64,
    pub owner: Owner,
}

/// The process, and the start of the machine it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub boot: [u8; 16],
    pub identity: Identity,
}

/// Why a header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Magic,
    Version(u32),
    Sum,
}

impl Constant {
    pub fn encode(&self) -> [u8; CONSTANT] {
        let mut out = [0; CONSTANT];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC.to_ne_bytes());
        put(8, &VERSION.to_ne_bytes());
        put(16, &(self.layout.ring as u64).to_ne_bytes());
        put(24, &(self.layout.table as u64).to_ne_bytes());
        put(32, &(self.layout.slots as u64).to_ne_bytes());
        put(40, &self.key.to_ne_bytes());
        put(48, &self.owner.identity.started_ns.to_ne_bytes());
        put(56, &self.owner.identity.pid.to_ne_bytes());
        put(64, &self.owner.identity.instance);
        put(80, &self.owner.boot);
        let service = cut(&self.owner.identity.service, SERVICE_BYTES);
        put(60, &u32::try_from(service.len()).unwrap_or(0).to_ne_bytes());
        put(SERVICE_AT, service.as_bytes());
        let sum = checksum(MAGIC, &out[..SUM_AT], SUM_AT);
        out[SUM_AT..SUM_AT + 4].copy_from_slice(&sum.to_ne_bytes());
        out
    }

    pub fn decode(bytes: &[u8; CONSTANT]) -> Result<Self, Unreadable> {
        if word(bytes, 0) != MAGIC {
            return Err(Unreadable::Magic);
        }
        let version = half(bytes, 8);
        if version != VERSION {
            return Err(Unreadable::Version(version));
        }
        if checksum(MAGIC, &bytes[..SUM_AT], SUM_AT) != half(bytes, SUM_AT) {
            return Err(Unreadable::Sum);
        }
        let size = |at| usize::try_from(word(bytes, at)).unwrap_or(usize::MAX);
        let layout = Layout {
            ring: size(16),
            table: size(24),
            slots: size(32),
        };
        if layout.rounded().ok() != Some(layout) {
            return Err(Unreadable::Sum);
        }
        let mut constant = Self {
            layout,
            key: word(bytes, 40),
            owner: Owner {
                boot: [0; 16],
                identity: Identity {
                    pid: half(bytes, 56),
                    instance: [0; 16],
                    started_ns: word(bytes, 48),
                    service: String::new(),
                },
            },
        };
        constant
            .owner
            .identity
            .instance
            .copy_from_slice(&bytes[64..80]);
        constant.owner.boot.copy_from_slice(&bytes[80..96]);
        let service_len = (half(bytes, 60) as usize).min(SERVICE_BYTES);
        let service = &bytes[SERVICE_AT..SERVICE_AT + service_len];
        constant.owner.identity.service = String::from_utf8_lossy(service).into_owned();
        Ok(constant)
    }
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_ne_bytes(word)
}

fn half(bytes: &[u8], at: usize) -> u32 {
    let mut half = [0; 4];
    half.copy_from_slice(&bytes[at..at + 4]);
    u32::from_ne_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(service: &str) -> Constant {
        Constant {
            layout: Layout {
                ring: 1 << 20,
                table: 4096,
                slots: 64,
            },
            key: 0x0123_4567_89AB_CDEF,
            owner: Owner {
                boot: [3; 16],
                identity: Identity {
                    pid: 42,
                    instance: [7; 16],
                    started_ns: 1_700_000_000_000_000_000,
                    service: service.to_owned(),
                },
            },
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let written = constant("prices");
        assert_eq!(Constant::decode(&written.encode()), Ok(written));
    }

    #[test]
    fn a_long_service_name_is_cut_between_characters() {
        let read = Constant::decode(&constant(&"ä".repeat(200)).encode()).unwrap();
        assert_eq!(read.owner.identity.service, "ä".repeat(SERVICE_BYTES / 2));
        let read = Constant::decode(&constant(&format!("x{}", "ä".repeat(200))).encode()).unwrap();
        assert_eq!(read.owner.identity.service.len(), SERVICE_BYTES - 1);
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let whole = constant("prices").encode();
        for bit in 0..SUM_AT * 8 + 32 {
            let mut damaged = whole;
            damaged[bit / 8] ^= 1 << (bit % 8);
            Constant::decode(&damaged).unwrap_err();
        }
    }

    #[test]
    fn only_known_words_are_states() {
        for state in [
            State::Unfinished,
            State::Clean,
            State::Recovered,
            State::Snapshot,
        ] {
            assert_eq!(State::of(state.word(99), 99), Some(state));
        }
        assert_eq!(State::of(1, 99), None);
    }
}
