//! What goes into a spool and comes out of it, and what a spool is.

use std::path::PathBuf;

use crate::index::{Depth, Dropped};
use crate::kinds::Sync;
use crate::record::{Head, Kind};

/// What a spool is.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of spools, which other processes may share.
    pub folder: PathBuf,
    /// `service.name`: what dead processes of the same one left is adopted.
    pub service: String,
    /// Bytes on disk.
    pub budget: u64,
    /// Bytes in memory, while the disk does not take what comes.
    pub memory: u64,
    /// Nanoseconds after which a parcel is dropped.
    pub max_age_ns: u64,
    /// When what is written is made to survive the machine.
    pub sync: Sync,
}

/// An appended parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// What it is called here.
    pub number: u64,
    /// Whether it survives the process.
    pub durable: bool,
}

/// A body has more than [`MAX_BODY`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// A parcel that is handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it is called here.
    pub number: u64,
    /// The number of the spool that it was appended to.
    pub spool: u64,
    /// What it was called there.
    pub origin: u64,
    /// Signal and lane.
    pub kind: Kind,
    /// Spans, data points or log records in it.
    pub items: u32,
    /// When it was made, nanoseconds since 1970.
    pub made_ns: u64,
    /// What was appended.
    pub body: Vec<u8>,
    /// Whether a dead process left it.
    pub adopted: bool,
}

impl Parcel {
    pub(crate) fn head(&self) -> Head {
        Head {
            number: self.number,
            made_ns: self.made_ns,
            items: self.items,
            kind: self.kind,
            len: u32::try_from(self.body.len()).unwrap_or(u32::MAX),
        }
    }
}

/// How the spool does.
#[derive(Clone, Debug)]
pub struct Stats {
    /// What waits or is in hand, by kind.
    pub depths: Vec<(Kind, Depth)>,
    /// Items that left undelivered.
    pub dropped: Dropped,
    /// Bytes of the files.
    pub disk_bytes: u64,
    /// Bytes of the bodies in memory.
    pub memory_bytes: u64,
    /// Why the disk does not take what comes.
    pub trouble: Option<String>,
}
