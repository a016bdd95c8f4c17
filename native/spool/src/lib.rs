//! Parcels on disk until they are delivered: a log in segments that outlives its process.
//!
//! A [`Spool`] is one process's folder of segment files under a lock. What is appended is in the kernel's hands when
//! [`Spool::append`] returns, so it survives the death of the process; what a dead process left is adopted by the next
//! one of its service. What the disk does not take waits in memory. Nothing leaves uncounted.
//!
//! Whether a parcel is settled is a word in its record that is changed in place, beside what its checksum covers. That
//! needs no room, so a full disk does not keep parcels from leaving it, and no second file that could be lost while the
//! record is not. The word follows from the record's place and the spool's number: damage does not make one.

mod disk;
mod home;
mod index;
mod kinds;
mod memory;
mod parcel;
mod record;
mod scan;
mod segment;
mod spool;

pub use disk::Adopted;
pub use index::{Depth, Dropped};
pub use kinds::{Lane, Reason, Signal, Sync};
pub use parcel::{Appended, Options, Parcel, Stats, TooLarge};
pub use record::MAX_BODY;
pub use spool::Spool;

/// What fuzzing reaches for: reading the bytes of a segment.
pub mod segments {
    pub use crate::record::{Head, Kind};
    pub use crate::scan::{scan, Found, Scan};
}
