//! A ring of binary records in a mapped file that outlives its process.
//!
//! A [`Flight`] is one mapping: a ring of records between one writer and one reader, a table of what is written once
//! and referred to by number, and a slot for each open span. When the process is killed, every record that was
//! committed can be read back from the file.

#[cfg(not(loom))]
mod flight;
#[cfg(not(loom))]
pub mod folder;
mod handshake;
#[cfg(not(loom))]
mod header;
#[cfg(not(loom))]
mod layout;
#[cfg(not(loom))]
mod memory;
#[cfg(all(test, not(loom)))]
#[path = "../../aggregate/src/random.rs"]
mod random;
#[cfg(not(loom))]
mod record;
#[cfg(not(loom))]
pub mod recording;
#[cfg(not(loom))]
mod ring;
#[cfg(all(test, not(any(loom, miri))))]
mod scratch;
#[cfg(not(loom))]
mod slots;
#[cfg(not(loom))]
mod snapshot;
mod sync;
#[cfg(not(loom))]
mod table;

#[cfg(not(loom))]
pub use {
    flight::Flight,
    header::Identity,
    layout::{Layout, MAX_RECORD},
    slots::OpenSpan,
};
